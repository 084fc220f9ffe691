"""Smoothed nearest neighbor's row of Table 1.1, by how its formula is computed.

    advx run experiment=smoothed_neighbor_precision                # digits of a package
    advx run experiment=smoothed_neighbor_precision scale=chapter  # MNIST

The procedure: the signs of the cost's gradient at every test digit, by the formula as it is printed
and by others that are equal to it in exact arithmetic, in several precisions; a step of the fast
gradient sign method along each; nearest neighbor's error. How many signs are not the exact ones?
"""

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from advx.config.cells import Cell, Cells, metrics_of
from advx.config.config import Config
from advx.errors import ConfigError
from advx.evaluation.neighbor_gradients import (
    Formula,
    SignErrors,
    gradient_signs,
    sign_errors,
    stepped,
)
from advx.evaluation.transfer import error_rate
from advx.figures.dots import Dots, dot_figure
from advx.figures.style import OURS, called, percentage
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.named import Derived
from advx.types import NonNegative, PositiveInt

EXACT, ANY = "exact", "nearest formula"
"""The reference among the formulas, and the row of all of them."""

UNITS = dict.fromkeys(("wrong_signs", "zero_signs", "spurious_signs"), "percent of signs")

PANELS = {
    "error_rate": "nearest neighbor's error",
    "wrong_signs": "wrong signs",
    "mostly_wrong": "digits mostly wrong",
}
"""What the figure shows, by metric."""


def cells(formulas: dict[str, Any]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    if EXACT not in formulas:
        raise ConfigError(f"formulas: {EXACT} is missing, which the others are compared with")
    yield Cells([*formulas], ["error_rate", *metrics_of(SignErrors)])
    yield Cells([ANY], ["chapter_distance"])


def main(
    run: Run,
    models: dict[str, Config],
    formulas: dict[str, Formula],
    epsilon: NonNegative,
    examples: PositiveInt | None,
    direct_examples: PositiveInt,
) -> None:
    """One row a formula; nothing is random.

    Args:
        run: the run to measure on.
        models: smoothed nearest neighbor, and the target.
        formulas: by name; `exact` among them.
        epsilon: size of the step in the max norm.
        examples: test examples, evenly spaced; null for all.
        direct_examples: the same for formulas that add up differences one by one, which is slow.
    """
    smoothed, target = run.model("smoothed_nearest_neighbor", 0), run.model("nearest_neighbor", 0)
    made = {name: as_formula(node) for name, node in formulas.items()}
    exact: dict[int | None, Derived[Tensor]] = {}
    for name, formula in made.items():
        count = direct_examples if formula.distances == "direct" else examples
        test = run.test(count)
        if count not in exact:
            exact[count] = run.derive(gradient_signs, smoothed, test, made[EXACT])
        signs = run.derive(gradient_signs, smoothed, test, formula)
        adversarial = run.derive(stepped, test, signs, epsilon)
        rate = run.measure(error_rate, target, adversarial)
        errors = run.measure(sign_errors, signs, exact[count])
        run.table.add(name, errors, error_rate=rate, unit=UNITS, seed=None, n=len(test))
    numbers = run.numbers()
    nearest = min(distances(numbers, [*formulas]).values(), default=math.nan)
    run.table.add(ANY, chapter_distance=nearest, seed=None, unit="points")
    draw(run, [*formulas])
    run.finish()


def as_formula(node: Any) -> Formula:
    """A formula from its keys in the configuration."""
    return Formula(**node)


def distances(numbers: Numbers, rows: list[str]) -> dict[str, float]:
    """How far each formula's error rate is from the chapter's, in points."""
    chapter = numbers.chapter(EXACT, "error_rate")
    rates = {row: numbers.mean(row, "error_rate") for row in rows}
    return {} if chapter is None else {row: abs(rate - chapter) for row, rate in rates.items()}


def draw(run: Run, rows: list[str]) -> None:
    """Every formula's error beside the chapter's, and what its signs are."""
    results = run.numbers()
    shown = [Cell(row, metric) for metric in PANELS for row in rows]
    rates = results.over_seeds(shown).reshape(-1, len(PANELS), 1, len(rows))
    dot_figure(
        run.folder,
        "smoothed_neighbor_precision",
        [called(row) for row in rows],
        [Dots("here", OURS, "o")],
        {words: rates[:, panel] for panel, words in enumerate(PANELS.values())},
        finding=finding(results, rows),
        provenance=f"{run.heading()}. Dots: {results.basis(shown)}",
        reference=called(EXACT),
        printed=[results.chapter(EXACT, "error_rate"), None, None],
        quantity="percent",
    )


def finding(results: Numbers, rows: list[str]) -> str:
    """What came out, in one sentence."""
    away = distances(results, rows)
    text = f"Exactly computed, nearest neighbor errs on {rate_of(results, EXACT)}"
    if not away:
        return text
    closest = min(away, key=lambda row: away[row])
    wrong = percentage(results.mean(closest, "wrong_signs"))
    return (
        f"{text}; nearest to the chapter's {results.chapter(EXACT, 'error_rate') or 0:.1f}% "
        f"comes {called(closest)}, {rate_of(results, closest)}, with {wrong} of the signs wrong"
    )


def rate_of(results: Numbers, row: str) -> str:
    """A formula's error rate for a sentence."""
    return f"{results.mean(row, 'error_rate'):.1f}%"
