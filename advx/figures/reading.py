"""Accuracy of reading over the strength of the labels' structure; digits with what was read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.samples import tiled
from advx.figures.saved import save_figure
from advx.figures.style import (
    ADVERSARIAL,
    CLEAN,
    DASHES,
    MARKERS,
    NEUTRAL,
    OURS,
    PAGE_WIDTH,
    SMALL,
    TEXT,
    letter,
    page,
    place,
    styled,
    words_width,
    write,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrays = dict[str, np.ndarray]

CURVES = {
    "supervised": ("supervised (pairs)", CLEAN),
    "bigram matching": ("tables of bigrams, no pairs", NEUTRAL),
    "adversary": ("adversary, no pairs", OURS),
    "best permutation": ("adversary, symbols renamed\nby the best permutation", ADVERSARIAL),
}
"""By array: what is written beside a curve, and its color."""

CHART, AXIS, KEY = 2.1, 0.5, 1.85
"""Inches: height of the chart; left of it and below it for its axes; right of it for the key."""

EDGE, GAP, CAPTION, BETWEEN, WORD = 0.05, 0.03, 0.2, 0.14, 0.15
"""Inches: at the sides, between digits, of a caption, between panels, of a line of symbols."""

NOTE = (
    "a: lines are means of the seeds, each of the start that is chosen without a label; small dots "
    "are all starts. b: what was read stands under each digit; wrong symbols are orange and "
    "underlined. In a cyclic language a rotation of the symbols changes nothing."
)


def draw(
    folder: Path,
    arrays: Arrays,
    *,
    languages: Mapping[str, str],
    digits: Sequence[str],
    finding: str,
    provenance: str,
) -> None:
    """Write `distribution_matching.png` and `.pdf`.

    Args:
        folder: where.
        arrays: `strengths` (k,); for every curve (seeds, k); `starts` (starts, k), all in percent;
            for every language, after "images ", "labels " and "read ": (n, channels, h, w) bytes,
            (n,) and (n,); for every row of digits, after "digits ": (m, channels, h, w) bytes.
        languages: what stands at the left of a language's digits, by the end of its arrays' names.
        digits: rows of the last panel.
        finding: the title.
        provenance: what ran.
    """
    names = [*languages.values(), *digits]
    start = EDGE + words_width(names, SMALL) + EDGE
    room = PAGE_WIDTH - start - EDGE
    across = max((len(arrays[f"labels {key}"]) for key in languages), default=1)
    side = (room - (across - 1) * GAP) / across
    second = CAPTION + CHART + AXIS + BETWEEN
    third = second + (CAPTION + len(languages) * (side + WORD + GAP) + BETWEEN if languages else 0)
    shown = [arrays[f"digits {name}"] for name in digits]
    small = (room - (len(shown[0]) - 1) * GAP) / len(shown[0])
    with styled():
        height = third + CAPTION + len(shown) * (small + GAP)
        figure = page(height, finding=finding, provenance=provenance, note=NOTE, free=True)
        captions = {
            0: "Digits read right",
            second: "The first test sequences, with what the adversary’s reader read",
            third: "Digits whose pixels are permuted, put back by two autoencoders",
        }
        for panel, (top, caption) in enumerate(captions.items()):
            if top != second or languages:
                write(
                    figure, EDGE, top, f"{letter(panel)}  {caption}", size=TEXT, ha="left", va="top"
                )
        chart(figure, arrays)
        for line, (key, name) in enumerate(languages.items()):
            top = second + CAPTION + line * (side + WORD + GAP)
            images(figure, arrays[f"images {key}"], name, start, top, side)
            pairs = zip(arrays[f"labels {key}"], arrays[f"read {key}"], strict=True)
            for column, (label, read) in enumerate(pairs):
                middle = start + column * (side + GAP) + side / 2
                text = str(read) if label == read else f"$\\underline{{{read}}}$"
                color = "black" if label == read else ADVERSARIAL
                write(figure, middle, top + side + WORD / 2, text, color=color)
        for line, (name, row) in enumerate(zip(digits, shown, strict=True)):
            images(figure, row, name, start, third + CAPTION + line * (small + GAP), small)
        save_figure(figure, folder, "distribution_matching", dpi=200)
        plt.close(figure)


def images(
    figure: "Figure", row: np.ndarray, name: str, left: float, top: float, side: float
) -> None:
    """Images (n, channels, h, w), bytes, side by side, with a name at their left; inches."""
    write(figure, left - EDGE, top + side / 2, name, ha="right")
    for column, image in enumerate(row):
        place(figure, left + column * (side + GAP), top, side, side).imshow(
            tiled(image[None], 1), cmap="gray", vmin=0, vmax=1, aspect="auto"
        )


def chart(figure: "Figure", arrays: Arrays) -> None:
    """The curves, with all starts as dots and a key at the right."""
    wide = PAGE_WIDTH - AXIS - KEY - EDGE
    axis = place(figure, AXIS, CAPTION, wide, CHART)
    axis.axis("on")
    strengths = arrays["strengths"]
    every = arrays["starts"]
    axis.plot(
        np.tile(strengths, (len(every), 1)).T,
        every.T,
        ".",
        color=OURS,
        alpha=0.5,
        markersize=5,
        zorder=2,
    )
    for k, (name, (label, color)) in enumerate(CURVES.items()):
        found = arrays[name]
        axis.plot(
            strengths,
            np.nanmean(found, 0) if np.isfinite(found).any() else found[0],
            linestyle=DASHES[k],
            marker=MARKERS[k],
            color=color,
            label=label,
            zorder=3,
        )
    axis.axhline(10, color=NEUTRAL, linewidth=0.7, linestyle=":", zorder=1)
    axis.text(strengths.max(), 10, "guesses ", ha="right", va="bottom", fontsize=SMALL)
    axis.set(
        xticks=strengths,
        xticklabels=[f"{s:g}" for s in strengths],
        ylim=(-3, 103),
        xlabel="strength of the structure (0: labels equally likely and independent)",
        ylabel="digits read right (%)",
    )
    axis.grid(axis="y")
    axis.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
