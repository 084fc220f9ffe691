"""Modes that generators have: over time, at the end by cell, and the points themselves."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures import samples
from advx.figures.curves import COLOURS
from advx.figures.kept import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOTS = 6
"""Snapshots in the strip of points, evenly spaced."""


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    places: Sequence[str],
    columns: Sequence[str],
    count: int,
    counted: Sequence[int],
    title: str,
    shown: str | None = None,
    pictures: Sequence[Sequence[str | int]] = (),
) -> None:
    """Write `gan_collapse.png` and `points.png` or `pictures.png`; both as `.pdf` too.

    Args:
        folder: where.
        arrays: for every "PLACE, COLUMN": `grown_…` (seeds, times) and `ends_…` (seeds,) numbers of
            modes, `inside_…` (seeds,) percent of the examples in any; `epochs` (times,); for
            `points.png` `points_PLACE` (times, n, 2), `data` (m, 2).
        places: where batch normalization stands.
        columns: the other choices.
        count: the modes that the data have.
        counted: examples in which modes were looked for: over time, and at the end.
        title: over the figures.
        shown: the column whose points are shown, if any are.
        pictures: the panels of `pictures.png`, see `advx.figures.samples`.
    """
    figures = {"gan_collapse": modes(arrays, places, columns, count, counted, title)}
    if shown is not None:
        figures["points"] = strip(arrays, places, shown, title)
    for name, figure in figures.items():
        save_figure(figure, folder, name, dpi=200)
        plt.close(figure)
    if pictures:
        samples.draw(folder, arrays, name="pictures", panels=pictures, title=title)


def modes(
    arrays: dict[str, np.ndarray],
    places: Sequence[str],
    columns: Sequence[str],
    most: int,
    counted: Sequence[int],
    title: str,
) -> "Figure":
    """A panel a column with one curve a place, and a table of the ends with the seeds' range."""
    across = len(columns)
    heading = textwrap.wrap(title, 120)
    figure, axes = plt.subplots(
        2, across, figsize=(max(7.0, 2.4 * across + 0.8), 4.9), layout="constrained",
        squeeze=False, height_ratios=(1.25, 1), sharey="row",
    )  # fmt: skip
    for column, name in enumerate(columns):
        axis = axes[0, column]
        for place, colour in zip(places, COLOURS, strict=False):
            found = arrays.get(f"grown_{place}, {name}")
            if found is None:
                continue
            epochs = arrays["epochs"]
            axis.plot(epochs, found.mean(0), color=colour, label=place, linewidth=1.4)
            axis.fill_between(epochs, found.min(0), found.max(0), color=colour, alpha=0.15,
                              linewidth=0)  # fmt: skip
        axis.set(title=name, xlabel="epoch", ylim=(0, 1.04 * min(most, counted[0])))
        axis.title.set_fontsize(8)
        axis.grid(alpha=0.3, linewidth=0.5)
        ends = [arrays.get(f"ends_{place}, {name}", np.array([np.nan])) for place in places]
        below = axes[1, column]
        means = np.array([[each.mean()] for each in ends])
        below.imshow(means, cmap="cividis", vmin=0, vmax=most, aspect="auto")
        for row, each in enumerate(ends):
            inside = arrays.get(f"inside_{places[row]}, {name}", np.array([np.nan])).mean()
            text = (
                f"{each.mean():.1f}"
                + (f" ({each.min():.0f} – {each.max():.0f})" if len(each) > 1 else "")
                + f"\n{inside:.{1 if inside < 1 else 0}f}% inside"
            )
            dark = each.mean() < most / 2
            below.text(0, row, text, ha="center", va="center", fontsize=7,
                       color="white" if dark else "black")  # fmt: skip
        below.set_xticks([])
        below.set_yticks(range(len(places)), places)
    axes[0, 0].set_ylabel(f"modes of {most}")
    axes[1, 0].set_ylabel("batch normalization")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    caption = (
        f"batch normalization: mean and range over seeds, modes seen in {counted[0]:,} examples; "
        f"below, in {counted[1]:,} at the end, and the share that is surely in one"
    )
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(places), frameon=False, fontsize=8,
        title="\n".join(textwrap.wrap(caption, round(14 * figure.get_figwidth()))),
        title_fontsize=8,
    )  # fmt: skip
    for axis in axes.flat:
        axis.tick_params(labelsize=7)
        axis.xaxis.label.set_fontsize(8)
        axis.yaxis.label.set_fontsize(8)
    figure.suptitle("\n".join(heading), fontsize=8)
    return figure


def strip(arrays: dict[str, np.ndarray], places: Sequence[str], shown: str, title: str) -> "Figure":
    """Generated points: a row a place, time from left to right, the data at the end."""
    present = [place for place in places if f"points_{place}" in arrays]
    epochs = arrays.get("epochs", np.array([0]))
    times = np.unique(np.linspace(0, len(epochs) - 1, SHOTS).round().astype(int))
    across = len(times) + 1
    choice = shown.replace(" = ", "\u00a0=\u00a0")  # not to be broken
    heading = textwrap.wrap(f"{title}; {choice}, first seed", 105)
    figure, axes = plt.subplots(
        max(1, len(present)), across, figsize=(1.15 * across + 0.3, 1.15 * len(present) + 0.75),
        layout="constrained", squeeze=False,
    )  # fmt: skip
    reach = np.abs(arrays["data"]).max() * 1.25
    for row, place in enumerate(present):
        for column in range(across):
            axis = axes[row, column]
            last = column == across - 1
            points = arrays["data"] if last else arrays[f"points_{place}"][times[column]]
            axis.scatter(*points.T, s=2, linewidths=0, alpha=0.5,
                         color="#404040" if last else COLOURS[row])  # fmt: skip
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[],
                     aspect="equal")  # fmt: skip
            if row == 0:
                axis.set_title("data" if last else f"epoch {epochs[times[column]]}", fontsize=8)
        axes[row, 0].set_ylabel(place, fontsize=8)
    figure.suptitle("\n".join(heading), fontsize=8)
    return figure
