"""Figure 1.5: three perturbations of one L2 length, and three in the max norm beside them."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.digits import WRONG
from advx.figures.kept import save_figure

CELL = 1.15
"""Side of a picture, in inches."""


def draw(folder: Path, arrays: dict[str, np.ndarray], *, names: Sequence[str], title: str) -> None:
    """Write `norm_balls.png` and `.pdf`.

    Args:
        folder: where.
        arrays: `image` (channels, h, w), `perturbations` (6, channels, h, w), and for every model
            `prediction_NAME` (7,): of the image and of its six versions.
        names: of the six perturbations; the first three stand on the left.
        title: over the figure.
    """
    image, perturbations = arrays["image"], arrays["perturbations"]
    models = {key.removeprefix("prediction_").replace("_", " "): value
              for key, value in arrays.items() if key.startswith("prediction_")}  # fmt: skip
    under = 0.30 + 0.13 * (len(models) + 1)  # inches of text under a row of pictures
    width = 2 * (3 * CELL + 0.3) + 0.5
    heading = textwrap.wrap(title, int(15.5 * width))
    above = 0.15 * len(heading) + 0.55
    height = 3 * (CELL + under) + above + 0.05
    figure = plt.figure(figsize=(width, height))
    size = float(np.abs(perturbations).max())
    for k, perturbation in enumerate(perturbations):
        side, row = divmod(k, 3)
        top = height - above - row * (CELL + under)
        start = 0.25 + side * (3 * CELL + 0.55)
        pictures = ((image, 0, 1, "gray"), (perturbation, -size, size, "RdBu_r"),
                    (image + perturbation, 0, 1, "gray"))  # fmt: skip
        for column, (picture, low, high, colours) in enumerate(pictures):
            axis = figure.add_axes(
                ((start + column * CELL) / width, (top - CELL) / height,
                 0.95 * CELL / width, 0.95 * CELL / height)
            )  # fmt: skip
            axis.imshow(picture[0], cmap=colours, vmin=low, vmax=high, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            if row == 0:
                axis.set_title(("x", "η", "x + η")[column], fontsize=9, pad=3)
        l2, most = np.linalg.norm(perturbation), np.abs(perturbation).max()
        figure.text(start / width, (top - CELL - 0.05) / height, names[k], fontsize=8,
                    fontweight="bold", va="top")  # fmt: skip
        figure.text(
            start / width, (top - CELL - 0.19) / height,
            f"L2 norm {l2:.2f}, max norm {most:.2f}", fontsize=7.5, va="top", color="#404040",
        )  # fmt: skip
        for line, (model, said) in enumerate(models.items()):
            same = said[1 + k] == said[0]
            figure.text(
                start / width, (top - CELL - 0.33 - 0.13 * line) / height,
                f"{model}: {said[1 + k]}", fontsize=7.5, va="top",
                color="#404040" if same else WRONG,
            )  # fmt: skip
    for side, label in enumerate(
        ("of one L2 length", "of the same length, bounded in the max norm")
    ):
        figure.text((0.25 + side * (3 * CELL + 0.55)) / width, (height - above + 0.32) / height,
                    label, fontsize=9, va="bottom")  # fmt: skip
    figure.text(0.5, 1 - 0.06 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
    save_figure(figure, folder, "norm_balls", dpi=200)
    plt.close(figure)
