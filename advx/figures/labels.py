"""Names beside what they name: each where nothing else is drawn, found by trying places."""

from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from advx.figures.style import SMALL, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP = 2.0
"""Points between the places of a line that a name must not cover."""

DISTANCES = (3.0, 6.0, 10.0, 16.0)
"""From what is named to its name, in points; nearer is better."""

DIRECTIONS = 16
"""In which a name may lie."""

CLEAR = 1.5
"""Points that stay free around a name."""

FREE, ENOUGH = 0.2, 12.0
"""Worth of a point between a name and what is not its line, and of how many."""

COVERS, OUTSIDE, AMBIGUOUS = 1000.0, 300.0, 100.0
"""Costs of a name that covers something, of one outside the axes, of one that seems another's."""


class Names:
    """Names in one pair of axes, none of which covers a line, a point or another name.

    Lay the figure out first, and let nothing move afterward: places are of the axes as they stand.

    Args:
        axis: with its limits set.
        size: of the letters, in points.
    """

    def __init__(self, axis: "Axes", *, size: float = SMALL) -> None:
        self.axis = axis
        self.size = size
        self._point = axis.figure.dpi / 72  # a point's length in pixels
        self._lines: dict[int, np.ndarray] = {}  # pixels that are drawn on, (n, 2)
        self._boxes = [text.get_window_extent().extents for text in _texts(axis)]

    def avoid(self, x: ArrayLike, y: ArrayLike) -> int:
        """Keep names off a line, or off a point; its number is returned.

        Args:
            x: in data coordinates.
            y: of the same length; where it is NaN there is no line.
        """
        corners = np.column_stack([x, y]).astype(float)
        corners = self.axis.transData.transform(corners[np.isfinite(corners).all(1)])
        pieces = [corners[:1]]
        for start, end in pairwise(corners):
            steps = int(np.hypot(*(end - start)) / (STEP * self._point)) + 1
            pieces.append(start + (end - start) * np.linspace(0, 1, steps + 1)[1:, None])
        self._lines[len(self._lines)] = np.concatenate(pieces)
        return len(self._lines) - 1

    def name(self, text: str, color: str, line: int, *, high: bool = False) -> None:
        """Write a line's name beside it, where the other lines are far.

        Args:
            text: the name.
            color: the line's.
            line: its number.
            high: whether to write it where the line is in the upper half of its range.
        """
        own = self._lines[line]
        middle = (own[:, 1].min() + own[:, 1].max()) / 2 if high else -np.inf
        near = own[own[:, 1] >= middle]
        self._write(text, color, near[:: max(1, len(near) // 40)], own)

    def mark(self, text: str, color: str, x: float, y: float, radius: float, line: int) -> None:
        """Write a point's name beside it.

        Args:
            text: the name.
            color: its color.
            x: the point's, in data coordinates.
            y: the point's.
            radius: of what is drawn there, in points.
            line: the number of the line that the point belongs to.
        """
        place = self.axis.transData.transform([(x, y)])
        circle = np.linspace(0, 2 * np.pi, 9)[:-1]
        ring = place + radius * self._point * np.column_stack([np.cos(circle), np.sin(circle)])
        foreign = [pixels for number, pixels in self._lines.items() if number != line]
        self._lines[len(self._lines)] = np.concatenate([place, ring])
        between = np.concatenate(foreign) if foreign else np.empty((0, 2))
        self._write(text, color, place, None, away=radius, between=between)

    def _write(
        self,
        text: str,
        color: str,
        anchors: np.ndarray,
        own: np.ndarray | None,
        away: float = 0.0,
        between: np.ndarray | None = None,
    ) -> None:
        """The text at the best place near one of the anchors, (n, 2) pixels.

        Args:
            text: the name.
            color: its color.
            anchors: pixels that it may be written near.
            own: the pixels of the line whose name it is.
            away: kept free around the anchors, in points.
            between: pixels, (n, 2), that should not lie between the anchor and the name.
        """
        if not len(anchors):
            return
        axes = self.axis.transAxes
        shown = self.axis.text(
            0,
            0,
            text,
            fontsize=self.size,
            color=ink(color),
            ha="left",
            va="bottom",
            linespacing=1.0,
            transform=axes,
        )
        extent = shown.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2
        drawn = [line for line in self._lines.values() if line is not own]
        others = np.concatenate(drawn) if drawn else np.empty((0, 2))
        best, named, cost = anchors[0], anchors[0], np.inf
        angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
        for distance, angle in product(DISTANCES, angles):
            if distance - FREE * ENOUGH >= cost:
                break  # no farther place can be better
            direction = np.array([np.cos(angle), np.sin(angle)])
            step = direction * (distance + away) * self._point
            sideways = half * np.clip(1.5 * direction, -1, 1)
            for anchor in anchors:
                this = self._cost(anchor + step + sideways, half, own, others) + distance
                if between is not None:
                    path = anchor + np.linspace(0, 1, 9)[:, None] * step
                    near = min(self._nearest(between, at, at) for at in path)
                    this += AMBIGUOUS * (near < CLEAR)
                if this < cost:
                    best, named, cost = anchor + step + sideways, anchor, this
        if cost > AMBIGUOUS / 2:  # a thin line says whose name it is
            self._join(named, np.clip(named, best - half, best + half), color)
        self._boxes.append(np.concatenate([best - half, best + half]))
        x, y = axes.inverted().transform(best - half)
        shown.set_position((x, y))

    def _join(self, start: np.ndarray, end: np.ndarray, color: str) -> None:
        """A thin line between two pixels."""
        axes = self.axis.transAxes
        x, y = axes.inverted().transform([start, end]).T
        self.axis.plot(x, y, color=color, linewidth=0.5, transform=axes)

    def _cost(
        self, center: np.ndarray, half: np.ndarray, own: np.ndarray | None, others: np.ndarray
    ) -> float:
        """How bad a place is."""
        low, high = center - half, center + half
        cost = 0.0
        for part, price in ((self.axis, OUTSIDE), (self.axis.figure, COVERS)):
            x0, y0, x1, y1 = part.get_window_extent().extents
            cost += price * float(((low < (x0, y0)) | (high > (x1, y1))).any())
        for x0, y0, x1, y1 in self._boxes:
            cost += COVERS * (low[0] < x1 and high[0] > x0 and low[1] < y1 and high[1] > y0)
        near = self._nearest(others, low, high)
        cost += COVERS * (near < CLEAR)
        if own is not None:
            mine = self._nearest(own, low, high)
            cost += COVERS * (mine < CLEAR) + AMBIGUOUS * (near < mine)
        return cost - FREE * min(near, ENOUGH)

    def _nearest(self, points: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
        """From a box to the nearest of some pixels, in points."""
        if not len(points):
            return np.inf
        gap = np.maximum(0, np.maximum(low - points, points - high))
        return float(np.hypot(*gap.T).min()) / self._point


def _texts(axis: "Axes") -> list[Any]:
    """What is written in and around the axes: a name must not cover it either."""
    from matplotlib.text import Text

    return [text for text in axis.findobj(Text) if text.get_text() and text.get_visible()]
