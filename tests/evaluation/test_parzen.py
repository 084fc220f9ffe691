"""Parzen windows against closed forms."""

import math
from dataclasses import replace

import pytest
import torch

from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.parzen import (
    k_means_centers,
    parzen,
    parzen_likelihood,
    parzen_log_likelihoods,
    training_centers,
)
from advx.evaluation.sample_quality import random_rows


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


def test_a_windows_width_is_chosen_on_validation_images(tiny) -> None:
    near = Split(tiny.train.images[:20] + 0.03 * torch.randn(20, 1, 4, 4), tiny.train.labels[:20])
    data = replace(tiny, validation=near, fingerprint="")
    sigmas, train = [0.001, 0.04, 0.2, 3.0], tiny.train.images
    flat = [x.flatten(1) for x in (train, near.images, tiny.test.images)]
    found = parzen_likelihood(data, train, sigmas)
    assert found == parzen(*flat, sigmas)
    assert found.parzen_sigma == 0.04
    assert parzen_likelihood(tiny, train, sigmas).parzen_sigma == 0.2
    images = tiny.validation.images.clone()
    (first,) = random_rows(torch.arange(20), 1)
    images[first] = near.images[0]
    data = replace(tiny, validation=Split(images, tiny.validation.labels), fingerprint="")
    assert parzen_likelihood(data, train, sigmas).parzen_sigma == 0.2
    assert parzen_likelihood(data, train, sigmas, validation_examples=1).parzen_sigma == 0.04


def test_centers_of_a_data_set_are_images(tiny) -> None:
    centers = training_centers(tiny, 3)
    assert centers.shape == (3, 1, 4, 4)
    flat = tiny.train.images.flatten(1)
    torch.testing.assert_close(centers.flatten(1), k_means_centers(flat, 3).float())
    means = torch.stack([flat[tiny.train.labels == k].mean(0) for k in range(3)])
    assert torch.cdist(means, centers.flatten(1)).amin(1).max() < 0.25  # separable classes
