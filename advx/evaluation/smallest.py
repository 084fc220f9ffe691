"""The median of the smallest perturbation that succeeds, by bisection on the error rate."""

from collections.abc import Callable

from torch import nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import craft, error_rate
from advx.types import DistanceName


def median_smallest(
    error_at: Callable[[float], float], *, high: float, tolerance: float, percent: float = 50.0
) -> float:
    """The size at which an attack's error rate reaches `percent`: the median at 50.

    An example counts as broken at a size if some perturbation of at most that size succeeds; where
    half of the examples are broken, the median of the smallest sizes lies. An example that is
    misclassified without any has size 0.

    Args:
        error_at: error rate in percent at a size; it never falls as the size grows.
        high: the largest size tried.
        tolerance: width of the last bracket.
        percent: the quantile.

    Returns:
        The upper end of the last bracket; 0 where the clean error is that high already, infinity
        where even `high` is not enough.
    """
    if error_at(0.0) >= percent:
        return 0.0
    if error_at(high) < percent:
        return float("inf")
    low = 0.0
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (low, middle) if error_at(middle) >= percent else (middle, high)
    return high


@measurement(version=1)
def median_smallest_epsilon(
    model: nn.Module,
    attack_of: Callable[[float], Attack],
    examples: Split,
    *,
    largest: float,
    brackets: int = 512,
) -> float:
    """The ε at which an attack on a model gives half of the examples another class.

    Args:
        model: that is attacked.
        attack_of: the attack, by its ε.
        examples: with their labels.
        largest: where the search ends.
        brackets: of these many between 0 and `largest`, the upper end of the right one is found.

    Returns:
        ε in the units of the attack's norm; infinity where even `largest` is not enough.
    """

    def error_at(epsilon: float) -> float:
        return error_rate(model, craft(attack_of(epsilon), model, examples))

    return median_smallest(error_at, high=largest, tolerance=largest / brackets)


@measurement(version=1)
def median_smallest_along(
    model: nn.Module,
    attack: Attack,
    examples: Split,
    *,
    norm: DistanceName,
    largest: float,
    brackets: int = 512,
) -> float:
    """The ε at which half have another class, each example moved by ε where an attack moved it.

    The attack says where to go and not how far, so that its direction can be compared with that
    of an attack whose ε is given. An example that it left where it was stays there.

    Args:
        model: that is attacked.
        attack: whose perturbations are scaled; they are not clipped.
        examples: with their labels.
        norm: in which ε is a perturbation's length.
        largest: where the search ends.
        brackets: of these many between 0 and `largest`, the upper end of the right one is found.

    Returns:
        ε in the units of the norm; infinity where even `largest` is not enough.
    """
    change = craft(attack, model, examples).images - examples.images
    size = norms.length(change, norm).view(-1, *[1] * (change.dim() - 1))  # (n, 1, …)
    direction = change / size.where(size > 0, 1.0)

    def error_at(epsilon: float) -> float:
        return error_rate(model, Split(examples.images + epsilon * direction, examples.labels))

    return median_smallest(error_at, high=largest, tolerance=largest / brackets)
