"""What section 1.2.4 says of its attacks in general: other optimizers, models, costs and networks.

    advx run experiment=attack_generality                  # digits that ship with a package
    advx run experiment=attack_generality scale=chapter    # MNIST

The procedure: give the problem of L-BFGS to Adam too, on several models and on one that was trained
to resist the fast gradient sign method; compare costs along the gradient's sign with tangents;
ask what one step needs where the model is not straight; use the same step against an autoencoder;
and see how near virtual adversarial examples come to the largest change of the prediction.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.evaluation.autoencoder_attack import Reconstruction, reconstruction
from advx.evaluation.curvature import COSTS, FIFTHS, cost_deviation, needed
from advx.evaluation.largest_divergence import Divergences, divergences
from advx.evaluation.outcomes import successes
from advx.evaluation.transfer import error_rate
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import ADVERSARIAL, NEUTRAL, OURS, SERIES, called, percentage
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Model
from advx.types import Positive, PositiveInt

TRAINED, AUTOENCODER = "adversarial training", "autoencoder"
"""Rows beside those of the models: the first of them after adversarial training, and before a
classifier."""

OPTIMIZERS = ("lbfgs", "adam")

PARTS = tuple(range(1, FIFTHS + 1))
"""Fifths of the examples, the straightest first."""

UNITS = {
    "median_l2": "L2 norm",
    "cost_deviation": "of the way",
    "epsilon_ratio": "ratio",
    "rank_correlation": "correlation",
    "kl_divergence": "nats",
    "largest_kl_divergence": "nats",
    "reconstruction_error": "root mean square",
    "error_against_clean": "root mean square",
}


def cells(
    models: dict[str, Config],
    curved: list[str],
    steps_against: list[str],
    epsilons: list[float],
    lengths: list[float],
    size: float,
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    by = [setting(optimizer=name) for name in OPTIMIZERS]
    yield Cells([*models, TRAINED], ["success_rate"], settings=by)
    yield Cells([*models, TRAINED], ["median_l2"], settings=by, always=False)  # of no success
    yield Cells([*models, TRAINED], ["fgsm_error_rate"], [size])
    yield Cells([*models], ["cost_deviation"], epsilons, [setting(cost=name) for name in COSTS])
    yield Cells(curved, ["epsilon_ratio"], settings=[setting(fifth=part) for part in PARTS])
    yield Cells(curved, ["rank_correlation"])
    yield Cells([*models], metrics_of(Divergences), lengths)
    ways = [setting(attack=name) for name in steps_against]
    yield Cells([AUTOENCODER], metrics_of(Reconstruction), [0.0, *epsilons], ways)


def main(
    run: Run,
    models: dict[str, Config],
    curved: list[str],
    adversarial_training: Config,
    denoising_autoencoder: Config,
    autoencoder_trainer: Config,
    lbfgs: Config,
    fgsm: Config,
    smallest: Config,
    virtual: Config,
    steps_against: dict[str, Config],
    examples: PositiveInt,
    optimized: PositiveInt,
    size: Positive,
    epsilons: list[Positive],
    lengths: list[Positive],
    largest: Positive,
    probe: Positive,
    tried: PositiveInt,
    ascents: PositiveInt,
    starts: PositiveInt,
) -> None:
    """The parts of the procedure, one after the other.

    Args:
        run: the run to measure on.
        models: by name; the first is the one that is defended.
        curved: those of them that are not linear.
        adversarial_training: the defense against one step.
        denoising_autoencoder: the defense that has an autoencoder in it.
        autoencoder_trainer: its trainer.
        lbfgs: the attack whose problem is given to every optimizer.
        fgsm: one step.
        smallest: the attack whose sizes one step's are compared with.
        virtual: the virtual adversarial attack.
        steps_against: attacks on the autoencoder, by name.
        examples: test examples attacked.
        optimized: of these, the ones that the optimizers are given.
        size: one step's, beside the optimizers.
        epsilons: steps compared with the tangent, and on the autoencoder, in the max norm.
        lengths: of virtual adversarial examples, in the L2 norm.
        largest: single step that is tried.
        probe: the step at which straightness is measured.
        tried: sizes up to `largest`.
        ascents: steps of the search for the largest divergence.
        starts: random points that it begins at.
    """
    first = next(iter(models))
    n = min(examples, len(run.data.test))
    with run.progress(models=(len(models) + 3) * len(run.seeds)):
        for seed in run.seeds:
            networks = {name: run.model(name, seed) for name in models}
            trained = run.model(first, seed, defense=adversarial_training)
            for row, network in (networks | {TRAINED: trained}).items():
                by_optimizer(run, row, network, lbfgs, min(optimized, n))
                one_step = run.craft(fgsm.with_(epsilon=size), network)
                run.table.add(
                    row,
                    fgsm_error_rate=run.measure(error_rate, network, one_step),
                    epsilon=size,
                    seed=seed,
                    n=len(run.test()),
                )
            for row, network in networks.items():
                off_the_tangent(run, row, network, epsilons, n)
                for length in lengths:
                    attack = run.attack(virtual.with_(epsilon=length), network)
                    results = run.measure(
                        divergences,
                        network,
                        attack,
                        run.test(n),
                        epsilon=length,
                        steps=ascents,
                        starts=starts,
                    )
                    run.table.add(row, results, epsilon=length, seed=seed, n=n, unit=UNITS)
            for row in curved:
                attack = run.attack(smallest, networks[row])
                sizes = run.measure(
                    needed,
                    networks[row],
                    attack,
                    run.test(n),
                    largest=largest,
                    steps=tried,
                    probe=probe,
                )
                add = partial(run.table.add, row, seed=seed, n=sizes.n, unit=UNITS)
                for part, ratio in zip(PARTS, sizes.ratios, strict=True):
                    add(epsilon_ratio=ratio, setting=setting(fifth=part))
                add(rank_correlation=sizes.rank_correlation)
            stacked = run.model(
                first, seed, defense=denoising_autoencoder, trainer=autoencoder_trainer
            )
            for name, node in steps_against.items():
                for epsilon in [0.0, *epsilons]:
                    attack = run.attack(node.with_(epsilon=epsilon), stacked)
                    errors = run.measure(reconstruction, stacked, attack, run.test(n))
                    run.table.add(
                        AUTOENCODER,
                        errors,
                        epsilon=epsilon,
                        setting=setting(attack=name),
                        seed=seed,
                        n=n,
                        unit=UNITS,
                    )
    draw(run, [*models], curved, epsilons, [*steps_against])
    run.finish()


def by_optimizer(run: Run, row: str, network: Model, lbfgs: Config, n: int) -> None:
    """The same problem, given to every optimizer."""
    for optimizer in OPTIMIZERS:
        attack = run.attack(lbfgs.with_(optimizer=optimizer), network)
        targets, wanted = run.crafting.targets(attack, n), run.crafting.wanted(attack, n)
        won = run.measure(successes, network, attack, run.test(n), targets, wanted)
        under = setting(optimizer=optimizer)
        add = partial(run.table.add, row, setting=under, seed=network.seed, n=n, unit=UNITS)
        add(success_rate=won.success_rate)
        if won.success_rate != 0:  # of no success there is no size
            add(median_l2=won.median_l2)


def off_the_tangent(run: Run, row: str, network: Model, epsilons: list[float], n: int) -> None:
    """The training cost and the log-odds along the gradient's sign."""
    for cost in COSTS:
        medians = run.measure(cost_deviation, network, run.test(n), epsilons, cost=cost)
        for epsilon, median in zip(epsilons, medians, strict=True):
            run.table.add(
                row,
                cost_deviation=median,
                epsilon=epsilon,
                setting=setting(cost=cost),
                seed=network.seed,
                n=n,
                unit=UNITS,
            )


def draw(
    run: Run, rows: list[str], curved: list[str], epsilons: list[float], ways: list[str]
) -> None:
    """Costs beside their tangents, one step's size by straightness, and the autoencoder's error.

    Args:
        run: the run, with its numbers.
        rows: the models.
        curved: those that are not linear.
        epsilons: steps.
        ways: attacks on the autoencoder.
    """
    results = run.numbers()
    panels: list[Panel] = []
    for title, cost in (("training cost", "cross_entropy"), ("log-odds", "log_odds")):
        panel = Panel(
            f"{title}, off its tangent",
            y="" if panels else "of the way",
            limits=None,
            names="ends" if panels else "none",
        )
        for index, row in enumerate(rows):
            places = [Cell(row, "cost_deviation", e, setting(cost=cost)) for e in epsilons]
            label = called(row).replace(" ", "\n", 1)
            values = results.over_seeds(places)
            panel.curves.append(Curve(label, epsilons, values, SERIES[index], index))
            panel.basis = results.basis(places)
        panels.append(panel)
    sizes = Panel(
        "one step's ε over DeepFool's",
        x="fifths of the digits, the straightest first",
        y="ratio",
        limits=None,
        ticks={str(part): float(part) for part in PARTS},
    )
    for index, row in enumerate(curved):
        places = [Cell(row, "epsilon_ratio", None, setting(fifth=part)) for part in PARTS]
        label = called(row).replace(" ", "\n", 1)
        values = results.over_seeds(places)
        values[np.isinf(values)] = np.nan  # where no single step is enough
        sizes.curves.append(Curve(label, list(PARTS), values, SERIES[rows.index(row)], index))
        sizes.basis = results.basis(places)
    errors = Panel("the autoencoder's error", y="root mean square", limits=None)
    for index, way in enumerate(ways):
        at = [0.0, *epsilons]
        places = [Cell(AUTOENCODER, "error_against_clean", e, setting(attack=way)) for e in at]
        color = (ADVERSARIAL, NEUTRAL, OURS)[index % 3]
        label = called(way).replace(" ", "\n", 1)
        errors.curves.append(Curve(label, at, results.over_seeds(places), color, index))
        errors.basis = results.basis(places)
    curve_figure(
        run.folder,
        "attack_generality",
        [Strip(panels, 2.2), Strip([sizes, errors], 2.2)],
        finding=finding(results, rows[0]),
        provenance=run.heading(),
    )


def finding(results: Numbers, model: str) -> str:
    """How often both optimizers reach the class asked for, and with what size."""
    words = []
    for optimizer, name in zip(OPTIMIZERS, ("L-BFGS", "Adam"), strict=True):
        under = setting(optimizer=optimizer)
        rate = results.mean(model, "success_rate", None, under)
        length = results.mean(model, "median_l2", None, under)
        words.append(f"{name} on {percentage(rate)}, with a median length of {length:.2f}")
    return f"Given the same problem of the {called(model)}, the class asked for is reached by " + (
        "; by ".join(words)
    )
