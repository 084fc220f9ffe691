"""Figure 1.5: three perturbations of one L2 length, and three in the max norm beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.saved import save_figure
from advx.figures.style import DPI, PAGE_WIDTH, TEXT, called
from advx.figures.tiles import FRAME, Sheet, named

GAP, BETWEEN = 0.05, 0.26
"""Between images, and between the two grids, in inches."""

ABOVE, LINE = 0.46, 0.135
"""Above the first row of images, and of a line of words, in inches."""


class Captions(TypedDict):
    """What stands beside the images, as `draw` takes it."""

    contents: Sequence[str]
    finding: str


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    contents: Sequence[str],
    class_names: Sequence[str],
    finding: str,
    provenance: str,
) -> None:
    """Write `norm_balls.png` and `.pdf`.

    Args:
        folder: where.
        arrays: `image` (channels, h, w), `perturbations` (6, channels, h, w), and for every model
            `prediction_NAME` (7,): of the image and of its six versions. The first three
            perturbations stand on the left.
        contents: what each of the six versions shows, by the way it was made.
        class_names: one a class.
        finding: what was measured, in one sentence.
        provenance: what ran.
    """
    image, perturbations = arrays["image"], arrays["perturbations"]
    answers = {
        called(key.removeprefix("prediction_")): value
        for key, value in arrays.items()
        if key.startswith("prediction_")
    }
    lines = [_answers(answers, 1 + k, class_names) for k in range(6)]
    side = (PAGE_WIDTH - 0.1 - BETWEEN - 4 * GAP) / 6
    under = [LINE * (2 + max(len(lines[row]), len(lines[row + 3]))) + 0.16 for row in range(3)]
    tops = [ABOVE + sum(side + below for below in under[:row]) for row in range(3)]
    sheet = Sheet(tops[2] + side + under[2] + 0.36, finding=finding, provenance=provenance)
    size = float(np.abs(perturbations).max())
    for k, perturbation in enumerate(perturbations):
        grid, row = divmod(k, 3)
        start, top = 0.05 + grid * (3 * side + 2 * GAP + BETWEEN), tops[row]
        lefts = [start + place * (side + GAP) for place in range(3)]
        sheet.image(lefts[0], top, side, image)
        sheet.image(lefts[1], top, side, perturbation, size=size)
        sheet.image(lefts[2], top, side, image + perturbation)
        if row == 0:
            length = np.linalg.norm(perturbation)
            most = f", every pixel ±{np.abs(perturbation).max():.2f}" if grid else ""
            sheet.text(
                start, 0.04, f"L2 norm {length:.2f}{most}", fontsize=TEXT + 0.5, fontweight="bold"
            )
            for left, head in zip(lefts, ("x", "η", "x + η"), strict=True):
                sheet.text(
                    left + side / 2, ABOVE - 0.05, head, ha="center", va="bottom", fontsize=TEXT
                )
        below = top + side + 0.06
        sheet.text(start, below, contents[k], fontsize=TEXT)
        most = np.abs(perturbation).max()
        words = [f"max norm {most:.2f}. Answers of the models:", *lines[k]]
        for place, line in enumerate(words):
            sheet.text(start, below + 0.02 + LINE * (place + 1), line, color=FRAME)
    last = tops[2] + side + under[2]
    sheet.key(1.55, last + 0.04, 2.2, size, "η, change of a pixel")
    save_figure(sheet.figure, folder, "norm_balls", dpi=DPI)
    plt.close(sheet.figure)


def _answers(answers: dict[str, np.ndarray], place: int, class_names: Sequence[str]) -> list[str]:
    """A line for each class that some model names, the first model's first."""
    given: dict[int, list[str]] = {}
    for model, classes in answers.items():
        given.setdefault(int(classes[place]), []).append(model)
    if len(given) == 1:
        return [f"{named(class_names, next(iter(given)))}: all {len(answers)}"]
    return [f"{named(class_names, label)}: {', '.join(models)}" for label, models in given.items()]
