"""Figure 1.1: a picture, the sign of the gradient, and the two added together."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.digits import WRONG
from advx.figures.kept import save_figure


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    epsilon: float,
    class_names: Sequence[str],
    title: str,
) -> None:
    """Write `imperceptible.png` and `.pdf`.

    Args:
        folder: where.
        arrays: `images`, `signs` and `perturbed` (n, channels, h, w); `said_before`, `said_after`,
            `confidence_before`, `confidence_after` and `labels` (n,).
        epsilon: size of the perturbation.
        class_names: one a class.
        title: over the figure.
    """
    n = len(arrays["images"])
    across = min(n, 2)  # as wide as a page
    rows = -(-n // across)
    cell = 1.05 if n > 1 else 2.4
    under, width = 0.42, across * (3 * cell + 0.55) + 0.2
    heading = textwrap.wrap(title, int(14.5 * max(width, 7)))
    width = max(width, 7.0)
    above = 0.15 * len(heading) + 0.3
    height = rows * (cell + under) + above
    figure = plt.figure(figsize=(width, height))
    offset = (width - across * (3 * cell + 0.55)) / 2
    for k in range(n):
        row, column = divmod(k, across)
        top = height - above - row * (cell + under)
        start = offset + column * (3 * cell + 0.55)
        pictures = (arrays["images"][k], (arrays["signs"][k] + 1) / 2, arrays["perturbed"][k])
        for place, picture in enumerate(pictures):
            left = start + place * (cell + 0.12)
            axis = figure.add_axes(
                (left / width, (top - cell) / height, cell / width, cell / height)
            )
            shown = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
            axis.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1,
                        interpolation="nearest")  # fmt: skip
            axis.set(xticks=[], yticks=[])
            if row == 0:
                names = ("x", "sign(∇J)", f"x + {epsilon:.4f} sign(∇J)")
                axis.set_title(names[place], fontsize=7 if n > 1 else 10, pad=3)
            if place != 1:
                when = "before" if place == 0 else "after"
                said = int(arrays[f"said_{when}"][k])
                share = 100 * float(arrays[f"confidence_{when}"][k])
                wrong = said != int(arrays["labels"][k])
                axis.set_xlabel(
                    "\n".join([*textwrap.wrap(class_names[said], 18), f"{share:.1f}%"]),
                    fontsize=7 if n > 1 else 9, labelpad=2,
                    color=WRONG if wrong else "#404040",
                )  # fmt: skip
    figure.text(0.5, 1 - 0.05 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
    save_figure(figure, folder, "imperceptible", dpi=200)
    plt.close(figure)
