"""What decisions cost and what they leak, over the weight of an adversary."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.saved import save_figure
from advx.figures.style import NEUTRAL, SERIES, SMALL, TEXT, letter, page, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arrays = dict[str, np.ndarray]

HIRING = ", hiring"
"""Ends the names of the structural model's arrays."""

NOTE = (
    "Numbers beside the dots: the adversary's weight. Leakage: the test examples whose protected "
    "attribute a critic recovers, the best of the fresh ones. Small dots: seeds; large ones: means."
)


def draw(
    folder: Path,
    arrays: Arrays,
    *,
    titles: Mapping[str, str],
    finding: str,
    provenance: str,
) -> None:
    """Write `censored_representations.png` and `.pdf`.

    Args:
        folder: where.
        arrays: `weights` (k,); for every suffix of `titles` "leakageSUFFIX", "trainedSUFFIX",
            "errorSUFFIX", "gapSUFFIX" (seeds, k) in percent, and "baseSUFFIX"; for the structural
            model `truth` (seeds, k), and `best` and `fair`: error, error on the truth and gap of
            the best guess, of applicants as they are and of those who show nothing of their group.
        titles: of the data, by suffix.
        finding: the sentence above the figure.
        provenance: what ran.
    """
    with styled():
        figure = drawn(arrays, titles, finding, provenance)
        save_figure(figure, folder, "censored_representations", dpi=200)
        plt.close(figure)


def drawn(arrays: Arrays, titles: Mapping[str, str], finding: str, provenance: str) -> "Figure":
    """For every data set: error against leakage, and against the gap between the groups."""
    figure = page(2.7 * len(titles), finding=finding, provenance=provenance, note=NOTE)
    axes = figure.subplots(len(titles), 2, squeeze=False)
    for index, (suffix, title) in enumerate(titles.items()):
        left, right = axes[index]
        error, gap = arrays[f"error{suffix}"], arrays[f"gap{suffix}"]
        trained, leaks = arrays[f"trained{suffix}"], arrays[f"leakage{suffix}"]
        against(left, trained, error, SERIES[5], "by the adversary itself", None)
        against(left, leaks, error, SERIES[1], "by a fresh critic", arrays["weights"])
        left.axvline(
            float(arrays[f"base{suffix}"]),
            color=NEUTRAL,
            linewidth=0.8,
            linestyle=":",
            label="by a guess",
        )
        left.set(xlabel="attribute recovered (%)", ylabel="error rate (%)")
        against(right, gap, error, SERIES[0], "the labels, as given", arrays["weights"])
        if suffix == HIRING and "truth" in arrays:
            against(right, gap, arrays["truth"], SERIES[2], "who is qualified", None)
            for name, filled in (("best", True), ("fair", False)):
                guess = arrays[name]
                for value, color in ((guess[0], SERIES[0]), (guess[1], SERIES[2])):
                    right.plot(
                        guess[2],
                        value,
                        "*",
                        markersize=9,
                        color=color,
                        markerfacecolor=color if filled else "white",
                        zorder=4,
                    )
            right.plot([], [], "*", color=NEUTRAL, markersize=9, label="best guess")
            right.plot(
                [],
                [],
                "*",
                color=NEUTRAL,
                markersize=9,
                markerfacecolor="white",
                label="best guess, no leak",
            )
        right.set(xlabel="gap between the groups (points)", ylabel="error rate (%)")
        for k, (axis, words) in enumerate(((left, "leakage"), (right, "decisions"))):
            head = f"{letter(2 * index + k)}  {title}: {words}"
            axis.set_title(head, loc="left", fontsize=TEXT)
            axis.legend(fontsize=SMALL, loc="best")
            axis.grid(True)
            axis.set_axisbelow(True)
    return figure


def against(
    axis: "Axes",
    x: np.ndarray,
    y: np.ndarray,
    color: str,
    label: str,
    weights: np.ndarray | None,
) -> None:
    """Means of (seeds, k) percentages, joined in the order of the weights; every seed small."""
    axis.plot(x.ravel(), y.ravel(), "o", color=color, markersize=2, alpha=0.5, zorder=2)
    across, up = np.nanmean(x, 0), np.nanmean(y, 0)
    axis.plot(across, up, "o-", color=color, markersize=5, linewidth=1, label=label, zorder=3)
    for place in zip(across, up, [] if weights is None else weights, strict=False):
        axis.annotate(
            f"{place[2]:g}", place[:2], (4, 4), textcoords="offset points", fontsize=SMALL
        )
