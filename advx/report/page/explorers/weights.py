"""Figure 1.6 over the weight of the adversarial loss: what is predicted, and what it costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from advx.report.numbers import short
from advx.report.page.explorers.explorer import Explorer, run_of, sheet, webp
from advx.report.page.runs import RunRead

EXPERIMENT = "predictive_gan"

WIDTH, HEIGHT, EDGE = 200, 96, 8
"""Of the small charts, in pixels."""


@dataclass(frozen=True)
class Measure:
    """One small chart.

    Attributes:
        name, label: its own.
        top: the value at its upper edge.
        lines: by setting, the mean over the seeds at every weight, as points of SVG.
        dots: by setting, every seed at every weight, as (x, y).
    """

    name: str
    label: str
    top: float
    lines: dict[str, str]
    dots: dict[str, list[tuple[float, float]]]

    @property
    def percent(self) -> bool:
        """Whether it is a share of heads."""
        return "%" in self.label


def explorer(runs: Sequence[RunRead]) -> Explorer | None:
    """The weights, the measures over them, and the heads where they are stored."""
    run = run_of(runs, EXPERIMENT)
    if run is None or run.drawn is None or run.drawn[0] != "predictive":
        return None
    _, arrays, options = run.drawn
    weights = arrays["weights"].tolist()
    settings = {k: v for k, v in options["settings"].items() if f"hits {k}" in arrays}
    if len(weights) < 2 or not settings:
        return None
    places = [EDGE + at / (len(weights) - 1) * (WIDTH - 2 * EDGE) for at in range(len(weights))]
    measures = [
        _measure(arrays, name, label, settings, places)
        for name, label in options["measures"].items()
    ]
    rows = dict(options["rows"])
    every = {f"w = {weight:g}" for weight in weights} <= set(arrays)
    if every:
        rows |= {f"w = {weight:g}": "predicted" for weight in weights}
    heads = {
        name: webp(sheet(arrays[name], len(arrays[name]), gap=2).resize(_enlarged(arrays[name])))
        for name in rows
        if name in arrays
    }
    texts = {
        measure.name: {
            setting: [
                short(float(value), "percent" if measure.percent else "")
                for value in np.nanmean(arrays[f"{measure.name} {setting}"], axis=0)
            ]
            for setting in settings
        }
        for measure in measures
    }
    shown = {
        "weights": weights,
        "settings": settings,
        "measures": measures,
        "places": [round(place, 1) for place in places],
        "heads": {name: (rows[name], uri) for name, uri in heads.items()},
        "every": every,
        "width": WIDTH,
        "height": HEIGHT,
        "texts": texts,
    }
    data: dict[str, Any] = {
        "weights": weights,
        "texts": texts,
        "places": shown["places"],
        "every": every,
    }
    return Explorer("weights", "Figure 1.6 over the adversarial weight", [run], shown, data)


def _enlarged(images: np.ndarray) -> tuple[int, int]:
    """Twice the size of a row of images."""
    count, _, h, w = images.shape
    return 2 * (count * (w + 2) - 2), 2 * h


def _measure(
    arrays: dict[str, np.ndarray],
    name: str,
    label: str,
    settings: dict[str, str],
    places: Sequence[float],
) -> Measure:
    """One measure over the weights."""
    values = {setting: arrays[f"{name} {setting}"] for setting in settings}  # (seeds, weights)
    most = max((float(v) for each in values.values() for v in each.flat if v > 0), default=1.0)
    top = 100.0 if "%" in label else 1.0 if name == "auc" else most * 1.08

    def y(value: float) -> float:
        return round(HEIGHT - EDGE - value / top * (HEIGHT - 2 * EDGE), 1)

    lines, dots = {}, {}
    for setting, each in values.items():
        points = zip(places, np.nanmean(each, axis=0), strict=True)
        lines[setting] = " ".join(f"{x:.1f},{y(v):g}" for x, v in points if math.isfinite(v))
        dots[setting] = [
            (round(x, 1), y(float(v)))
            for x, column in zip(places, each.T, strict=True)
            for v in column
            if math.isfinite(v)
        ]
    return Measure(name, label, top, lines, dots)
