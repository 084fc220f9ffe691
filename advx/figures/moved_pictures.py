"""What points of church windows look like: pictures moved along a window's directions."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.digits import WRONG
from advx.figures.kept import save_figure

CELL = 0.82
"""Side of a picture, in inches."""


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    class_names: Sequence[str],
    columns: Sequence[str],
    title: str,
) -> None:
    """Write `pictures.png` and `.pdf`: a row an example, under each picture its class.

    Args:
        folder: where.
        arrays: `pictures` (n, columns, channels, h, w) uint8, `said` (n, columns) and
            `pictured_labels` (n,).
        class_names: one a class.
        columns: how the pictures of each column were moved.
        title: over the figure.
    """
    pictures, said, labels = (arrays[k] for k in ("pictures", "said", "pictured_labels"))
    rows, across = said.shape
    between, under = 0.12, 0.24
    width = across * (CELL + between) + 0.3
    heading = textwrap.wrap(title, int(15.5 * width))
    above = 0.15 * len(heading) + 0.36
    height = rows * (CELL + under) + above
    figure = plt.figure(figsize=(width, height))
    for row in range(rows):
        for column in range(across):
            left = 0.15 + between / 2 + column * (CELL + between)
            bottom = height - above - row * (CELL + under) - CELL
            axis = figure.add_axes((left / width, bottom / height, CELL / width, CELL / height))
            picture = pictures[row, column]
            shown = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
            axis.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            wrong = said[row, column] != labels[row]
            axis.set_xlabel(class_names[said[row, column]], fontsize=7, labelpad=1.5,
                            color=WRONG if wrong else "#404040")  # fmt: skip
            if row == 0:
                axis.set_title(columns[column], fontsize=7, pad=3)
    figure.text(0.5, 1 - 0.05 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
    save_figure(figure, folder, "pictures", dpi=200)
    plt.close(figure)
