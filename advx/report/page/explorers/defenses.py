"""Defenses under one step and under the strongest attack: where the two fall apart.

A defense that only hides the gradient looks strong under one step along the plain cross-entropy;
the strongest attack does not need that gradient.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advx.config.cells import Cell, setting
from advx.report.markdown import words
from advx.report.page.charts import CURVE
from advx.report.page.explorers.explorer import Explorer, run_of
from advx.report.page.runs import Number, RunRead

EXPERIMENT = "defenses"

NAIVE = setting(objective="cross_entropy")
ATTACKS: Mapping[str, tuple[str, tuple[str, str]]] = {
    "naive": ("one step, float32 cross-entropy", ("fgsm_error_rate", NAIVE)),
    "step": ("one step, log-odds", ("fgsm_error_rate", "")),
    "strongest": ("strongest attack", ("strongest_error_rate", "")),
}
"""Of each attack, what a reader sees, and its metric and setting."""

WIDTH, HEIGHT, EDGE = 132, 66, 3
"""Of the small curves, in pixels."""


@dataclass(frozen=True)
class Curve:
    """One defense's errors over ε, as the points of two lines of SVG, and the area between them."""

    naive: str
    strongest: str
    between: str


@dataclass(frozen=True)
class Defense:
    """One defense.

    Attributes:
        name: its own.
        clean: its error without an attack.
        errors: by size, then by attack.
        curve: over ε; None where there are no curves.
    """

    name: str
    clean: Number | None
    errors: Mapping[float, Mapping[str, Number]]
    curve: Curve | None

    def gap(self, size: float) -> float:
        """Points by which the strongest attack's error is above the naive step's."""
        errors = self.errors[size]
        return errors["strongest"].mean - errors["naive"].mean


def explorer(runs: Sequence[RunRead]) -> Explorer | None:
    """Every defense with the three attacks at some size; None where the runs have none."""
    run = run_of(runs, EXPERIMENT)
    if run is None:
        return None
    sizes = sorted(
        {n.cell.epsilon for n in run.numbers if n.cell.epsilon and n.cell.setting == NAIVE}
    )
    rows = dict.fromkeys(number.cell.row for number in run.numbers)
    found = [defense for row in rows if (defense := _defense(run, row, sizes)) is not None]
    if not sizes or not found:
        return None
    found.sort(key=lambda defense: defense.errors[sizes[0]]["strongest"].mean)
    reach = max((n.cell.epsilon or 0 for n in run.numbers if n.cell.setting == CURVE), default=0)
    shown = {
        "sizes": sizes,
        "attacks": {name: label for name, (label, _) in ATTACKS.items()},
        "defenses": found,
        "reach": reach,
        "width": WIDTH,
        "height": HEIGHT,
    }
    return Explorer("defenses", "Defenses: does it hold, or hide the gradient?", [run], shown)


def _defense(run: RunRead, row: str, sizes: Sequence[float]) -> Defense | None:
    """A row of the run, if it has every attack at every size."""
    errors = {
        size: {
            name: run.by_cell.get(Cell(row, metric, size, named))
            for name, (_, (metric, named)) in ATTACKS.items()
        }
        for size in sizes
    }
    whole = {
        size: {name: number for name, number in some.items() if number is not None}
        for size, some in errors.items()
    }
    if any(len(some) < len(ATTACKS) for some in whole.values()):
        return None
    return Defense(
        words(row), run.by_cell.get(Cell(row, "clean_error_rate")), whole, _curve(run, row)
    )


def _curve(run: RunRead, row: str) -> Curve | None:
    """The two lines of a defense."""
    lines = []
    for name in ("naive", "strongest"):
        metric, named = ATTACKS[name][1]
        place = row, metric, setting(CURVE, named)
        some = {
            n.cell.epsilon: n.mean
            for n in run.numbers
            if (n.cell.row, n.cell.metric, n.cell.setting) == place
            and n.cell.epsilon is not None
            and not math.isnan(n.mean)
        }
        if len(some) < 2:
            return None
        most = max(some)
        lines.append([(_x(size / most), _y(rate)) for size, rate in sorted(some.items())])
    naive, strongest = lines
    between = [*naive, *reversed(strongest)]
    return Curve(*(" ".join(f"{x:g},{y:g}" for x, y in line) for line in (*lines, between)))


def _x(share: float) -> float:
    return round(EDGE + share * (WIDTH - 2 * EDGE), 1)


def _y(rate: float) -> float:
    return round(HEIGHT - EDGE - rate / 100 * (HEIGHT - 2 * EDGE), 1)
