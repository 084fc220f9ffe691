"""Mixtures of Gaussians: modes on a line, a ring of them in the plane, or a grid.

Their density is known, so that a generator's can be compared with it mode by mode. The labels name
the modes. Sizes are the usual ones: 8 modes on a circle of radius 2, 25 on a grid of spacing 2.
"""

import hashlib
import math
from collections.abc import Callable

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.types import Positive, PositiveInt


def ring_means(modes: int, radius: float) -> Tensor:
    """Means (modes, 2), evenly spaced on a circle, the first on the positive first axis."""
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    return radius * torch.stack([angles.cos(), angles.sin()], 1).float()


def grid_means(side: int, spacing: float) -> Tensor:
    """Means (side², 2), a square grid around the origin."""
    axis = (torch.arange(side) - (side - 1) / 2) * spacing
    return torch.cartesian_prod(axis, axis)


def ring(
    *,
    modes: PositiveInt = 8,
    radius: Positive = 2.0,
    deviation: Positive = 0.02,
    train: PositiveInt = 50_000,
    test: PositiveInt = 10_000,
) -> Dataset:
    """Points (2,) around `modes` means on a circle.

    Args:
        modes: number of them.
        radius: of the circle.
        deviation: standard deviation of each mode, in either direction.
        train: points to train on.
        test: points to compare with.
    """
    return mixture("ring", ring_means(modes, radius), deviation, train, test)


def grid(
    *,
    side: PositiveInt = 5,
    spacing: Positive = 2.0,
    deviation: Positive = 0.05,
    train: PositiveInt = 50_000,
    test: PositiveInt = 10_000,
) -> Dataset:
    """Points (2,) around side² means on a square grid.

    Args:
        side: modes along either axis.
        spacing: between neighbors.
        deviation: standard deviation of each mode, in either direction.
        train: points to train on.
        test: points to compare with.
    """
    return mixture("grid", grid_means(side, spacing), deviation, train, test)


def line(
    *,
    means: tuple[float, ...] = (-2.0, 0.0, 3.0),
    deviation: Positive = 0.5,
    train: PositiveInt = 50_000,
    test: PositiveInt = 10_000,
) -> Dataset:
    """Points (1,) around means on a line.

    Args:
        means: of the modes.
        deviation: standard deviation of each.
        train: points to train on.
        test: points to compare with.
    """
    return mixture("line", torch.tensor(means)[:, None], deviation, train, test)


def blobs(
    *,
    modes: PositiveInt = 3,
    radius: Positive = 2.0,
    deviation: Positive = 0.4,
    train: PositiveInt = 3_000,
    test: PositiveInt = 3_000,
) -> Dataset:
    """Points (2,) of a few wide Gaussians whose means lie on a circle: clusters that are convex.

    Args:
        modes: number of them.
        radius: of the circle.
        deviation: standard deviation of each mode, in either direction.
        train: points to train on.
        test: points to compare with.
    """
    return mixture("blobs", ring_means(modes, radius), deviation, train, test)


def mixture(name: str, means: Tensor, deviation: float, train: int, test: int) -> Dataset:
    """Equally likely Gaussians around `means` (modes, n), always the same points."""

    def draw(count: int, generator: torch.Generator) -> Split:
        labels = torch.randint(len(means), (count,), generator=generator)
        return Split(noisy(means[labels], deviation, generator), labels)

    return of_points(name, len(means), draw, train, test)


def noisy(points: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """Points (n, d) with Gaussian noise in every direction."""
    return points + deviation * torch.randn(points.shape, generator=generator)


def of_points(
    name: str,
    classes: int,
    draw: Callable[[int, torch.Generator], Split],
    train: int,
    test: int,
) -> Dataset:
    """Points that are drawn from a known distribution, always the same ones, none to validate on.

    Args:
        name: of the data set.
        classes: number of classes.
        draw: makes so many points with a generator of random numbers.
        train: points to train on.
        test: points to compare with.
    """
    generator = torch.Generator().manual_seed(0)
    seen, unseen = draw(train, generator), draw(test, generator)
    content = seen.images.numpy().tobytes() + seen.labels.numpy().tobytes()
    return Dataset(
        name,
        classes,
        seen,
        Split(seen.images[:0], seen.labels[:0]),
        unseen,
        fingerprint=hashlib.sha256(content).hexdigest()[:16],
    )
