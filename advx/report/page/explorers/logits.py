"""Logits along the direction of the fast gradient sign method, and their tangents."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from advx.report.page.explorers.explorer import Explorer, run_of
from advx.report.page.networks import text_of
from advx.report.page.runs import RunRead

EXPERIMENT = "linearity"

NEEDED = {"sizes", "logits", "tangents", "image", "sign"}

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 44, 30, 10, 26
"""Of the chart, in pixels, and the margins around it."""

APART = 13
"""Pixels between two names of classes."""

TICKS = 6

FIRST = 4
"""Classes that the table lists."""


@dataclass(frozen=True)
class Line:
    """One class's logits.

    Attributes:
        name, at: of the class.
        curve, tangent: as points of SVG.
        named: where its name stands.
        color: its number among those that are the largest somewhere, on the curve or the tangent,
            the right one first; None for the others.
    """

    name: str
    at: int
    curve: str
    tangent: str
    named: float
    color: int | None


def explorer(runs: Sequence[RunRead]) -> Explorer | None:
    """The chart of the run's digit; None where its arrays lack something."""
    run = run_of(runs, EXPERIMENT)
    if run is None or run.drawn is None:
        return None
    _, arrays, options = run.drawn
    if not arrays.keys() >= NEEDED:
        return None
    sizes, logits, tangents = (arrays[name] for name in ("sizes", "logits", "tangents"))
    low, high = float(min(logits.min(), tangents.min())), float(max(logits.max(), tangents.max()))

    def x(size: float) -> float:
        share = (size - sizes[0]) / (sizes[-1] - sizes[0])
        return float(LEFT + share * (WIDTH - LEFT - RIGHT))

    def y(value: float) -> float:
        return float(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM))

    def points(some: np.ndarray, values: np.ndarray) -> str:
        pairs = zip(some, values, strict=True)
        return " ".join(f"{x(size):.1f},{y(value):.1f}" for size, value in pairs)

    leading = [options["label"], *logits.argmax(1).tolist(), *tangents.argmax(1).tolist()]
    colors = {at: color for color, at in enumerate(dict.fromkeys(leading))}
    named = spread([y(value) for value in logits[-1]], APART)
    lines = [
        Line(
            name,
            at,
            points(sizes, logits[:, at]),
            points(sizes[[0, -1]], tangents[[0, -1], at]),
            round(named[at], 1),
            colors.get(at),
        )
        for at, name in enumerate(options["class_names"])
    ]
    begins = int(np.abs(sizes).argmin())
    shown = {
        "lines": sorted(lines, key=lambda line: line.color is not None),
        "model": options["model"],
        "label": options["class_names"][options["label"]],
        "finding": options.get("finding", ""),
        "steps": len(sizes) - 1,
        "begins": begins,
        "first": [
            (options["class_names"][at], *(f"{one[begins, at]:.2f}" for one in (logits, tangents)))
            for at in np.argsort(-logits[begins])[:FIRST].tolist()
        ],
        "reach": float(sizes[-1]),
        "down": [(round(x(size), 1), minus(size)) for size in np.linspace(sizes[0], sizes[-1], 5)],
        "across": [(round(y(value), 1), minus(value)) for value in _round_numbers(low, high)],
        "width": WIDTH,
        "height": HEIGHT,
        "edges": {"left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM},
        "changes": changes(sizes, logits, options["class_names"]),
    }
    channels, height, width = arrays["image"].shape
    data: dict[str, Any] = {
        "classes": list(options["class_names"]),
        "label": options["label"],
        "sizes": [round(float(size), 6) for size in sizes],
        "logits": text_of(logits.astype("<f4")),
        "tangents": text_of(tangents.astype("<f4")),
        "image": text_of(arrays["image"].astype("<f4")),
        "sign": text_of(arrays["sign"].astype("<f4")),
        "shape": [channels, height, width],
        "left": x(sizes[0]),
        "right": x(sizes[-1]),
    }
    return Explorer("logits", "Logits along a direction, and their tangents", [run], shown, data)


def changes(
    sizes: np.ndarray, logits: np.ndarray, names: Sequence[str]
) -> list[tuple[str, str, str]]:
    """The class on each stretch of the line: its name, and the first and the last size."""
    classes = logits.argmax(1)
    cuts = [0, *(np.flatnonzero(np.diff(classes)) + 1).tolist(), len(classes)]
    return [
        (names[classes[first]], minus(sizes[first]), minus(sizes[last - 1]))
        for first, last in pairwise(cuts)
    ]


def minus(value: float) -> str:
    """A number with three digits, for a reader."""
    return f"{value:.3g}".replace("-", "−")


def spread(places: Sequence[float], apart: float) -> list[float]:
    """Places moved as far apart as names need, in their order; the chart's lower edge holds."""
    made = [0.0] * len(places)
    least = float(TOP)
    order = sorted(range(len(places)), key=lambda at: places[at])
    for rank, at in enumerate(order):
        room = HEIGHT - (len(order) - rank) * apart
        made[at] = least = min(max(places[at], least), max(room, least))
        least += apart
    return made


def _round_numbers(low: float, high: float) -> list[float]:
    """Some round numbers between two."""
    step = 10.0 ** np.floor(np.log10((high - low) / TICKS))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (factor * step) <= TICKS)
    return [float(k * step) for k in range(int(np.ceil(low / step)), int(high // step) + 1)]
