"""Dot plots: a line for everything compared, a dot for every way of measuring it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advx.figures import pyplot as plt
from advx.figures import style
from advx.figures.saved import save_and_draw, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 0.2
"""Height of a line, in inches."""

KEY = 0.2
"""Height of the key to the dots, in inches."""

DOT, RING = 5.0, 7.5
"""Width of a filled dot and of a hollow one, which shows around it, in points."""

MANY = 4
"""From so many panels on they have no letters, and one of them says for all what the axis is."""


@dataclass
class Dots:
    """One way of measuring.

    Attributes:
        label: its name.
        color: a color of `style`.
        marker: of matplotlib.
        filled: whether the dot is.
    """

    label: str
    color: str
    marker: str
    filled: bool = True


def dot_figure(
    folder: Path,
    name: str,
    lines: Sequence[str],
    dots: Sequence[Dots],
    panels: dict[str, np.ndarray],
    *,
    finding: str,
    provenance: str,
    reference: str = "",
    printed: Sequence[float | None] = (),
    quantity: str = "error rate (%)",
) -> None:
    """Write `name.png`, `name.pdf` and `arrays.npz` into `folder`.

    Args:
        folder: the run's.
        name: the files'.
        lines: what is compared, from top to bottom.
        dots: the ways of measuring.
        panels: by title, percentages, (seeds, dots, lines); NaN where there is none.
        finding: the figure's title: what the numbers say, in one sentence.
        provenance: what ran, and what was measured.
        reference: the line that the others are compared with; its last dot is continued.
        printed: the chapter's figure for each panel, where it has one.
        quantity: what the percentages are.
    """
    save_and_draw(
        folder,
        draw,
        panels,
        name=name,
        lines=list(lines),
        dots=[vars(each) for each in dots],
        panels=list(panels),
        finding=finding,
        provenance=provenance,
        reference=reference,
        printed=list(printed),
        quantity=quantity,
    )


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str,
    lines: list[str],
    dots: list[Mapping[str, Any]],
    panels: list[str],
    finding: str,
    provenance: str,
    reference: str,
    printed: Sequence[float | None] = (),
    quantity: str = "error rate (%)",
) -> None:
    """The figure from its arrays and from how they look."""
    with style.styled():
        figure = drawn(
            lines,
            [Dots(**each) for each in dots],
            {key: arrays[key] for key in panels},
            finding=finding,
            provenance=provenance,
            reference=reference,
            printed=printed,
            quantity=quantity,
        )
        save_figure(figure, folder, name, dpi=style.DPI)
        plt.close(figure)


def drawn(
    lines: Sequence[str],
    dots: Sequence[Dots],
    panels: dict[str, np.ndarray],
    *,
    finding: str,
    provenance: str,
    reference: str = "",
    printed: Sequence[float | None] = (),
    quantity: str = "error rate (%)",
) -> "Figure":
    """The figure, to be saved; inside `style.styled()`."""
    height = LINE * (len(lines) + 1) + 0.6 + KEY
    figure = style.page(height, finding=finding, provenance=provenance)
    grid = figure.add_gridspec(2, len(panels), height_ratios=[KEY, height - KEY])
    axes = [figure.add_subplot(grid[1, 0])]
    axes += [figure.add_subplot(grid[1, k], sharey=axes[0]) for k in range(1, len(panels))]
    for index, (axis, (title, values)) in enumerate(zip(axes, panels.items(), strict=True)):
        head = f"{style.letter(index)}  " if 1 < len(panels) < MANY else ""
        axis.set_title(head + title, loc="left", fontsize=style.TEXT)
        chapter = printed[index] if index < len(printed) else None
        if chapter is not None:
            axis.axvline(chapter, color=style.CHAPTER, linewidth=0.9, label="chapter")
        _panel(axis, lines, dots, values, reference)
        axis.tick_params(left=False, labelleft=index == 0)
        said = len(panels) < MANY or index == len(panels) // 2
        axis.set_xlabel(quantity if said else "")
    above = figure.add_subplot(grid[0, :])
    above.axis("off")
    above.legend(
        *axes[0].get_legend_handles_labels(),
        ncols=len(dots) + 1,
        loc="center",
        handletextpad=0.3,
        borderpad=0,
    )
    return figure


def _panel(
    axis: "Axes", lines: Sequence[str], dots: Sequence[Dots], values: np.ndarray, reference: str
) -> None:
    """Percentages, (seeds, dots, lines)."""
    known = np.isfinite(values)
    count = known.sum(0)
    mean = np.where(known, values, 0).sum(0) / np.where(count, count, np.nan)
    heights = np.arange(len(lines))
    if reference in lines:
        place = mean[-1, list(lines).index(reference)]
        axis.axvline(place, color=dots[-1].color, linewidth=0.8, linestyle=":", zorder=1)
    for height, column in zip(heights, mean.T, strict=True):
        if np.isfinite(column).any():
            ends = [np.nanmin(column), np.nanmax(column)]
            axis.plot(ends, [height] * 2, color="#c0c0c0", linewidth=1.2, zorder=1.5)
    for each, rates, every in zip(dots, mean, np.swapaxes(values, 0, 1), strict=True):
        axis.plot(
            rates,
            heights,
            each.marker,
            color=each.color,
            label=each.label,
            markersize=DOT if each.filled else RING,
            markerfacecolor=each.color if each.filled else "white",
            zorder=3,
            clip_on=False,
        )
        for height, seeds in zip(heights, every.T, strict=True):
            if np.isfinite(seeds).sum() > 1:
                ends = [np.nanmin(seeds), np.nanmax(seeds)]
                axis.plot(ends, [height] * 2, "|-", color=each.color, linewidth=0.8, zorder=2)
    axis.set(
        yticks=heights,
        yticklabels=lines,
        xlim=(-2, 102),
        ylim=(len(lines) - 0.5, -0.5),
    )
    for text in axis.get_yticklabels():
        text.set_fontweight("bold" if text.get_text() == reference else "normal")
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")
    axis.set_axisbelow(True)
