"""Pictures that a generator makes: a grid, with their nearest training pictures, over time."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from advx.figures import pyplot as plt
from advx.figures.kept import save_figure
from advx.text_files import replacing

SECONDS = 0.3
"""Of one frame of the film."""


def grey_levels(pictures: Tensor) -> np.ndarray:
    """Pictures in [0, 1] as they are kept for a figure: bytes, a quarter as large."""
    return (255 * pictures.float().clamp(0, 1)).round().byte().cpu().numpy()


def tiled(pictures: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Pictures (n, channels, h, w), bytes, as one in [0, 1], (H, W) or (H, W, 3), white between."""
    n, channels, height, width = pictures.shape
    rows = -(-n // columns)
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, channels))
    for k in range(n):
        y, x = (k // columns) * (height + gap), (k % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = pictures[k].transpose(1, 2, 0) / 255
    return sheet[..., 0] if channels == 1 else sheet


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str,
    panels: Sequence[Sequence[str | int]],
    title: str,
) -> None:
    """Write `NAME.png`, `.pdf`, and `NAME.gif` where there are snapshots.

    Args:
        folder: where.
        arrays: the panels' pictures (n, channels, h, w) and `snapshots` (times, n, channels, h, w),
            all as bytes; `epochs` (times,).
        name: of the files.
        panels: of each the array's name, the number of pictures in a row, and its caption.
        title: over the figure.
    """
    width = 7.4
    sheets = [tiled(arrays[str(key)], int(columns)) for key, columns, _ in panels]
    heights = [width * sheet.shape[0] / sheet.shape[1] for sheet in sheets]
    heading = textwrap.wrap(title, 115)
    above, between = 0.16 * len(heading) + 0.1, 0.27
    height = above + sum(heights) + between * len(panels) + 0.05
    figure = plt.figure(figsize=(width + 0.2, height))
    top = height - above
    for sheet, tall, (_, _, caption) in zip(sheets, heights, panels, strict=True):
        figure.text(0.5, (top - 0.08) / height, str(caption), ha="center", va="top", fontsize=8)
        top -= between
        axis = figure.add_axes((0.1 / (width + 0.2), (top - tall) / height,
                                width / (width + 0.2), tall / height))  # fmt: skip
        axis.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.axis("off")
        top -= tall
    figure.text(0.5, 1 - 0.04 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
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
