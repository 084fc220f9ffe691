"""Permuted pixels: the autoencoders by other means, the permutation by construction."""

import pytest
import torch
from sklearn.decomposition import PCA

from advx.evaluation.pixel_permutation import (
    by_mean_and_deviation,
    decoder,
    matched_pixels,
    permuted,
    pixels_recovered,
    recovered_permutation,
    varying_pixels,
)


def images_of(count: int, seed: int, pixels: int = 30) -> torch.Tensor:
    """Images (count, 1, 5, pixels / 5) of five skewed causes of different sizes.

    Every pixel has the same mean and deviation: only what it has in common with others tells.
    """
    fixed = torch.Generator().manual_seed(9)
    mixing = torch.randn(pixels, 5, generator=fixed) * torch.tensor([2.0, 1.4, 1, 0.7, 0.5])
    mixing = mixing / mixing.norm(dim=1, keepdim=True)
    draw = torch.Generator().manual_seed(seed)
    causes = -torch.rand(count, 5, generator=draw).clamp(min=1e-6).log() - 1  # variance 1
    noise = 0.02 * torch.randn(count, pixels, generator=draw)
    return (causes @ mixing.T + noise).view(count, 1, 5, -1)


def test_the_decoder_is_that_of_principal_components_with_skewed_codes() -> None:
    x = images_of(4000, 0).flatten(1).double()
    ours = decoder(x, 3)
    fitted = PCA(3).fit(x.numpy())
    for column, axis in zip(ours.T, fitted.components_, strict=True):
        cosine = column @ torch.from_numpy(axis) / column.norm()
        assert abs(cosine) == pytest.approx(1, abs=1e-6)
    codes = (x - x.mean(0)) @ ours / ours.square().sum(0)
    assert (codes.pow(3).mean(0) > 0).all()
    torch.testing.assert_close(codes.var(0), torch.ones(3).double(), rtol=1e-3, atol=0)


def test_a_permutation_is_found_in_images_of_other_examples() -> None:
    ours, others = images_of(6000, 0), images_of(6000, 1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(2))
    mixed = permuted(others, order)
    place = recovered_permutation(ours, mixed, [5], 2)
    assert pixels_recovered(place, order, ours) == 100
    assert torch.equal(permuted(mixed, place), others)
    alone = by_mean_and_deviation(ours, mixed)
    assert pixels_recovered(alone, order, ours) < 40
    independent = recovered_permutation(ours, torch.rand(6000, 1, 5, 6), [5], 2)
    assert pixels_recovered(independent, order, ours) < 40


def test_rounds_mend_what_few_components_leave_wrong() -> None:
    ours, others = images_of(3000, 0), images_of(3000, 1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(2))
    mixed = permuted(others, order)
    found = [
        pixels_recovered(recovered_permutation(ours, mixed, [1, 5], n), order, ours) for n in (0, 3)
    ]
    assert found[0] < found[1]


def test_only_pixels_that_vary_count() -> None:
    images = torch.zeros(10, 1, 2, 2)
    images[:5, 0, 0, 0] = 1
    images[:5, 0, 1, 1] = 0.5
    assert varying_pixels(images).tolist() == [True, False, False, True]
    order = torch.tensor([3, 1, 2, 0])
    assert pixels_recovered(order.argsort(), order, images) == 100
    assert pixels_recovered(torch.tensor([3, 2, 1, 0]), order, images) == 100
    assert pixels_recovered(torch.tensor([3, 1, 0, 2]), order, images) == 50


def test_pixels_are_matched_one_to_one() -> None:
    first = torch.tensor([[0.0], [1.0], [2.0]])
    assert matched_pixels(first, torch.tensor([[2.1], [0.1], [1.1]])).tolist() == [1, 2, 0]
    assert sorted(matched_pixels(first, torch.tensor([[1.0], [1.0], [1.0]])).tolist()) == [0, 1, 2]
