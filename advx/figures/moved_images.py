"""What points of church windows look like: images moved along a window's directions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.saved import save_figure
from advx.figures.style import ADVERSARIAL, DPI, PAGE_WIDTH
from advx.figures.tiles import FRAME, Sheet, named

Steps = Mapping[str, Sequence[float]]
"""By direction, where on it images are shown, in units of ε; 0, the example itself, once."""

BETWEEN, UNDER, ABOVE = 0.06, 0.16, 0.36
"""Between images, under each for its class, and above all for what moved them, in inches."""


NOTE = (
    "Gray levels: the root mean square over an image's pixels, the median over the images. Bold: "
    "not the true class. Counted are the images whose class is right at first."
)


class Captions(TypedDict):
    """What stands beside the images, as `draw` takes it."""

    columns: Sequence[str]
    groups: Sequence[tuple[str, int]]
    finding: str


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    class_names: Sequence[str],
    columns: Sequence[str],
    groups: Sequence[tuple[str, int]],
    finding: str,
    provenance: str,
) -> None:
    """Write `images.png` and `.pdf`: a row an example, under each image its class.

    Args:
        folder: where.
        arrays: `images` (n, columns, channels, h, w) uint8, `predicted` (n, columns) and
            `image_labels` (n,).
        class_names: one a class.
        columns: where on a window the images of each column lie.
        groups: over successive columns, what moved them and how far, and how many columns.
        finding: what the figure shows, in one sentence.
        provenance: what ran.
    """
    images, predicted, labels = (arrays[k] for k in ("images", "predicted", "image_labels"))
    rows, across = predicted.shape
    apart = 0.1 * (len(groups) - 1)
    side = (PAGE_WIDTH - 0.1 - apart - BETWEEN * (across - 1)) / across
    sheet = Sheet(ABOVE + rows * (side + UNDER), finding=finding, provenance=provenance, note=NOTE)
    ends = np.cumsum([count for _, count in groups])
    lefts = [0.05 + k * (side + BETWEEN) + 0.1 * int((k >= ends).sum()) for k in range(across)]
    for (words, count), end in zip(groups, ends, strict=True):
        first, last = lefts[end - count], lefts[end - 1] + side
        sheet.text((first + last) / 2, 0.02, words, ha="center")
        line = sheet.axes(first, 0.15, last - first, 0.001)
        line.axis("off")
        line.axhline(0, color=FRAME, linewidth=0.7)
    for k, words in enumerate(columns):
        sheet.text(lefts[k] + side / 2, ABOVE - 0.04, words, ha="center", va="bottom")
        for row in range(rows):
            top = ABOVE + row * (side + UNDER)
            sheet.image(lefts[k], top, side, images[row, k])
            wrong = predicted[row, k] != labels[row]
            sheet.text(
                lefts[k] + side / 2,
                top + side + 0.025,
                named(class_names, predicted[row, k]),
                ha="center",
                color=ADVERSARIAL if wrong else FRAME,
                fontweight="bold" if wrong else "normal",
            )
    save_figure(sheet.figure, folder, "images", dpi=DPI)
    plt.close(sheet.figure)


def packed(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps (n, k, *shape) as int8, and the scale of each (n, k): their product is the step.

    It is off by half a scale at most, the 254th part of the largest component.
    """
    most = np.abs(steps).max(axis=tuple(range(2, steps.ndim)))
    scales = np.where(most > 0, most / 127, 1.0).astype(np.float32)
    levels = steps / scales.reshape(*scales.shape, *[1] * (steps.ndim - 2))
    return np.round(levels).astype(np.int8), scales


def ends(steps: Steps) -> list[int]:
    """The columns of the images that have moved by ε along each direction, its last ones."""
    return [int(end) - 1 for end in np.cumsum([len(shares) for shares in steps.values()])]


def captions(
    steps: Steps,
    far: Mapping[str, float],
    epsilon: float,
    predicted: np.ndarray,
    labels: np.ndarray,
) -> Captions:
    """The columns, groups and finding of `draw`.

    Args:
        steps: two directions.
        far: by direction, by how many gray levels ε moves an image.
        epsilon: half-width of the windows.
        predicted: (n, columns), the classes of the moved images.
        labels: (n,), the correct ones.
    """
    shares = [
        (axis, share) for axis, own in zip("hv", steps.values(), strict=True) for share in own
    ]
    columns = [
        f"{axis} = {share * epsilon:g}".replace("-", "−") if share else "test example"
        for axis, share in shares
    ]
    right = predicted[:, columns.index("test example")] == labels
    lost = [int((predicted[right, end] != labels[right]).sum()) for end in ends(steps)]
    (first, second), gray = steps, [f"{far[name]:.0f} gray levels" for name in steps]
    return {
        "columns": columns,
        "groups": [
            (f"{name}: {far[name]:.0f} gray levels at ±{epsilon:g}", len(steps[name]))
            for name in steps
        ],
        "finding": f"A step of ε along the {first}, {gray[0]}, changes the class of {lost[0]} of "
        f"{right.sum()} images; one along a {second} direction, {gray[1]}, of {lost[1]}",
    }
