"""Curves over ε as Vega-Lite specifications: one small chart for each metric and setting.

A specification is plain JSON with its data in it, and no address. The page gives it its colors, so
that the dark page has its own.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from advx.config import renamed
from advx.config.cells import Cell, parts_of
from advx.report.finished import cells_of
from advx.report.intervals import prediction
from advx.report.markdown import words
from advx.report.page.runs import RunRead
from advx.report.percentages import OF_A_HUNDRED

CURVE = "curve"
"""The part of a setting that marks the rows of a curve."""

FEWEST = 3
"""Sizes that make a curve."""

MOST_TICKS = 7
"""Sizes that are all named on the axis; more are left to Vega."""

HEIGHT = 200
"""Of a chart, in pixels; it is as wide as its place."""

Spec = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: metric and setting, in words.
        unit: of its values.
        points: `series, epsilon, value, low, high, seeds, n`, a dictionary each.
    """

    title: str
    unit: str
    points: Sequence[dict[str, Any]]

    @property
    def spec(self) -> Spec:
        """The chart, Vega-Lite."""
        return spec_of(self)


@dataclass(frozen=True)
class Charts:
    """The charts of a run, which share their series and colors.

    Attributes:
        series: names of the curves, in the order of the rows.
        panels: the charts.
    """

    series: Sequence[str]
    panels: Sequence[Panel]


def charts_of(run: RunRead) -> Charts | None:
    """The curves of a run; None where no row has several sizes."""
    panels = list(_panels(run.results, run))
    series = dict.fromkeys(point["series"] for panel in panels for point in panel.points)
    return Charts(list(series), panels) if panels else None


def _panels(results: pd.DataFrame, run: RunRead) -> Iterator[Panel]:
    """A panel for each metric, setting and unit of which some row has several sizes."""
    config = run.manifest["config"]
    found: dict[tuple[str, str, str], dict[Cell, list[Any]]] = {}
    for cell, line in zip(cells_of(results), results.itertuples(), strict=True):
        today = renamed.cell(cell, config)
        if today.epsilon is not None:
            place = today.metric, today.setting, str(line.unit)
            found.setdefault(place, {}).setdefault(today, []).append(line)
    for (metric, setting, unit), cells in found.items():
        points = [_point(cell, lines) for cell, lines in cells.items()]
        sizes: dict[str, set[float]] = {}
        for point in points:
            if point["value"] is not None:
                sizes.setdefault(point["series"], set()).add(point["epsilon"])
        shown = [p for p in points if len(sizes.get(p["series"], ())) >= FEWEST]
        if shown:
            parts = [part.replace("=", " = ") for part in parts_of(setting) if part != CURVE]
            yield Panel(words(", ".join([metric, *parts])), unit, shown)


def _point(cell: Cell, lines: Sequence[Any]) -> dict[str, Any]:
    """The mean over the seeds of one cell, and the band in which one more network would fall."""
    values = [float(line.value) for line in lines if math.isfinite(line.value)]
    examples = min((int(line.n) for line in lines if not pd.isna(line.n)), default=None)
    low, high = prediction(values, examples if lines[0].unit == "percent" else None)
    return {
        "series": words(cell.row),
        "epsilon": cell.epsilon,
        "value": _rounded(sum(values) / len(values)) if values else None,
        "low": _rounded(low),
        "high": _rounded(high),
        "seeds": len(lines),
        "n": examples,
    }


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def spec_of(panel: Panel) -> Spec:
    """A chart: a line with points for each series, and its band where there are several seeds.

    `shown` names the series that a reader has picked; the others step back.
    """
    percent = panel.unit in OF_A_HUNDRED
    y: Spec = {"field": "value", "type": "quantitative", "title": None}
    if percent:
        y["scale"] = {"domain": [0, 100], "nice": False}
        y["axis"] = {"values": [0, 25, 50, 75, 100]}
    x: Spec = {
        "field": "epsilon",
        "type": "quantitative",
        "title": "ε",
        "axis": {"grid": False, "format": "~g", "labelFlush": False, "tickCount": 6},
    }
    sizes = sorted({point["epsilon"] for point in panel.points})
    if len(sizes) <= MOST_TICKS:
        x["axis"]["values"] = sizes
    color: Spec = {"field": "series", "type": "nominal", "scale": {"domain": []}, "legend": None}
    picked = "shown == '' || datum.series == shown"
    number = ".2f" if percent else ".4~g"
    tooltip = [
        {"field": "series", "type": "nominal", "title": "row"},
        {"field": "epsilon", "type": "quantitative", "title": "ε", "format": "~g"},
        {"field": "value", "type": "quantitative", "title": panel.unit, "format": number},
        {"field": "low", "type": "quantitative", "title": "low", "format": number},
        {"field": "high", "type": "quantitative", "title": "high", "format": number},
        {"field": "seeds", "type": "quantitative", "title": "seeds"},
        {"field": "n", "type": "quantitative", "title": "n", "format": ","},
    ]
    layers: list[Spec] = []
    if any(point["low"] is not None for point in panel.points):
        bounds = {"low": {"field": "low", "type": "quantitative"}, "high": {"field": "high"}}
        layers.append(
            {
                "mark": {"type": "area", "clip": True},
                "encoding": {
                    "x": x,
                    "y": bounds["low"] | {"title": None},
                    "y2": bounds["high"],
                    "color": color,
                    "opacity": {"condition": {"test": picked, "value": 0.13}, "value": 0},
                },
            }
        )
    layers.append(
        {
            "mark": {"type": "line", "strokeWidth": 1.8},
            "encoding": {
                "x": x,
                "y": y,
                "color": color,
                "opacity": {"condition": {"test": picked, "value": 1}, "value": 0.12},
            },
        }
    )
    layers.append(
        {
            "mark": {"type": "point", "filled": True, "size": 34},
            "encoding": {
                "x": x,
                "y": y,
                "color": color,
                "opacity": {"condition": {"test": picked, "value": 1}, "value": 0.12},
                "tooltip": tooltip,
            },
        }
    )
    return {
        "description": f"{panel.title} over ε",
        "width": "container",
        "height": HEIGHT,
        "data": {"values": list(panel.points)},
        "params": [{"name": "shown", "value": ""}],
        "layer": layers,
    }
