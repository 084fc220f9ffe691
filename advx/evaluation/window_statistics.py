"""What church windows show, counted over their points (captions of Figures 1.2 to 1.4)."""

import math
from dataclasses import dataclass

from torch import Tensor

from advx.evaluation.church_windows import NO_CLASS
from advx.evaluation.half_spaces import best_line, boundary_distance


@dataclass(frozen=True)
class WindowStatistics:
    """In percent of windows or points; NaN where there are none.

    Attributes:
        both_in_window: windows with right and wrong answers; the next three are of these.
        line_accuracy: points that the best straight line places rightly.
        larger_share: points on the larger side, which no line is needed for.
        separable: windows whose best line places a share `separable` of the points rightly.
        changed: points with another class than the example itself.
        error_at_epsilon, changed_at_epsilon: windows whose point at ε along the first direction
            has a wrong class, and another one than the example itself.
        median_boundary_distance: to the first mistake along the first direction, in ε.
        windows, with_both, right: windows behind these; with both answers; right at the example.
    """

    both_in_window: float
    line_accuracy: float
    larger_share: float
    separable: float
    changed: float
    error_at_epsilon: float
    changed_at_epsilon: float
    median_boundary_distance: float
    windows: int
    with_both: int
    right: int


def window_statistics(maps: Tensor, labels: Tensor, *, separable: float = 0.99) -> WindowStatistics:
    """Count what windows show.

    Args:
        maps: classes (windows, side, side), v downward.
        labels: (windows,).
        separable: share of a window's points that a straight line must place rightly to count as
            its boundary.
    """
    correct = maps == labels[:, None, None]  # (windows, side, side)
    best, larger = best_line(correct[:, ::2, ::2])
    both = larger < 1
    some = bool(both.any())
    half = maps.shape[1] // 2
    itself, moved = maps[:, half, half], maps[:, half, -1]
    distance = boundary_distance(correct)
    right = distance > 0
    return WindowStatistics(
        both_in_window=100 * both.double().mean().item(),
        line_accuracy=100 * best[both].mean().item() if some else math.nan,
        larger_share=100 * larger[both].mean().item() if some else math.nan,
        separable=100 * (best[both] >= separable).double().mean().item() if some else math.nan,
        changed=_percent(maps != itself[:, None, None], maps),
        error_at_epsilon=_percent(moved != labels, moved),
        changed_at_epsilon=_percent(moved != itself, moved),
        median_boundary_distance=distance[right].median().item() if right.any() else math.nan,
        windows=len(maps),
        with_both=int(both.sum()),
        right=int(right.sum()),
    )


def _percent(hits: Tensor, classes: Tensor) -> float:
    """Percent of the points with a class that are hits."""
    return 100 * hits[classes != NO_CLASS].double().mean().item()
