"""Arithmetic on z: glasses − no glasses + long hair. Section 1.4.4, Figure 1.7.

    advx run experiment=latent_arithmetic                  # rendered faces, few epochs
    advx run experiment=latent_arithmetic scale=chapter    # more faces, more epochs

The procedure: train a convolutional game on faces whose attributes are known; find z whose faces
a classifier (the evaluator, right on nearly every render) gives the classes a, b and c; average a
few of each; generate from a − b + c and ask the evaluator whether it is the fourth class. Beside it
what needs no arithmetic: c alone, c with a random direction of the same length, and the same sum on
pixels; and the sum brought to the length that z usually has, which averages lose. Then once more
with a game that has never seen the fourth class.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from advx.config.cells import Cells, setting
from advx.config.config import Config
from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.evaluation.latent_sums import chosen, summed
from advx.evaluation.measurement import measurement
from advx.evaluation.samples import generative
from advx.evaluation.transfer import error_rate, predictions, probabilities
from advx.evaluation.undefined import percent
from advx.figures import arithmetic as figure
from advx.figures.samples import gray_levels
from advx.figures.saved import save_and_draw
from advx.games.generative import LatentGame
from advx.randomness import seeded
from advx.run import Run
from advx.run.data import loader_of
from advx.run.model import Game, Model
from advx.training.load_or_train import TrainedGame
from advx.types import PositiveInt

SUMS = ("a − b + c", "rescaled", "on pixels", "c + random direction", "c alone")
"""What the evaluator is asked about; the last three are controls."""

GAMES = {
    "": "G was trained on all four classes",
    ", never seen": "G was never trained on the fourth class",
}
"""By the suffix of their rows."""

FACES = "faces with {}{}"
"""The row of a class, with the suffix of the game."""

CONFIDENT = 0.9
"""Probability from which a generated face counts as one of its class."""

POOL = 20_000
"""z that are tried for faces of the three classes, at most."""

SHOWN, TRIALS = 3, 8
"""z averaged for each face of the figure, and equations in it."""


class Classes(NamedTuple):
    """Of the faces a, b and c, and of those that a − b + c should be."""

    plus: int
    minus: int
    other: int
    target: int


def cells(plus: str, minus: str, other: str, target: str, averaged: list[int]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield Cells(["evaluator"], ["error_rate"])
    classes = dict.fromkeys((plus, minus, other, target))  # of which `main` refuses two alike
    faces = [FACES.format(k, suffix) for suffix in GAMES for k in classes]
    yield Cells(faces, ["generated"], always=False)  # where the training did not diverge
    sums = [name + suffix for suffix in GAMES for name in SUMS]
    settings = [setting(averaged=count) for count in averaged]
    yield Cells(sums, ["target_class"], settings=settings, always=False)  # where there are faces


def main(
    run: Run,
    game: Config,
    evaluator: Config,
    evaluator_trainer: Config,
    plus: str,
    minus: str,
    other: str,
    target: str,
    averaged: list[PositiveInt],
    trials: PositiveInt,
) -> None:
    """How often a − b + c is a face of the target class, against numbers of z averaged.

    Args:
        run: the run to measure on.
        game: a generator and a discriminator.
        evaluator: the classifier that gives a face its class.
        evaluator_trainer: its trainer.
        plus: class a.
        minus: class b.
        other: class c.
        target: the class that a − b + c should be of.
        averaged: numbers of z averaged for each of a, b and c.
        trials: sums tried for each of them.
    """
    named = {"plus": plus, "minus": minus, "other": other, "target": target}
    classes = known_classes(run, named)
    faces = {"": run.data, ", never seen": without(run, classes.target)}
    network = run.model(evaluator, 0, trainer=evaluator_trainer)
    results: dict[str, list[SumRates]] = {suffix: [] for suffix in GAMES}
    with run.progress(models=1 + 2 * len(run.seeds)):
        rate = run.measure(error_rate, network, run.data.test)
        run.table.add("evaluator", error_rate=rate, seed=None, n=len(run.data.test))
        for seed in run.seeds:
            for suffix, data in faces.items():
                trained = run.game(game, seed, data=data)
                parts = (trained, network, list(classes), averaged, trials, seed)
                rates = run.measure(sum_rates, *parts)
                add_rates(run, rates, suffix, classes, averaged, trials, seed)
                results[suffix].append(rates)
    games = {suffix: run.game(game, run.seeds[0], data=data) for suffix, data in faces.items()}
    equations = {suffix: faces_of(run, each, network, classes) for suffix, each in games.items()}
    draw(run, equations, results, averaged, classes)
    run.finish()


def known_classes(run: Run, named: dict[str, str]) -> Classes:
    """The classes that are named, by key.

    Raises:
        ConfigError: there is no such class, or two are the same.
    """
    names = run.data.class_names
    for key, name in named.items():
        if name not in names:
            raise ConfigError(
                f"{key}={name}: no class of dataset={run.data.name}; valid: {'; '.join(names)}"
            )
    if len(set(named.values())) < len(named):
        raise ConfigError(
            f"plus, minus, other, target={list(named.values())}: four different classes are needed"
        )
    return Classes(*(names.index(name) for name in named.values()))


def without(run: Run, withheld: int) -> Dataset:
    """The run's faces without those of a class.

    Raises:
        ConfigError: no class can be withheld from the run's data, or one is already.
    """
    config = run.source.config
    if config.get("withheld", 0) is not None:
        raise ConfigError(
            f"dataset={run.data.name}: faces with all four classes are needed, of which one is "
            "then withheld; valid: dataset=faces, dataset.withheld=null"
        )
    loader = loader_of(config)
    return loader.with_(withheld=withheld).build().to(run.device)


def add_rates(
    run: Run,
    rates: "SumRates",
    suffix: str,
    classes: Classes,
    averaged: list[int],
    trials: int,
    seed: int,
) -> None:
    """The rows of one game: how many of its faces are surely of each class, and of its sums."""
    for rate, k in zip(rates.generated, classes, strict=False):
        row = FACES.format(run.data.class_names[k], suffix)
        run.table.add(row, generated=rate, seed=seed, n=POOL)
    for name, row_rates in rates.by_sum(averaged).items():
        for count, rate in zip(averaged, row_rates, strict=True):
            under = setting(averaged=count)
            run.table.add(name + suffix, target_class=rate, setting=under, seed=seed, n=trials)


@dataclass(frozen=True)
class SumRates:
    """How often a game's sums of z are faces of the target class, in percent.

    Attributes:
        generated: percent of all z whose faces are surely of the classes a, b, c and the target.
        sums: by name, for each number of z averaged; none where a, b or c has no faces.
    """

    generated: list[float]
    sums: dict[str, list[float]]

    def by_sum(self, averaged: list[int]) -> dict[str, list[float]]:
        """`sums`; where the training diverged, the first with NaN."""
        diverged = not self.generated
        return {SUMS[0]: [math.nan] * len(averaged)} if diverged else self.sums


@measurement(version=1)
@torch.no_grad()
def sum_rates(
    trained: TrainedGame,
    evaluator: nn.Module,
    classes: list[int],
    averaged: list[int],
    trials: int,
    seed: int,
    pool: int = POOL,
    confident: float = CONFIDENT,
) -> SumRates:
    """How often sums of z, and the controls, are faces of the target class.

    Args:
        trained: the game.
        evaluator: gives a face its class.
        classes: of a, b and c, and the target.
        averaged: numbers of z averaged for each of a, b and c.
        trials: sums for each of them.
        seed: of z.
        pool: z that are tried for faces of the classes.
        confident: probability from which a face counts as one of its class.
    """
    game, target = generative(trained), classes[-1]
    results = codes(game, evaluator, classes, seed, pool, confident)
    generated = [100 * len(z) / pool for z in results]
    if not all(map(len, results[:3])):
        return SumRates(generated, {})
    usual = torch.cat(results).norm(dim=1).mean()
    sums: dict[str, list[float]] = {name: [] for name in SUMS}
    for count in averaged:
        for name, images in summed(game, results, usual, count, trials, seed).items():
            predicted = predictions(evaluator, images)
            sums[name].append(percent(evaluator, predicted == target, predicted))
    return SumRates(generated, sums)


def codes(
    game: LatentGame,
    evaluator: nn.Module,
    classes: list[int],
    seed: int,
    pool: int,
    confident: float,
) -> list[Tensor]:
    """For each of the classes all z of a pool (m, latent) whose faces the evaluator is sure of."""
    device = next(game.parameters()).device
    with seeded(seed):
        z = game.draw(pool).to(device)
    p = torch.cat([probabilities(evaluator, game.generate(part)) for part in z.split(1000)])
    return [z[p[:, k] > confident] for k in classes]


class Equations(NamedTuple):
    """Of the figure: all faces a, all b, all c and all a − b + c; which of the last are right.

    Attributes:
        faces: (4 · trials, *shape).
        right: (trials,) bool, whether the evaluator gives a − b + c the target class.
    """

    faces: Tensor
    right: Tensor


def faces_of(run: Run, game: Game, evaluator: Model, classes: Classes) -> Equations | None:
    """The equations of the figure; None where a class has no faces, or the training diverged."""
    return run.attempt(lambda: equations_of(game.value, evaluator.value, classes, game.seed))


@torch.no_grad()
def equations_of(
    trained: TrainedGame, evaluator: nn.Module, classes: Classes, seed: int
) -> Equations | None:
    """A few sums of means of few z; None where a class has no faces."""
    game = generative(trained)
    pools = codes(game, evaluator, list(classes), seed, POOL, CONFIDENT)[:3]
    if not all(map(len, pools)):
        return None
    with seeded(seed + 1):
        a, b, c = (chosen(pool, SHOWN, TRIALS).mean(1) for pool in pools)
        made = [game.generate(z) for z in (a, b, c, a - b + c)]
    return Equations(torch.cat(made), predictions(evaluator, made[-1]) == classes.target)


def draw(
    run: Run,
    equations: dict[str, Equations | None],
    results: dict[str, list[SumRates]],
    averaged: list[int],
    classes: Classes,
) -> None:
    """A row a trial, a − b + c = d; and how often the sums succeed."""
    arrays: dict[str, np.ndarray] = {}
    for suffix, each in equations.items():
        if each is not None:
            arrays[f"faces{suffix}"] = gray_levels(each.faces)
            arrays[f"right{suffix}"] = each.right.cpu().numpy()
    for suffix, seeds in results.items():
        rows = [rates.by_sum(averaged) for rates in seeds]
        for name in SUMS:
            values = [row[name] for row in rows if name in row]
            if values:
                arrays[name + suffix] = np.array(values, np.float32)
    arrays["averaged"] = np.array(averaged)
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        games=GAMES,
        sums=list(SUMS),
        names=[run.data.class_names[k] for k in classes],
        shown=SHOWN,
        provenance=run.heading(),
    )
