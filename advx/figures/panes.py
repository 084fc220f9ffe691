"""One church window: regions of classes, their borders and letters, the example in the middle."""

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, cast

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.style import SMALL, TEXT, letter, text_on
from advx.figures.tiles import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = (
    "#88ccee",
    "#cc6677",
    "#ddcc77",
    "#117733",
    "#aa4499",
    "#44aa99",
    "#332288",
    "#999933",
    "#882255",
    "#bbbbbb",
)
"""Distinguishable with any color vision (Tol 2021, "muted"); one a class, repeated after ten."""

STYLES = ("", "_gray")
"""Of the files' names: in color, and in shades of gray for printing."""

THUMBNAIL = 0.36
"""Side of the example's image in the corner of its window, in sides of the window."""

LEADERS = (0.14, 0.5)
"""Where, from the top of a large window, lines lead to what is explained."""


def shades(classes: int, style: str) -> np.ndarray:
    """The color of each class, (classes, 3) in [0, 1]; none is white.

    Grays of successive classes lie far apart: classes that border on each other, as cats and dogs
    do, are often near in number.
    """
    if style:
        step = next(k for k in range(3, classes + 4) if gcd(k, classes) == 1)
        rank = np.arange(classes) * step % classes
        return np.repeat(np.linspace(0.3, 0.88, classes)[rank, None], 3, 1)
    from matplotlib.colors import to_rgb

    return np.array([to_rgb(COLORS[k % len(COLORS)]) for k in range(classes)])


@dataclass(frozen=True)
class Glass:
    """How windows are drawn.

    Attributes:
        colors: of the classes, (classes, 3), see `shades`.
        side: of a window, in inches.
        letters: what stands in a region of a class, where it fits.
        names: what stands there instead, where it fits, in the correct class's region too.
    """

    colors: np.ndarray
    side: float
    letters: tuple[str, ...]
    names: tuple[str, ...] = ()

    def draw(
        self,
        axis: "Axes",
        x: float,
        y: float,
        classes: np.ndarray,
        label: int,
        image: np.ndarray | None,
    ) -> None:
        """One window in the unit square at (x, y) of axes whose y runs downward.

        Args:
            axis: where.
            x, y: its upper left corner.
            classes: (side, side), negative where the model names none.
            label: the correct class, white.
            image: the example, (channels, h, w), in the window's corner; None for none.
        """
        from matplotlib.collections import LineCollection

        points = len(classes)
        palette = np.vstack([self.colors, np.zeros((2, 3))])  # no class (−2) is black
        palette[label] = 1.0
        axis.imshow(
            palette[classes], extent=(x, x + 1, y + 1, y), interpolation="nearest", zorder=1
        )
        borders = [(line + 0.5) / points + (x, y) for line in contours(classes)]
        thick = min(1.1, 0.35 + 0.3 * self.side)
        axis.add_collection(LineCollection(borders, colors="black", linewidths=thick, zorder=2))
        axis.add_patch(
            plt.Rectangle((x, y), 1, 1, fill=False, edgecolor="#606060", linewidth=0.5, zorder=3)
        )
        self._dot(axis, x + 0.5, y + 0.5)
        covered = np.zeros(classes.shape, bool)
        if image is not None:
            corner = round(THUMBNAIL * points)
            covered[:corner, :corner] = True
            show(axis, image, extent=(x, x + THUMBNAIL, y + THUMBNAIL, y), zorder=4)
            frame = {"fill": False, "edgecolor": "black", "linewidth": 0.5, "zorder": 4}
            axis.add_patch(plt.Rectangle((x, y), THUMBNAIL, THUMBNAIL, **frame))
        away = np.hypot(*(np.indices(classes.shape) - (points - 1) / 2)) / points * self.side
        covered |= away < 0.02 + 0.02 * self.side  # the dot
        if self.names:  # and the lines that lead to what is explained
            rows = np.abs(np.arange(points)[:, None] / points - LEADERS) < 0.05
            covered[rows.any(1), points // 2 :] = True
        for k in np.unique(classes[classes >= 0]).tolist():
            self._name(axis, (x, y), classes == k, covered, k, k == label)

    def _dot(self, axis: "Axes", x: float, y: float) -> None:
        """The example's place."""
        axis.plot(
            x,
            y,
            "o",
            markersize=1.5 + 1.5 * self.side,
            color="black",
            markeredgecolor="white",
            markeredgewidth=0.35,
            zorder=5,
        )

    def _name(
        self,
        axis: "Axes",
        corner: tuple[float, float],
        inside: np.ndarray,
        covered: np.ndarray,
        label: int,
        right: bool,
    ) -> None:
        """The longest word that has room in a region, at the widest place, in each of its parts."""
        from scipy import ndimage

        names = [self.names[label]] if self.names else []
        true = [f"{name} (true)" for name in names]
        words = [*true, *names] if right else [*names, self.letters[label]]
        size = TEXT if self.names else SMALL
        parts, count = ndimage.label(inside)
        for part in range(1, count + 1):
            for word in filter(None, words):
                wide, tall = 0.66 * size / 72 * len(word), 0.95 * size / 72  # inches
                box = [max(1, round(k / self.side * len(inside))) for k in (tall, wide)]
                place = _room((parts == part) & ~covered, box)
                if place is not None:
                    row, column = place
                    across = corner[0] + (column + 0.5) / len(inside)
                    down = corner[1] + (row + 0.5) / len(inside)
                    color = "black" if right else text_on(self.colors[label])
                    axis.text(
                        across,
                        down,
                        word,
                        fontsize=size,
                        ha="center",
                        va="center",
                        color=color,
                        zorder=6,
                    )
                    break


def _room(inside: np.ndarray, box: list[int]) -> tuple[int, int] | None:
    """The row and column farthest from a region's edge where a box (rows, columns) fits into it."""
    from scipy import ndimage

    padded = np.pad(inside, 1)  # the window's edge is one too
    room = ndimage.binary_erosion(padded, np.ones(box))[1:-1, 1:-1]
    if not room.any():
        return None
    deep = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    row, column = np.unravel_index((deep * room).argmax(), room.shape)
    return int(row), int(column)


def contours(classes: np.ndarray) -> list[np.ndarray]:
    """The boundaries of all class regions of a map, (points, 2) each, (column, row) in pixels.

    Where regions of several classes meet, each draws its own border, halfway between the pixels.
    """
    import contourpy

    results: list[np.ndarray] = []
    for label in np.unique(classes):
        inside = (classes == label).astype(float)
        if inside.min() < 0.5:
            results += cast(list[np.ndarray], contourpy.contour_generator(z=inside).lines(0.5))
    return results


def letters(classes: int) -> tuple[str, ...]:
    """One a class, while the alphabet lasts."""
    return tuple(letter(k) if k < 26 else "" for k in range(classes))
