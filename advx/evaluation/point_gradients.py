"""Where a generator that makes a single point is sent from points nearby: section 1.4.2.

A new discriminator is trained to discriminate that point, a training example, from the data. Then
the descent direction of the non-saturating loss is taken at points around it.
"""

from dataclasses import dataclass

import torch
from torch import nn

from advx.config.config import Config
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.games.losses import non_saturating
from advx.randomness import seeded
from advx.training.discriminator import train_discriminator

POINTS = 500
"""Around the single generated one."""


@dataclass(frozen=True)
class GradientsAround:
    """Where gradients lead at points around a single generated one.

    Attributes:
        pointing_back: percent of the points where descent leads nearer to it at first.
        cosine: mean cosine of the descent direction and the way back.
        agreement: mean cosine of the descent directions of two points, in percent.
    """

    pointing_back: float
    cosine: float
    agreement: float


@measurement(version=2)
def gradients_around(
    game: Config,
    seed: int,
    train: Split,
    distances: list[float],
    steps: int,
    points: int = POINTS,
    rate: float = 1e-3,
    batch_size: int = 128,
) -> list[GradientsAround]:
    """The gradients at each distance from a single generated point.

    Args:
        game: whose discriminator is trained.
        seed: of its initial weights, and of the point.
        train: the data.
        distances: of the points, in units of the data's mean distance from their center.
        steps: updates of the discriminator.
        points: at each distance, in the same directions.
        rate: the discriminator's learning rate.
        batch_size: examples of either kind in one update.
    """
    images, shape = train.images, train.images.shape[1:]
    with seeded(seed):
        discriminator = game.build().discriminator.to(images.device)
    with seeded(seed):
        point = images[torch.randint(len(images), (1,))]
        train_discriminator(
            discriminator,
            lambda n: images[torch.randint(len(images), (n,))],
            lambda n: point.expand(n, *shape),
            steps=steps,
            rate=rate,
            batch_size=batch_size,
        )
        unit = nn.functional.normalize(torch.randn(points, images[0].numel()), dim=1)
    size = (images - images.mean(0)).flatten(1).norm(dim=1).mean().item()
    results = []
    for distance in distances:
        away = (unit * distance * size).to(images).view(points, *shape)
        x = (point + away).requires_grad_()
        loss = non_saturating(discriminator(x).squeeze(1)) * points
        (slope,) = torch.autograd.grad(loss, x)
        down, back = -slope.flatten(1), -away.flatten(1)
        cosine = nn.functional.cosine_similarity(down, back)
        total = nn.functional.normalize(down, dim=1).sum(0)
        pairs = (total.square().sum() - points) / (points * (points - 1))
        results.append(
            GradientsAround(
                pointing_back=100 * (cosine > 0).double().mean().item(),
                cosine=cosine.mean().item(),
                agreement=100 * pairs.item(),
            )
        )
    return results
