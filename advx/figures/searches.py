"""What searches find: over their number of steps, and all of them beside the chapter's figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.curves import curve_arrays, curve_looks, saved_panel
from advx.figures.panels import Panel, fill
from advx.figures.saved import save_and_draw, save_figure
from advx.figures.style import (
    CHAPTER,
    DPI,
    NEUTRAL,
    OURS,
    SMALL,
    TEXT,
    letter,
    page,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STAR = 11.0
"""Width of the chapter's star, in points."""

HEIGHTS = (2.0, 3.0)
"""Of the curves and of the searches, in inches."""


def searches_figure(
    folder: Path,
    panels: Sequence[Panel],
    chapter: Sequence[float],
    errors: np.ndarray,
    *,
    named: Sequence[str],
    within: float,
    finding: str,
    provenance: str,
) -> None:
    """Write `search_strength.png`, `.pdf` and `arrays.npz` into `folder`.

    Args:
        folder: the run's.
        panels: a panel of curves for each of the chapter's figures.
        chapter: these figures, in percent.
        errors: (seeds, searches, figures), in percent.
        named: what each of the figures is of.
        within: points from the chapter's figures that count as near.
        finding: the sentence above.
        provenance: what ran.
    """
    save_and_draw(
        folder,
        draw,
        {**curve_arrays(panels), "errors": errors, "chapter": np.array(chapter)},
        panels=curve_looks(panels),
        named=list(named),
        within=within,
        finding=finding,
        provenance=provenance,
    )


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    panels: Sequence[Mapping[str, Any]],
    named: Sequence[str],
    within: float,
    finding: str,
    provenance: str,
) -> None:
    """The figure from its arrays."""
    with styled():
        figure = page(sum(HEIGHTS), finding=finding, provenance=provenance)
        grid = figure.add_gridspec(2, 1, height_ratios=HEIGHTS)
        above = grid[0].subgridspec(1, len(panels))
        axes = [figure.add_subplot(above[k]) for k in range(len(panels))]
        below = figure.add_subplot(grid[1])
        _searches(below, arrays["errors"], arrays["chapter"], named, within, letter(len(panels)))
        for axis, value in zip(axes, arrays["chapter"], strict=True):
            axis.axhline(value, color=CHAPTER, linewidth=0.8, linestyle=(0, (4, 3)))
        made = [saved_panel(arrays, each) for each in panels]
        fill(figure, axes, made, [len(panels)] * len(panels))
        save_figure(figure, folder, "search_strength", dpi=DPI)
        plt.close(figure)


def _searches(
    axis: "Axes",
    errors: np.ndarray,
    chapter: np.ndarray,
    named: Sequence[str],
    within: float,
    head: str,
) -> None:
    """A dot for every search: the last two figures against each other, the first by color."""
    first, down, across = np.nanmean(errors, axis=0).T  # (searches,) each
    near = np.abs(first - chapter[0]) <= within
    kinds = (
        (~near, NEUTRAL, f"{named[0]}: farther from {chapter[0]:g}% than {within:g} points"),
        (near, OURS, f"{named[0]}: nearer"),
    )
    for which, color, label in kinds:
        axis.plot(across[which], down[which], "o", color=color, markersize=2.6, label=label,
                  markeredgewidth=0, alpha=0.8)  # fmt: skip
    axis.add_patch(
        plt.Rectangle(
            (chapter[2] - within, chapter[1] - within),
            2 * within,
            2 * within,
            fill=False,
            edgecolor=CHAPTER,
            linewidth=0.8,
            linestyle=(0, (4, 3)),
        )
    )
    axis.plot(
        chapter[2],
        chapter[1],
        "*",
        color=CHAPTER,
        markersize=STAR,
        markeredgecolor="white",
        markeredgewidth=0.6,
        label="the chapter",
    )
    axis.set(xlabel=f"{named[2]} (%)", ylabel=f"{named[1]} (%)")
    axis.set_title(f"{head}  every search", loc="left", fontsize=TEXT)
    axis.legend(fontsize=SMALL, loc="upper left")
    axis.grid(True)
    axis.set_axisbelow(True)
