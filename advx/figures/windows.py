"""Church windows: a grid of cross sections, one colour a class (Figures 1.2 to 1.4)."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from advx.figures import moved_pictures
from advx.figures import pyplot as plt
from advx.figures.kept import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#88ccee", "#cc6677", "#ddcc77", "#117733", "#aa4499", "#44aa99", "#332288", "#999933",
    "#882255", "#bbbbbb",
)  # fmt: skip
"""Distinguishable with any colour vision (Tol 2021, "muted"); one a class, repeated after ten."""

CELL = 0.72
"""Side of a window in a grid of ten, in inches."""

STYLES = ("", "_grey")
"""Of the files' names: in colour, and in shades of grey for printing."""


def shades(classes: int, style: str) -> np.ndarray:
    """The colour of each class, (classes, 3) in [0, 1]; none is white."""
    if style:
        return np.repeat(np.linspace(0.12, 0.86, classes)[:, None], 3, 1)
    from matplotlib.colors import to_rgb

    return np.array([to_rgb(COLOURS[k % len(COLOURS)]) for k in range(classes)])


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    epsilon: float,
    class_names: Sequence[str],
    axes: dict[str, Sequence[str]],
    title: str,
    columns: int = 10,
    moved: Sequence[str] = (),
) -> None:
    """Write `NAME.png` and `.pdf` for every array `maps_NAME`, and again in shades of grey.

    Args:
        folder: where.
        arrays: `maps_NAME` (n, side, side) of classes or −2 for none, and `labels` (n,).
        epsilon: half-width of the windows.
        class_names: one a class.
        axes: by name, what the horizontal and the vertical direction are.
        title: over the figures.
        columns: windows in a row.
        moved: columns of the figure of `moved_pictures`, which is drawn where there are any.
    """
    if moved:
        heading = f"{title} (h: sign of the gradient, v: random)"
        moved_pictures.draw(folder, arrays, class_names=class_names, columns=moved, title=heading)
    for name, directions in axes.items():
        for style in STYLES:
            figure = grid(arrays[f"maps_{name}"], arrays["labels"], epsilon, class_names,
                          directions, title, columns, style)  # fmt: skip
            save_figure(figure, folder, f"{name}{style}", dpi=200)
            plt.close(figure)


def grid(
    maps: np.ndarray,
    labels: np.ndarray,
    epsilon: float,
    class_names: Sequence[str],
    directions: Sequence[str],
    title: str,
    columns: int,
    style: str,
) -> "Figure":
    """The figure: every window with its contours and a dot on the unperturbed example."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Patch

    count, side, _ = maps.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    cell = CELL * 10 / columns
    thick = 0.5 if columns > 3 else 1.0
    gap = 0.08
    left, right = 0.6, 0.12
    width = columns * cell * (1 + gap) + left + right
    heading = textwrap.wrap(title, int(15.5 * width))
    above = 0.15 * len(heading) + 0.12
    per_line = max(2, int(width / 1.05))
    lines = -(-(len(class_names) + 1) // per_line)
    below = 0.46 + 0.2 * lines
    height = rows * cell * (1 + gap) + above + below
    figure = plt.figure(figsize=(width, height))
    axis = figure.add_axes(
        (left / width, below / height, 1 - (left + right) / width, 1 - (above + below) / height)
    )
    colours = shades(len(class_names), style)
    for k in range(count):
        x, y = (k % columns) * (1 + gap), (k // columns) * (1 + gap)
        palette = np.vstack([colours, np.zeros((2, 3))])  # no class (−2) is black
        palette[labels[k]] = 1.0
        axis.imshow(
            palette[maps[k]], extent=(x, x + 1, y + 1, y), interpolation="nearest", zorder=1
        )
        borders = [(line + 0.5) / side + (x, y) for line in contours(maps[k])]
        axis.add_collection(LineCollection(borders, colors="black", linewidths=thick, zorder=2))
        axis.add_patch(
            plt.Rectangle((x, y), 1, 1, fill=False, edgecolor="#808080", linewidth=0.4, zorder=3)
        )
        axis.plot(x + 0.5, y + 0.5, "o", markersize=3.6 * thick, color="black", zorder=4)
    axis.set(xlim=(-0.02, columns * (1 + gap) - gap + 0.02),
             ylim=(rows * (1 + gap) - gap + 0.02, -0.02), aspect="equal")  # fmt: skip
    axis.axis("off")
    _scales(axis, rows, gap, epsilon, directions)
    handles = [
        Patch(facecolor="white", edgecolor="black", linewidth=0.6, label="the correct class")
    ]
    handles += [Patch(facecolor=c, edgecolor="black", linewidth=0.6, label=n)
                for c, n in zip(colours, class_names, strict=True)]  # fmt: skip
    figure.legend(handles=handles, loc="lower center", ncols=per_line, frameon=False, fontsize=7.5,
                  handlelength=1.2, columnspacing=1.0, handletextpad=0.5,
                  bbox_to_anchor=(0.5, 0.0))  # fmt: skip
    figure.text(0.5, 1 - 0.05 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
    return figure


def _scales(axis: "Axes", rows: int, gap: float, epsilon: float, directions: Sequence[str]) -> None:
    """Both coordinates' ends at the last row's first window, and what the directions are."""
    bottom = (rows - 1) * (1 + gap) + 1
    text: dict[str, Any] = {"fontsize": 6.5, "color": "#404040"}
    for share, label in ((0, f"−{epsilon:g}"), (1, f"{epsilon:g}")):
        axis.annotate(label, (share, bottom), (0, -2), textcoords="offset points",
                      ha="center", va="top", **text)  # fmt: skip
        axis.annotate(label, (0, bottom - 1 + share), (-2, 0), textcoords="offset points",
                      ha="right", va="center", **text)  # fmt: skip
    axis.annotate(f"h: {directions[0]} →", (0, bottom), (0, -11), textcoords="offset points",
                  ha="left", va="top", **text)  # fmt: skip
    axis.annotate(f"← v: {directions[1]}", (0, bottom), (-24, 0), textcoords="offset points",
                  ha="right", va="bottom", rotation=90, **text)  # fmt: skip


def contours(classes: np.ndarray) -> list[np.ndarray]:
    """The boundaries of all class regions of a map, (points, 2) each, (column, row) in pixels.

    Where regions of several classes meet, each draws its own border, halfway between the pixels.
    """
    import contourpy

    found: list[np.ndarray] = []
    for label in np.unique(classes):
        inside = (classes == label).astype(float)
        if inside.min() < 0.5:
            found += cast(list[np.ndarray], contourpy.contour_generator(z=inside).lines(0.5))
    return found
