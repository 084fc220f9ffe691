"""What decisions cost and what they leak, over the weight of an adversary."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.labels import Names
from advx.figures.saved import save_figure, settle
from advx.figures.style import CHAPTER, DPI, NEUTRAL, SERIES, SMALL, TEXT, letter, page, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arrays = dict[str, np.ndarray]

DOT = 5.0
"""Diameter of a mean, in points."""

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
        save_figure(figure, folder, "censored_representations", dpi=DPI)
        plt.close(figure)


def drawn(arrays: Arrays, titles: Mapping[str, str], finding: str, provenance: str) -> "Figure":
    """For every data set: error against leakage, and against the gap between the groups."""
    figure = page(2.7 * len(titles), finding=finding, provenance=provenance, note=NOTE)
    axes = figure.subplots(len(titles), 2, squeeze=False)
    named: dict[Axes, list[np.ndarray]] = {}
    for index, (suffix, title) in enumerate(titles.items()):
        left, right = axes[index]
        named[left] = leakage(left, arrays, suffix)
        named[right] = decisions(right, arrays, suffix)
        for k, (axis, words) in enumerate(((left, "leakage"), (right, "decisions"))):
            head = f"{letter(2 * index + k)}  {title}: {words}"
            axis.set_title(head, loc="left", fontsize=TEXT)
            axis.legend(fontsize=SMALL, loc="best")
            axis.grid(True)
            axis.set_axisbelow(True)
    settle(figure, DPI)  # names are placed by what lies where
    for axis, curves in named.items():
        name_weights(axis, curves, arrays["weights"])
    return figure


def leakage(axis: "Axes", arrays: Arrays, suffix: str) -> list[np.ndarray]:
    """Error against what critics recover; the curves, the one whose weights are named first."""
    error = arrays[f"error{suffix}"]
    trained, fresh = arrays[f"trained{suffix}"], arrays[f"leakage{suffix}"]
    own = against(axis, trained, error, SERIES[5], "by the adversary itself")
    curves = [against(axis, fresh, error, SERIES[1], "by a fresh critic"), own]
    base = float(arrays[f"base{suffix}"])
    axis.axvline(base, color=NEUTRAL, linewidth=0.8, linestyle=":", label="by a guess")
    axis.set(xlabel="attribute recovered (%)", ylabel="error rate (%)")
    return curves


def decisions(axis: "Axes", arrays: Arrays, suffix: str) -> list[np.ndarray]:
    """Error against the gap, and what is known of the structural model; the curves as above."""
    gap = arrays[f"gap{suffix}"]
    error = arrays[f"error{suffix}"]
    curves = [against(axis, gap, error, SERIES[0], "the labels, as given")]
    if suffix == HIRING and "truth" in arrays:
        curves += [against(axis, gap, arrays["truth"], SERIES[2], "who is qualified")]
        for name, filled, label in (
            ("best", True, "best guess"),
            ("fair", False, "best guess, no leak"),
        ):
            past, truth, apart = arrays[name]
            for value, color in ((past, SERIES[0]), (truth, SERIES[2])):
                star(axis, [apart], [value], color, filled)
            star(axis, [], [], NEUTRAL, filled, label)
    axis.set(xlabel="gap between the groups (points)", ylabel="error rate (%)")
    return curves


def star(
    axis: "Axes", x: list[float], y: list[float], color: str, filled: bool, label: str = ""
) -> None:
    """Where a best guess lies."""
    face = color if filled else "white"
    axis.plot(
        x, y, "*", markersize=9, color=color, markerfacecolor=face, zorder=4, label=label or None
    )


def against(axis: "Axes", x: np.ndarray, y: np.ndarray, color: str, label: str) -> np.ndarray:
    """Means of (seeds, k) percentages, joined in the order of the weights; every seed small.

    Returns:
        The means, (k, 2).
    """
    axis.plot(x.ravel(), y.ravel(), "o", color=color, markersize=2, alpha=0.5, zorder=2)
    means = np.column_stack([np.nanmean(x, 0), np.nanmean(y, 0)])
    axis.plot(*means.T, "o-", color=color, markersize=DOT, linewidth=1, label=label, zorder=3)
    return means


def name_weights(axis: "Axes", curves: list[np.ndarray], weights: np.ndarray) -> None:
    """Write the weights beside the first curve's points; those of one place share a name."""
    names = Names(axis)
    line, *_ = [names.avoid(*curve.T) for curve in curves]
    for together in in_one_place(axis.transData.transform(curves[0]), axis.figure.dpi / 72 * DOT):
        text = ", ".join(f"{weights[k]:g}" for k in together)
        x, y = curves[0][together[0]]
        names.mark(text, CHAPTER, x, y, DOT / 2, line)


def in_one_place(points: np.ndarray, near: float) -> list[list[int]]:
    """Indices of points (n, 2), together where one covers the first of the others."""
    groups: list[list[int]] = []
    for k, point in enumerate(points):
        if not np.isfinite(point).all():
            continue
        firsts = (g for g in groups if np.hypot(*(points[g[0]] - point)) < near)
        group = next(firsts, None)
        if group is None:
            groups.append([k])
        else:
            group.append(k)
    return groups
