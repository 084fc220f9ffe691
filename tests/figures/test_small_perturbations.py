"""Figures 1.1 and 1.5: what is stored of a perturbation, and perturbations of one length."""

import numpy as np
import pytest
import torch
from PIL import Image

from advx.data.one_image import load_image
from advx.errors import ConfigError, DataError
from advx.experiments.imperceptible import stored
from advx.experiments.norm_balls import left_grid, nearest_to, sign_of_length, smallest_distance
from advx.models.torchvision_model import TorchvisionClassifier


def test_eight_bits_hold_whole_levels_and_half_a_level_is_lost() -> None:
    clean = torch.randint(20, 230, (5, 1, 4, 4)).float() / 255
    sign = torch.randn(5, 1, 4, 4).sign()
    for level, kept in ((0.3, 0), (0.5, 0), (0.6, 1), (1.0, 1), (1.4, 1), (2.0, 2)):
        found = stored(clean + level / 255 * sign, clean)
        torch.testing.assert_close((found - clean) * 255, kept * sign, atol=1e-3, rtol=0)
        gray = found * 255
        torch.testing.assert_close(gray, gray.round(), atol=1e-3, rtol=0)
    black = torch.zeros(1, 1, 1, 1)
    assert stored(black - 2 / 255, black).item() == 0


def test_eight_bits_hold_nothing_between_gray_levels() -> None:
    """Images that were resized, or stored in 16 bits, lie between them before they are moved."""
    clean = torch.rand(5, 1, 4, 4).double()
    for level in (0.0, 0.5, 1.0):
        moved = clean + level / 255 * torch.randn(5, 1, 4, 4).double().sign()
        found = stored(moved, clean) * 255
        torch.testing.assert_close(found, found.round())
        assert (found / 255 - moved.clamp(0, 1)).abs().max() <= 0.502 / 255


def test_the_left_grid_has_one_length_and_does_what_it_says() -> None:
    torch.manual_seed(0)
    image, other = torch.rand(1, 8, 8).double(), torch.rand(1, 8, 8).double()
    grid = left_grid(image, other)
    torch.testing.assert_close(
        grid.flatten(1).norm(dim=1), (other - image).norm().expand(3), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(image + grid[0], other)
    ratio = (image + grid[1]) / image
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio))
    gone = ((image + grid[2]).abs() < 1e-9).all(2)[0]
    touched = (grid[2] != 0).any(2)[0]
    assert gone.sum() >= touched.sum() - 1  # whole rows, and a part of the last
    rows = touched.nonzero().squeeze(1)
    assert rows.max() - rows.min() + 1 == len(rows)


def test_signs_have_the_length_and_no_zero() -> None:
    perturbation = torch.zeros(1, 6, 6)
    perturbation[0, :2] = torch.randn(2, 6)
    found = sign_of_length(perturbation, 3.0)
    torch.testing.assert_close(found.abs(), torch.full_like(found, 0.5))
    assert torch.equal(found[0, :2].sign(), perturbation[0, :2].sign())
    assert 0 < (found[0, 2:] > 0).sum() < 24


def test_pairs_and_distances_are_those_of_brute_force() -> None:
    here, there = torch.rand(7, 1, 3, 3), torch.rand(5, 1, 3, 3)
    pairs = {(i, j): (here[i] - there[j]).norm().item() for i in range(7) for j in range(5)}
    assert nearest_to(here, there, 1.0) == min(pairs, key=lambda p: abs(pairs[p] - 1.0))
    assert smallest_distance(here, there, "l2") == pytest.approx(min(pairs.values()), abs=1e-4)
    largest = [(a - b).abs().max().item() for a in here for b in there]
    assert smallest_distance(here, there, "linf") == pytest.approx(min(largest), abs=1e-6)


@pytest.mark.parametrize("size", [(40, 90), (301, 97), (28, 28), (5, 9)])
def test_the_middle_of_any_image_is_taken(size, tmp_path) -> None:
    width, height = size
    rows = np.repeat(np.linspace(0, 255, height).astype(np.uint8)[:, None], width, 1)
    Image.fromarray(rows).save(tmp_path / "x.png")
    for shape in ((1, 28, 28), (3, 32, 32)):
        found = load_image(str(tmp_path / "x.png"), shape)
        assert found.shape == (1, *shape)
        torch.testing.assert_close(found * 255, (found * 255).round(), atol=1e-3, rtol=0)
        assert found[0, 0, shape[1] // 2].mean().item() == pytest.approx(0.5, abs=0.1)
        assert found[0, 0, -1].mean() > found[0, 0, 0].mean()


def test_what_is_no_image_or_network_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"image=.*nothing\.png: no such file"):
        load_image(str(tmp_path / "nothing.png"), (1, 8, 8))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError, match=r"image=.*text\.png: cannot be read"):
        load_image(str(tmp_path / "text.png"), (1, 8, 8))
    with pytest.raises(ConfigError, match=r"model\.name=gogglenet: .* googlenet"):
        TorchvisionClassifier(architecture="gogglenet")
