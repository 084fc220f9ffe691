"""How much nearer a small change brings a generated example to D's decision boundary, D = 1/2.

On a line the change goes along the sign of D's slope, and the boundary is looked for in that
direction. Source: the end of section 1.4.1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from advx.config.config import Config
from advx.evaluation.divergence import Mixture
from advx.evaluation.measurement import measurement
from advx.randomness import seeded
from advx.training.discriminator import train_discriminator
from advx.types import Positive, PositiveInt

Logits = Callable[[Tensor], Tensor]
"""From points (n,) to D's logits there, (n,)."""

FINENESS = 20
"""Places in a unit of x at which the boundary is looked for."""


@dataclass(frozen=True)
class Boundary:
    """Where D's decision boundary is, seen from generated examples.

    Attributes:
        nearer: how much of the way from D's output to 1/2 a small change covers, in percent, a mean
            over the examples.
        boundary_distance: median distance to the boundary along D's slope.
    """

    nearer: float
    boundary_distance: float


@dataclass(frozen=True)
class BoundarySearch:
    """What a small change is, and where the boundary is looked for.

    Attributes:
        change: of a generated point, in units of x.
        farthest: distance to the boundary that stands for any larger one.
        points: generated ones.
        batch: examples of either kind in an update of D.
        rate: Adam's learning rate.
    """

    change: Positive
    farthest: Positive
    points: PositiveInt
    batch: PositiveInt
    rate: Positive


def boundary_from(logits: Logits, points: Tensor, change: float, farthest: float) -> Boundary:
    """The boundary, as points see it.

    Args:
        logits: of D.
        points: (n,), generated.
        change: the small one, along the sign of D's slope.
        farthest: distance that stands for any larger one.
    """
    points = points.detach().requires_grad_()
    at = logits(points)
    (slope,) = torch.autograd.grad(at.sum(), points)
    points, toward = points.detach(), slope.sign()
    with torch.no_grad():
        before, after = at.detach().sigmoid(), logits(points + change * toward).sigmoid()
        way = (0.5 - before).clamp(min=0)
        covered = torch.where(way > 0, (after - before) / way.clamp(min=1e-300), 1.0)
        lengths = torch.linspace(0, farthest, round(farthest * FINENESS) + 1).to(points)
        beyond = torch.stack([logits(points + length * toward) >= 0 for length in lengths])
    first = torch.where(beyond.any(0), beyond.int().argmax(0), len(lengths) - 1)
    return Boundary(100 * covered.clamp(0, 1).mean().item(), lengths[first].median().item())


@measurement(version=1)
def boundary_of_trained(
    game: Config, data: Mixture, generator: Mixture, seed: int, updates: int, search: BoundarySearch
) -> Boundary:
    """The boundary of a game's discriminator that was trained against a fixed generator.

    Args:
        game: whose discriminator.
        data: its density.
        generator: the generator's.
        seed: of the first weights and of the samples.
        updates: of D.
        search: how D is trained, and what is looked for.
    """
    with seeded(seed):
        discriminator = game.build().discriminator
        train_discriminator(
            discriminator,
            data.samples,
            generator.samples,
            steps=updates,
            rate=search.rate,
            batch_size=search.batch,
        )
        made = generator.samples(search.points).flatten()
    discriminator.double()
    return boundary_from(
        lambda x: discriminator(x[:, None]).squeeze(1),
        made.double(),
        search.change,
        search.farthest,
    )


@measurement(version=1)
def boundary_of_ideal(
    data: Mixture, generator: Mixture, seed: int, search: BoundarySearch
) -> Boundary:
    """The boundary of D*; arguments as above."""
    with seeded(seed):
        made = generator.samples(search.points).flatten()
    return boundary_from(
        lambda x: data.log_density(x) - generator.log_density(x),
        made.double(),
        search.change,
        search.farthest,
    )
