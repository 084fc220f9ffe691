"""Where the rate of one more network would fall: the interval beside every mean."""

import math
from collections.abc import Sequence

LEVEL = 0.95


def wilson(percent: float, n: int) -> tuple[float, float]:
    """Wilson's 95% interval, in percent, for an error rate of `percent` over n examples."""
    from scipy import special

    z = special.ndtri((1 + LEVEL) / 2)  # quantile of the normal distribution
    p = percent / 100
    center = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return 100 * max(0.0, center - half), 100 * min(1.0, center + half)


def prediction(values: Sequence[float], n: int | None) -> tuple[float, float]:
    """Interval for one more network's rate on all images like those of the test set.

    Over k seeds it is the mean ± t·s·√(1 + 1/k), and the error of having seen n examples only.

    Args:
        values: one value a seed, shares in percent where `n` is given.
        n: test examples behind each value; None where there is no sampling error to add. The two
            half-widths are combined in quadrature, each side on its own, and shares are cut
            off at 0 and 100.

    Returns:
        (low, high); NaN for fewer than two values, whose spread is unknown.
    """
    k = len(values)
    if k < 2:
        return math.nan, math.nan
    mean = sum(values) / k
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (k - 1))
    from scipy import special

    t = float(special.stdtrit(k - 1, (1 + LEVEL) / 2))  # quantile of Student's distribution
    half = t * spread * math.sqrt(1 + 1 / k)
    if n is None:
        return mean - half, mean + half
    low, high = wilson(mean, n)
    return max(0.0, mean - math.hypot(half, mean - low)), min(
        100.0, mean + math.hypot(half, high - mean)
    )
