"""Far from the data, sections 1.2.3, 1.2.6 and 1.2.7: how extreme do predictions become there?

    advx run experiment=extrapolation                  # digits that ship with a package
    advx run experiment=extrapolation scale=chapter    # MNIST

The procedure: train the network with hard targets, with smoothed ones, and with an independent
probability for every class. From each test digit go along random signs, along the sign of the
gradient, and away from black; look at the largest probability and at its log-odds, which go on
growing where the probability is 1 to all digits. And fit logistic regressions of one number, whose
classes have their means at −1 and 1, and ask them about 2.
"""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.evaluation.extrapolation import (
    Confidence,
    Outputs,
    brightened,
    confidence,
    median_change,
    median_distance,
    one_dimension,
)
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import NEUTRAL, SERIES, called, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Model
from advx.types import NonNegative, PositiveInt, Probability, Sizes

SMOOTHED, INDEPENDENT = "smoothed targets", "independent outputs"
"""Rows of the network under other training costs; with hard targets it goes by its own name."""

DIGITS, LINE = "random signs", "logistic regression"
"""Rows without a network: of the examples themselves, and of the regressions of one number."""

RANDOM, GRADIENT = setting(direction="random_signs"), setting(direction="gradient_sign")
TRAINING, GAUSSIAN = setting(examples="training"), setting(noise="gaussian")
"""Settings: where the examples lie."""

UNITS = {"median_log_odds": "nats", "median_change": "nats"}

PLACES = [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]
"""Where the regressions are asked; their classes' means are at −1 and 1."""


def cells(
    models: dict[str, Config], epsilons: list[float], brightness: list[float]
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    rows, confident = [*models, SMOOTHED, INDEPENDENT], metrics_of(Confidence)
    yield Cells(rows, confident, settings=["", TRAINING, GAUSSIAN])
    yield Cells(rows, confident, settings=[setting(brightness=k) for k in brightness])
    yield Cells(rows, [*confident, "median_change"], epsilons, [RANDOM])
    directed = [row for row in rows if row != INDEPENDENT]
    yield Cells(directed, [*confident, "median_change"], epsilons, [GRADIENT])
    yield Cells([DIGITS], ["median_distance"], [0.0, *epsilons])
    asked = [setting(x=place) for place in PLACES]
    yield Cells(
        [LINE],
        ["median_confidence", "least_confidence", "median_log_odds", "beyond"],
        settings=asked,
    )


def main(
    run: Run,
    models: dict[str, Config],
    smoothed: Config,
    independent: Config,
    random: Config,
    gradient: Config,
    noise: Config,
    epsilons: Sizes,
    brightness: list[NonNegative],
    examples: PositiveInt,
    threshold: Probability,
) -> None:
    """Confidence at the data and away from them, of every network.

    Args:
        run: the run to measure on.
        models: by name; the first is trained with the other costs too.
        smoothed: the training cost with smoothed targets.
        independent: the training cost with an independent probability for every class.
        random: the attack that goes along random signs.
        gradient: the attack that goes along the sign of the gradient.
        noise: the attack that puts noise in the images' place.
        epsilons: how far the two go, in the max norm.
        brightness: factors of all pixels.
        examples: test examples that are moved.
        threshold: the probability above which a network is confident.
    """
    first, n = next(iter(models)), min(examples, len(run.data.test))
    with run.progress(models=(len(models) + 2) * len(run.seeds)):
        for seed in run.seeds:
            networks: dict[str, tuple[Model, Outputs]] = {
                name: (run.model(name, seed), "softmax") for name in models
            }
            networks[SMOOTHED] = run.model(first, seed, defense=smoothed), "softmax"
            networks[INDEPENDENT] = run.model(first, seed, defense=independent), "independent"
            for row, (network, outputs) in networks.items():
                look = partial(
                    run.measure, confidence, network, outputs=outputs, threshold=threshold
                )
                add = partial(run.table.add, row, seed=seed, unit=UNITS)
                train = run.data.train
                add(look(run.test(n)), n=n)
                add(look(train), setting=TRAINING, n=len(train))
                add(look(run.craft(noise, network, n)), setting=GAUSSIAN, n=n)
                for factor in brightness:
                    brighter = run.derive(brightened, run.test(n), factor)
                    add(look(brighter), setting=setting(brightness=factor), n=n)
                ways = {RANDOM: random} | ({GRADIENT: gradient} if outputs == "softmax" else {})
                for way, attack in ways.items():
                    for epsilon in epsilons:
                        moved = run.craft(attack.with_(epsilon=epsilon), network, n)
                        add(look(moved), epsilon=epsilon, setting=way, n=n)
                        change = run.measure(
                            median_change, network, run.test(n), moved, outputs=outputs
                        )
                        add(median_change=change, epsilon=epsilon, setting=way, n=n)
    distances(run, run.model(first, run.seeds[0]), random, epsilons, n)
    on_a_line(run)
    draw(run, [*models, SMOOTHED, INDEPENDENT], epsilons)
    run.finish()


def distances(run: Run, network: Model, random: Config, epsilons: list[float], n: int) -> None:
    """How far from the nearest training example the moved ones are; no network has a say in it."""
    for epsilon in [0.0, *epsilons]:
        moved = run.craft(random.with_(epsilon=epsilon), network, n)
        far = run.measure(median_distance, moved, run.data.train)
        run.table.add(DIGITS, median_distance=far, epsilon=epsilon, seed=None, unit="L2 norm", n=n)


def on_a_line(run: Run) -> None:
    """The regressions of one number, one for each pair of classes."""
    fitted = run.measure(one_dimension, run.data.train, places=PLACES)
    none = [[math.nan] * len(PLACES)]  # with a single class there are no pairs
    odds, beyond = np.array(fitted.log_odds or none), np.array(fitted.beyond or none)
    p = 100 / (1 + np.exp(-odds))
    for k, place in enumerate(PLACES):
        known = len(run.data.train)
        add = partial(run.table.add, LINE, setting=setting(x=place), seed=None, n=known)
        add(median_confidence=float(np.median(p[:, k])), least_confidence=float(p[:, k].min()))
        add(median_log_odds=float(np.median(odds[:, k])), unit="nats")
        add(beyond=float(np.median(beyond[:, k])))


def draw(run: Run, rows: list[str], epsilons: list[float]) -> None:
    """The largest log-odds along both ways, and the regressions' confidence.

    Args:
        run: the run, with its numbers.
        rows: the networks.
        epsilons: how far the two ways go.
    """
    results = run.numbers()
    strip: list[Panel] = []
    for title, way in (("along random signs", RANDOM), ("along the gradient's sign", GRADIENT)):
        panel = Panel(title, y="nats" if strip else "largest log-odds (nats)", limits=None)
        for index, row in enumerate(rows):
            start = Cell(row, "median_log_odds")
            places = [Cell(row, "median_log_odds", e, way) for e in epsilons]
            if places[0] in results:
                label = called(row).replace(" ", "\n", 1)
                values = results.over_seeds([start, *places])
                panel.curves.append(Curve(label, [0, *epsilons], values, SERIES[index], index))
                panel.basis = results.basis([start, *places])
        strip.append(panel)
    asked = [Cell(LINE, "median_confidence", None, setting(x=place)) for place in PLACES]
    least = [Cell(LINE, "least_confidence", None, setting(x=place)) for place in PLACES]
    strip.append(
        Panel(
            "a model of one number",
            [
                Curve("median\npair", PLACES, results.over_seeds(asked), SERIES[0]),
                Curve("lowest\npair", PLACES, results.over_seeds(least), NEUTRAL, 1),
            ],
            x="x (classes' means: −1 and 1)",
            y="probability of the positive class (%)",
            basis="pairs of classes, training examples",
        )
    )
    curve_figure(
        run.folder,
        "extrapolation",
        [Strip(strip, 2.6)],
        finding=finding(results, rows, max(epsilons)),
        provenance=run.heading(),
    )


def finding(results: Numbers, rows: list[str], epsilon: float) -> str:
    """How the largest log-odds grow, of the first network with hard and with smoothed targets."""
    words = []
    for row in (rows[0], SMOOTHED):
        near = results.mean(row, "median_log_odds")
        far = results.mean(row, "median_log_odds", epsilon, RANDOM)
        words.append(f"from {near:.1f} to {far:.1f} nats ({called(row)})".replace("-", "−"))
    return (
        f"Random signs of ε = {size(epsilon)} take the log-odds of the predicted class "
        + ", ".join(words)
    )
