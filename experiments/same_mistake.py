"""Do different models make the same mistake? Section 1.2.3.

    advx run experiment=same_mistake                  # digits that ship with a package
    advx run experiment=same_mistake scale=chapter    # MNIST

The procedure: craft on the maxout network with the fast gradient sign method, show the examples to
the others, and keep those that both get wrong: how often do both say the same wrong class? Beside
it what chance would give, if each model drew its wrong class from its own frequencies for the
digit's true class.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advx.evaluation.transfer import predictions
from advx.evaluation.undefined import answered
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import NEUTRAL, SERIES, called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.types import NonNegative


def main(
    run: Run,
    models: dict[str, Any],
    crafting: str,
    fgsm: dict[str, Any],
    epsilons: list[NonNegative],
) -> None:
    """Agreement of every model with the crafting model on the examples that both get wrong.

    Args:
        run: the run to measure on.
        models: the crafting model and the others, by name.
        crafting: the name of the model that the examples are crafted on.
        fgsm: the attack's node.
        epsilons: sizes of the perturbation.
    """
    others = [name for name in models if name != crafting]
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            for epsilon in epsilons:
                for name in others:
                    row, at = f"{crafting} -> {name}", f"@{epsilon:g}"
                    found = agreement(run, crafting, name, seed, fgsm | {"epsilon": epsilon})
                    n = int(found.get("both_wrong", 0))
                    known = {"seed": seed, "n": len(run.data.test)}
                    share = 100 * n / len(run.data.test) if found else math.nan
                    run.record(row, f"both_wrong{at}", share, **known)
                    for metric in ("same_class", "same_class_by_chance"):
                        if n or not found:  # without a common mistake there is no such figure
                            value = found.get(metric, math.nan)
                            run.record(row, metric + at, value, seed=seed, n=max(n, 1))
    draw(run.folder, Numbers(run.results.rows), crafting, others, epsilons, run.heading())
    run.finish()


def agreement(
    run: Run, crafting: str, other: str, seed: int, attack: dict[str, Any]
) -> dict[str, float]:
    """How often both say the same wrong class, in percent of the examples both get wrong; kept."""
    source, victim = run.recipe(crafting, seed), run.recipe(other, seed)

    def measure() -> dict[str, float]:
        crafted = run.crafted(attack, source)
        modules = [run.trained(network).module for network in (source, victim)]
        first, second = (predictions(module, crafted.images) for module in modules)
        both = (first != crafted.labels) & (second != crafted.labels)
        both &= answered(modules[0], first) & answered(modules[1], second)
        first, second, labels = first[both], second[both], crafted.labels[both]
        found = {"both_wrong": float(both.sum())}
        if found["both_wrong"]:
            found["same_class"] = 100 * (first == second).double().mean().item()
            found["same_class_by_chance"] = 100 * by_chance(first, second, labels, run.data.classes)
        return found

    content = {"models": [run.key(source), run.key(victim)], "attack": attack, "of": "agreement"}
    return run.measured(content, measure, missing={})


def by_chance(first: Tensor, second: Tensor, labels: Tensor, classes: int) -> float:
    """Expected agreement of two independent draws with each model's frequencies for each label.

    Args:
        first: one model's classes, (n,) int64.
        second: the other's, (n,) int64.
        labels: the true classes, (n,) int64.
        classes: number of classes.
    """
    one, other = (
        torch.bincount(labels * classes + said, minlength=classes**2).view(classes, classes)
        for said in (first, second)
    )
    count = one.sum(1).double()  # examples of each label
    same = (one * other).sum(1) / count.clamp(min=1).square()
    return ((count * same).sum() / count.sum()).item()


def draw(
    folder: Path,
    found: Numbers,
    crafting: str,
    others: list[str],
    epsilons: list[float],
    provenance: str,
) -> None:
    """How often both give the same wrong class, by chance too, and how often both are wrong.

    Args:
        folder: the run's.
        found: its numbers.
        crafting: the model that the examples were crafted on.
        others: the models that they were shown to.
        epsilons: sizes of the perturbation.
        provenance: what ran.
    """
    same = Panel("same wrong class, where both are wrong", y="of those examples (%)")
    both = Panel("both are wrong", y="of the test examples (%)")
    by_chance = []
    for index, name in enumerate(others):
        label, color = called(name).replace(" ", "\n", 1), SERIES[index % len(SERIES)]
        for panel, metric in ((same, "same_class"), (both, "both_wrong")):
            cells = [(f"{crafting} -> {name}", f"{metric}@{e:g}") for e in epsilons]
            panel.curves.append(Curve(label, epsilons, found.over_seeds(cells), color, index))
            panel.basis = found.basis(cells)
        cells = [(f"{crafting} -> {name}", f"same_class_by_chance@{e:g}") for e in epsilons]
        by_chance.append(found.over_seeds(cells))
    same.curves.append(
        Curve("by chance", epsilons, np.concatenate(by_chance), NEUTRAL, 1, points=False)
    )
    same.basis = f"{both.basis}, those that both get wrong (by chance: all models together)"
    largest = max(epsilons)
    rates, chances = (
        [found.mean(f"{crafting} -> {name}", f"{metric}@{largest:g}") for name in others]
        for metric in ("same_class", "same_class_by_chance")
    )
    same_rates, by_luck = (
        f"{percentage(min(each))} to {percentage(max(each))}" for each in (rates, chances)
    )
    finding = (
        f"Where the {called(crafting)} and another model both err at ε = {size(largest)}, they "
        f"agree on the wrong class in {same_rates} of the cases; chance would give {by_luck}"
    )
    curve_figure(folder, "same_mistake", [Strip([same, both], 2.4)], finding=finding,
                 provenance=provenance)  # fmt: skip
