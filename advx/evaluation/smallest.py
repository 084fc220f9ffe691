"""The median of the smallest perturbation that succeeds, by bisection on the error rate."""

from collections.abc import Callable


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
