"""Images, their perturbations and what each model makes of them."""

import logging
from pathlib import Path

import numpy as np
from torch import nn

from advx.data.dataset import Split
from advx.evaluation.transfer import predictions
from advx.figures import pyplot as plt
from advx.figures.saved import save_and_draw, save_figure
from advx.figures.style import ADVERSARIAL, DPI, PAGE_WIDTH, TEXT, called
from advx.figures.tiles import FRAME, Sheet, black_and_white, drawable, undrawn

log = logging.getLogger(__name__)

LEFT, RIGHT = 1.22, 0.6
"""Widths of the columns of names and of rates, in inches."""

ABOVE, LINE = 0.22, 0.175
"""Heights of the row of labels and of a row of predictions, in inches."""


def transfer_figure(
    folder: Path,
    clean: Split,
    adversarial: Split,
    targets: dict[str, nn.Module],
    *,
    rates: dict[str, float],
    finding: str,
    provenance: str,
) -> None:
    """Write `transfer.png`, `transfer.pdf` and `arrays.npz` into `folder`.

    One column an example: the clean image, the perturbation, the adversarial image, and under it
    each target's prediction.

    Args:
        folder: where.
        clean, adversarial: n examples, before and after.
        targets: the models asked, by name.
        rates: their errors over all test examples, in percent.
        finding: what was measured, in one sentence.
        provenance: what ran.
    """
    if not drawable(clean.images):
        log.warning("%s", undrawn(clean.images))
        return
    x = clean.images.cpu().numpy()
    x_adv = adversarial.images.cpu().numpy()
    labels = clean.labels.cpu().numpy()
    after = {name: predictions(m, adversarial.images).cpu().numpy() for name, m in targets.items()}
    before = {name: predictions(m, clean.images).cpu().numpy() for name, m in targets.items()}
    arrays = {"images": x, "adversarial": x_adv, "labels": labels}
    arrays |= {f"prediction_{name}": p for name, p in after.items()}
    arrays |= {f"clean_prediction_{name}": p for name, p in before.items()}
    save_and_draw(
        folder,
        draw,
        arrays,
        models=list(after),
        rates=rates,
        finding=finding,
        provenance=provenance,
    )


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    models: list[str],
    rates: dict[str, float],
    finding: str,
    provenance: str,
) -> None:
    """The figure from its arrays: `images`, `adversarial`, `labels`, `[clean_]prediction_MODEL`."""
    x, x_adv, labels = (arrays[key] for key in ("images", "adversarial", "labels"))
    n = len(x)
    gap = 0.04
    side = min(1.0, (PAGE_WIDTH - LEFT - RIGHT - gap * (n - 1)) / n)
    top = ABOVE + 3 * (side + gap)
    size = float(np.abs(x_adv - x).max()) or 1.0
    low, high = black_and_white(x)
    note = (
        "Under the images each model's prediction; bold, a mistake; in parentheses, a mistake on "
        f"the clean image too. Images are cut to [{low:.4g}, {high:.4g}]."
    )
    sheet = Sheet(
        top + LINE * len(models) + 0.47, finding=finding, provenance=provenance, note=note
    )
    middle = ABOVE + side / 2
    for k, name in enumerate(("clean", "perturbation", "adversarial")):
        sheet.text(
            LEFT - 0.08, middle + k * (side + gap), name, ha="right", va="center", fontsize=TEXT
        )
    for line, name in enumerate(models):
        y = top + LINE * (line + 0.55)
        sheet.text(LEFT - 0.08, y, called(name), ha="right", va="center", fontsize=TEXT)
        if name in rates:
            sheet.text(
                PAGE_WIDTH - 0.06, y, f"{rates[name]:.1f}%", ha="right", va="center", fontsize=TEXT
            )
    if rates:
        sheet.text(PAGE_WIDTH - 0.06, top - 0.02, "error,\ntest set", ha="right", va="bottom")
    for k in range(n):
        left = LEFT + k * (side + gap)
        sheet.text(
            left + side / 2, ABOVE - 0.05, str(labels[k]), ha="center", va="bottom", fontsize=TEXT
        )
        sheet.image(left, ABOVE, side, (x[k] - low) / (high - low))
        sheet.image(left, ABOVE + side + gap, side, x_adv[k] - x[k], size=size)
        sheet.image(left, ABOVE + 2 * (side + gap), side, (x_adv[k] - low) / (high - low))
        for line, name in enumerate(models):
            after, before = (int(arrays[f"{when}prediction_{name}"][k]) for when in ("", "clean_"))
            y = top + LINE * (line + 0.55)
            _prediction(sheet, left + side / 2, y, after, before, int(labels[k]))
    sheet.key(LEFT + 0.1, top + LINE * len(models) + 0.14, 1.5, size, "perturbation of a pixel")
    save_figure(sheet.figure, folder, "transfer", dpi=DPI)
    plt.close(sheet.figure)


def _prediction(
    sheet: Sheet, middle: float, top: float, after: int, before: int, label: int
) -> None:
    """A model's class for an adversarial image, marked where it is wrong, or was wrong before."""
    wrong = after != label
    sheet.text(
        middle,
        top,
        f"({after})" if wrong and before != label else str(after),
        ha="center",
        va="center",
        fontsize=TEXT,
        color=ADVERSARIAL if wrong else FRAME,
        fontweight="bold" if wrong else "normal",
    )
