"""The one rule that says whether a figure of the chapter was reproduced."""

import math

NEAR_ADVERSARIAL = 5.0
"""Points within which an adversarial error rate outside the interval is near."""

NEAR_CLEAN = 0.3
"""Points within which a clean error rate outside the interval is near."""

TOO_WIDE = 20.0
"""Width of the interval, in points, from which on nothing can be concluded."""

STANDARD_ERRORS = 2.0
"""By fewer of them a claim holds, or fails, narrowly."""


def verdict(
    chapter: float, mean: float, low: float, high: float, *, clean: bool, direction: bool
) -> str:
    """Compare a measured mean and its interval with the chapter's figure, all in percent.

    Args:
        chapter: the chapter's figure.
        mean, low, high: the measured mean and the interval for one more network.
        clean: whether this is a clean error rate (a narrower "near").
        direction: whether an ordering claim is named for this row, and holds clearly.
    """
    if not all(map(math.isfinite, (mean, low, high))) or high - low > TOO_WIDE:
        return "inconclusive"
    if low <= chapter <= high:
        return "reproduced"
    if abs(mean - chapter) <= (NEAR_CLEAN if clean else NEAR_ADVERSARIAL):
        return "near"
    return "direction only" if direction else "not reproduced"


def clearly(margin: float, error: float) -> bool:
    """Whether a comparison comes out by more than counting on other examples would change.

    Args:
        margin: from its border, in its worst seed; NaN where it was not tested.
        error: the standard error of the margin; NaN where nothing was counted.

    Returns:
        Whether the margin, of either sign, exceeds two standard errors, if there are any.
    """
    return math.isnan(error) or abs(margin) > STANDARD_ERRORS * error


def plain_verdict(chapter: float, mean: float) -> str:
    """Compare what is no error rate (a length, say): equal to the digits that the chapter gives."""
    decimals = len(f"{chapter:g}".partition(".")[2])
    same = math.isfinite(mean) and round(mean, decimals) == round(chapter, decimals)
    return "reproduced" if same else "not reproduced"
