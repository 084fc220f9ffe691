"""Error against the size of the perturbation, and distributions beside it."""

import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.kept import keep, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Distinguishable with any colour vision (Okabe and Ito 2008); one a model."""

MOST_TICKS = 10
"""Places of a logarithmic axis that are named one by one; with more, the powers of ten are."""

STYLES = ("-", "--", ":", "-.")
"""One an attack."""


@dataclass
class Curve:
    """Error rates in percent against epsilon.

    Attributes:
        label: "model: attack".
        epsilons, errors: (k,) each.
        colour, style: indices into COLOURS and STYLES.
    """

    label: str
    epsilons: list[float]
    errors: list[float]
    colour: int = 0
    style: int = 0


@dataclass
class Mark:
    """A figure of the chapter: an error rate in percent at one epsilon."""

    label: str
    epsilon: float
    error: float
    colour: int = 0


@dataclass
class Panel:
    """One pair of axes: curves with marks, or distributions by name, (n,) values each."""

    title: str
    curves: list[Curve] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    distributions: dict[str, np.ndarray] = field(default_factory=dict)
    axis: str = "ε (max norm)"
    height: str = "error rate (%)"
    logarithmic: bool = False


def error_figure(folder: Path, name: str, panels: list[Panel], *, title: str) -> None:
    """Write `name.png`, `name.pdf` and `arrays.npz` into `folder`."""
    arrays: dict[str, np.ndarray] = {}
    described: list[dict[str, Any]] = []
    for panel in panels:
        for curve in panel.curves:
            arrays[f"{panel.title}: {curve.label}"] = np.array([curve.epsilons, curve.errors])
        arrays |= {f"{panel.title}: {key}": v for key, v in panel.distributions.items()}
        looks = [{"label": c.label, "colour": c.colour, "style": c.style} for c in panel.curves]
        described.append(
            vars(panel)
            | {"curves": looks, "marks": [vars(mark) for mark in panel.marks],
               "distributions": list(panel.distributions)}
        )  # fmt: skip
    options: dict[str, Any] = {"name": name, "panels": described, "title": title}
    keep(folder, "curves", arrays, options)
    draw(folder, arrays, **options)


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str,
    panels: list[dict[str, Any]],
    title: str,
) -> None:
    """The figure from its arrays and from how each panel looks."""
    _draw(folder, name, [_panel(arrays, described) for described in panels], title)


def _panel(arrays: dict[str, np.ndarray], described: dict[str, Any]) -> Panel:
    """A panel as it was before it was kept."""
    head = described["title"]
    curves = []
    for look in described["curves"]:
        epsilons, errors = arrays[f"{head}: {look['label']}"].tolist()
        curves.append(Curve(epsilons=epsilons, errors=errors, **look))
    distributions = {key: arrays[f"{head}: {key}"] for key in described["distributions"]}
    return Panel(
        **described
        | {"curves": curves, "marks": [Mark(**mark) for mark in described["marks"]],
           "distributions": distributions}
    )  # fmt: skip


def _draw(folder: Path, name: str, panels: list[Panel], title: str) -> None:
    width = 6.2 * len(panels)
    heading = textwrap.wrap(title, int(13 * width))
    above = 0.17 * len(heading) + 0.35
    below = 0.16 * max((len(panel.curves) + 1) // 2 for panel in panels)  # legends
    figure, axes = plt.subplots(1, len(panels), figsize=(width, 4.4 + above + below), squeeze=False)
    for axis, panel in zip(axes[0], panels, strict=True):
        if panel.distributions:
            _distributions(axis, panel)
        else:
            _curves(axis, panel)
        axis.legend(
            fontsize=7.5,
            frameon=False,
            ncols=2,
            handlelength=3,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.13),
        )
        axis.set_title(panel.title, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    height = figure.get_figheight()
    figure.text(0.5, 1 - 0.08 / height, "\n".join(heading), ha="center", va="top", fontsize=8)
    figure.tight_layout(rect=(0, 0, 1, 1 - above / height + 0.03))
    save_figure(figure, folder, name, dpi=160)
    plt.close(figure)


def _curves(axis: "Axes", panel: Panel) -> None:
    for curve in panel.curves:
        axis.plot(
            curve.epsilons, curve.errors, STYLES[curve.style % len(STYLES)], marker="o",
            markersize=3, color=COLOURS[curve.colour % len(COLOURS)], label=curve.label,
        )  # fmt: skip
    for mark in panel.marks:
        axis.plot(
            mark.epsilon, mark.error, "*", markersize=14, markeredgecolor="white",
            color=COLOURS[mark.colour % len(COLOURS)], zorder=5, clip_on=False,
        )  # fmt: skip
        axis.annotate(
            mark.label, (mark.epsilon, mark.error), (-8, -2), textcoords="offset points",
            fontsize=7.5, ha="right", va="top", color=COLOURS[mark.colour % len(COLOURS)],
            zorder=6, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip
    axis.set(xlabel=panel.axis, ylabel=panel.height, ylim=(-2, 102))
    if panel.logarithmic:
        axis.set_xscale("log")
        places = sorted({place for curve in panel.curves for place in curve.epsilons})
        if len(places) <= MOST_TICKS:
            axis.set_xticks(places, [f"{place:,g}" for place in places])
            axis.minorticks_off()


def _distributions(axis: "Axes", panel: Panel) -> None:
    pooled = np.concatenate(list(panel.distributions.values()))
    low, high = np.quantile(pooled, [0.001, 0.999])
    edges = np.linspace(low, high, 61)
    for index, (name, values) in enumerate(panel.distributions.items()):
        axis.hist(
            np.clip(values, low, high), edges.tolist(), density=True, histtype="stepfilled",
            alpha=0.45, color=COLOURS[index % len(COLOURS)], label=name,
        )  # fmt: skip
    axis.axvline(0, color="#404040", linewidth=0.8)
    axis.set(xlabel=panel.axis, ylabel="density")
