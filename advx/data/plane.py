"""Two classes of points in the plane that no straight line separates: circles, and two moons.

A cluster is a curve with noise about it, so that distances to a center, as k-means has them, do not
find it. The labels say on which curve a point lies; who looks for clusters does not see them.
"""

import math

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.data.mixtures import noisy, of_points
from advx.types import NonNegative, PositiveInt, Share


def circle_point(angle: Tensor, label: Tensor, ratio: float) -> Tensor:
    """Points (n, 2) at angles (n,) of the unit circle, label 0, or of the inner one, label 1."""
    radius = torch.where(label == 0, 1.0, ratio)
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)


def moon_point(angle: Tensor, label: Tensor) -> Tensor:
    """Points (n, 2) of the upper half circle, label 0, or of the lower one, label 1.

    The lower one is the upper one turned about (1/2, 1/4): each reaches into the other's hollow.
    """
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    return torch.where((label == 0)[:, None], upper, torch.tensor([1.0, 0.5]) - upper)


def circles(
    *,
    ratio: Share = 0.5,
    deviation: NonNegative = 0.08,
    train: PositiveInt = 3_000,
    test: PositiveInt = 3_000,
) -> Dataset:
    """Points (2,) about two circles with the same center, the outer one of radius 1.

    Args:
        ratio: radius of the inner circle.
        deviation: standard deviation of the noise, in either direction.
        train: points to train on.
        test: points to compare with.
    """

    def draw(count: int, generator: torch.Generator) -> Split:
        labels = torch.randint(2, (count,), generator=generator)
        angles = 2 * math.pi * torch.rand(count, generator=generator)
        return Split(noisy(circle_point(angles, labels, ratio), deviation, generator), labels)

    return of_points("circles", 2, draw, train, test)


def two_moons(
    *,
    deviation: NonNegative = 0.08,
    train: PositiveInt = 3_000,
    test: PositiveInt = 3_000,
) -> Dataset:
    """Points (2,) about two half circles of radius 1 that reach into each other.

    Args:
        deviation: standard deviation of the noise, in either direction.
        train: points to train on.
        test: points to compare with.
    """

    def draw(count: int, generator: torch.Generator) -> Split:
        labels = torch.randint(2, (count,), generator=generator)
        angles = math.pi * torch.rand(count, generator=generator)
        return Split(noisy(moon_point(angles, labels), deviation, generator), labels)

    return of_points("two_moons", 2, draw, train, test)
