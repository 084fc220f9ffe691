"""Every defence that section 1.2.7 names: does it hold, or does it hide the gradient?

    advx run experiment=defenses                  # 5,000 digits that ship with a package
    advx run experiment=defenses scale=chapter    # MNIST

The procedure: train the maxout network with each defence; count its mistakes on clean digits, under
the fast gradient sign method and under the strongest of several attacks, at ε = .1 and ε = .25; and
find the size of perturbation that breaks half of the digits. Weight decay is swept until the
validation error suffers.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from advx.attacks.pgd import PGD
from advx.evaluation.singular_values import jacobian_singular_values
from advx.evaluation.smallest import median_smallest
from advx.evaluation.transfer import craft, error_rate
from advx.figures.dots import Dots, dot_figure
from advx.figures.style import ADVERSARIAL, CLEAN, OURS, called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.obtain import Recipe, needed
from advx.types import NonNegative, Positive, PositiveInt

DOTS = {
    "clean_error_rate": Dots("clean", CLEAN, "|"),
    "float32_fgsm_error_rate": Dots("one step, float32 cross-entropy", OURS, "o", filled=False),
    "fgsm_error_rate": Dots("one step, log-odds", OURS, "o"),
    "strongest_error_rate": Dots("strongest attack", ADVERSARIAL, "D"),
}
"""What the figure shows of every defense."""


def main(
    run: Run,
    models: dict[str, Any],
    defenses: dict[str, Any],
    weight_decay: dict[str, Any],
    coefficients: list[NonNegative],
    tolerated: NonNegative,
    autoencoder_trainer: dict[str, Any],
    fgsm: dict[str, Any],
    strongest: dict[str, Any],
    epsilons: list[Positive],
    largest_epsilon: Positive,
    median_steps: PositiveInt,
    median_examples: PositiveInt,
    singular_examples: PositiveInt,
    curve_epsilons: list[NonNegative],
) -> None:
    """One row a defence.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        defenses: the defences, by name; `none` among them.
        weight_decay: the defence that is swept.
        coefficients: its coefficients.
        tolerated: points by which the validation error may exceed that of `none`.
        autoencoder_trainer: the trainer of `denoising_autoencoder`.
        fgsm: the fast gradient sign method's node.
        strongest: the strong attack's node.
        epsilons: sizes of the perturbation in the table.
        largest_epsilon: where the search for the median smallest perturbation ends.
        median_steps: gradient steps in that search.
        median_examples: test examples in that search and in the curves.
        singular_examples: test examples whose Jacobian is decomposed.
        curve_epsilons: sizes of the perturbation in the curves, with the first seed.
    """
    (name,) = models
    decays = {f"weight_decay {c:g}": weight_decay | {"coefficient": c} for c in coefficients}
    special = {"denoising_autoencoder": {"trainer": autoencoder_trainer}}

    def networks(seed: int) -> dict[str, Recipe]:
        return {
            row: run.recipe(name, seed, defense=node, **special.get(row, {}))
            for row, node in (defenses | decays).items()
        }

    trained = sum(1 + len(needed(network)) for network in networks(0).values())
    with run.progress(models=trained * len(run.seeds)):
        for seed in run.seeds:
            each = networks(seed)
            for row, network in each.items():
                errors(run, row, network, fgsm, strongest, epsilons)
                known = {"seed": seed, "n": min(median_examples, len(run.data.test))}
                size = smallest(run, network, largest_epsilon, median_steps, known["n"])
                run.record(row, "median_smallest_epsilon", size, unit="max norm", **known)
            unharmed(run, each, list(decays), tolerated, epsilons, seed)
            through_one_member(run, each["ensemble"], fgsm, epsilons)
            amplification(run, each["denoising_autoencoder"], singular_examples)
    run.attempt(
        lambda: curves(
            run, networks(run.seeds[0]), fgsm, strongest, curve_epsilons, median_examples
        )
    )
    draw(run.folder, Numbers(run.results.rows), [*defenses, *decays], epsilons, run.heading())
    run.finish()


def errors(
    run: Run,
    row: str,
    network: Recipe,
    fgsm: dict[str, Any],
    strongest: dict[str, Any],
    epsilons: list[float],
) -> None:
    """Errors on clean digits, under one step (also the naive one) and under the strong attack."""
    known = {"seed": network.seed, "n": len(run.data.test)}
    run.record(row, "clean_error_rate", run.error_rate(network), **known)
    naive = fgsm | {"objective": "cross_entropy"}
    gone = run.vanished_share(network, naive)
    run.record(row, "vanished_gradients@float32_cross_entropy", gone, **known)
    for epsilon in epsilons:
        for metric, attack in (
            (f"fgsm_error_rate@{epsilon:g}", fgsm),
            (f"float32_fgsm_error_rate@{epsilon:g}", naive),
        ):
            run.record(row, metric, run.error_rate(network, attack | {"epsilon": epsilon}), **known)
        broken = run.broken_by(network, strongest | {"epsilon": epsilon})
        run.record(row, f"strongest_error_rate@{epsilon:g}", broken["all"], **known)
        run.record(row, f"gradient_free_only@{epsilon:g}", broken["gradient_free"], **known)


def smallest(run: Run, network: Recipe, largest: float, steps: int, examples: int) -> float:
    """The max norm at which gradient descent breaks half of the test examples."""

    def measure() -> float:
        module, clean = run.trained(network).module, run.tested(examples)

        def error_at(epsilon: float) -> float:
            attack = PGD(
                epsilon=epsilon, steps=steps, schedule="linear", objective="margin",
                stop_on_success=True,
            )  # fmt: skip
            return error_rate(module, craft(attack, module, clean))

        return median_smallest(error_at, high=largest, tolerance=largest / 512)

    content = {"models": [run.key(network)], "of": "median smallest epsilon", "steps": steps,
               "schedule": "linear", "largest": largest}  # fmt: skip
    return run.measured(content, measure, examples)


def unharmed(
    run: Run,
    networks: dict[str, Recipe],
    decays: list[str],
    tolerated: float,
    epsilons: list[float],
    seed: int,
) -> None:
    """The strongest weight decay's errors among those that leave the validation error alone."""
    found = Numbers(row for row in run.results.rows if row.seed == seed)
    validation = {row: run.validation_error(networks[row]) for row in ("none", *decays)}
    for row, error in validation.items():
        run.record(row, "validation_error_rate", error, seed=seed, n=len(run.data.validation))
    mild = [row for row in decays if validation[row] <= validation["none"] + tolerated]
    for epsilon in epsilons:
        metric = f"strongest_error_rate@{epsilon:g}"
        best = min((found.mean(row, metric) for row in mild), default=math.nan)
        run.record("weight_decay, validation unharmed", metric, best, seed=seed,
                   n=len(run.data.test))  # fmt: skip


def through_one_member(
    run: Run, ensemble: Recipe, fgsm: dict[str, Any], epsilons: list[float]
) -> None:
    """The ensemble's error on examples crafted on one of its members."""
    member = needed(ensemble)[0]
    for epsilon in epsilons:
        rate = run.error_rate(ensemble, fgsm | {"epsilon": epsilon}, crafting=member)
        run.record("ensemble, through one member", f"fgsm_error_rate@{epsilon:g}", rate,
                   seed=ensemble.seed, n=len(run.data.test))  # fmt: skip


def amplification(run: Run, stacked: Recipe, examples: int) -> None:
    """Singular values of the autoencoder: those above 1 lengthen a perturbation."""

    def measure() -> dict[str, float]:
        module = run.trained(stacked).module
        values = jacobian_singular_values(module.autoencoder, run.tested(examples).images)
        return {
            "largest_singular_value": values[:, 0].median().item(),
            "singular_values_above_1": (values > 1).sum(1).double().mean().item(),
        }

    content = {"models": [run.key(stacked)], "of": "singular values"}
    for metric, value in run.measured(content, measure, examples, missing={}).items():
        run.record("denoising_autoencoder", metric, value, seed=stacked.seed, unit="number")


def curves(
    run: Run,
    networks: dict[str, Recipe],
    fgsm: dict[str, Any],
    strongest: dict[str, Any],
    epsilons: list[float],
    examples: int,
) -> None:
    """Error against ε under the naive step and under the strong attack."""
    examples = min(examples, len(run.data.test))

    def naive(network: Recipe, epsilon: float) -> float:
        step = fgsm | {"objective": "cross_entropy", "epsilon": epsilon}
        return run.error_rate(network, step, examples=examples)

    def worst(network: Recipe, epsilon: float) -> float:
        return run.broken_by(network, strongest | {"epsilon": epsilon}, examples)["all"]

    for metric, error in (("float32_fgsm_error_rate", naive), ("strongest_error_rate", worst)):
        for row, network in networks.items():
            for epsilon in epsilons:
                run.record(f"{row}, epsilon {epsilon:g}", metric, error(network, epsilon),
                           seed=network.seed, n=examples)  # fmt: skip


def draw(
    folder: Path, found: Numbers, rows: list[str], epsilons: list[float], provenance: str
) -> None:
    """Every defense's error, clean, after one step and under the strongest attack.

    Args:
        folder: the run's.
        found: its numbers.
        rows: the defenses.
        epsilons: sizes of the perturbation.
        provenance: what ran.
    """
    least = min(epsilons)
    worst = {row: found.mean(row, f"strongest_error_rate@{least:g}") for row in rows}
    order = sorted(rows, key=lambda row: (math.isnan(worst[row]), worst[row]))
    panels = {}
    for epsilon in sorted(epsilons):
        metrics = [m if m.startswith("clean") else f"{m}@{epsilon:g}" for m in DOTS]
        cells = [(row, metric) for metric in metrics for row in order]
        rates = found.over_seeds(cells)
        panels[f"ε = {size(epsilon)}"] = np.reshape(rates, (len(rates), len(DOTS), len(order)))
    best = next((row for row in order if row != "none"), "none")
    naive = {row: found.mean(row, f"float32_fgsm_error_rate@{least:g}") for row in rows}
    hiding = max(rows, key=lambda row: worst[row] - naive[row])
    finding = (
        f"{called(best)} leaves the least error of all defenses at ε = {size(least)}, "
        f"{percentage(worst[best])} (none: {percentage(worst['none'])}); of {called(hiding)}'s "
        f"{percentage(worst[hiding])} a naive step finds {percentage(naive[hiding])}"
    )
    finding = finding[0].upper() + finding[1:]
    dot_figure(
        folder, "defenses", [called(row) for row in order], list(DOTS.values()), panels,
        finding=finding, provenance=f"{provenance}. Dots: {found.basis(cells)}",
        reference=called("none"),
    )  # fmt: skip
