"""Every defense that section 1.2.7 names: does it hold, or does it hide the gradient?

    advx run experiment=defenses                  # 5,000 digits that ship with a package
    advx run experiment=defenses scale=chapter    # MNIST

The procedure: train the maxout network with each defense; count its mistakes on clean digits, under
the fast gradient sign method and under the strongest of several attacks, at ε = .1 and ε = .25; and
find the size of perturbation that breaks half of the digits. Weight decay is swept until the
validation error suffers.
"""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.evaluation.robustness import errors_by_stage, first_gradient_zero_rate
from advx.evaluation.singular_values import Amplification, amplification
from advx.evaluation.smallest import median_smallest_epsilon
from advx.evaluation.transfer import error_rate
from advx.figures.dots import Dots, dot_figure
from advx.figures.style import ADVERSARIAL, CLEAN, OURS, called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.crafting import refuse_targeted
from advx.run.facts import validation_error
from advx.run.model import Model
from advx.training.recipe import dependencies
from advx.types import NonNegative, Positive, PositiveInt, Sizes

SEARCH = Config(
    {
        "_target_": "advx.attacks.pgd.PGD",
        "schedule": "linear",
        "objective": "margin",
        "stop_on_success": True,
    }
)
"""Gradient descent in the search for the smallest perturbation."""

NAIVE = {"objective": "cross_entropy"}
"""What a naive step ascends, in the network's own float32."""

BY_NAIVE = setting(**NAIVE)
"""The setting that says so."""

DECAY = "weight_decay {:g}"
UNHARMED = "weight_decay, validation unharmed"
THROUGH_ONE = "ensemble, through one member"
"""Rows beside those of the defenses."""

DOTS = {
    ("clean_error_rate", ""): Dots("clean", CLEAN, "|"),
    ("fgsm_error_rate", BY_NAIVE): Dots("one step, float32 cross-entropy", OURS, "o", filled=False),
    ("fgsm_error_rate", ""): Dots("one step, log-odds", OURS, "o"),
    ("strongest_error_rate", ""): Dots("strongest attack", ADVERSARIAL, "D"),
}
"""What the figure shows of every defense, by metric and setting."""


def cells(
    defenses: dict[str, Config],
    coefficients: list[float],
    epsilons: list[float],
    curve_epsilons: list[float],
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    swept = [DECAY.format(c) for c in coefficients]
    rows = [*defenses, *swept]
    yield Cells(rows, ["clean_error_rate", "median_smallest_epsilon"])
    yield Cells(rows, ["zero_gradient_rate"], settings=[BY_NAIVE])
    yield Cells(rows, ["fgsm_error_rate"], epsilons, ["", BY_NAIVE])
    yield Cells(rows, ["strongest_error_rate", "gradient_free_only"], epsilons)
    yield Cells(["none", *swept], ["validation_error_rate"])
    yield Cells([UNHARMED], ["strongest_error_rate"], epsilons)
    yield Cells([THROUGH_ONE], ["fgsm_error_rate"], epsilons)
    yield Cells(["denoising_autoencoder"], metrics_of(Amplification))
    yield Cells(rows, ["fgsm_error_rate"], curve_epsilons, [setting(BY_NAIVE, "curve")])
    yield Cells(rows, ["strongest_error_rate"], curve_epsilons, ["curve"])


def main(
    run: Run,
    models: dict[str, Config],
    defenses: dict[str, Config],
    weight_decay: Config,
    coefficients: list[NonNegative],
    tolerated: NonNegative,
    autoencoder_trainer: Config,
    fgsm: Config,
    strongest: Config,
    epsilons: Sizes,
    largest_epsilon: Positive,
    median_steps: PositiveInt,
    median_examples: PositiveInt,
    singular_examples: PositiveInt,
    curve_epsilons: list[NonNegative],
) -> None:
    """One row a defense.

    Args:
        run: the run to measure on.
        models: the one network.
        defenses: by name; `none` among them.
        weight_decay: the defense that is swept.
        coefficients: its coefficients.
        tolerated: points by which the validation error may exceed that of `none`.
        autoencoder_trainer: the trainer of `denoising_autoencoder`.
        fgsm: the fast gradient sign method.
        strongest: the worst of several attacks.
        epsilons: sizes of the perturbation in the table.
        largest_epsilon: where the search for the median smallest perturbation ends.
        median_steps: gradient steps in that search.
        median_examples: test examples in that search and in the curves.
        singular_examples: test examples whose Jacobian is decomposed.
        curve_epsilons: sizes of the perturbation in the curves, with the first seed.
    """
    refuse_targeted(fgsm, "fgsm")
    (name,) = models
    decays = {DECAY.format(c): weight_decay.with_(coefficient=c) for c in coefficients}
    trainers = {"denoising_autoencoder": autoencoder_trainer}

    def networks(seed: int) -> dict[str, Model]:
        return {
            row: run.model(name, seed, defense=defense, trainer=trainers.get(row))
            for row, defense in (defenses | decays).items()
        }

    trained = sum(1 + len(dependencies(network.recipe)) for network in networks(0).values())
    with run.progress(models=trained * len(run.seeds)):
        for seed in run.seeds:
            each = networks(seed)
            for row, network in each.items():
                errors(run, row, network, fgsm, strongest, epsilons)
                smallest(run, row, network, median_steps, largest_epsilon, median_examples)
            swept = {row: each[row] for row in ("none", *decays)}
            unharmed(run, swept, tolerated, strongest, epsilons)
            through_one_member(run, each["ensemble"], fgsm, epsilons)
            amplifies(run, each["denoising_autoencoder"], singular_examples)
    curves(run, networks(run.seeds[0]), fgsm, strongest, curve_epsilons, median_examples)
    draw(run, [*defenses, *decays], epsilons)
    run.finish()


def errors(
    run: Run,
    row: str,
    network: Model,
    fgsm: Config,
    strongest: Config,
    epsilons: list[float],
) -> None:
    """Errors on clean digits, under one step (also the naive one) and under the strong attack."""
    test = run.test()
    add = partial(run.table.add, row, seed=network.seed, n=len(test))
    add(clean_error_rate=run.measure(error_rate, network, test))
    naive = run.attack(fgsm.with_(**NAIVE), network)
    gone = run.measure(first_gradient_zero_rate, network, naive, test)
    add(zero_gradient_rate=gone, setting=BY_NAIVE)
    for epsilon in epsilons:
        step = fgsm.with_(epsilon=epsilon)
        for under, attack in (("", step), (BY_NAIVE, step.with_(**NAIVE))):
            rate = run.measure(error_rate, network, run.craft(attack, network))
            add(fgsm_error_rate=rate, epsilon=epsilon, setting=under)
        strong = run.attack(strongest.with_(epsilon=epsilon), network)
        results = run.measure(errors_by_stage, network, strong, test)
        add(strongest_error_rate=results.all, epsilon=epsilon)
        add(gradient_free_only=results.gradient_free, epsilon=epsilon)


def smallest(run: Run, row: str, network: Model, steps: int, largest: float, examples: int) -> None:
    """The max norm at which gradient descent breaks half of the test examples."""
    test = run.test(examples)
    search = run.crafting.by_size(SEARCH.with_(steps=steps), network)
    epsilon = run.measure(median_smallest_epsilon, network, search, test, largest=largest)
    run.table.add(
        row, median_smallest_epsilon=epsilon, unit="max norm", seed=network.seed, n=len(test)
    )


def unharmed(
    run: Run,
    networks: dict[str, Model],
    tolerated: float,
    strongest: Config,
    epsilons: list[float],
) -> None:
    """The strongest weight decay's errors among those that leave the validation error alone.

    Args:
        run: the run to measure on.
        networks: `none`, and those with weight decay, by row.
        tolerated: points by which a validation error may exceed that of `none`.
        strongest: the worst of several attacks.
        epsilons: sizes of the perturbation.
    """
    seed = networks["none"].seed
    validation = {
        row: run.measure(validation_error, network.training) for row, network in networks.items()
    }
    for row, error in validation.items():
        run.table.add(row, validation_error_rate=error, seed=seed, n=len(run.data.validation))
    decays = [row for row in networks if row != "none"]
    mild = [row for row in decays if validation[row] <= validation["none"] + tolerated]
    for epsilon in epsilons:
        rates = [strong_error(run, networks[row], strongest, epsilon) for row in mild]
        run.table.add(
            UNHARMED,
            strongest_error_rate=min(rates, default=math.nan),
            epsilon=epsilon,
            seed=seed,
            n=len(run.test()),
        )


def strong_error(
    run: Run, network: Model, strongest: Config, epsilon: float, examples: int | None = None
) -> float:
    """The network's error under the strong attack."""
    attack = run.attack(strongest.with_(epsilon=epsilon), network)
    return run.measure(errors_by_stage, network, attack, run.test(examples)).all


def through_one_member(run: Run, ensemble: Model, fgsm: Config, epsilons: list[float]) -> None:
    """The ensemble's error on examples crafted on one of its members."""
    member = Model(dependencies(ensemble.recipe)[0], run.models)
    for epsilon in epsilons:
        adversarial = run.craft(fgsm.with_(epsilon=epsilon), member)
        run.table.add(
            THROUGH_ONE,
            fgsm_error_rate=run.measure(error_rate, ensemble, adversarial),
            epsilon=epsilon,
            seed=ensemble.seed,
            n=len(run.test()),
        )


def amplifies(run: Run, stacked: Model, examples: int) -> None:
    """The rows on the autoencoder's Jacobian."""
    results = run.measure(amplification, stacked, run.test(examples))
    run.table.add("denoising_autoencoder", results, seed=stacked.seed, unit="number")


def curves(
    run: Run,
    networks: dict[str, Model],
    fgsm: Config,
    strongest: Config,
    epsilons: list[float],
    examples: int,
) -> None:
    """Error against ε under the naive step and under the strong attack."""

    def naive(network: Model, epsilon: float) -> float:
        step = fgsm.with_(**NAIVE, epsilon=epsilon)
        return run.measure(error_rate, network, run.craft(step, network, examples))

    def worst(network: Model, epsilon: float) -> float:
        return strong_error(run, network, strongest, epsilon, examples)

    for metric, under, error in (
        ("fgsm_error_rate", BY_NAIVE, naive),
        ("strongest_error_rate", "", worst),
    ):
        for row, network in networks.items():
            for epsilon in epsilons:
                run.table.add(
                    row,
                    {metric: error(network, epsilon)},
                    epsilon=epsilon,
                    setting=setting(under, "curve"),
                    seed=network.seed,
                    n=len(run.test(examples)),
                )


def draw(run: Run, rows: list[str], epsilons: list[float]) -> None:
    """Every defense's error, clean, after one step and under the strongest attack.

    Args:
        run: the run, with its numbers.
        rows: the defenses.
        epsilons: sizes of the perturbation.
    """
    results = run.numbers()
    least = min(epsilons)
    worst = {row: results.mean(row, "strongest_error_rate", least) for row in rows}
    order = sorted(rows, key=lambda row: (math.isnan(worst[row]), worst[row]))
    panels = {}
    for epsilon in sorted(epsilons):
        shown = [
            Cell(row, metric, None if metric.startswith("clean") else epsilon, under)
            for metric, under in DOTS
            for row in order
        ]
        rates = results.over_seeds(shown)
        panels[f"ε = {size(epsilon)}"] = np.reshape(rates, (len(rates), len(DOTS), len(order)))
    dot_figure(
        run.folder,
        "defenses",
        [called(row) for row in order],
        list(DOTS.values()),
        panels,
        finding=finding(results, rows, least),
        provenance=f"{run.heading()}. Dots: {results.basis(shown)}",
        reference=called("none"),
    )


def finding(results: Numbers, rows: list[str], epsilon: float) -> str:
    """Which defense leaves the least error, and which hides most of it from a naive step.

    Args:
        results: the run's numbers.
        rows: the defenses.
        epsilon: size of the perturbation.
    """
    worst, naive = (
        {row: results.mean(row, metric, epsilon, under) for row in rows}
        for metric, under in (("strongest_error_rate", ""), ("fgsm_error_rate", BY_NAIVE))
    )
    rivals = [row for row in rows if row != "none"]
    best = min(rivals, key=lambda row: (math.isnan(worst[row]), worst[row]), default="none")
    hiding = max(rows, key=lambda row: worst[row] - naive[row])
    text = (
        f"{called(best)} leaves the least error of all defenses at ε = {size(epsilon)}, "
        f"{percentage(worst[best])} (none: {percentage(worst['none'])}); of {called(hiding)}'s "
        f"{percentage(worst[hiding])} a naive step finds {percentage(naive[hiding])}"
    )
    return text[0].upper() + text[1:]
