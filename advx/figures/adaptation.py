"""Every seed's errors and critics as dots; features of two domains in the plane."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.saved import save_figure
from advx.figures.style import MARKERS, NEUTRAL, SERIES, SMALL, TEXT, letter, page, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arrays = dict[str, np.ndarray]

LINE = 0.2
"""Height of a row of dots, in inches."""

APART = 0.16
"""Between the dots of different critics of one row, in rows."""

TRAINED = "the critic that was trained against"
FRESH = {"logistic_regression": "a fresh one, linear", "mlp": "a fresh one, a network"}
"""Critics in the key."""

NOTE = "Dots: seeds. Gray lines: from the best to the worst seed. Dotted: guesses."


def draw(
    folder: Path,
    arrays: Arrays,
    *,
    rows: Sequence[str],
    targets: Sequence[str],
    critics: Sequence[str],
    embedded: Sequence[str],
    source: str,
    findings: Sequence[str],
    provenance: str,
) -> None:
    """Write `domain_adaptation.png` and, where there are features, `features.png`; as `.pdf` too.

    Args:
        folder: where.
        arrays: for every target percentages (seeds, rows): "target_error_rate TARGET",
            "trained_critic_accuracy TARGET" and "CRITIC TARGET"; for every embedded training
            "points TRAINING" (n, 2), "domains TRAINING" and "labels TRAINING" (n,).
        rows: networks with their trainings.
        targets: names.
        critics: those that are trained afresh.
        embedded: trainings whose features are shown.
        source: name of the source's data set.
        findings: a sentence above either figure.
        provenance: what ran.
    """
    with styled():
        figures = {
            "domain_adaptation": dots(arrays, rows, targets, critics, findings[0], provenance)
        }
        present = [each for each in embedded if f"points {each}" in arrays]
        if present:
            figures["features"] = features(
                arrays, present, (source, targets[0]), findings[1], provenance
            )
        for name, figure in figures.items():
            save_figure(figure, folder, name, dpi=200)
            plt.close(figure)


def dots(
    arrays: Arrays,
    rows: Sequence[str],
    targets: Sequence[str],
    critics: Sequence[str],
    finding: str,
    provenance: str,
) -> "Figure":
    """For every target its errors at the left and what critics name at the right."""
    height = (LINE * (len(rows) + 1) + 0.5) * len(targets) + 0.3
    figure = page(height, finding=finding, provenance=provenance, note=NOTE)
    grid = figure.add_gridspec(
        len(targets) + 1, 2, height_ratios=[0.2, *[LINE * (len(rows) + 1)] * len(targets)]
    )
    axes = np.array(
        [[figure.add_subplot(grid[k + 1, side]) for side in (0, 1)] for k in range(len(targets))]
    )
    for index, target in enumerate(targets):
        errors, named = axes[index]
        seeds_of(errors, arrays[f"target_error_rate {target}"], 0.0, NEUTRAL, "o", "")
        kinds = {f"trained_critic_accuracy {target}": TRAINED}
        kinds |= {f"{critic} {target}": FRESH[critic] for critic in critics}
        for k, (key, label) in enumerate(kinds.items()):
            shift = APART * (k - (len(kinds) - 1) / 2)
            seeds_of(named, arrays[key], shift, SERIES[k], MARKERS[k], label)
        named.axvline(50, color=NEUTRAL, linewidth=0.8, linestyle=":", zorder=1)
        errors.set(xlim=(0, 100))
        named.set(xlim=(40, 102))
        for axis, words in ((errors, rows), (named, [])):
            axis.set(yticks=range(len(words)), yticklabels=words, ylim=(len(rows) - 0.5, -0.5))
        called = target.replace("_", " ")
        titles = f"errors on {called}", f"critics, {called}"
        for axis, letters, title in zip(
            (errors, named), (2 * index, 2 * index + 1), titles, strict=True
        ):
            axis.set_title(f"{letter(letters)}  {title}", loc="left", fontsize=TEXT)
            axis.grid(axis="x")
            axis.set_axisbelow(True)
            axis.tick_params(left=False)
            axis.spines["left"].set_visible(False)
    axes[-1, 0].set_xlabel("error rate (%)")
    axes[-1, 1].set_xlabel("test images whose domain is named (%)")
    above = figure.add_subplot(grid[0, :])
    above.axis("off")
    above.legend(
        *axes[0, 1].get_legend_handles_labels(),
        loc="center right",
        ncols=len(critics) + 1,
        fontsize=SMALL,
        handletextpad=0.2,
        columnspacing=1.2,
        borderpad=0,
    )
    return figure


def seeds_of(
    axis: "Axes", values: np.ndarray, shift: float, color: str, marker: str, label: str
) -> None:
    """A dot a seed of percentages (seeds, rows), and a line from the least to the largest."""
    heights = np.arange(values.shape[1]) + shift
    for height, column in zip(heights, values.T, strict=True):
        if np.isfinite(column).any():
            ends = [np.nanmin(column), np.nanmax(column)]
            axis.plot(ends, [height] * 2, color="#c0c0c0", linewidth=1.2, zorder=1.5)
    across = np.broadcast_to(heights, values.shape)
    axis.plot(
        values.ravel(),
        across.ravel(),
        marker,
        color=color,
        label=label or None,
        markersize=3.5,
        alpha=0.8,
        zorder=3,
        clip_on=False,
    )


def features(
    arrays: Arrays,
    trainings: Sequence[str],
    domains: Sequence[str],
    finding: str,
    provenance: str,
) -> "Figure":
    """The same points twice: by domain, and by class."""
    note = "Features of test images in the plane, by t-SNE; the same points at the left and right."
    figure = page(2.9 * len(trainings), finding=finding, provenance=provenance, note=note)
    axes = figure.subplots(len(trainings), 2, squeeze=False)
    for index, training in enumerate(trainings):
        points = arrays[f"points {training}"]
        domain, label = arrays[f"domains {training}"], arrays[f"labels {training}"]
        left, right = axes[index]
        for each, name in enumerate(map(str, domains)):
            left.scatter(
                *points[domain == each].T,
                s=5,
                linewidths=0,
                color=SERIES[each],
                label=name.replace("_", " "),
            )
        colors = plt.get_cmap("tab10")
        for each in np.unique(label):
            places = points[label == each].T
            right.scatter(*places, s=14, linewidths=0, marker=f"${each}$", color=colors(each % 10))
        for axis, letters, by in zip(
            (left, right), (2 * index, 2 * index + 1), ("domain", "class"), strict=True
        ):
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{letter(letters)}  {training}, by {by}", loc="left", fontsize=TEXT)
            for spine in axis.spines.values():
                spine.set_visible(True)
    axes[0, 0].legend(loc="best", fontsize=SMALL, markerscale=2)
    return figure
