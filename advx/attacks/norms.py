"""The geometry of a ball: its steepest direction, and the projection onto it.

Norms are taken over all axes but the first, each example on its own.
"""

import math

import torch
from torch import Tensor

from advx.types import DistanceName

ORDERS = {"linf": torch.inf, "l2": 2, "l1": 1}

ROOM = 2**16
"""Times the root of the smallest normal number: shorter, and squares may have underflowed."""

EXTREME = 2.0**30
"""From its inverse to it, numbers whose products are ordinary too."""


def steepest(gradient: Tensor, norm: DistanceName) -> Tensor:
    """The unit vector of `norm` with the largest inner product with the gradient (Equation 1.3).

    sign(g) for the max norm, g / ‖g‖₂ for L2, the sign of the largest component for L1; zero where
    the gradient vanishes, or is no number. It stands in memory of its own, like `projected`.
    """
    if norm == "linf":
        return gradient.sign()
    flat = gradient.flatten(1)  # (batch, pixels)
    if norm == "l1":
        place = flat.abs().argmax(1, keepdim=True)
        one = torch.zeros_like(flat).scatter(1, place, flat.gather(1, place).sign())
        return one.view_as(gradient)
    largest = flat.abs().amax(1, keepdim=True)
    scaled = flat / torch.where(largest > 0, largest, 1)  # no underflow in the squares
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)  # (batch, 1)
    unit = scaled / torch.where(length > 0, length, 1)
    defined = length.isfinite()
    if may_hold(~defined):  # `where` takes as long as all the rest
        unit = torch.where(defined, unit, 0)
    return unit.view_as(gradient)


def may_hold(rare: Tensor) -> bool:
    """Whether something that is rare holds anywhere, as far as that can be known without waiting.

    On a CPU the answer saves what would be done about it. A GPU takes longer to answer than to do
    it in vain, so that there it is always yes.
    """
    return not rare.is_cpu or bool(rare.any())


def projected(perturbation: Tensor, norm: DistanceName, epsilon: float) -> Tensor:
    """The nearest point of the ball of radius `epsilon`, for each example's perturbation.

    For L1 the point of the ball in the same direction.
    """
    if norm == "linf":
        return perturbation.clamp(-epsilon, epsilon)
    size = length(perturbation, norm).view(-1, *[1] * (perturbation.dim() - 1))  # (batch, 1, …)
    return perturbation * torch.where(size > epsilon, epsilon / size, 1.0).clamp(max=1.0)


def dual_length(gradient: Tensor, norm: DistanceName) -> Tensor:
    """The most that a perturbation of length 1 in `norm` can gain along the gradient, (batch,)."""
    dual: dict[str, DistanceName] = {"linf": "l1", "l2": "l2", "l1": "linf"}
    return length(gradient, dual[norm])


def shortest(gradient: Tensor, gain: Tensor, norm: DistanceName) -> Tensor:
    """The perturbation of least `norm` whose inner product with the gradient is `gain` (batch,).

    It points along the steepest direction; its length is gain / `dual_length`. Zero where the
    gradient vanishes: no perturbation gains anything there.
    """
    most = dual_length(gradient, norm)
    size = gain / torch.where(most > 0, most, torch.inf)
    return size.view(-1, *[1] * (gradient.dim() - 1)) * steepest(gradient, norm)


def length(perturbation: Tensor, norm: DistanceName) -> Tensor:
    """Norm of each example's perturbation, (batch,), where squares leave the number format too."""
    flat = perturbation.flatten(1)
    lengths = torch.linalg.vector_norm(flat, ord=ORDERS[norm], dim=1)
    if norm != "l2":
        return lengths
    tiny = torch.finfo(torch.promote_types(lengths.dtype, torch.float32)).tiny
    inaccurate = (lengths < ROOM * tiny**0.5) | (lengths == torch.inf)
    if may_hold(inaccurate):
        scaled, factor = ordinary(flat)
        again = torch.linalg.vector_norm(scaled, dim=1) / factor.squeeze(1)
        lengths = torch.where(inaccurate, again, lengths)
    return lengths


def changed_share(perturbation: Tensor, *, above: float = 0.0) -> Tensor:
    """Share of each example's pixels that are changed, (batch,) float64, from 0 to 1.

    A pixel of an image (channels, height, width) is changed where any of its channels is; of other
    examples every component counts.

    Args:
        perturbation: (batch, *shape).
        above: changes up to this size are none.
    """
    moved = perturbation.abs() > above
    return (moved.any(1) if moved.dim() == 4 else moved).flatten(1).double().mean(1)


def ordinary(rows: Tensor, largest: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Rows (batch, n), those of extreme size times a power of two that brings them to about 1.

    Args:
        rows: the rows.
        largest: what size is measured by, (batch, 1); None for the largest magnitude.

    Returns:
        The rows and what they were multiplied with, (batch, 1): 1 for ordinary ones, zeros and
        those that are no numbers.
    """
    largest = rows.abs().amax(1, keepdim=True) if largest is None else largest
    some = (largest < 1 / EXTREME) | (largest > EXTREME)
    if not may_hold(some):
        return rows, torch.ones_like(largest)
    some &= (largest > 0) & largest.isfinite()
    end = int(math.log2(torch.finfo(rows.dtype).max)) - 2  # the factor and its inverse are normal
    factor = torch.exp2(torch.where(some, -largest.log2().floor(), 0).clamp(-end, end))
    return rows * factor, factor


def vanished(gradient: Tensor) -> Tensor:
    """Whether each example's gradient is exactly zero, (batch,) bool."""
    return (gradient.flatten(1) == 0).all(1)
