"""Codes of the plane, colored by class, above what the decoder makes of a grid; errors below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.curves import curve_arrays, curve_looks, saved_panel
from advx.figures.panels import Panel, bases, fill
from advx.figures.samples import tiled
from advx.figures.saved import save_and_draw, save_figure
from advx.figures.style import DPI, SMALL, TEXT, letter, page, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE, BELOW, HEAD = 1.28, 1.7, 0.32
"""Inches: of a code space, of the curves, above the code spaces for what they are called."""

CLASSES = "tab10"
"""Matplotlib's colors of ten classes."""

NOTE = (
    "a: codes of test images, colored by digit; gray, behind them: draws from the prior. b: what "
    "the decoder makes of points evenly spaced over the same squares. Below a name: how often a "
    "fresh classifier discriminates codes from draws (50%: it guesses)."
)


@dataclass
class Space:
    """A plane of codes.

    Attributes:
        title: whose it is.
        below: what was measured of it.
        middle: of the square that is shown.
        reach: from there to its edges.
    """

    title: str
    below: str
    middle: tuple[float, float]
    reach: float


def square_around(points: np.ndarray) -> tuple[tuple[float, float], float]:
    """Middle and reach of a square that holds nearly all of some points (n, 2)."""
    low, high = np.quantile(points, [0.005, 0.995], axis=0)
    x, y = (low + high) / 2
    return (float(x), float(y)), float(0.56 * (high - low).max())


def grid_of(space: Space, count: int) -> np.ndarray:
    """Middles (count², 2) of the cells of a grid over the square, in the order of an image's."""
    places = ((np.arange(count) + 0.5) / count * 2 - 1) * space.reach
    x, y = np.meshgrid(places, -places)
    return np.stack([x.ravel(), y.ravel()], 1) + np.array(space.middle)


def code_figure(
    folder: Path,
    name: str,
    spaces: Sequence[Space],
    arrays: Mapping[str, np.ndarray],
    panels: Sequence[Panel],
    *,
    finding: str,
    provenance: str,
) -> None:
    """Write `name.png`, `name.pdf` and `arrays.npz` into `folder`.

    Args:
        folder: the run's.
        name: the files'.
        spaces: from left to right.
        arrays: for the space of every place k `codes k` (n, 2), `draws k` (m, 2) from its prior and
            `decoded k` (count², channels, h, w), bytes, of `grid_of`; `labels` (n,).
        panels: of curves, below.
        finding: the figure's title.
        provenance: what ran.
    """
    save_and_draw(
        folder,
        draw,
        dict(arrays) | curve_arrays(panels),
        name=name,
        spaces=[vars(space) for space in spaces],
        panels=curve_looks(panels),
        finding=finding,
        provenance=provenance,
    )


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str,
    spaces: Sequence[Mapping[str, Any]],
    panels: Sequence[Mapping[str, Any]],
    finding: str,
    provenance: str,
) -> None:
    """The figure from its arrays and from how each part looks."""
    curves = [saved_panel(arrays, each) for each in panels]
    with styled():
        figure = drawn(arrays, [Space(**each) for each in spaces], curves, finding, provenance)
        save_figure(figure, folder, name, dpi=DPI)
        plt.close(figure)


def drawn(
    arrays: Mapping[str, np.ndarray],
    spaces: Sequence[Space],
    panels: Sequence[Panel],
    finding: str,
    provenance: str,
) -> "Figure":
    """The figure, to be saved; inside `styled()`."""
    heights = [HEAD + SIDE, SIDE, BELOW]
    figure = page(
        sum(heights),
        finding=finding,
        provenance=". ".join(filter(None, [provenance, bases(panels, first=2)])),
        note=NOTE,
    )
    rows = figure.add_gridspec(3, 1, height_ratios=heights)
    above, middle = (rows[k].subgridspec(1, len(spaces)) for k in range(2))
    for k, space in enumerate(spaces):
        axis = figure.add_subplot(above[k])
        scattered(axis, arrays, k, space)
        axis.set_title(f"{space.title}\n{space.below}", fontsize=SMALL)
        beside = figure.add_subplot(middle[k])
        images = arrays[f"decoded {k}"]
        beside.imshow(tiled(images, round(len(images) ** 0.5), 0), cmap="gray_r", vmin=0, vmax=1)
        beside.set(xticks=[], yticks=[])
        if k == 0:
            for index, each in enumerate((axis, beside)):
                each.set_ylabel(letter(index), rotation=0, fontsize=TEXT, labelpad=6)
    under = rows[2].subgridspec(1, len(panels))
    axes = [figure.add_subplot(under[k]) for k in range(len(panels))]
    fill(figure, axes, panels, [len(panels)] * len(panels), first=2)
    return figure


def scattered(axis: "Axes", arrays: Mapping[str, np.ndarray], k: int, space: Space) -> None:
    """Codes over draws from the prior."""
    x, y = arrays[f"draws {k}"].T
    axis.scatter(x, y, s=3, linewidths=0, color="#d0d0d0")
    x, y = arrays[f"codes {k}"].T
    classes = arrays["labels"] % 10
    axis.scatter(x, y, s=2, linewidths=0, c=classes, cmap=CLASSES, vmin=0, vmax=9)
    (left, up), reach = space.middle, space.reach
    axis.set(xlim=(left - reach, left + reach), ylim=(up - reach, up + reach))
    axis.set(xticks=[], yticks=[], aspect="equal")
    for spine in axis.spines.values():
        spine.set_visible(True)
