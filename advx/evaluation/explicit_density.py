"""Noise-contrastive estimation of a density: a game in which G is fixed and D holds the model.

The model is an unnormalized density with parameters of its own for its scale,

    log p_θ(x) = log Σ exp(a − (x − μ)² / 2 s²)

a sum over its modes, and the discriminator between the data and noise of density n is
D = p_θ / (p_θ + n). Where D is D*, p_θ is the data's density, its integral of 1 included. Source:
section 1.4.1; Gutmann and Hyvärinen (2010).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advx.evaluation.divergence import Mixture
from advx.evaluation.ideal_discriminator import grid_for
from advx.evaluation.measurement import measurement
from advx.games.losses import discriminator_loss
from advx.randomness import seeded
from advx.types import Positive, PositiveInt


@dataclass(frozen=True)
class ExplicitMetrics:
    """How good the density is that a discriminator learned.

    Attributes:
        divergence: JSD of the density, divided by its integral, to the data, in nats.
        integral: of the density as it was learned; 1 if it is one.
    """

    divergence: float
    integral: float


@dataclass(frozen=True)
class ExplicitDensity:
    """The numbers, and over x (cells,) float32 the data's density, the learned one, the noise's."""

    metrics: ExplicitMetrics
    curves: dict[str, np.ndarray]


def log_model(x: Tensor, theta: Tensor) -> Tensor:
    """log p_θ at x (n,), not normalized; θ is (3, modes): a, μ, log s."""
    scale, mean, log_deviation = theta
    return (scale - 0.5 * ((x[:, None] - mean) / log_deviation.exp()).square()).logsumexp(1)


@dataclass(frozen=True)
class ExplicitUpdates:
    """How a discriminator that holds an explicit density is trained.

    Attributes:
        modes: of the density.
        noise_deviation: of the fixed generator, a Gaussian about 0.
        updates: of D, by Adam.
        batch: examples of either kind in one of them.
        rate: Adam's first learning rate, which falls to 0 as a half cosine.
    """

    modes: PositiveInt
    noise_deviation: Positive
    updates: PositiveInt
    batch: PositiveInt
    rate: Positive


@measurement(version=1)
def explicit_density(data: Mixture, seed: int, training: ExplicitUpdates) -> ExplicitDensity:
    """Train D, and take the density out of it.

    Args:
        data: its density.
        seed: of the first parameters and of the samples.
        training: of D.
    """
    noise, batch = Mixture((0.0,), training.noise_deviation), training.batch
    grid = grid_for(data, 0.0, noise.deviation)
    with seeded(seed):
        means = noise.samples(training.modes).flatten().double()
        theta = torch.stack([torch.zeros_like(means), means, torch.zeros_like(means)])
        theta.requires_grad_()
        optimizer = torch.optim.Adam([theta], training.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.updates)
        for _ in range(training.updates):
            x = torch.cat([data.samples(batch), noise.samples(batch)]).flatten().double()
            logits = log_model(x, theta) - noise.log_density(x)
            optimizer.zero_grad(set_to_none=True)
            discriminator_loss(logits[:batch], logits[batch:]).backward()
            optimizer.step()
            schedule.step()
    learned = log_model(grid.x, theta.detach())
    integral = learned.exp().sum().item() * grid.width
    truth, other = data.log_density(grid.x), noise.log_density(grid.x)
    metrics = ExplicitMetrics(grid.divergence(truth, learned - np.log(integral)), integral)
    curves = {"x": grid.x, "data": truth.exp(), "learned": learned.exp(), "noise": other.exp()}
    return ExplicitDensity(metrics, {k: curve.float().numpy() for k, curve in curves.items()})
