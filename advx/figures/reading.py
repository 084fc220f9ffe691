"""Accuracy of reading over the strength of the labels' structure; digits with what was read."""

from collections.abc import Mapping
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

CHART, AXIS, KEY = 2.1, 0.45, 1.9
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
    finding: str,
    provenance: str,
) -> None:
    """Write `distribution_matching.png` and `.pdf`.

    Args:
        folder: where.
        arrays: `strengths` (k,); for every curve (seeds, k); `starts` (starts, k), all in percent;
            for every language, after "images ", "labels " and "read ": (n, channels, h, w) bytes,
            (n,) and (n,).
        languages: what stands at the left of a language's digits, by the end of its arrays' names.
        finding: the title.
        provenance: what ran.
    """
    start = EDGE + words_width([*languages.values()], SMALL) + EDGE
    count = max((len(arrays[f"labels {key}"]) for key in languages), default=1)
    side = (PAGE_WIDTH - start - EDGE - (count - 1) * GAP) / count
    below = CAPTION + CHART + AXIS + BETWEEN
    with styled():
        height = below + (CAPTION + len(languages) * (side + WORD + GAP) if languages else 0)
        figure = page(height, finding=finding, provenance=provenance, note=NOTE, free=True)
        write(figure, EDGE, 0, f"{letter(0)}  Digits read right", size=TEXT, ha="left", va="top")
        chart(figure, arrays)
        if languages:
            caption = (
                f"{letter(1)}  The first test sequences, with what the adversary’s reader read"
            )
            write(figure, EDGE, below, caption, size=TEXT, ha="left", va="top")
        for line, (key, name) in enumerate(languages.items()):
            top = below + CAPTION + line * (side + WORD + GAP)
            write(figure, start - EDGE, top + side / 2, name, ha="right")
            shown = zip(
                *(arrays[f"{part} {key}"] for part in ("images", "labels", "read")), strict=True
            )
            for column, (image, label, read) in enumerate(shown):
                left = start + column * (side + GAP)
                place(figure, left, top, side, side).imshow(
                    tiled(image[None], 1), cmap="gray", vmin=0, vmax=1, aspect="auto"
                )
                right = label == read
                write(
                    figure,
                    left + side / 2,
                    top + side + WORD / 2,
                    str(read) if right else f"$\\underline{{{read}}}$",
                    color="black" if right else ADVERSARIAL,
                )
        save_figure(figure, folder, "distribution_matching", dpi=200)
        plt.close(figure)


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
    axis.text(strengths[-1], 10, "guesses ", ha="right", va="bottom", fontsize=SMALL)
    axis.set(
        xticks=strengths,
        xticklabels=[f"{s:g}" for s in strengths],
        ylim=(-3, 103),
        xlabel="strength of the structure (0: labels equally likely and independent)",
        ylabel="digits read right (%)",
    )
    axis.grid(axis="y")
    axis.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
