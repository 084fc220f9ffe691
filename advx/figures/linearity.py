"""Logits along an adversarial direction, with the digits under the axis, and what follows."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.curves import COLOURS as FEW
from advx.figures.kept import save_figure
from advx.figures.windows import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIGITS = 11
"""Pictures under the axis."""


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    label: int,
    class_names: Sequence[str],
    model: str,
    title: str,
) -> None:
    """Write `linearity.png` and `.pdf`.

    Args:
        folder: where.
        arrays: `sizes` (k,), `logits` and `tangents` (k, classes), `image` and `sign`
            (channels, h, w), `epsilons`, `errors_MODEL` (2, epsilons: along the sign, at random),
            `pixels`, `sums_sign`, `sums_random`.
        label: the digit's class.
        class_names: one a class.
        model: whose logits they are.
        title: over the figure.
    """
    width, height = 13.0, 5.6
    heading = textwrap.wrap(title, int(13 * width))
    figure = plt.figure(figsize=(width, height))
    top = 1 - (0.17 * len(heading) + 0.42) / height
    main = figure.add_axes((0.05, 0.30, 0.40, top - 0.30))
    sizes, logits = arrays["sizes"], arrays["logits"]
    for k, name in enumerate(class_names):
        colour, own = COLOURS[k % len(COLOURS)], k == label
        main.plot(
            sizes,
            logits[:, k],
            color="black" if own else colour,
            linewidth=2.2 if own else 1.3,
            label=f"{name} (correct)" if own else name,
        )
        main.plot(sizes, arrays["tangents"][:, k], ":", color="black" if own else colour,
                  linewidth=0.8)  # fmt: skip
    spread = logits.max() - logits.min()
    main.set(xlim=(sizes[0], sizes[-1]), ylabel="logit",
             ylim=(logits.min() - 0.05 * spread, logits.max() + 0.05 * spread))  # fmt: skip
    main.set_title(f"{model}: logits along the gradient's sign, dotted their tangents", fontsize=10)
    figure.legend(
        *main.get_legend_handles_labels(),
        fontsize=7.5,
        frameon=False,
        ncols=6,
        handlelength=1.6,
        loc="lower center",
        bbox_to_anchor=(0.25, 0.0),
    )
    main.grid(alpha=0.25)
    _digits(figure, main, arrays)
    errors = figure.add_axes((0.52, 0.30, 0.20, top - 0.30))
    models = [key.removeprefix("errors_") for key in arrays if key.startswith("errors_")]
    for k, name in enumerate(models):
        for style, values in zip(("-", "--"), arrays[f"errors_{name}"], strict=True):
            errors.plot(arrays["epsilons"], values, style, color=FEW[k % len(FEW)], marker="o",
                        markersize=3,
                        label=name.replace("_", " ") if style == "-" else None)  # fmt: skip
    errors.plot([], [], "--", color="#404040", label="random signs")
    errors.set(xlabel="ε (max norm)", ylabel="error rate (%)", ylim=(-2, 102))
    errors.set_title("errors along the sign", fontsize=10)
    added = figure.add_axes((0.785, 0.30, 0.20, top - 0.30))
    for kind, name, style in (("sign", "ε‖w‖₁: along the sign", "-"),
                              ("random", "ε‖w‖₂: random signs", "--")):  # fmt: skip
        if f"sums_{kind}" in arrays:
            added.plot(arrays["pixels"], 0.1 * arrays[f"sums_{kind}"], style, color="black",
                       marker="o", markersize=3, label=name)  # fmt: skip
    added.set(xlabel="pixels", ylabel="change of a logit difference, ε = .1")
    added.set_title("a linear model", fontsize=10)
    for axis in (errors, added):
        axis.legend(fontsize=7.5, frameon=False, loc="upper center", handlelength=3,
                    bbox_to_anchor=(0.5, -0.16))  # fmt: skip
        axis.grid(alpha=0.25)
    for axis in (main, errors, added):
        axis.spines[["top", "right"]].set_visible(False)
    figure.text(0.5, 1 - 0.08 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
    save_figure(figure, folder, "linearity", dpi=160)
    plt.close(figure)


def _digits(figure: "Figure", axis: "Axes", arrays: dict[str, np.ndarray]) -> None:
    """The image at evenly spaced ε, each centred under its place on the axis."""
    sizes, box = arrays["sizes"], axis.get_position()
    side = 0.9 * box.width / DIGITS
    tall = side * figure.get_figwidth() / figure.get_figheight()
    places = np.linspace(sizes[0], sizes[-1], DIGITS)
    for place in places:
        share = (place - sizes[0]) / (sizes[-1] - sizes[0])
        small = figure.add_axes(
            (box.x0 + share * box.width - side / 2, box.y0 - 0.07 - tall, side, tall)
        )
        image = arrays["image"] + place * arrays["sign"]
        shown = image[0] if len(image) == 1 else np.clip(image.transpose(1, 2, 0), 0, 1)
        small.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        small.set(xticks=[], yticks=[])
    axis.set_xticks(places, [f"{place:.1f}" for place in places])
    figure.text(box.x0 + box.width / 2, box.y0 - 0.10 - tall, "ε, and the image there (shown cut "
                "to [0, 1])", ha="center", va="top", fontsize=8.5)  # fmt: skip
