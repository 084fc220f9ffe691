"""Parzen windows against closed forms."""

import math
from dataclasses import replace

import pytest
import torch

from advx.errors import ConfigError
from advx.evaluation.parzen import (
    ParzenEstimate,
    k_means_centers,
    parzen,
    parzen_likelihood,
    parzen_log_likelihoods,
    training_centers,
)


def test_parzen_windows_in_closed_form() -> None:
    torch.manual_seed(0)
    x, centers = torch.randn(5, 3).double(), torch.randn(4, 3).double()
    by_hand = torch.stack(
        [torch.distributions.Normal(c, 0.3).log_prob(x).sum(1) for c in centers], 1
    )
    torch.testing.assert_close(
        parzen_log_likelihoods(x, centers, 0.3), by_hand.logsumexp(1) - math.log(4)
    )
    sigmas = torch.logspace(-1, 0, 10).tolist()
    many = torch.randn(4000, 2).double()
    found = parzen(many[:2000], many[2000:3000], many[3000:], sigmas)
    entropy = -math.log(2 * math.pi * math.e)  # of a standard Gaussian in the plane
    assert found.parzen == pytest.approx(entropy, abs=0.1)
    assert found.parzen_standard_error < 0.05
    assert 0.1 < found.parzen_sigma < 1
    with pytest.raises(ConfigError, match="at the edge"):
        parzen(many[:100], many[2000:3000], many[3000:], torch.logspace(1, 2, 5).tolist())


def test_k_means_centers_are_means() -> None:
    x = torch.cat(
        [torch.randn(300, 2) * 0.01 + m for m in torch.tensor([[0.0, 0], [5, 5], [9, 0]])]
    )
    centers = k_means_centers(x, 3)
    assert (
        torch.cdist(torch.tensor([[0.0, 0], [5, 5], [9, 0]]), centers.float()).amin(1).max() < 0.1
    )


def test_a_window_of_a_data_set_is_chosen_on_its_validation_images(tiny) -> None:
    sigmas = [0.05, 0.2, 0.4, 0.8, 3.0]
    centers = tiny.train.images
    found = parzen_likelihood(tiny, centers, sigmas)
    flat = [split.images.flatten(1) for split in (tiny.train, tiny.validation, tiny.test)]
    kinds = {width: parzen(*flat, [0.001, width, 99.0]) for width in sigmas}
    assert found == kinds[found.parzen_sigma]
    assert isinstance(found, ParzenEstimate)
    validation = {w: parzen_log_likelihoods(flat[1], flat[0].double(), w).mean() for w in sigmas}
    assert found.parzen_sigma == max(validation, key=lambda width: validation[width])
    one = replace(tiny, validation=tiny.validation.take(torch.tensor([7])), fingerprint="")
    few = parzen_likelihood(one, centers, sigmas, validation_examples=1)
    assert few == parzen_likelihood(one, centers, sigmas)


def test_centers_of_a_data_set_are_images(tiny) -> None:
    centers = training_centers(tiny, 3)
    assert centers.shape == (3, 1, 4, 4)
    flat = tiny.train.images.flatten(1)
    torch.testing.assert_close(centers.flatten(1), k_means_centers(flat, 3).float())
    means = torch.stack([flat[tiny.train.labels == k].mean(0) for k in range(3)])
    assert torch.cdist(means, centers.flatten(1)).amin(1).max() < 0.25  # separable classes
