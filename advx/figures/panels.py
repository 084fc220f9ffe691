"""Panels of small multiples: curves over seeds with the chapter's figures, or distributions.

A curve is the mean over the seeds; the band around it reaches from the smallest to the largest. Its
name stands at its end or beside it, and the chapter's figures are stars, joined to the curve that
they belong to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from advx.figures import style
from advx.figures.labels import Names
from advx.figures.line_ends import label_ends
from advx.figures.saved import settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TICKS = 10
"""Places of a logarithmic axis that are named one by one; with more, the powers of ten are."""

MANY_POWERS = 1e3
"""Of a logarithmic vertical axis whose end is so many times its beginning, the powers of ten alone
are named."""

WIDE = 2
"""So many panels abreast have room for large titles and many ticks."""

STAR = 9.0
"""Width of the chapter's star, in points."""

LINE = 1.4
"""A curve's width in points."""


@dataclass
class Curve:
    """A number against another, for every seed.

    Attributes:
        label: its name, of one line or several.
        places: (k,), along the axis.
        values: (seeds, k), or (k,) of one seed; NaN where there is none.
        color: a color of `style`.
        dash: index into `style.DASHES` and `style.MARKERS`.
        points: whether the places are marked.
        named: whether the name is written; it need not be twice.
        width: of the line, in points.
    """

    label: str
    places: Sequence[float]
    values: Any
    color: str = style.OURS
    dash: int = 0
    points: bool = True
    named: bool = True
    width: float = LINE


@dataclass
class Mark:
    """A figure of the chapter, in a panel of curves.

    Attributes:
        label: what is written beside it.
        place: along the axis.
        value: the figure.
        curve: index of the curve that it belongs to.
    """

    label: str
    place: float
    value: float
    curve: int = 0


@dataclass
class Panel:
    """One pair of axes: curves with marks, or distributions by name, (n,) values each.

    Attributes:
        title: what is shown.
        basis: what it was measured on: seeds and examples.
        names: where curves are named.
        x: label of the horizontal axis.
        y: label of the vertical one; empty where the panel to the left has the same.
        limits: of the vertical axis; None to see everything.
        reach: of the horizontal axis; None to see everything.
        logarithmic: which axes are.
        ticks: places to name along the horizontal axis; none for the usual.
    """

    title: str
    curves: list[Curve] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    distributions: dict[str, np.ndarray] = field(default_factory=dict)
    basis: str = ""
    names: Literal["ends", "inside", "none"] = "ends"
    x: str = "ε (max norm)"
    y: str = "error rate (%)"
    limits: tuple[float, float] | None = (-3, 103)
    reach: tuple[float, float] | None = None
    logarithmic: Literal["", "x", "xy"] = ""
    ticks: dict[str, float] = field(default_factory=dict)


def fill(
    figure: "Figure",
    axes: Sequence["Axes"],
    panels: Sequence[Panel],
    abreast: Sequence[int],
    first: int = 0,
) -> None:
    """Draw panels into their axes; nothing moves any more afterward.

    Args:
        figure: it, with constrained layout.
        axes: one a panel.
        panels: what to draw.
        abreast: how many panels share the page's width with each.
        first: place of the first one's letter, where others stand before them.
    """
    for index, (axis, panel, beside) in enumerate(zip(axes, panels, abreast, strict=True)):
        head = f"{style.letter(first + index)}  " if first or len(panels) > 1 else ""
        axis.set_title(
            head + panel.title, loc="left", fontsize=style.TEXT if beside <= WIDE else style.SMALL
        )
        axis.grid()
        axis.set_axisbelow(True)
        axis.set(xlabel=panel.x, ylabel=panel.y)
        axis.tick_params(labelleft=bool(panel.y))
        if panel.distributions:
            _distributions(axis, panel)
        else:
            _curves(axis, panel, most=6 if beside <= WIDE else 3)
    figure.draw_without_rendering()
    for axis, panel in zip(axes, panels, strict=True):
        if panel.names == "ends":
            ends = [end for curve in panel.curves if (end := _end(curve))]
            label_ends(axis, ends, joined=True)
    settle(figure, style.DPI)  # names inside are placed by what lies where
    for axis, panel in zip(axes, panels, strict=True):
        _names(axis, panel)


def bases(panels: Sequence[Panel], first: int = 0) -> str:
    """What the panels were measured on, those of one basis together."""
    letters: dict[str, str] = {}
    for index, panel in enumerate(panels):
        if panel.basis:
            letters[panel.basis] = letters.get(panel.basis, "") + style.letter(first + index)
    if len(letters) == 1:
        return f"Curves: {next(iter(letters))}"
    return "; ".join(f"{', '.join(which)}: {basis}" for basis, which in letters.items())


def _mean(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The smallest, the mean and the largest over the seeds, (k,) each; NaN where there is none."""
    values = np.atleast_2d(np.asarray(curve.values, float))
    known = np.isfinite(values)
    count = known.sum(0)
    mean = np.where(known, values, 0).sum(0) / np.where(count, count, np.nan)
    low, high = np.where(known, values, np.inf).min(0), np.where(known, values, -np.inf).max(0)
    return np.where(count, low, np.nan), mean, np.where(count, high, np.nan)


def _end(curve: Curve) -> tuple[float, float, str, str] | None:
    """Where a curve ends, with its name and color; None for one without a number or a name."""
    mean = _mean(curve)[1]
    last = np.flatnonzero(np.isfinite(mean))
    if not len(last) or not curve.named:
        return None
    return curve.places[last[-1]], float(mean[last[-1]]), curve.label, curve.color


def _curves(axis: "Axes", panel: Panel, most: int) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    for curve in panel.curves:
        low, mean, high = _mean(curve)
        if np.nanmax(high - low, initial=0) > 0:
            axis.fill_between(
                curve.places, low, high, color=curve.color, alpha=style.BAND, linewidth=0
            )
        axis.plot(
            curve.places,
            mean,
            style.DASHES[curve.dash % len(style.DASHES)],
            color=curve.color,
            marker=style.MARKERS[curve.dash % len(style.MARKERS)] if curve.points else "",
            linewidth=curve.width,
        )
    for mark in panel.marks:
        curve = panel.curves[mark.curve]
        mean = _mean(curve)[1]
        if mark.place in curve.places:
            ours = mean[list(curve.places).index(mark.place)]
            axis.plot([mark.place] * 2, [mark.value, ours], color=curve.color, linewidth=0.7)
        axis.plot(
            mark.place,
            mark.value,
            "*",
            markersize=STAR,
            color=style.CHAPTER,
            zorder=5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            clip_on=False,
        )
    if panel.limits:
        axis.set_ylim(panel.limits)
    if panel.reach:
        axis.set_xlim(panel.reach)
    if not panel.logarithmic:
        axis.xaxis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
    else:
        axis.set_xscale("log")
        places = sorted({place for curve in panel.curves for place in curve.places})
        if len(places) <= MOST_TICKS and not panel.ticks:
            axis.set_xticks(places, [f"{place:,g}" for place in places])
            axis.minorticks_off()
    if panel.logarithmic == "xy":
        axis.set_yscale("log")
        bottom, top = axis.get_ylim()
        narrow = top < MANY_POWERS * bottom
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_minor_locator(NullLocator())
    if panel.ticks:
        axis.set_xticks(list(panel.ticks.values()), list(panel.ticks))
        axis.minorticks_off()


def _names(axis: "Axes", panel: Panel) -> None:
    """Names inside the axes: of curves, of the chapter's figures, of distributions."""
    names = Names(axis)
    if panel.distributions:
        drawn = [names.avoid(x, y) for x, y in _outlines(panel)]
        for (label, color), line in zip(_shades(panel), drawn, strict=True):
            names.name(label, color, line, high=True)
        return
    lines = [names.avoid(curve.places, _mean(curve)[1]) for curve in panel.curves]
    for mark in panel.marks:
        names.mark(mark.label, style.CHAPTER, mark.place, mark.value, STAR / 2, lines[mark.curve])
    if panel.names == "inside":
        for curve, line in zip(panel.curves, lines, strict=True):
            if curve.named:
                names.name(curve.label, curve.color, line)


def _shades(panel: Panel) -> list[tuple[str, str]]:
    """Name and color of every distribution."""
    return [
        (name, style.SERIES[k % len(style.SERIES)]) for k, name in enumerate(panel.distributions)
    ]


def _outlines(panel: Panel) -> list[tuple[np.ndarray, np.ndarray]]:
    """Steps of every distribution's histogram, as high as 1: x and y."""
    pooled = np.concatenate(list(panel.distributions.values()))
    low, high = np.quantile(pooled, [0.001, 0.999])
    edges = np.linspace(low, high, 61)
    made = []
    for values in panel.distributions.values():
        counts, _ = np.histogram(np.clip(values, low, high), edges)
        share = np.repeat(counts / counts.max(), 2)
        made.append((np.repeat(edges, 2), np.concatenate([[0], share, [0]])))
    return made


def _distributions(axis: "Axes", panel: Panel) -> None:
    looks = zip(_shades(panel), _outlines(panel), style.HATCHES, strict=False)
    for (_, color), (x, y), hatch in looks:
        axis.fill_between(x, y, color=color, alpha=0.4, linewidth=0, hatch=hatch)
        axis.plot(x, y, color=color, linewidth=0.8)
    axis.axvline(0, color="#404040", linewidth=0.8)
    axis.set(ylim=(0, 1.05), yticks=[])
