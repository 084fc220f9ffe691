"""Predicted heads beside the real ones, their ears enlarged; and the measures over the weight."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.samples import tiled
from advx.figures.saved import save_figure
from advx.figures.style import (
    DASHES,
    MARKERS,
    PAGE_WIDTH,
    SERIES,
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

EDGE, GAP, CAPTION, BETWEEN = 0.05, 0.03, 0.2, 0.12
"""Inches: at the page's sides, between two images, of a caption, between two panels."""

CROP = 0.4
"""Side of the part that is enlarged around an ear, of the image's."""

NOTE = (
    "Heads: the first ones of the test set that have ears, not chosen; first seed, long training, "
    "every head of the training set with ears."
)


def draw(
    folder: Path,
    arrays: Arrays,
    *,
    rows: Mapping[str, str],
    measures: Mapping[str, str],
    settings: Mapping[str, str],
    findings: Sequence[str],
    provenance: str,
) -> None:
    """Write `predictive_gan.png`, where there are predictions, and `weights.png`; as `.pdf` too.

    Args:
        folder: where.
        arrays: for every key of `rows` images (heads, channels, side, side), bytes; `ears`
            (heads, 2), row and column of the middle of an ear; `weights` (k,); for every measure
            and setting "MEASURE SETTING": (seeds, k).
        rows: of the figure, by the array's name: what stands at their left.
        measures: by the metric's name, what its panel is called.
        settings: by the setting, what its curve is called.
        findings: a sentence above either figure.
        provenance: what ran.
    """
    with styled():
        figures = {"weights": over_weights(arrays, measures, settings, findings[1], provenance)}
        if all(name in arrays for name in rows):
            figures["predictive_gan"] = heads(arrays, rows, findings[0], provenance)
        for name, figure in figures.items():
            save_figure(figure, folder, name, dpi=200)
            plt.close(figure)


def enlarged(images: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """The surroundings of ears in images (n, channels, side, side), around middles (n, 2)."""
    side = images.shape[-1]
    size = round(CROP * side)
    first = np.clip(np.round(middles - size / 2).astype(int), 0, side - size)
    return np.stack(
        [image[:, y : y + size, x : x + size] for image, (y, x) in zip(images, first, strict=True)]
    )


def heads(arrays: Arrays, rows: Mapping[str, str], finding: str, provenance: str) -> "Figure":
    """A column a head: whole frames above, ears enlarged below."""
    count = len(arrays["ears"])
    start = EDGE + words_width([*rows.values()], SMALL) + EDGE
    side = (PAGE_WIDTH - start - EDGE - (count - 1) * GAP) / count
    tall = CAPTION + len(rows) * (side + GAP)
    figure = page(2 * tall + BETWEEN, finding=finding, provenance=provenance, note=NOTE, free=True)
    whole = {name: arrays[name] for name in rows}
    ears = {name: enlarged(images, arrays["ears"]) for name, images in whole.items()}
    captions = ("The frame that follows five others", "An ear of the same heads, enlarged")
    for panel, (caption, shown) in enumerate(zip(captions, (whole, ears), strict=True)):
        top = panel * (tall + BETWEEN)
        write(figure, EDGE, top, f"{letter(panel)}  {caption}", size=TEXT, ha="left", va="top")
        for line, (name, images) in enumerate(shown.items()):
            above = top + CAPTION + line * (side + GAP)
            write(figure, start - EDGE, above + side / 2, rows[name], ha="right")
            for column, image in enumerate(images):
                place(figure, start + column * (side + GAP), above, side, side).imshow(
                    tiled(image[None], 1),
                    cmap="gray",
                    vmin=0,
                    vmax=1,
                    interpolation="nearest",
                    aspect="auto",
                )
    return figure


def over_weights(
    arrays: Arrays,
    measures: Mapping[str, str],
    settings: Mapping[str, str],
    finding: str,
    provenance: str,
) -> "Figure":
    """A panel a measure, a curve a setting, over the weight of the adversarial loss."""
    weights = arrays["weights"]
    places = np.arange(len(weights))  # evenly, so that 0 has a place
    across = 2
    down = -(-len(measures) // across)
    figure = page(
        1.75 * down,
        finding=finding,
        provenance=provenance,
        note="Lines: mean of the seeds; bars: their range. Weight 0: squared error alone.",
    )
    panels = figure.subplots(down, across, squeeze=False, sharex=True)
    for index, (axis, (metric, title)) in enumerate(
        zip(panels.flat, measures.items(), strict=False)
    ):
        for k, (setting, label) in enumerate(settings.items()):
            found = arrays.get(f"{metric} {setting}")
            if found is None or not np.isfinite(found).any():
                continue
            axis.plot(
                places,
                found.mean(0),
                color=SERIES[k],
                linestyle=DASHES[k % len(DASHES)],
                marker=MARKERS[k],
                label=label,
            )
            if len(found) > 1:
                axis.vlines(places, found.min(0), found.max(0), color=SERIES[k], linewidth=0.8)
        axis.set_title(f"{letter(index)}  {title}", loc="left")
        if "%" in title:
            axis.set_ylim(-3, 103)
        axis.set_xticks(places, [f"{weight:g}" for weight in weights])
        axis.grid(axis="y")
    for axis in panels[-1]:
        axis.set_xlabel("weight of the adversarial loss")
    panels[0, 0].legend(frameon=False, fontsize=SMALL)
    return figure
