"""Generated points of the plane: a row a game, time from left to right, the data behind."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from advx.figures.style import SERIES, SMALL, ink, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOTS = 6
"""Snapshots, evenly spaced."""

MANY = 0.02
"""Share of the points outside a panel from which the panel says so."""


def strip(
    arrays: dict[str, np.ndarray], places: Sequence[str], *, finding: str, provenance: str
) -> "Figure":
    """The figure; where points lie outside a panel, an arrow says where.

    Args:
        arrays: `points_PLACE` (times, n, 2), `data` (m, 2), `epochs` (times,).
        places: where batch normalization stands, a row each.
        finding: the title.
        provenance: what ran.
    """
    present = [place for place in places if f"points_{place}" in arrays]
    epochs = arrays["epochs"]
    times = np.unique(np.linspace(0, len(epochs) - 1, SHOTS).round().astype(int))
    note = (
        "Rows: the networks that have batch normalization. Gray: the data. Arrows: the percentage "
        "of points that lie outside, and where their middle is (x, y)."
    )
    figure = page(0.2 + 0.98 * len(present), finding=finding, provenance=provenance, note=note)
    axes = figure.subplots(len(present), len(times), squeeze=False)
    reach = float(np.abs(arrays["data"]).max()) * 1.25
    for row, place in enumerate(present):
        for column, time in enumerate(times):
            axis = axes[row, column]
            axis.scatter(*arrays["data"].T, s=14, linewidths=0, color="#c8c8c8")
            points = arrays[f"points_{place}"][time]
            axis.scatter(*points.T, s=2, linewidths=0, alpha=0.6, color=SERIES[row])
            axis.set(
                xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal"
            )
            for spine in axis.spines.values():
                spine.set_visible(True)
            outside(axis, points, reach)
            if row == 0:
                axis.set_title(f"epoch {epochs[time]}")
        axes[row, 0].set_ylabel(place, color=ink(SERIES[row]))
    return figure


def outside(axis: "Axes", points: np.ndarray, reach: float) -> None:
    """Point at those (n, 2) that a panel of this reach does not show, if there are many."""
    gone = points[(np.abs(points) > reach).any(1) | ~np.isfinite(points).all(1)]
    share = len(gone) / len(points)
    if share < MANY:
        return
    middle = np.median(gone, axis=0)
    if not np.isfinite(middle).all():
        axis.text(0, 0, "not finite", ha="center", va="center", fontsize=SMALL)
        return
    text = "all outside" if share == 1 else f"{min(99, round(100 * share))}% outside"
    if share > 0.5:
        tip = 0.95 * reach * middle / np.abs(middle).max()
        axis.annotate("", tip, 0.35 * tip, arrowprops={"arrowstyle": "->", "linewidth": 1})
        x, y = (f"{round(float(value))}".replace("-", "−") for value in middle)
        text += f"\n({x}, {y})"
        steep = abs(tip[1]) > abs(tip[0])
        level = -0.1 * tip[1] if steep else -0.45 * reach * (1 if tip[1] > 0 else -1)
        axis.text(0, level, text, ha="center", va="center", fontsize=SMALL, linespacing=1.25)
    else:
        axis.text(
            -0.95 * reach,
            -0.95 * reach,
            text,
            ha="left",
            va="bottom",
            fontsize=SMALL,
            bbox={"color": "white", "alpha": 0.8, "pad": 0.5, "linewidth": 0},
        )
