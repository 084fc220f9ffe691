"""The same images under several treatments, one row each."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from advx.figures import pyplot as plt
from advx.figures.digits import RIGHT, WRONG
from advx.figures.kept import keep, save_figure


def gallery(
    folder: Path,
    name: str,
    pictures: dict[str, Tensor],
    said: dict[str, Tensor],
    labels: Tensor | dict[str, Tensor],
    *,
    title: str,
) -> None:
    """Write `name.png`, `name.pdf` and `arrays.npz` into `folder`.

    Args:
        folder: where.
        name: of the files.
        pictures: images (n, channels, h, w) of every row.
        said: the class that the model gives each of them, (n,) int64; a mistake in red.
        labels: (n,) int64, of all rows or by row.
        title: over the figure.
    """
    images = {row: x.cpu().numpy() for row, x in pictures.items()}
    classes = {row: x.cpu().numpy() for row, x in said.items()}
    truth = labels if isinstance(labels, dict) else dict.fromkeys(pictures, labels)
    truths = {row: x.cpu().numpy() for row, x in truth.items()}
    arrays = {f"images_{row}": x for row, x in images.items()}
    arrays |= {f"prediction_{row}": x for row, x in classes.items()}
    if isinstance(labels, dict):
        arrays |= {f"labels_{row}": x for row, x in truths.items()}
    else:
        arrays["labels"] = labels.cpu().numpy()
    options: dict[str, Any] = {"name": name, "rows": list(pictures), "title": title}
    keep(folder, "gallery", arrays, options)
    draw(folder, arrays, **options)


def draw(
    folder: Path, arrays: dict[str, np.ndarray], *, name: str, rows: list[str], title: str
) -> None:
    """The figure from its arrays: `images_ROW`, `prediction_ROW`, `labels` or `labels_ROW`."""
    images, said = (
        {row: arrays[f"{what}_{row}"] for row in rows} for what in ("images", "prediction")
    )
    shared = arrays.get("labels")
    labels = {row: arrays[f"labels_{row}"] if shared is None else shared for row in rows}
    _draw(folder, name, images, said, labels, title)


def _draw(
    folder: Path,
    name: str,
    images: dict[str, np.ndarray],
    said: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    title: str,
) -> None:
    n, cell, left = len(next(iter(labels.values()))), 0.82, 1.9  # inches
    width = cell * n + left
    heading = textwrap.wrap(f"{title}. Under each image its class; mistakes in red.",
                            int(14.5 * width))  # fmt: skip
    above = 0.15 * len(heading) + 0.15
    height = (cell + 0.17) * len(images) + above
    figure, axes = plt.subplots(len(images), n, figsize=(width, height), squeeze=False)
    figure.subplots_adjust(
        left=left / width, right=0.995, top=1 - above / height, bottom=0.17 / height,
        wspace=0.05, hspace=0.24,
    )  # fmt: skip
    for axis_row, (row, x) in zip(axes, images.items(), strict=True):
        for column, axis in enumerate(axis_row):
            image = x[column]
            shown = image[0] if len(image) == 1 else np.clip(image.transpose(1, 2, 0), 0, 1)
            axis.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            wrong = said[row][column] != labels[row][column]
            axis.set_xlabel(
                f"{said[row][column]}", fontsize=8, labelpad=1, color=WRONG if wrong else RIGHT,
                fontweight="bold" if wrong else "normal",
            )  # fmt: skip
        axis_row[0].set_ylabel(
            row.replace("_", " "), fontsize=8, rotation=0, ha="right", va="center", labelpad=5
        )
    figure.text(0.5, 1 - 0.05 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
    save_figure(figure, folder, name, dpi=160)
    plt.close(figure)
