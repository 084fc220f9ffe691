"""Digits, their perturbations and what each model makes of them."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from advx.data.dataset import Split
from advx.evaluation.transfer import predictions
from advx.figures import pyplot as plt
from advx.figures.kept import keep, save_figure

WRONG = "#b2182b"
RIGHT = "#404040"


def transfer_figure(
    folder: Path, clean: Split, adversarial: Split, targets: dict[str, nn.Module], *, title: str
) -> None:
    """Write `transfer.png`, `transfer.pdf` and `arrays.npz` into `folder`.

    One column an example: the clean image, the perturbation on a scale symmetric about 0, the
    adversarial image, and under it each target's prediction, mistakes in red.
    """
    x = clean.images.cpu().numpy()
    x_adv = adversarial.images.cpu().numpy()
    labels = clean.labels.cpu().numpy()
    said = {name: predictions(m, adversarial.images).cpu().numpy() for name, m in targets.items()}
    before = {name: predictions(m, clean.images).cpu().numpy() for name, m in targets.items()}
    arrays = {"images": x, "adversarial": x_adv, "labels": labels}
    arrays |= {f"prediction_{name}": p for name, p in said.items()}
    arrays |= {f"clean_prediction_{name}": p for name, p in before.items()}
    options: dict[str, Any] = {"models": list(said), "title": title}
    keep(folder, "digits", arrays, options)
    draw(folder, arrays, **options)


def draw(folder: Path, arrays: dict[str, np.ndarray], *, models: list[str], title: str) -> None:
    """The figure from its arrays: `images`, `adversarial`, `labels`, `prediction_MODEL`."""
    x, x_adv, labels = (arrays[key] for key in ("images", "adversarial", "labels"))
    said = {name: arrays[f"prediction_{name}"] for name in models}
    n = len(x)
    width = 0.95 * n + 1.6
    note = "predictions under each adversarial image, mistakes in red; images shown cut to [0, 1]"
    heading = [*textwrap.wrap(title, int(15 * width)), *textwrap.wrap(note, int(15 * width))]
    above = 0.14 * len(heading) + 0.35  # inches
    below = 0.24 * len(said) + 0.1
    size = float(np.abs(x_adv - x).max()) or 1.0
    figure, axes = plt.subplots(
        3, n, figsize=(width, 2.9 + above + below), squeeze=False,
        gridspec_kw={"wspace": 0.06, "hspace": 0.06},
    )  # fmt: skip
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=1.55 / width, right=0.995, top=1 - above / height, bottom=below / height
    )
    for column in range(n):
        rows = [(x[column], 0, 1, "gray"), (x_adv[column] - x[column], -size, size, "RdBu_r"),
                (x_adv[column], 0, 1, "gray")]  # fmt: skip
        for row, (image, low, high, colours) in enumerate(rows):
            axis = axes[row, column]
            shown = image[0] if len(image) == 1 else np.clip(image.transpose(1, 2, 0), 0, 1)
            axis.imshow(shown, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        axes[0, column].set_title(f"{labels[column]}", fontsize=10, pad=3)
        for line, predicted in enumerate(said.values()):
            wrong = predicted[column] != labels[column]
            axes[2, column].annotate(
                str(predicted[column]), (0.5, 0), (0, -13 - 16 * line), xycoords="axes fraction",
                textcoords="offset points", ha="center", va="center", fontsize=10,
                color=WRONG if wrong else RIGHT, fontweight="bold" if wrong else "normal",
            )  # fmt: skip
    names = ["clean", f"perturbation\n(±{size:.2g})", "adversarial"]
    for row, name in enumerate(names):
        axes[row, 0].annotate(
            name, (0, 0.5), (-6, 0), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="center", fontsize=9,
        )  # fmt: skip
    for line, name in enumerate(said):
        axes[2, 0].annotate(
            name.replace("_", " "), (0, 0), (-6, -13 - 16 * line), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="center", fontsize=9,
        )  # fmt: skip
    figure.text(0.5, 1 - 0.06 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
    save_figure(figure, folder, "transfer", dpi=160)
    plt.close(figure)
