"""Church windows: cross sections near test examples, one color a class (Figures 1.2 to 1.4)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import moved_images
from advx.figures import pyplot as plt
from advx.figures.panes import LEADERS, STYLES, Glass, letters, shades
from advx.figures.saved import load, save_figure
from advx.figures.style import (
    DPI,
    LINE_HEIGHT,
    PAGE_WIDTH,
    SMALL,
    TEXT,
    percentage,
    text_on,
    wrapped,
)
from advx.figures.tiles import FRAME, Sheet, bare
from advx.report.over_seeds import Numbers
from advx.text_files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIRECTIONS = {
    "fgsm_random": ("sign of the gradient", "random"),
    "random_random": ("random", "random"),
    "fgsm_gradient": ("sign of the gradient", "rest of the gradient"),
}
"""What the two axes of a basis are called."""

NAMES = {
    "fgsm_random": ("Figure 1.2", "adversarial and random"),
    "random_random": ("Figure 1.3", "two random directions"),
    "fgsm_gradient": ("Figure 1.4", "two adversarial directions"),
}
"""Where the chapter shows a basis, and what it is."""

LARGE, ALONE = 1.55, 3.6
"""Side of the large window above a grid, and of one without a grid, in inches."""

LEGEND = 12
"""Entries of the legend, at most."""

BETWEEN, ABOVE, EDGE = 0.11, 0.135, 0.02
"""Between the windows of a row, above each row for the classes' names, and around the grid for the
outermost lines, in inches."""


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    epsilon: float,
    class_names: Sequence[str],
    axes: dict[str, Sequence[str]],
    names: dict[str, Sequence[str]],
    findings: dict[str, str],
    provenance: str,
    columns: int = 10,
    moved: moved_images.Captions | None = None,
) -> None:
    """Write `NAME.png` and `.pdf` for every array `maps_NAME`, and again in shades of gray.

    Args:
        folder: where.
        arrays: `maps_NAME` (n, side, side) of classes or −2 for none, `labels` (n,) and, where the
            examples are images, `examples` (n, channels, h, w) uint8.
        epsilon: half-width of the windows.
        class_names: one a class.
        axes: by name, what the horizontal and the vertical direction are.
        names: by name, the chapter's figure and what both directions are.
        findings: by name, what the figure shows, in one sentence.
        provenance: what ran.
        columns: windows in a row.
        moved: what else the figure of `moved_images` takes; None where there is none.
    """
    if moved:
        moved_images.draw(folder, arrays, class_names=class_names, provenance=provenance, **moved)
    for name, directions in axes.items():
        for style in STYLES:
            figure = grid(
                arrays[f"maps_{name}"],
                arrays["labels"],
                arrays.get("examples"),
                style,
                epsilon=epsilon,
                class_names=class_names,
                directions=directions,
                finding=findings[name],
                columns=columns,
                provenance=f"{names[name][0]}, {names[name][1]}. {provenance}",
            )
            save_figure(figure, folder, f"{name}{style}", dpi=DPI)
            plt.close(figure)


def grid(
    maps: np.ndarray,
    labels: np.ndarray,
    examples: np.ndarray | None,
    style: str,
    *,
    epsilon: float,
    class_names: Sequence[str],
    directions: Sequence[str],
    finding: str,
    provenance: str,
    columns: int,
) -> "Figure":
    """The figure: the first window, large and explained, and below it every window."""
    count = len(maps)
    columns = min(columns, count)
    side = LARGE if count > 1 else ALONE
    pitch = min(PAGE_WIDTH - 0.1, 1.5 * columns) / columns
    cell = pitch - BETWEEN
    rows = -(-count // columns) if count > 1 else 0
    first = side + 0.45  # below the large window and its axes
    sheet = Sheet(first + rows * (cell + ABOVE), finding=finding, provenance=provenance)
    colors = shades(len(class_names), style)
    axis = sheet.axes(0.62, 0.06, side, side)
    glass = Glass(colors, side, letters(len(class_names)), tuple(class_names))
    image = None if examples is None else examples[0]
    glass.draw(axis, 0, 0, maps[0], labels[0], image)
    unit(axis, epsilon, directions)
    present = {*np.unique(maps).tolist()} - {-2}
    _explain(
        sheet,
        side,
        axis,
        maps[0] == labels[0],
        _words(epsilon, examples is not None, rows),
        _key(present, class_names, colors),
    )
    if not rows:
        return sheet.figure
    left = (PAGE_WIDTH - columns * pitch + BETWEEN) / 2
    wide, tall = columns * pitch - BETWEEN + 2 * EDGE, rows * (cell + ABOVE) + 2 * EDGE
    panes = sheet.axes(left - EDGE, first - EDGE, wide, tall)
    panes.axis("off")
    glass = Glass(colors, cell, letters(len(class_names)))
    for k in range(count):
        column, row = k % columns, k // columns
        x, y = column * pitch / cell, (row * (cell + ABOVE) + ABOVE) / cell
        image = None if examples is None else examples[k]
        glass.draw(panes, x, y, maps[k], labels[k], image)
        sheet.text(
            left + column * pitch, first + y * cell - 0.008, class_names[labels[k]], va="bottom"
        )
    panes.set(
        xlim=(-EDGE / cell, (wide - EDGE) / cell),
        ylim=((tall - EDGE) / cell, -EDGE / cell),
        aspect="auto",
    )
    return sheet.figure


def unit(axis: "Axes", epsilon: float, directions: Sequence[str]) -> None:
    """Limits, ends and names of the coordinates of one window."""
    bare(axis, line=0)
    axis.set(
        xlim=(-0.004, 1.004),
        ylim=(1.004, -0.004),
        aspect="auto",
        xticks=[0, 0.5, 1],
        yticks=[0, 0.5, 1],
    )
    ends = [f"−{epsilon:g}", "0", f"{epsilon:g}"]
    axis.set_xticklabels(ends, fontsize=SMALL)
    axis.set_yticklabels(ends, fontsize=SMALL)
    axis.tick_params(length=2, width=0.5, pad=1.5, color=FRAME)
    axis.set_xlabel(f"h: {directions[0]} →", fontsize=SMALL, labelpad=1.5)
    axis.set_ylabel(f"← v: {directions[1]}", fontsize=SMALL, labelpad=1.5)


def readme_image(folder: Path, path: Path) -> None:
    """A run's first test example and its window in each of the three figures, side by side.

    Args:
        folder: of a run of `church_windows`, with its `arrays.npz`.
        path: of the PNG.
    """
    _, arrays, options = load(folder)
    class_names, label = tuple(options["class_names"]), arrays["labels"][0]
    axes = options["axes"]
    edge, shown, gap, ends = 0.07, 1.0, 0.34, 0.22
    side = (PAGE_WIDTH - 3 * edge - shown - ends - len(axes) * gap) / len(axes)
    top = 0.36
    sheet = Sheet(top + side + 0.42)
    colors = shades(len(class_names), "")
    glass = Glass(colors, side, letters(len(class_names)), class_names)
    if "examples" in arrays:
        sheet.image(edge, top, shown, arrays["examples"][0])
    sheet.text(edge, 0.04, "x", fontsize=TEXT, fontweight="bold")
    sheet.text(edge, 0.19, f"a test image: {class_names[label]}")
    present: set[int] = set()
    for k, (name, directions) in enumerate(axes.items()):
        left = edge + shown + ends + gap + k * (side + gap)
        axis = sheet.axes(left, top, side, side)
        classes = arrays[f"maps_{name}"][0]
        glass.draw(axis, 0, 0, classes, label, None)
        unit(axis, options["epsilon"], directions)
        if k:
            axis.set_yticklabels([])
        number, both = options["names"][name]
        sheet.text(left, 0.04, number, fontsize=TEXT, fontweight="bold")
        sheet.text(left, 0.19, both)
        present |= {*np.unique(classes).tolist()} - {-2, label}
    _legend(sheet, edge, top + shown + 0.07, _key(present, class_names, colors))
    with replacing(path) as stream:
        sheet.figure.savefig(stream, format="png", dpi=DPI)
    plt.close(sheet.figure)


def _words(epsilon: float, images: bool, rows: int) -> str:
    """What a window is."""
    corner = ", seen in the corner" if images else ""
    above = "; its name stands above each window" if rows else ""
    return (
        f"A church window is a plane through a test example x (dot{corner}): the class that the "
        f"model gives to x + h u + v w, for h and v from −ε to ε = {epsilon:g}. White is the "
        f"true class{above}. Each other class has its letter."
    )


def _explain(
    sheet: Sheet, side: float, axis: "Axes", right: np.ndarray, words: str, key: "Key"
) -> None:
    """What dot, lines and colors are, right of the large window."""
    left = 0.62 + side + 0.3
    half = len(right) // 2
    border, center = LEADERS
    row = right[round(border * len(right))]
    changes = np.flatnonzero(np.diff(row.astype(int))) + 0.5
    targets = [(0.5, center, "the test example x")]
    if len(changes):
        x = (changes[np.abs(changes - half).argmin()] + 0.5) / len(row)
        targets.insert(0, (x, border, "where the class changes"))
    for x, y, what in targets:
        axis.annotate(
            what,
            (x, y),
            (1.0 + 0.3 / side, y),
            fontsize=SMALL,
            va="center",
            annotation_clip=False,
            zorder=9,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 1.5, "shrinkB": 1.5},
        )
    alone = side == ALONE
    wide = PAGE_WIDTH - left - (0 if alone else 1.3)
    lines = wrapped(words, SMALL, width=wide - 0.05)
    tops = [0.06 + side * share + 0.16 for share in LEADERS]
    sheet.text(left, tops[0 if alone else 1], "\n".join(lines), linespacing=LINE_HEIGHT)
    at, top = (left, tops[1]) if alone else (PAGE_WIDTH - 1.15, 0.06)
    key = [("the true class", np.ones(3), ""), *key]
    more = [("and more", np.ones(3), "")] if len(key) > LEGEND else []
    _legend(sheet, at, top, [*key[: LEGEND - len(more)], *more])


Key = list[tuple[str, np.ndarray, str]]
"""Of each class in the legend its name, color and letter."""


def _key(present: set[int], class_names: Sequence[str], colors: np.ndarray) -> Key:
    return [(class_names[k], colors[k], letters(len(class_names))[k]) for k in sorted(present)]


def _legend(sheet: Sheet, left: float, top: float, key: Key) -> None:
    """A swatch with its letter for each class."""
    for k, (name, color, letter) in enumerate(key):
        axis = bare(sheet.axes(left, top + 0.158 * k, 0.24, 0.135), "black")
        axis.set_facecolor(tuple(color))
        axis.text(0.5, 0.46, letter, ha="center", va="center", fontsize=SMALL, color=text_on(color))
        sheet.text(left + 0.31, top + 0.158 * k + 0.067, name, va="center")


def finding(kind: str, results: Numbers) -> str:
    """What a basis's windows show, in one sentence; means over the seeds."""
    changed = results.mean(kind, "changed")
    if kind == "random_random":
        text = f"Two random directions change the class at {percentage(changed)} of the points"
        adversarial = results.mean("fgsm_random", "changed")
        if math.isnan(adversarial):
            return text
        return f"{text}; where one of the two is adversarial, {percentage(adversarial)} change"
    random = kind == "fgsm_random"
    between = "an adversarial and a random direction" if random else "two adversarial directions"
    line = results.mean(kind, "line_accuracy")
    if math.isnan(line):
        return f"In the plane of {between}, no window has both right and wrong answers"
    return (
        f"In the plane of {between}, a straight line parts right from wrong answers at "
        f"{percentage(line)} of the points"
    )
