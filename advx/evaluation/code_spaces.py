"""An autoencoder's codes, and how well they follow the distribution that they were to follow.

The codes of test images are a sample of the aggregate posterior q(z) = E_x q(z | x). Where the
encoder is random, as a variational autoencoder's is, one code of each image is drawn; the means
alone would be another distribution. Source: Makhzani et al. (2015), section 2.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from advx.errors import Diverged
from advx.evaluation.measurement import measurement
from advx.evaluation.sample_quality import TREES, random_rows, two_sample_accuracy
from advx.evaluation.transfer import BATCH
from advx.evaluation.two_samples import PERMUTATIONS, energy_test
from advx.games.adversarial_autoencoder import AdversarialAutoencoder
from advx.games.priors import PriorName, prior_samples
from advx.games.vae import VariationalAutoencoder
from advx.randomness import seeded
from advx.training.load_or_train import TrainedGame

TESTED = 1_000
"""Codes, and draws from the prior, that the energy test is given, at most."""


@dataclass(frozen=True)
class PriorMatch:
    """Codes beside draws from the prior.

    Attributes:
        energy_distance: between a thousand of either, in units of the codes.
        energy_over_floor: the same over its expectation where both are draws from the prior.
        p_value: of codes that follow the prior, the share with so large a distance, in percent.
        two_sample_accuracy: of a fresh classifier that discriminates all of them, in percent.
    """

    energy_distance: float
    energy_over_floor: float
    p_value: float
    two_sample_accuracy: float


MATCH_UNITS = {"energy_distance": "of the codes", "energy_over_floor": "ratio"}
"""Of these; the others are percent."""


@measurement(version=1)
@torch.no_grad()
def codes_of(trained: TrainedGame, images: Tensor, seed: int = 0) -> Tensor:
    """Codes (n, latent) of images (n, *shape), drawn from q(z | x) where it is a distribution.

    Args:
        trained: an autoencoder.
        images: the images.
        seed: of what is drawn; torch's generator is afterward as it was.
    """
    game = cast(AdversarialAutoencoder | VariationalAutoencoder, trained.game)
    parts = []
    with seeded(seed):
        for x in images.split(BATCH):
            if isinstance(game, VariationalAutoencoder):
                noise = torch.randn(len(x), game.latent).to(x)  # on the CPU, the same on a GPU
                parts.append(game.encode(x).sample(noise))
            else:
                parts.append(game.encode(x))
    return torch.cat(parts)


@measurement(version=1)
def prior_draws(prior: PriorName, count: int, latent: int, seed: int) -> Tensor:
    """Draws (count, latent) from a prior, always the same for a seed."""
    with seeded(seed):
        return prior_samples(prior, count, latent)


@measurement(version=1)
def whitened(codes: Tensor, like: Tensor) -> Tensor:
    """Codes (n, d) moved and stretched until their mean and covariance are those of others (m, d).

    What is left of a difference is one of shape, which no affine map takes away.
    """
    x, y = codes.double(), like.to(codes.device).double()
    own, other = (torch.linalg.cholesky(each.T.cov()) for each in (x, y))
    plain = torch.linalg.solve_triangular(own, (x - x.mean(0)).T, upper=False)
    return (other @ plain).T + y.mean(0)


@measurement(version=1)
def prior_match(
    codes: Tensor,
    draws: Tensor,
    examples: int = TESTED,
    permutations: int = PERMUTATIONS,
    trees: int = TREES,
) -> PriorMatch:
    """How well codes follow a prior.

    Args:
        codes: of test images, (n, d).
        draws: from the prior, (m, d).
        examples: of either kind in the energy test, at most.
        permutations: of the energy test.
        trees: of the classifier that discriminates the two kinds.

    Raises:
        Diverged: codes with NaN.
    """
    if not codes.isfinite().all():
        raise Diverged("codes hold NaN or infinity")
    draws = draws.to(codes)
    few = (random_rows(each, examples) for each in (codes, draws))
    test = energy_test(*few, permutations=permutations)
    accuracy, _ = two_sample_accuracy(draws, codes, trees=trees)
    return PriorMatch(
        energy_distance=test.distance,
        energy_over_floor=test.distance / test.floor,
        p_value=100 * test.p_value,
        two_sample_accuracy=accuracy,
    )
