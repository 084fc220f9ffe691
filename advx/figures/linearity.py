"""Logits along an adversarial direction, with the digits under the axis, and what follows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures import style
from advx.figures.panels import Curve, Panel, bases, fill
from advx.figures.saved import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIGITS = 11
"""Images under the axis."""

HEIGHTS = (2.3, 0.55, 2.1)
"""Of the logits, of the images under them, and of what follows, in inches."""


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    label: int,
    class_names: Sequence[str],
    model: str,
    bases_of: Sequence[str],
    finding: str,
    provenance: str,
) -> None:
    """Write `linearity.png` and `.pdf`.

    Args:
        folder: where.
        arrays: `sizes` (k,), `logits` and `tangents` (k, classes), `image` and `sign`
            (channels, h, w), `epsilons` (e,), `errors_MODEL` (2, seeds, e: along the sign, at
            random), `pixels` (p,), `sums_sign` and `sums_random` (seeds, p).
        label: the image's class.
        class_names: one a class.
        model: whose logits they are.
        bases_of: what the logits, the errors and the sums were measured on.
        finding: the figure's title: what the numbers say, in one sentence.
        provenance: what ran.
    """
    along, at_random = _errors(arrays)
    panels = [_logits(arrays, label, class_names, model), along, at_random, _sums(arrays)]
    for panel, which in zip(panels, (0, 1, 1, 2), strict=True):
        panel.basis = bases_of[which]
    with style.styled():
        figure = style.page(
            sum(HEIGHTS), finding=finding, provenance=f"{provenance}. {bases(panels)}"
        )
        grid = figure.add_gridspec(3, 1, height_ratios=HEIGHTS)
        main = figure.add_subplot(grid[0])
        strip = figure.add_subplot(grid[1])
        below = grid[2].subgridspec(1, 3)
        axes = [main, *(figure.add_subplot(below[k]) for k in range(3))]
        strip.set(
            xlim=panels[0].reach,
            ylim=(0, 1),
            yticks=[],
            xlabel="ε along the sign, and the image there (cut to [0, 1])",
        )
        strip.tick_params(bottom=False, labelbottom=False)
        strip.spines[:].set_visible(False)
        fill(figure, axes, panels, [1, 3, 3, 3])
        _images(strip, arrays)
        save_figure(figure, folder, "linearity", dpi=style.DPI)
        plt.close(figure)


def _logits(
    arrays: dict[str, np.ndarray], label: int, class_names: Sequence[str], model: str
) -> Panel:
    """The logits of the correct class and of the one that overtakes it; the others are gray."""
    sizes, logits = arrays["sizes"].tolist(), arrays["logits"]
    rival = int(np.delete(np.arange(logits.shape[1]), label)[np.delete(logits[-1], label).argmax()])
    curves: list[Curve] = []
    for k, name in enumerate(class_names):
        if k not in (label, rival):
            curves.append(
                Curve(
                    "the other classes" if not curves else name,
                    sizes,
                    logits[:, k],
                    style.NEUTRAL,
                    points=False,
                    named=not curves,
                    width=0.6,
                )
            )
    for k, color, suffix in ((rival, style.ADVERSARIAL, ""), (label, style.OURS, " (correct)")):
        name, tangent = class_names[k], arrays["tangents"][:, k]
        curves.append(Curve(f"{name}{suffix}", sizes, logits[:, k], color, points=False, width=2.0))
        curves.append(
            Curve(f"tangent of {name} at ε = 0", sizes, tangent, color, 2, points=False, width=1.0)
        )
    spread = np.ptp(logits)
    limits = logits.min() - 0.05 * spread, logits.max() + 0.05 * spread
    margin = 0.05 * (sizes[-1] - sizes[0])
    return Panel(
        f"{style.called(model)}: logits along the sign of the gradient",
        curves,
        names="inside",
        x="",
        y="logit",
        limits=(float(limits[0]), float(limits[1])),
        reach=(sizes[0] - margin, sizes[-1] + margin),
        ticks={
            f"{place:.1f}".replace("-", "−"): place
            for place in np.linspace(sizes[0], sizes[-1], DIGITS)
        },
    )


def _errors(arrays: dict[str, np.ndarray]) -> tuple[Panel, Panel]:
    """Errors along the sign, and along random signs."""
    panels = (Panel("error along the sign", names="none"), Panel("error along random signs", y=""))
    models = [key.removeprefix("errors_") for key in arrays if key.startswith("errors_")]
    for index, model in enumerate(models):
        label = style.called(model).replace(" ", "\n", 1)
        for panel, errors in zip(panels, arrays[f"errors_{model}"], strict=True):
            panel.curves.append(
                Curve(
                    label,
                    arrays["epsilons"].tolist(),
                    errors,
                    style.SERIES[index % len(style.SERIES)],
                    index,
                )
            )
    return panels


def _sums(arrays: dict[str, np.ndarray]) -> Panel:
    """What ε = .1 adds to a difference of two logits of a linear model."""
    panel = Panel(
        "a linear model, ε = .1", names="inside", x="pixels", limits=None, y="logit difference"
    )
    for dash, (kind, label, color) in enumerate(
        (
            ("sign", "ε‖w‖₁:\nthe sign", style.OURS),
            ("random", "ε‖w‖₂: random signs", style.NEUTRAL),
        )
    ):
        if f"sums_{kind}" in arrays:
            panel.curves.append(
                Curve(label, arrays["pixels"].tolist(), 0.1 * arrays[f"sums_{kind}"], color, dash)
            )
    return panel


def _images(axis: "Axes", arrays: dict[str, np.ndarray]) -> None:
    """The image at evenly spaced ε, each square and centered under its place on the axis above."""
    sizes, frame = arrays["sizes"], axis.get_window_extent()
    left, right = axis.get_xlim()
    places = np.linspace(sizes[0], sizes[-1], DIGITS)
    side = min(0.92 * (places[1] - places[0]), (right - left) * frame.height / frame.width)
    tall = side / (right - left) * frame.width / frame.height  # in the axes' heights
    for place in places:
        image = arrays["image"] + place * arrays["sign"]
        shown = np.clip(image[0] if len(image) == 1 else image.transpose(1, 2, 0), 0, 1)
        axis.imshow(
            shown,
            cmap="gray",
            vmin=0,
            vmax=1,
            interpolation="nearest",
            aspect="auto",
            extent=(place - side / 2, place + side / 2, 1 - tall, 1),
        )
    axis.set(xlim=(left, right), ylim=(0, 1))
