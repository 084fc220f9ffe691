"""Do different models make the same mistake? Section 1.2.3.

    advx run experiment=same_mistake                  # digits that ship with a package
    advx run experiment=same_mistake scale=chapter    # MNIST

The procedure: craft on the maxout network with the fast gradient sign method, show the examples to
the others, and keep those that both get wrong: how often do both say the same wrong class? Beside
it what chance would give, if each model drew its wrong class from its own frequencies for the
digit's true class.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from advx.config.cells import Cell, Cells
from advx.config.config import Config
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import predictions
from advx.evaluation.undefined import answered
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import NEUTRAL, SERIES, called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.types import SizesFromZero


def cells(models: dict[str, Config], crafting: str, epsilons: list[float]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    rows = [PAIR.format(crafting, name) for name in models if name != crafting]
    yield Cells(rows, ["both_wrong"], epsilons)
    yield Cells(rows, SAME, epsilons, always=False)  # where both are wrong


PAIR = "{} -> {}"
"""The row of a crafting model and another."""

SAME = ("same_class", "same_class_by_chance")
"""Metrics of the examples that both get wrong."""


def main(
    run: Run,
    models: dict[str, Config],
    crafting: str,
    fgsm: Config,
    epsilons: SizesFromZero,
) -> None:
    """Agreement of every model with the crafting model on the examples that both get wrong.

    Args:
        run: the run to measure on.
        models: the crafting model and the others, by name.
        crafting: the name of the model that the examples are crafted on.
        fgsm: the fast gradient sign method.
        epsilons: sizes of the perturbation.
    """
    others = [name for name in models if name != crafting]
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            source = run.model(crafting, seed)
            for epsilon in epsilons:
                adversarial = run.craft(fgsm.with_(epsilon=epsilon), source)
                for name in others:
                    results = run.measure(
                        agreement, source, run.model(name, seed), adversarial, run.data.classes
                    )
                    report(run, PAIR.format(crafting, name), results, epsilon, seed)
    draw(run, crafting, others, epsilons)
    run.finish()


@dataclass(frozen=True)
class Agreement:
    """What two models make of the same examples.

    Attributes:
        both_wrong: number of examples that both get wrong.
        same_class: where both give the same wrong class, in percent of those; NaN without one.
        same_class_by_chance: as often as that would be by chance, in percent of those.
    """

    both_wrong: float
    same_class: float
    same_class_by_chance: float


@measurement(version=1)
def agreement(first: nn.Module, second: nn.Module, examples: Split, classes: int) -> Agreement:
    """How often two models give the same wrong class, where both are wrong.

    Args:
        first: one model.
        second: the other.
        examples: with their labels.
        classes: number of classes.

    Raises:
        ConfigError: too many of the logits are NaN; few are left out.
    """
    one, other = (predictions(model, examples.images) for model in (first, second))
    both = (one != examples.labels) & (other != examples.labels)
    both &= answered(first, one) & answered(second, other)
    one, other, labels = one[both], other[both], examples.labels[both]
    return Agreement(
        float(both.sum()),
        100 * (one == other).double().mean().item(),
        100 * by_chance(one, other, labels, classes),
    )


def by_chance(first: Tensor, second: Tensor, labels: Tensor, classes: int) -> float:
    """Expected agreement of two independent draws with each model's frequencies for each label.

    Args:
        first: one model's classes, (n,) int64.
        second: the other's, (n,) int64.
        labels: the true classes, (n,) int64.
        classes: number of classes.
    """
    one, other = (
        torch.bincount(labels * classes + wrong, minlength=classes**2).view(classes, classes)
        for wrong in (first, second)
    )
    count = one.sum(1).double()  # examples of each label
    same = (one * other).sum(1) / count.clamp(min=1).square()
    return ((count * same).sum() / count.sum()).item()


def report(run: Run, row: str, results: Agreement, epsilon: float, seed: int) -> None:
    """The rows of one model; without a common mistake there is no agreement to speak of."""
    n = len(run.test())
    share = 100 * results.both_wrong / n
    run.table.add(row, both_wrong=share, epsilon=epsilon, seed=seed, n=n)
    if results.both_wrong != 0:
        run.table.add(
            row,
            same_class=results.same_class,
            same_class_by_chance=results.same_class_by_chance,
            epsilon=epsilon,
            seed=seed,
            n=1 if math.isnan(results.both_wrong) else int(results.both_wrong),
        )


def draw(run: Run, crafting: str, others: list[str], epsilons: list[float]) -> None:
    """How often both give the same wrong class, by chance too, and how often both are wrong.

    Args:
        run: the run, with its numbers.
        crafting: the model that the examples were crafted on.
        others: the models that they were shown to.
        epsilons: sizes of the perturbation.
    """
    results = run.numbers()
    same = Panel("same wrong class, where both are wrong", y="of those examples (%)")
    both = Panel("both are wrong", y="of the test examples (%)")
    by_chance = []
    for index, name in enumerate(others):
        label, color = called(name).replace(" ", "\n", 1), SERIES[index % len(SERIES)]
        for panel, metric in ((same, "same_class"), (both, "both_wrong")):
            drawn = [Cell(PAIR.format(crafting, name), metric, e) for e in epsilons]
            panel.curves.append(Curve(label, epsilons, results.over_seeds(drawn), color, index))
            panel.basis = results.basis(drawn)
        drawn = [Cell(PAIR.format(crafting, name), SAME[1], e) for e in epsilons]
        by_chance.append(results.over_seeds(drawn))
    same.curves.append(
        Curve("by chance", epsilons, np.concatenate(by_chance), NEUTRAL, 1, points=False)
    )
    same.basis = f"{both.basis}, those that both get wrong (by chance: all models together)"
    curve_figure(
        run.folder,
        "same_mistake",
        [Strip([same, both], 2.4)],
        finding=finding(results, crafting, others, max(epsilons)),
        provenance=run.heading(),
    )


def finding(results: Numbers, crafting: str, others: list[str], epsilon: float) -> str:
    """How often the models agree, and would by chance, in one sentence."""
    rates, chances = (
        [results.mean(PAIR.format(crafting, name), metric, epsilon) for name in others]
        for metric in SAME
    )
    agreed, by_luck = (
        f"{percentage(min(each))} to {percentage(max(each))}" for each in (rates, chances)
    )
    return (
        f"Where the {called(crafting)} and another model both err at ε = {size(epsilon)}, they "
        f"agree on the wrong class in {agreed} of the cases; chance would give {by_luck}"
    )
