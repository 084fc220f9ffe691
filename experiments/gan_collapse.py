"""Does batch normalization keep a generator from collapsing? Section 1.4.2.

    advx run experiment=gan_collapse                          # a ring of eight modes, two seeds
    advx run experiment=gan_collapse scale=chapter            # five seeds, longer
    advx run experiment=gan_collapse dataset=grid             # twenty-five modes
    advx run experiment=gan_collapse_stacked scale=chapter    # a thousand modes

The procedure: train two networks with batch normalization in neither, in G, in D and in both, with
either loss and one or several updates of D for one of G; count the modes of the data that the
generator has, during training and at the end. Then start from a generator that makes a single
point, and ask where the gradients around such a point lead.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.mixtures import grid_means, ring_means
from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.modes import (
    CONFIDENT,
    DIGITS,
    REACH,
    MixtureModes,
    ModeMeasures,
    StackedModes,
    mode_coverage,
    mode_shares,
    modes_over_training,
    modes_seen_by,
    stacked_error_rate,
)
from advx.evaluation.point_gradients import POINTS, GradientsAround, gradients_around
from advx.evaluation.sample_quality import random_rows
from advx.evaluation.samples import generated_examples
from advx.figures import collapse as figure
from advx.figures.samples import gray_levels
from advx.figures.saved import save_and_draw
from advx.games.losses import GeneratorLossName
from advx.run import Run
from advx.run.generated import add_warnings
from advx.run.model import Game
from advx.run.named import Derived
from advx.run.real_images import warning_cells
from advx.training.load_or_train import TrainedGame
from advx.types import Positive, PositiveInt, Some

PLACES = {
    "neither": {"batch_norm_generator": False, "batch_norm_discriminator": False},
    "in G": {"batch_norm_generator": True, "batch_norm_discriminator": False},
    "in D": {"batch_norm_generator": False, "batch_norm_discriminator": True},
    "in both": {"batch_norm_generator": True, "batch_norm_discriminator": True},
}
"""Where batch normalization stands."""

INSIDE = f"that lie within {REACH:g} standard deviations of a mode's mean"
READ = f"of which a classifier is confident (p > {CONFIDENT}) what all three digits are"
"""Which examples `high_quality` counts, for the figure."""

FLOOR, UNSEEN = "data against data", "unseen data"
VARIANT, AROUND = "{}, {}", "{:g} from the point"
"""Rows beside those of the kinds of games."""

OF_UNSEEN = ["modes", "high_quality"]
"""What is measured of the test examples, to whose shares of the modes all are compared."""

UNITS = {
    "modes": "modes",
    "reverse_kl": "nats",
    "warnings_at_the_end": "warnings",
    "cosine": "cosine",
}
"""The others are percentages."""

IMAGES = 32
"""Shown of each game whose examples are images."""


@dataclass(frozen=True)
class KnownModes:
    """The modes of the data.

    Attributes:
        modes: those of digits are known when the classifier is trained.
        count: of them.
        counted: which examples `high_quality` counts, for the figure.
    """

    modes: MixtureModes | Derived[StackedModes]
    count: int
    counted: str


class Kind(NamedTuple):
    """Of a game: where batch normalization stands, what G minimizes, updates of D for one of G."""

    place: str
    loss: GeneratorLossName
    steps: int

    @property
    def column(self) -> str:
        """What is the same for all places."""
        return f"{self.loss.replace('_', '-')}, k = {self.steps}"

    @property
    def name(self) -> str:
        """What its row is called."""
        return f"{self.place}, {self.column}"


def cells(
    losses: list[GeneratorLossName],
    discriminator_steps: list[int],
    variants: dict[str, dict[str, Any]],
    distances: list[float],
    classifier: Config | None,
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    if classifier is not None:
        yield Cells(["classifier"], ["misread"], always=False)  # on stacked digits
    games = [Kind(*each).name for each in itertools.product(PLACES, losses, discriminator_steps)]
    games += [
        VARIANT.format(name, place)
        for name, variant in variants.items()
        for place in variant["places"]
    ]
    yield Cells([FLOOR, *games], metrics_of(ModeMeasures))
    yield Cells([UNSEEN], OF_UNSEEN)
    yield Cells(games, ["spread"])
    yield from warning_cells(games)
    yield Cells([AROUND.format(d) for d in distances], metrics_of(GradientsAround))


def main(
    run: Run,
    game: Config,
    losses: Some[GeneratorLossName],
    discriminator_steps: Some[PositiveInt],
    variants: dict[str, dict[str, Any]],
    samples: PositiveInt,
    distances: list[Positive],
    fixed_generator_updates: PositiveInt,
    classifier: Config | None,
    classifier_trainer: Config | None,
) -> None:
    """Modes of every kind of game and variant; gradients around a single generated point.

    Args:
        run: the run to measure on.
        game: one with `batch_norm_generator` and `batch_norm_discriminator`.
        losses: what G minimizes.
        discriminator_steps: updates of D for one of G.
        variants: further games by name, with the first loss and number of updates: `game`, changes
            of its configuration, and `places` of batch normalization.
        samples: generated examples whose modes are counted.
        distances: of the points around a single generated one, in units of the data's spread.
        fixed_generator_updates: updates of the discriminator that has only that point to recognize.
        classifier: the network that gives stacked digits their classes.
        classifier_trainer: its trainer.
    """
    for key in PLACES["neither"]:
        if key not in game:
            raise ConfigError(f"game={game['name']}: has no {key}; valid: multilayer, dcgan")
    known = known_modes(run, classifier, classifier_trainer)
    kinds = [Kind(*each) for each in itertools.product(PLACES, losses, discriminator_steps)]
    games = all_games(run, game, kinds, variants)
    shares = run.derive(mode_shares, run.data.test.images, known.modes)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in games}
    with run.progress(models=len(games) * len(run.seeds)):
        add_floor(run, known, shares, samples)
        for seed in run.seeds:
            for name, (networks, trainer) in games.items():
                trained = run.game(networks, seed, trainer=trainer)
                made = run.derive(generated_examples, trained, samples)
                end = run.measure(mode_coverage, made, known.modes, shares)
                over_time = run.measure(modes_over_training, trained, known.modes)
                run.table.add(name, end, seed=seed, n=samples, unit=UNITS)
                add_history(run, name, trained)
                outcomes[name].append(Outcome(end, over_time))
            add_gradients(run, game, seed, distances, fixed_generator_updates)
    draw(run, kinds, {kind.name: games[kind.name] for kind in kinds}, outcomes, known, samples)
    run.finish()


def known_modes(
    run: Run, classifier: Config | None, classifier_trainer: Config | None
) -> KnownModes:
    """The modes of the run's data; where a classifier sees them, its error is a row.

    Raises:
        ConfigError: they are not known.
    """
    config, data = run.source.config, run.data
    if data.name in ("ring", "grid"):
        ring = data.name == "ring"
        means = (
            ring_means(config["modes"], config["radius"])
            if ring
            else grid_means(config["side"], config["spacing"])
        )
        mixture = MixtureModes(means.to(run.device), config["deviation"])
        return KnownModes(mixture, mixture.count, INSIDE)
    if data.name == "stacked_mnist" and classifier is not None:
        digits = classifier.with_(input_shape=[1, *data.input_shape[1:]], classes=DIGITS)
        network = run.model(digits, 0, trainer=classifier_trainer, part="the first digits")
        rate = run.measure(stacked_error_rate, network, data.test)
        note = f"store key {network.key}"
        run.table.add("classifier", misread=rate, seed=None, n=len(data.test), note=note)
        return KnownModes(run.derive(modes_seen_by, network), DIGITS**3, READ)
    raise ConfigError(
        f"dataset={data.name}: its modes are not known; valid: ring, grid, and stacked_mnist "
        "with experiment=gan_collapse_stacked"
    )


def all_games(
    run: Run, game: Config, kinds: list[Kind], variants: dict[str, dict[str, Any]]
) -> dict[str, tuple[Config, Config]]:
    """Every game with its trainer, by its row: those of the kinds, then the variants."""

    def made(networks: Config, kind: Kind) -> tuple[Config, Config]:
        rules = {"loss": kind.loss, "discriminator_steps": kind.steps}
        return networks.with_(**PLACES[kind.place], **rules), run.models.trainer

    games = {kind.name: made(game, kind) for kind in kinds}
    for name, variant in variants.items():
        for place in variant["places"]:
            kind = kinds[0]._replace(place=place)
            games[VARIANT.format(name, place)] = made(game.with_(**variant["game"]), kind)
    return games


def add_floor(run: Run, known: KnownModes, shares: Derived[Tensor], samples: int) -> None:
    """The same of the data: of the training examples, and of the test examples, new to all.

    The shares of the modes are those of the test examples, which are not compared with themselves.
    """
    for row, split in ((FLOOR, run.data.train), (UNSEEN, run.data.test)):
        real = random_rows(split.images, samples)
        floor = vars(run.measure(mode_coverage, real, known.modes, shares))
        if row == UNSEEN:
            floor = {metric: floor[metric] for metric in OF_UNSEEN}
        run.table.add(row, floor, seed=None, n=len(real), unit=UNITS)


class Outcome(NamedTuple):
    """A game's modes at the end, and their numbers at every snapshot."""

    end: ModeMeasures
    over_time: list[float]


def add_history(run: Run, row: str, trained: Game) -> None:
    """In how many epochs the examples were spread out, and in how many there were warnings."""
    epochs = trained.recipe.trainer["max_epochs"]
    spread = run.measure(spread_rate, trained)
    run.table.add(row, spread=spread, seed=trained.seed, n=epochs)
    add_warnings(run, row, trained)


def add_gradients(run: Run, game: Config, seed: int, distances: list[float], steps: int) -> None:
    """Where a generator that makes a single point is sent from points nearby."""
    if not distances:
        return
    around = run.measure(gradients_around, game, seed, run.data.train, distances, steps)
    for distance, results in zip(distances, around, strict=True):
        row = AROUND.format(distance)
        run.table.add(row, results, seed=seed, n=POINTS, unit=UNITS)


@measurement(version=1)
def spread_rate(trained: TrainedGame, diversity: float = 0.5) -> float:
    """Percent of the epochs after which generated examples were at least so diverse."""
    spread = [row["diversity"] >= diversity for row in trained.history]
    return 100 * sum(spread) / len(spread)


def draw(
    run: Run,
    kinds: list[Kind],
    games: dict[str, tuple[Config, Config]],
    outcomes: dict[str, list[Outcome]],
    known: KnownModes,
    samples: int,
) -> None:
    """Modes over time, modes at the end, and the examples of the first seed's games."""
    shown: dict[str, TrainedGame] = {}
    for kind in kinds:
        if kind.column == kinds[0].column:
            networks, trainer = games[kind.name]
            trained = finished(run, run.game(networks, run.seeds[0], trainer=trainer))
            if trained is not None:
                shown[kind.place] = trained
    epochs = [each.snapshot_epochs for each in shown.values()]
    arrays = {"epochs": np.array(epochs[0] if epochs else [])} | modes_arrays(outcomes)
    data = run.data.test.images
    if isinstance(known.modes, MixtureModes):
        arrays |= {f"points_{place}": each.snapshots.numpy() for place, each in shown.items()}
        arrays["data"] = data[:500].cpu().numpy()
    else:
        for place, each in shown.items():
            arrays[f"images_{place}"] = gray_levels(each.snapshots[-1][:IMAGES])
        arrays["data"] = gray_levels(data[:IMAGES])
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        places=list(PLACES),
        columns=list(dict.fromkeys(kind.column for kind in kinds)),
        count=known.count,
        counted=[run.models.trainer["shown"], samples],
        inside=known.counted,
        shown=kinds[0].column,
        provenance=run.heading(),
    )


def finished(run: Run, game: Game) -> TrainedGame | None:
    """A game after its training; None where that diverged."""
    return run.attempt(lambda: game.value)


def modes_arrays(outcomes: dict[str, list[Outcome]]) -> dict[str, np.ndarray]:
    """For every game: modes over time (seeds, times), at the end (seeds,), and high quality."""
    arrays: dict[str, np.ndarray] = {}
    for name, results in outcomes.items():
        trained = [each for each in results if each.over_time]  # the others diverged
        if trained:
            parts = {
                "grown": [each.over_time for each in trained],
                "ends": [each.end.modes for each in trained],
                "inside": [each.end.high_quality for each in trained],
            }
            arrays |= {f"{key}_{name}": np.array(part, np.float32) for key, part in parts.items()}
    return arrays
