"""A discriminator alone against a generator that is fixed: the inner problem of the game.

The best one is D* = p / (p + q). G's gradient is that of its loss in the generated points, whose
factor is, with respect to D and to D's logit,

    minimax          1/(1 − D)     D
    non-saturating   1/D           1 − D

Source: section 1.4.1; Goodfellow et al. (2014a), proposition 1.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from advx.config.config import Config
from advx.evaluation.divergence import LOG4, Mixture, cells, jensen_shannon, optimal_discriminator
from advx.evaluation.measurement import measurement
from advx.games.losses import GeneratorLossName, generator_loss
from advx.randomness import seeded
from advx.training.discriminator import train_discriminator

REACH = 4.0
"""Standard deviations beyond the outermost mean that the integrals go to."""

CELLS = 2_000
"""Cells of the integrals over densities."""

POINTS = 10_000
"""Generated points at which G's gradients are measured."""

RATES = (5e-3, 5e-5)
"""Learning rates of a discriminator that is trained alone: of its first and of its last update."""


@dataclass(frozen=True)
class FixedGameMetrics:
    """A discriminator that was trained alone, and the gradients that it hands to G.

    Attributes:
        discriminator_error: mean |D − D*| over data and generated points, in percent.
        value: of the game, with D, in nats.
        optimal_value: with D*, in nats.
        mean_output: mean D over generated points, in percent.
        printed_factor_minimax: mean 1/(1 − D) over them, as the chapter prints the factor.
        logit_factor_minimax: mean D, the factor of the gradient in D's logit.
        logit_factor_non_saturating: mean 1 − D, likewise for the other loss.
        gradient_minimax: mean length of the minimax loss's gradient, per unit of x.
        gradient_non_saturating: of the other loss's.
    """

    discriminator_error: float
    value: float
    optimal_value: float
    mean_output: float
    printed_factor_minimax: float
    logit_factor_minimax: float
    logit_factor_non_saturating: float
    gradient_minimax: float
    gradient_non_saturating: float


@dataclass(frozen=True)
class FixedGame:
    """The numbers, and over x (cells,) float32: densities p and q, D (`output`) and D* (`best`)."""

    metrics: FixedGameMetrics
    curves: dict[str, np.ndarray]


@measurement(version=2)
def discriminator_alone(
    game: Config,
    data: Mixture,
    generator: Mixture,
    seed: int,
    steps: int,
    batch: int,
    rates: tuple[float, float] = RATES,
    reach: float = REACH,
    cell_count: int = CELLS,
    points: int = POINTS,
) -> FixedGame:
    """Train a game's discriminator against a fixed generator, and set it beside D*.

    Args:
        game: whose discriminator.
        data: its density.
        generator: the generator's density.
        seed: of the initial weights and the samples.
        steps: updates.
        batch: examples of either kind in one of them.
        rates: learning rates of the first update and of the last.
        reach: standard deviations beyond the outermost mean that the integrals go to.
        cell_count: cells of the integrals.
        points: generated points at which G's gradients are taken.
    """
    everything = torch.cat([data.centers, generator.centers])
    margin = reach * max(data.deviation, generator.deviation)
    low, high = everything.min().item() - margin, everything.max().item() + margin
    edges, x = cells(low, high, cell_count)
    width = (high - low) / cell_count
    p, q = data.density(x), generator.density(x)
    with seeded(seed):
        discriminator = game.build().discriminator
        train_discriminator(
            discriminator,
            data.samples,
            generator.samples,
            steps=steps,
            rate=rates[0],
            final_rate=rates[1],
            batch_size=batch,
        )
        made = generator.samples(points)
    with torch.no_grad():
        logits = discriminator(x.float()[:, None]).squeeze(1).double()
    output, best = logits.sigmoid(), optimal_discriminator(p, q)
    value = (p * -softplus(-logits) - q * softplus(logits)).sum().item() * width
    metrics = FixedGameMetrics(
        discriminator_error=100 * ((output - best).abs() * (p + q) / 2).sum().item() * width,
        value=value,
        optimal_value=-LOG4 + 2 * jensen_shannon(data.shares(edges), generator.shares(edges)),
        **gradient_factors(discriminator, made),
    )
    curves = {"x": x, "p": p, "q": q, "output": output, "best": best}
    return FixedGame(metrics, {name: curve.float().numpy() for name, curve in curves.items()})


def gradient_factors(discriminator: nn.Module, points: Tensor) -> dict[str, float]:
    """What D and its gradients are at generated points (n, 1), by metric."""
    logits = discriminator(points.requires_grad_()).squeeze(1)
    d = logits.detach().double().sigmoid()
    return {
        "mean_output": 100 * d.mean().item(),
        "printed_factor_minimax": (1 / (1 - d)).mean().item(),
        "logit_factor_minimax": d.mean().item(),
        "logit_factor_non_saturating": (1 - d).mean().item(),
        "gradient_minimax": gradient_length(logits, points, "minimax"),
        "gradient_non_saturating": gradient_length(logits, points, "non_saturating"),
    }


def gradient_length(logits: Tensor, points: Tensor, loss: GeneratorLossName) -> float:
    """Mean length of G's gradients at generated points (n, 1), D's logits being (n,)."""
    total = generator_loss(logits, loss) * len(logits)
    (slope,) = torch.autograd.grad(total, points, retain_graph=True)
    return slope.abs().mean().item()
