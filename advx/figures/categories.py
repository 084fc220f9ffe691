"""Regions of categories in the plane, their entropy and generated points; digits by category."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.line_ends import label_ends
from advx.figures.samples import tiled
from advx.figures.saved import save_figure
from advx.figures.style import DASHES, DPI, SERIES, SMALL, TEXT, ink, letter, page, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

METHODS = ("k-means", "without G", "CatGAN")
"""Whose regions are shown, in the order of the arrays."""

NAMES = ("data", "generated", "marginal")
"""Of the three entropies, in the order of the arrays."""

PARTS = ("regions", "entropy", "points", "labels", "samples", "entropies", "reach")
"""The arrays of a data set of the plane."""

PANEL, IMAGES = 1.28, 1.62
"""Heights of a row of panels and of the images, in inches."""

NOTE = (
    "Regions: the most frequent class of the training points of each cluster; dots: test points "
    "and their class. Entropy of D's answers: white is certain, dark uncertain; dots: generated. "
    "Curves, in percent of log k, over the training: of D's answers on data and on generated "
    "points, and of the mean answer on data (the marginal)."
)


def draw(
    folder: Path,
    arrays: Arrays,
    *,
    planes: Sequence[str],
    classes: int,
    caption: str,
    finding: str,
    provenance: str,
) -> None:
    """Write `categorical_gan.png` and `.pdf`.

    Args:
        folder: where.
        arrays: by data set of the plane `regions_…` (3, side, side), negative for no class,
            `entropy_…` (side, side) in percent, `points_…` (n, 2), `labels_…` (n,), `samples_…`
            (m, 2), `entropies_…` (3, epochs) in percent, `reach_…` (); `images`
            (n, channels, h, w), bytes. What diverged is missing.
        planes: data sets of the plane, a row each.
        classes: columns of the images.
        caption: of the images.
        finding: the title.
        provenance: what ran.
    """
    shown = [name for name in planes if f"regions_{name}" in arrays]
    images = ["images"] if "images" in arrays else []
    heights = [PANEL] * len(shown) + [IMAGES] * len(images)
    with styled():
        figure = page(0.2 + sum(heights), finding=finding, provenance=provenance, note=NOTE)
        grid = figure.add_gridspec(max(1, len(heights)), 1, height_ratios=heights or [1])
        curves = []
        for row, name in enumerate(shown):
            columns = grid[row].subgridspec(1, 5, width_ratios=[1, 1, 1, 1, 1.35])
            axes = [figure.add_subplot(columns[k]) for k in range(5)]
            part = {key: arrays[f"{key}_{name}"] for key in PARTS}
            plane_row(axes, part, titled=row == 0)
            curves.append((axes[4], ends(part["entropies"])))
            axes[0].set_ylabel(f"{letter(row)}  {name.replace('_', ' ')}", fontsize=TEXT)
        if images:
            axis = figure.add_subplot(grid[len(shown)])
            sheet = tiled(arrays["images"], classes)
            axis.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_title(f"{letter(len(shown))}  {caption}", loc="left", fontsize=TEXT)
            axis.axis("off")
        figure.draw_without_rendering()
        for axis, named in curves:
            label_ends(axis, named)
        save_figure(figure, folder, "categorical_gan", dpi=DPI)
        plt.close(figure)


def plane_row(axes: Sequence["Axes"], arrays: Arrays, *, titled: bool) -> None:
    """The five panels of one data set: three regions, the entropy, three curves."""
    reach = float(arrays["reach"])
    for axis, method, regions in zip(axes, METHODS, arrays["regions"], strict=False):
        regions_panel(axis, regions, arrays["points"], arrays["labels"], reach)
        if titled:
            axis.set_title(method, fontsize=SMALL)
    square(axes[3], reach)
    axes[3].imshow(
        arrays["entropy"],
        cmap="Greys",
        vmin=0,
        vmax=130,
        origin="lower",
        extent=(-reach, reach, -reach, reach),
    )
    axes[3].scatter(
        arrays["samples"][:, 0], arrays["samples"][:, 1], s=1.5, linewidths=0, color=SERIES[1]
    )
    curves_panel(axes[4], arrays["entropies"])
    if titled:
        axes[3].set_title("entropy, samples", fontsize=SMALL)
        axes[4].set_title("entropies by epoch (% of log k)", fontsize=SMALL)


def regions_panel(
    axis: "Axes", regions: np.ndarray, points: np.ndarray, labels: np.ndarray, reach: float
) -> None:
    """Regions (side, side) in light colors, points (n, 2) in those of their class, and a line
    where regions meet."""
    from matplotlib.colors import to_rgb

    palette = np.array([to_rgb(color) for color in SERIES] + [(1.0, 1.0, 1.0)])
    light = 1 - 0.4 * (1 - palette)
    axis.imshow(
        light[np.where(regions < 0, -1, regions % len(SERIES))],
        origin="lower",
        extent=(-reach, reach, -reach, reach),
        interpolation="nearest",
    )
    for k in np.unique(labels):
        few = points[labels == k]
        color = ink(SERIES[k % len(SERIES)])
        axis.scatter(few[:, 0], few[:, 1], s=2.5, linewidths=0, color=color, marker="o^sD"[k % 4])
    square(axis, reach)


def square(axis: "Axes", reach: float) -> None:
    """A framed square without ticks."""
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    for spine in axis.spines.values():
        spine.set_visible(True)


def curves_panel(axis: "Axes", entropies: np.ndarray) -> None:
    """The three entropies (3, epochs) in percent."""
    for k, values in enumerate(entropies):
        axis.plot(np.arange(1, len(values) + 1), values, DASHES[k], color=SERIES[k], linewidth=1.1)
    axis.set(ylim=(-4, 104), yticks=[0, 50, 100])
    axis.locator_params("x", integer=True, nbins=4)
    axis.grid()


def ends(entropies: np.ndarray) -> list[tuple[float, float, str, str]]:
    """Where the curves (3, epochs) end, with their names and colors."""
    last = float(entropies.shape[1])
    return [(last, float(v[-1]), NAMES[k], SERIES[k]) for k, v in enumerate(entropies)]
