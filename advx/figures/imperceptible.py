"""Figure 1.1: an image, the sign of the gradient, and the two added together."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.saved import save_figure
from advx.figures.style import ADVERSARIAL, DPI, PAGE_WIDTH, TEXT
from advx.figures.tiles import FRAME, Sheet, confidence, named

ROWS = 3
"""Examples in the figure."""

SIDE, ALONE = 1.6, 1.85
"""Of an image, in inches: where there are several examples, and of a single one."""

UNDER, ABOVE = 0.32, 0.24


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    epsilon: float,
    class_names: Sequence[str],
    finding: str,
    provenance: str,
    note: str = "",
) -> None:
    """Write `imperceptible.png` and `.pdf`: the first `ROWS` examples.

    Args:
        folder: where.
        arrays: `images`, `signs` and `perturbed` (n, channels, h, w); `predicted_before`,
            `predicted_after`, `confidence_before`, `confidence_after` and `labels` (n,).
        epsilon: size of the perturbation.
        class_names: one a class.
        finding: what was measured, in one sentence.
        provenance: what ran.
        note: which examples these are.
    """
    n = min(len(arrays["images"]), ROWS)
    side = SIDE if n > 1 else ALONE
    sheet = Sheet(ABOVE + n * (side + UNDER), finding=finding, provenance=provenance, note=note)
    gap = 0.62 if n > 1 else 0.42
    first = (PAGE_WIDTH - 3 * side - 2 * gap) / 2
    lefts = [first + place * (side + gap) for place in range(3)]
    heads = ("x", "sign(∇J)", f"x + {epsilon:.4f} sign(∇J)")
    for left, head in zip(lefts, heads, strict=True):
        sheet.text(left + side / 2, ABOVE - 0.06, head, ha="center", va="bottom", fontsize=TEXT)
    for k in range(n):
        top = ABOVE + k * (side + UNDER)
        images = (arrays["images"][k], (arrays["signs"][k] + 1) / 2, arrays["perturbed"][k])
        for place, image in enumerate(images):
            sheet.image(lefts[place], top, side, image)
        for place, (sign, factor) in enumerate((("+", f"{epsilon:.4f} ×"), ("=", ""))):
            center = lefts[place] + side + gap / 2
            sheet.text(center, top + side / 2 - 0.05, sign, ha="center", va="center", fontsize=16)
            sheet.text(center, top + side / 2 + 0.13, factor, ha="center", va="center")
        for place, when in ((0, "before"), (2, "after")):
            predicted = int(arrays[f"predicted_{when}"][k])
            wrong = predicted != int(arrays["labels"][k])
            share = confidence(float(arrays[f"confidence_{when}"][k]))
            sheet.text(
                lefts[place] + side / 2,
                top + side + 0.05,
                f"{named(class_names, predicted)}, {share}",
                ha="center",
                fontsize=TEXT,
                color=ADVERSARIAL if wrong else FRAME,
                fontweight="bold" if wrong else "normal",
            )
    save_figure(sheet.figure, folder, "imperceptible", dpi=DPI)
    plt.close(sheet.figure)
