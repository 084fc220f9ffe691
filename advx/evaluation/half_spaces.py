"""What the captions of the church windows claim, as numbers (section 1.2.3, Figures 1.2 to 1.4).

"the adversarial direction usually roughly divides space into a half-space of correct classification
and incorrect classification": how well does the best straight line tell the two apart, how far
away is the boundary, and which directions cross it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advx.attacks.noise import gaussian
from advx.evaluation.transfer import predictions
from advx.evaluation.undefined import answered

ANGLES = 180
"""Directions of the lines that are tried, evenly over half a turn."""


def best_line(correct: Tensor) -> tuple[Tensor, Tensor]:
    """How many points of each window the best straight line puts on the right side.

    Every line along one of `ANGLES` directions and between any two points is tried, either way
    round; also the line outside the window, which calls all points alike.

    Args:
        correct: (windows, side, side) bool.

    Returns:
        The best line's share of points (windows,) float64, and that of the more frequent of the two
        kinds, which needs no line.
    """
    side = correct.shape[1]
    at = torch.linspace(-1, 1, side, dtype=torch.float64)
    flat = correct.flatten(1)
    count = flat.shape[1]
    total = flat.sum(1, keepdim=True, dtype=torch.int32)
    rank = torch.arange(1, count + 1, dtype=torch.int32)
    best = torch.maximum(total, count - total)[:, 0]
    constant = best.double() / count
    for k in range(ANGLES):
        angle = math.pi * k / ANGLES
        along = (at[None, :] * math.cos(angle) + at[:, None] * math.sin(angle)).flatten()
        order = along.argsort(stable=True)
        last = torch.ones(count, dtype=torch.bool)  # a line cannot part points on itself
        last[:-1] = along[order].diff() > 1e-9
        before = flat[:, order].cumsum(1, dtype=torch.int32)[:, last]
        placed = rank[last]
        right = before + (count - placed) - (total - before)  # correct first, mistakes after
        correct_counts = torch.maximum(right, count - right).amax(1)
        best = torch.maximum(best, correct_counts)
    return best.double() / count, constant


def boundary_distance(correct: Tensor) -> Tensor:
    """How far along the first direction the class first is wrong, in units of the half-width.

    Args:
        correct: (windows, side, side) bool, the center in the middle of an odd side.

    Returns:
        (windows,) float64: 0 where the center is wrong already, infinite where nothing to its
        right is.
    """
    half = correct.shape[2] // 2
    right = correct[:, half, half:]
    first = (~right).double().argmax(1).double() / half
    return first.where((~right).any(1), math.inf)


def random_directions(images: Tensor, draw: int) -> Tensor:
    """A uniformly random unit vector for every image, its own: like images (n, *shape)."""
    r = gaussian(images, draw).flatten(1).double()
    return (r / r.norm(dim=1, keepdim=True)).to(images.dtype).view_as(images)


def directions_at(images: Tensor, slope: Tensor, cosine: float, draw: int) -> Tensor:
    """Random unit vectors with a given cosine to the gradient, each image's own.

    Args:
        images: (n, *shape); decide the random part.
        slope: the gradient (n, *shape).
        cosine: between −1 and 1.
        draw: another number, other directions.

    Returns:
        (n, *shape), of L2 length 1.
    """
    g = slope.flatten(1).double()
    g = g / g.norm(dim=1, keepdim=True)
    r = random_directions(images, draw).flatten(1).double()
    r = r - (r * g).sum(1, keepdim=True) * g
    r = r / r.norm(dim=1, keepdim=True)
    return (cosine * g + math.sqrt(1 - cosine**2) * r).to(images.dtype).view_as(images)


@dataclass(frozen=True)
class AfterSteps:
    """In percent of all steps, without those that begin or end at NaN logits.

    Attributes:
        error_rate: how often the class is not the label.
        changed: how often it is not the one before.
    """

    error_rate: float
    changed: float


def after_steps(
    model: nn.Module, images: Tensor, labels: Tensor, step: Callable[[int], Tensor], draws: int
) -> AfterSteps:
    """What comes of the steps `step(0)`, ..., `step(draws − 1)`, each (n, *shape)."""
    before, wrong, changed, steps = predictions(model, images), 0, 0, 0
    known = answered(model, before)
    for draw in range(draws):
        after = predictions(model, images + step(draw))
        both = answered(model, after) & known
        wrong += int(((after != labels) & both).sum())
        changed += int(((after != before) & both).sum())
        steps += int(both.sum())
    return AfterSteps(100 * wrong / steps, 100 * changed / steps)
