"""Table 1.1: adversarial examples crafted on one model, shown to another.

    advx run experiment=transfer_table                  # 5,000 digits that ship with a package
    advx run experiment=transfer_table scale=chapter    # MNIST, the chapter's networks

The procedure: train every network; craft with the fast gradient sign method, ε = .25 in the max
norm, on the maxout network (and once on smoothed nearest neighbor); count each target's mistakes
over all test examples. Other readings of what the chapter leaves open stand beside it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from advx.config.cells import Cells
from advx.data.dataset import one_of_each_class
from advx.errors import ConfigError
from advx.figures.digits import transfer_figure
from advx.figures.style import percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import NonNegativeInt, PositiveInt

TARGETS = {
    "maxout": ["nearest_neighbor", "relu", "tanh", "softmax_regression", "maxout"],
    "smoothed_nearest_neighbor": ["nearest_neighbor", "smoothed_nearest_neighbor"],
}
"""Crafting models and their targets, the crafting model itself last."""


@dataclass(frozen=True)
class Reading:
    """One way to read the protocol: the setting of its rows, and what it changes."""

    setting: str = ""
    attack: dict[str, Any] = field(default_factory=dict)
    all_training_data: bool = False
    published_schedule: bool = False

    @property
    def trains(self) -> bool:
        """Whether it needs networks of its own."""
        return self.all_training_data or self.published_schedule


ReadingName = Literal[
    "unclipped", "clipped", "float32_cross_entropy", "all_training_data", "published_schedule"
]
READINGS: dict[ReadingName, Reading] = {
    "unclipped": Reading(),
    "clipped": Reading("clipped", {"clip": [0.0, 1.0]}),
    "float32_cross_entropy": Reading("objective=cross_entropy", {"objective": "cross_entropy"}),
    "all_training_data": Reading("all_training_data", all_training_data=True),
    "published_schedule": Reading("published_schedule", published_schedule=True),
}


def cells(
    models: dict[str, Any], readings: list[ReadingName], retraining_seeds: int
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    for reading in map(READINGS.__getitem__, readings):
        if reading.trains and not retraining_seeds:
            continue
        for crafting, targets in TARGETS.items():
            rows = [f"{crafting} -> {target}" for target in targets]
            yield Cells(rows, ["error_rate"], settings=[reading.setting])
        if not reading.attack:
            yield Cells([*models], ["clean_error_rate"], settings=[reading.setting])


def main(
    run: Run,
    models: dict[str, Any],
    attack: dict[str, Any],
    readings: list[ReadingName],
    published_trainer: dict[str, Any],
    retraining_seeds: NonNegativeInt,
    figure_examples: PositiveInt,
) -> None:
    """Measure every reading of Table 1.1 on every seed.

    Args:
        run: the run to measure on.
        models: the bag of models, by name.
        attack: the attack's node.
        readings: names in `READINGS`, the chapter's own protocol first.
        published_trainer: the authors' own schedule, for the reading of that name.
        retraining_seeds: number of seeds for the readings that train every network again.
        figure_examples: test examples in the figure.
    """
    if attack.get("targeted"):
        raise ConfigError(
            "attack.targeted=True: Table 1.1 counts mistakes of any kind; valid: false "
            "(experiment=transfer takes both)"
        )
    for name in TARGETS:
        run.attack(attack, run.recipe(name, run.seeds[0]))  # refused before anything is trained
    networks = [name for name in models if run.recipe(name, 0).random]
    seeds = {
        name: run.seeds[:retraining_seeds] if READINGS[name].trains else run.seeds
        for name in readings
    }
    trainings = len(run.seeds) + sum(len(seeds[name]) for name in readings if READINGS[name].trains)
    with run.progress(models=trainings * len(networks)):
        for name in readings:
            for seed in seeds[name]:
                measure(run, list(models), attack, READINGS[name], published_trainer, seed)
    run.attempt(lambda: draw(run, attack, figure_examples))
    run.finish()


def measure(
    run: Run,
    models: list[str],
    attack: dict[str, Any],
    reading: Reading,
    published_trainer: dict[str, Any],
    seed: int,
) -> None:
    """One reading of the table for one seed. Rows without randomness are measured once."""
    attack = attack | reading.attack

    def recipe(name: str) -> Recipe:
        plain = run.recipe(name, seed)
        if reading.all_training_data:
            return retrained(run, plain)
        return replace(plain, trainer=published_trainer) if reading.published_schedule else plain

    def record(row: str, metric: str, target: str, crafting: str | None = None) -> None:
        random = any(run.recipe(name, seed).random for name in (target, crafting) if name)
        if random or seed == run.seeds[0]:
            value = run.attempt(
                lambda: (
                    run.error_rate(recipe(target), attack, crafting=recipe(crafting))
                    if crafting
                    else run.error_rate(recipe(target))
                ),
                math.nan,
            )
            known = {"seed": seed if random else None, "n": len(run.data.test)}
            run.record(row, metric, value, setting=reading.setting, **known)

    for crafting, targets in TARGETS.items():
        for target in targets:
            record(f"{crafting} -> {target}", "error_rate", target, crafting)
    if not reading.attack:
        for name in models:
            record(name, "clean_error_rate", name)


def retrained(run: Run, recipe: Recipe) -> Recipe:
    """The recipe on all the training data: as many epochs as were best with a validation set."""
    recipe_of_all = replace(recipe, part="training and validation examples")
    if not recipe.random:
        return recipe_of_all
    schedule = {"max_epochs": run.best_epoch(recipe), "patience": None}
    return replace(recipe_of_all, trainer=recipe.trainer | schedule)


def draw(run: Run, attack: dict[str, Any], examples: int) -> None:
    """The figure: digit, perturbation and adversarial digit, with every target's prediction."""
    seed = run.seeds[0]
    shown = one_of_each_class(run.data.test.labels, examples)
    crafted = run.crafted(attack, run.recipe("maxout", seed)).take(shown)
    targets = {name: run.trained(run.recipe(name, seed)).module for name in TARGETS["maxout"]}
    clean = run.data.test.take(shown)
    found = Numbers(run.results.rows)
    rates = {name: found.mean(f"maxout -> {name}", "error_rate") for name in targets}
    transfer_figure(
        run.folder, clean, crafted, targets, rates=rates,
        finding=finding(rates, attack.get("epsilon")), provenance=run.heading(),
    )  # fmt: skip


def finding(rates: dict[str, float], epsilon: float | None) -> str:
    """How the targets fare, in one sentence, from their errors in percent."""
    networks = [rate for name, rate in rates.items() if name not in ("nearest_neighbor", "maxout")]
    at = "" if epsilon is None else f" at ε = {size(epsilon)}"
    return (
        f"Of examples crafted on the maxout network{at}, the other networks get "
        f"{percentage(min(networks))} to {percentage(max(networks))} wrong, nearest neighbor "
        f"{percentage(rates['nearest_neighbor'])}"
    )
