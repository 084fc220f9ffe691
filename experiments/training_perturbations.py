"""Adversarial against virtual adversarial training, like with like. Sections 1.2.7, 1.3 and 1.3.1.

    advx run experiment=training_perturbations                  # digits that ship with a package
    advx run experiment=training_perturbations scale=chapter    # MNIST, three seeds

In `defenses` virtual adversarial training withstands what breaks the adversarially trained network.
The two differ in more than the labels: in the ball, and where the method comes from in the network.

The procedure: train one network as long as any other on the perturbations of one ball at a time,
found by one step along the labels' gradient, by one longer step from a random point, by several
steps, or by the virtual adversarial direction, which needs no label. Do it again with another
network. Attack all of them with the strongest attack, in either norm.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from advx.config.cells import Cell, Cells, setting
from advx.config.config import Config
from advx.evaluation.robustness import errors_by_stage
from advx.evaluation.transfer import error_rate
from advx.figures.dots import Dots, dot_figure
from advx.figures.style import ADVERSARIAL, CLEAN, OURS, called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Model
from advx.types import NormName, Positive, PositiveInt, Some

PLAIN = "plain"
CLEAN_ERROR, STRONGEST = "clean_error_rate", "strongest_error_rate"

Ball = tuple[NormName, Positive]
"""A norm and a radius."""

Row = tuple[str, str, Ball | None]
"""Network, method and ball; a plain network has neither."""


def rows_of(trained: dict[str, dict[str, list[str]]], balls: dict[str, Ball]) -> dict[str, Row]:
    """What is trained, by the names of its rows."""
    made: dict[str, Row] = {}
    for network, methods in trained.items():
        made[f"{network}, {line('', None)}"] = (network, "", None)
        for method, named in methods.items():
            for ball in (balls[name] for name in named):
                made[f"{network}, {line(method, ball)}"] = (network, method, ball)
    return made


def line(method: str, ball: Ball | None) -> str:
    """What a training is called, whatever the network: `several steps, max norm .25`."""
    return PLAIN if ball is None else f"{method.replace('_', ' ')}, {in_words(ball)}"


def in_words(ball: Ball) -> str:
    """A ball's norm and radius."""
    norm, epsilon = ball
    return f"{'max norm' if norm == 'linf' else 'L2'} {size(epsilon)}"


def under(norm: NormName) -> str:
    """The setting of an attack in this norm; the max norm goes without saying."""
    return "" if norm == "linf" else setting(norm=norm)


def cells(
    balls: dict[str, Ball], trained: dict[str, dict[str, list[str]]], attacked: list[Ball]
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    rows = list(rows_of(trained, balls))
    yield Cells(rows, [CLEAN_ERROR])
    for norm, epsilon in attacked:
        yield Cells(rows, [STRONGEST], [epsilon], [under(norm)])


def main(
    run: Run,
    models: dict[str, Config],
    methods: dict[str, Config],
    balls: dict[str, Ball],
    trained: dict[str, dict[str, list[str]]],
    strongest: Config,
    attacked: Some[Ball],
    examples: PositiveInt,
) -> None:
    """One row for each network, ball and method.

    Args:
        run: the run to measure on.
        models: the networks, by name.
        methods: the defenses, by name.
        balls: norm and radius of the perturbations in training, by name.
        trained: the balls of each method, by network.
        strongest: the worst of several attacks.
        attacked: norm and radius of its balls.
        examples: test examples that it is tried on.
    """
    rows = rows_of(trained, balls)
    with run.progress(models=len(rows) * len(run.seeds)):
        for seed in run.seeds:
            for row, (name, method, ball) in rows.items():
                defense = methods[method].with_(norm=ball[0], epsilon=ball[1]) if ball else None
                network = run.model(name, seed, defense=defense)
                errors(run, row, network, strongest, attacked, examples)
    draw(run, rows, attacked)
    run.finish()


def errors(
    run: Run,
    row: str,
    network: Model,
    strongest: Config,
    attacked: list[Ball],
    examples: int,
) -> None:
    """Errors on clean digits, and under the strongest attack in each ball."""
    add = partial(run.table.add, row, seed=network.seed)
    add(clean_error_rate=run.measure(error_rate, network, run.test()), n=len(run.test()))
    some = run.test(examples)
    for norm, epsilon in attacked:
        attack = run.attack(strongest.with_(norm=norm, epsilon=epsilon), network)
        rate = run.measure(errors_by_stage, network, attack, some).all
        add(strongest_error_rate=rate, epsilon=epsilon, setting=under(norm), n=len(some))


def draw(run: Run, rows: dict[str, Row], attacked: list[Ball]) -> None:
    """A line for every training, a dot for every ball of the attack, a panel for every network.

    Args:
        run: the run, with its numbers.
        rows: network, ball and method of every row.
        attacked: norm and radius of the attack's balls.
    """
    numbers = run.numbers()
    lines = list(dict.fromkeys(line(method, ball) for _, method, ball in rows.values()))
    dots = [Dots("clean", CLEAN, "|")]
    looks = ((ADVERSARIAL, "D"), (OURS, "o"), ("#cc79a7", "s"))
    for ball, (color, marker) in zip(attacked, looks, strict=False):
        dots.append(Dots(f"within {in_words(ball)}", color, marker))
    panels, shown = {}, []
    for network in dict.fromkeys(network for network, _, _ in rows.values()):
        named = [f"{network}, {each}" for each in lines]
        drawn = [Cell(row, CLEAN_ERROR) for row in named]
        for norm, epsilon in attacked[: len(looks)]:
            drawn += [Cell(row, STRONGEST, epsilon, under(norm)) for row in named]
        rates = numbers.over_seeds(drawn)
        panels[called(network)] = np.reshape(rates, (len(rates), len(dots), len(lines)))
        shown += drawn
    dot_figure(
        run.folder,
        "training_perturbations",
        lines,
        dots,
        panels,
        finding=finding(numbers, rows, attacked),
        provenance=f"{run.heading()}. Errors under the strongest attack: {numbers.basis(shown)}",
        reference=PLAIN,
    )


def finding(numbers: Numbers, rows: dict[str, Row], attacked: list[Ball]) -> str:
    """Which training of the first network withstands the first attack best, and which the last.

    Args:
        numbers: the run's.
        rows: what was trained, by name.
        attacked: norm and radius of the attack's balls.
    """
    first, _, _ = next(iter(rows.values()))
    parts = []
    for norm, epsilon in (attacked[0], attacked[-1]):
        errors = {
            line(method, ball): numbers.mean(row, STRONGEST, epsilon, under(norm))
            for row, (network, method, ball) in rows.items()
            if network == first
        }
        best = min(errors, key=lambda each: errors[each])
        parts.append(
            f"within {in_words((norm, epsilon))} “{best}” leaves the fewest errors, "
            f"{percentage(errors[best])} ({PLAIN}: {percentage(errors[PLAIN])})"
        )
    return f"Under the strongest attack on the {called(first)}, {'; '.join(parts)}"
