"""The log likelihood of test examples under a Parzen window, and how it is gamed.

A Gaussian of one width σ stands at every generated example; σ is chosen on validation examples.
The estimate stands here only beside published figures: k-means centers of the training examples,
which are no generator at all, get a larger one than the training examples themselves (Theis, van
den Oord and Bethge 2016).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.sample_quality import CHUNK, random_rows, refuse_unusable

VALIDATION = 1_000
"""Validation examples that choose σ."""


@dataclass(frozen=True)
class ParzenEstimate:
    """A mean log likelihood of the test examples.

    Attributes:
        parzen: the mean, in nats.
        parzen_standard_error: of the mean over the test examples, in nats.
        parzen_sigma: the window's width, in units of the images' range.
    """

    parzen: float
    parzen_standard_error: float
    parzen_sigma: float


def parzen_log_likelihoods(x: Tensor, centers: Tensor, sigma: float) -> Tensor:
    """log of a Gaussian Parzen window at centers (k, d), of examples x (n, d): (n,), in nats."""
    dimension = x.shape[1]
    constant = math.log(len(centers)) + dimension * math.log(sigma * math.sqrt(2 * math.pi))
    likelihoods = [
        torch.logsumexp(-torch.cdist(part, centers).square() / (2 * sigma**2), 1) - constant
        for part in x.double().split(CHUNK)
    ]
    return torch.cat(likelihoods)


def parzen(
    centers: Tensor, validation: Tensor, test: Tensor, sigmas: list[float]
) -> ParzenEstimate:
    """Mean log likelihood of test examples, σ by the validation examples.

    Args:
        centers: generated examples (k, d).
        validation: (n, d), which choose σ.
        test: (m, d).
        sigmas: candidates, increasing.

    Raises:
        ConfigError: the best σ is the first or the last candidate; no examples, or NaN.
    """
    refuse_unusable({"generated": centers, "validation": validation}, 1, "a Parzen window")
    refuse_unusable({"test": test}, 2, "a standard error")
    centers = centers.double()
    means = [parzen_log_likelihoods(validation, centers, s).mean().item() for s in sigmas]
    best = int(np.argmax(means))
    if best in (0, len(means) - 1):
        raise ConfigError(
            f"sigmas: the best of them on the validation examples, {sigmas[best]:.3g}, is at the "
            "edge; valid: a wider range"
        )
    likelihoods = parzen_log_likelihoods(test, centers, sigmas[best])
    return ParzenEstimate(
        likelihoods.mean().item(),
        (likelihoods.std() / len(likelihoods) ** 0.5).item(),
        sigmas[best],
    )


def k_means_centers(x: Tensor, count: int, *, seed: int = 0) -> Tensor:
    """`count` centers (count, d) of examples x (n, d): what games a Parzen estimate.

    Raises:
        ConfigError: more centers than examples, or none; NaN.
    """
    if count < 1:
        raise ConfigError(f"k-means: {count} centers of {len(x)} examples; valid: from 1")
    refuse_unusable({"given": x}, count, f"k-means with {count} centers")
    from sklearn.cluster import MiniBatchKMeans

    k_means = MiniBatchKMeans(count, random_state=seed, n_init=1, batch_size=10 * count)
    k_means.fit(x.cpu().numpy())
    return torch.from_numpy(k_means.cluster_centers_)


@measurement(version=1)
def parzen_likelihood(
    data: Dataset, centers: Tensor, sigmas: list[float], validation_examples: int = VALIDATION
) -> ParzenEstimate:
    """Log likelihood of the test examples under a Parzen window at centers (k, *shape).

    Args:
        data: whose test examples, and whose validation examples choose σ.
        centers: generated examples, or others.
        sigmas: candidates for σ, increasing.
        validation_examples: how many choose it, at random.

    Raises:
        ConfigError: the best σ is at the edge of the candidates; no examples, or NaN.
    """
    return parzen(
        centers.flatten(1),
        random_rows(data.validation.images, validation_examples).flatten(1),
        data.test.images.flatten(1),
        sigmas,
    )


@measurement(version=1)
def training_centers(data: Dataset, count: int, seed: int = 0) -> Tensor:
    """k-means centers (count, *shape) of the training examples.

    Raises:
        ConfigError: more centers than examples, or none; NaN.
    """
    train = data.train.images
    return k_means_centers(train.flatten(1), count, seed=seed).to(train).view(-1, *train.shape[1:])
