"""Images that a generator makes: in panels whose rows have names, and over time."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from advx.figures import pyplot as plt
from advx.figures.saved import save_figure
from advx.figures.style import PAGE_WIDTH, TEXT, letter, page, place, styled, words_width, write
from advx.text_files import replacing

SECONDS = 0.3
"""Of one frame of the film."""

PAIRS, ACROSS = 30, 15
"""Samples shown above their nearest training images, and in a row."""

CONFIDENT = "Confident: one class has a probability above .9. Real images: validation images."
"""A note for figures whose title says `confidence`."""

CAPTION, BETWEEN, SIDE = 0.17, 0.1, 0.07
"""Inches: above a panel for its caption, below it, and at the sides of its rows' names."""


class Panel(TypedDict):
    """A sheet of images.

    Attributes:
        array: the name of its images in `arrays`.
        columns: images in a row.
        caption: above it.
        left: what every row is, at its left.
        right: what was measured of every row, at its right.
    """

    array: str
    columns: int
    caption: str
    left: NotRequired[Sequence[str]]
    right: NotRequired[Sequence[str]]


def gray_levels(images: Tensor) -> np.ndarray:
    """Images in [0, 1] as they are kept for a figure: bytes, a quarter as large."""
    return (255 * images.float().clamp(0, 1)).round().byte().cpu().numpy()


def beside_nearest(fake: Tensor, nearest: Tensor) -> tuple[dict[str, np.ndarray], list[Panel]]:
    """Arrays and panels of samples and of the training images nearest to the first of them.

    Args:
        fake: generated images (n, *shape).
        nearest: the training images (`PAIRS`, *shape) nearest to the first ones.
    """
    rows = zip(fake[:PAIRS].split(ACROSS), nearest.split(ACROSS), strict=True)
    arrays = {
        "samples": gray_levels(fake),
        "pairs": gray_levels(torch.cat([*map(torch.cat, rows)])),
    }
    return arrays, [
        {"array": "samples", "columns": 20, "caption": "a  Samples of the first seed, not chosen"},
        {
            "array": "pairs",
            "columns": ACROSS,
            "caption": "b  The first of them, and the training image nearest to each",
            "left": ["sample", "nearest"] * (PAIRS // ACROSS),
        },
    ]


def sheets(
    rows_of: Mapping[str, Mapping[str, Tensor]],
) -> tuple[dict[str, np.ndarray], list[Panel]]:
    """Arrays and panels of rows of images.

    Args:
        rows_of: by caption, rows (n, *shape) by name, all of a caption with the same n.
    """
    arrays: dict[str, np.ndarray] = {}
    panels: list[Panel] = []
    for caption, rows in rows_of.items():
        if rows:
            array = letter(len(panels))
            images = [*rows.values()]
            arrays[array] = gray_levels(torch.cat(images))
            panels.append(
                {
                    "array": array,
                    "columns": len(images[0]),
                    "caption": f"{array}  {caption}",
                    "left": [name.replace(", ", ",\n") for name in rows],
                }
            )
    return arrays, panels


def over_training(snapshots: Tensor, epochs: Sequence[int]) -> dict[str, np.ndarray]:
    """Arrays of the film of a training.

    Args:
        snapshots: (times, n, *shape), generated from the same z.
        epochs: (times,), after which they were made.
    """
    return {"snapshots": gray_levels(snapshots), "epochs": np.array(epochs)}


def confidence(generated: float, real: float) -> str:
    """How many generated images a classifier is confident of, and of real ones (NaN: not known)."""
    known = "" if math.isnan(real) else f" (real ones: {real:.0f}%)"
    return f"A classifier is confident of {generated:.0f}% of the generated images{known}"


def tiled(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Images (n, channels, h, w), bytes, as one in [0, 1], (H, W) or (H, W, 3), white between."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, channels))
    for k in range(n):
        y, x = (k // columns) * (height + gap), (k % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = images[k].transpose(1, 2, 0) / 255
    return sheet[..., 0] if channels == 1 else sheet


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str,
    panels: Sequence[Panel],
    finding: str,
    provenance: str,
    note: str = "",
) -> None:
    """Write `NAME.png`, `.pdf`, and `NAME.gif` where there are snapshots.

    Args:
        folder: where.
        arrays: the panels' images (n, channels, h, w) and `snapshots` (times, n, channels, h, w),
            all as bytes; `epochs` (times,).
        name: of the files.
        panels: from top to bottom.
        finding: the title.
        provenance: what ran.
        note: how to read the figure.
    """
    lefts = [panel.get("left", ()) for panel in panels]
    rights = [panel.get("right", ()) for panel in panels]
    wide = [max(words_width(names) for names in side) for side in (lefts, rights)]
    left, right = (SIDE + (width + SIDE if width else 0) for width in wide)
    width = PAGE_WIDTH - left - right
    sheets = [tiled(arrays[panel["array"]], panel["columns"]) for panel in panels]
    heights = [width * sheet.shape[0] / sheet.shape[1] for sheet in sheets]
    with styled():
        figure = page(
            sum(heights) + len(panels) * (CAPTION + BETWEEN),
            finding=finding,
            provenance=provenance,
            note=note,
            free=True,
        )
        top = 0.0
        for panel, sheet, tall, *names in zip(panels, sheets, heights, lefts, rights, strict=True):
            caption = panel["caption"]
            write(figure, left, top + CAPTION - 0.04, caption, size=TEXT, ha="left", va="bottom")
            top += CAPTION
            place(figure, left, top, width, tall).imshow(
                sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto"
            )
            rows = -(-len(arrays[panel["array"]]) // panel["columns"])
            beside = ((left - SIDE, "right"), (left + width + SIDE, "left"))
            for (x, align), side in zip(beside, names, strict=True):
                for row, text in enumerate(side[:rows]):
                    write(figure, x, top + (row + 0.5) * tall / rows, text, ha=align)
            top += tall + BETWEEN
        save_figure(figure, folder, name, dpi=200)
        plt.close(figure)
    if "snapshots" in arrays:
        film(folder / f"{name}.gif", arrays["snapshots"])


def film(path: Path, snapshots: np.ndarray) -> None:
    """An animated GIF of snapshots (times, n, channels, h, w), the last one longer."""
    columns = round(snapshots.shape[1] ** 0.5)
    frames = [
        Image.fromarray((255 * tiled(shot, columns)).round().astype(np.uint8)) for shot in snapshots
    ]
    frames = [frame.resize((2 * frame.width, 2 * frame.height), 0) for frame in frames]
    times = [int(1000 * SECONDS)] * (len(frames) - 1) + [3000]
    with replacing(path) as stream:
        frames[0].save(
            stream, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0
        )
