"""Do features that hide the domain carry over to another domain? Section 1.4.6.

    advx run experiment=domain_adaptation                  # small networks, one seed
    advx run experiment=domain_adaptation scale=chapter    # MNIST, five seeds
    advx run experiment=domain_adaptation dataset=my_source dataset@targets.backgrounds=my_target

The procedure: train a classifier on labeled images of a source and unlabeled ones of a target,
against a critic that is to tell from the features which of the two an image is from. Beside it
stand the same network trained on the source alone, which sees no image of the target; trained on
both, but without the adversarial loss; and trained on the target's labels. Whatever is chosen is
chosen on the source; the target's labels are looked at when all is trained. Then ask the critic on
images that it has not seen, and critics that are trained afresh on the same features. The game is
played in three ways: by gradient reversal, simultaneously, and alternating.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from advx.config.cells import Cell, Cells, setting
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.data.domains import alike, pair
from advx.errors import ConfigError
from advx.evaluation.audit import CriticName, leakage, networks_of, trained_critic_accuracy
from advx.evaluation.domain_audit import embedding, of_both
from advx.evaluation.transfer import error_rate
from advx.figures import adaptation as figure
from advx.figures.saved import save_and_draw
from advx.games.domain_adversarial import NetworkName, WayName
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.data import fitting
from advx.run.model import Game
from advx.types import PositiveInt

SOURCE_ONLY, ON_TARGET = "source only", "trained on target"
"""The floor and the ceiling of what an adaptation can do."""

NO_GAME = "no game"
"""What there is of an adaptation without the features' part in it: λ = 0."""

WAYS: dict[WayName, str] = {
    "reversal": "gradient reversal",
    "simultaneous": "simultaneous",
    "alternating": "alternating",
}
"""What the ways of playing are called in rows."""

CRITICS: tuple[CriticName, ...] = ("logistic_regression", "mlp")
"""Those that are trained afresh."""

SHOWN = ("target_error_rate", "trained_critic_accuracy")
"""Metrics in the figure, beside the fresh critics'."""

EMBEDDED = 400
"""Test images of either domain in the embedding."""


class Kind(NamedTuple):
    """One way of training one network: a row of the table."""

    training: str
    network: NetworkName

    @property
    def alone(self) -> bool:
        """Whether it sees one domain only, so that there is nothing to play for."""
        return self.training in (SOURCE_ONLY, ON_TARGET)

    @property
    def row(self) -> str:
        """What it is called."""
        return f"{self.training}, {self.network}"


@dataclass(frozen=True)
class Domains:
    """A source and a target, and what of them a model is trained and asked on.

    Attributes:
        source, target: the two data sets.
        trained_on: by training, labeled images of one domain and unlabeled ones of another.
        seen: images of either domain for fresh critics to learn on; groups are domains.
        unseen: test images of either, on which all critics are scored.
    """

    source: Dataset
    target: Dataset
    trained_on: dict[str, Dataset]
    seen: Split
    unseen: Split

    @classmethod
    def of(cls, source: Dataset, target: Dataset, critic_examples: int) -> "Domains":
        """Source and target in one shape and with one list of classes.

        Raises:
            ConfigError: they have different ones.
        """
        source, target = alike(source, target)
        alone = {SOURCE_ONLY: pair(source, source), ON_TARGET: pair(target, target)}
        return cls(
            source,
            target,
            dict.fromkeys((NO_GAME, *WAYS.values()), pair(source, target)) | alone,
            of_both(source.train, target.train, critic_examples),
            of_both(source.test, target.test, critic_examples),
        )


def cells(
    targets: dict[str, Config], networks: dict[NetworkName, list[WayName]]
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    settings = [setting(target=name) for name in targets]
    rows = [kind.row for kind in kinds(networks)]
    errors = ["source_error_rate", "target_error_rate"]
    yield Cells(rows, errors, settings=settings)
    played = [kind.row for kind in kinds(networks) if not kind.alone]
    yield Cells(played, ["trained_critic_accuracy"], settings=settings)
    fresh = [setting(each, critic=critic) for each in settings for critic in CRITICS]
    yield Cells(rows, ["fresh_critic_accuracy"], settings=fresh)


def main(
    run: Run,
    game: Config,
    targets: dict[str, Config],
    networks: dict[NetworkName, list[WayName]],
    shown_network: NetworkName,
    critic_examples: PositiveInt,
) -> None:
    """Errors on both domains, and what critics make of the features.

    Args:
        run: the run to measure on; its data set is the source.
        game: features, a predictor and a critic.
        targets: data sets with the source's classes, by name.
        networks: by the name of a network, the ways in which it is played.
        shown_network: whose features the figure shows.
        critic_examples: images of either domain that a fresh critic learns on, at most, and is
            scored on.
    """
    if not targets:
        raise ConfigError("targets={}: names no target; valid: dataset@targets.mine=uci_digits")
    if shown_network not in networks:
        valid = ", ".join(networks)
        raise ConfigError(f"shown_network={shown_network}: is not trained; valid: {valid}")
    domains = {
        name: Domains.of(run.data, loaded(run, target), critic_examples)
        for name, target in targets.items()
    }
    every = kinds(networks)
    with run.progress(models=len(domains) * len(every) * len(run.seeds)):
        for seed in run.seeds:
            for name, of in domains.items():
                for kind in every:
                    add(run, kind, game_of(run, game, kind, of, seed), of, setting(target=name))
    draw(run, game, domains, networks, shown_network)
    run.finish()


def kinds(networks: dict[NetworkName, list[WayName]]) -> list[Kind]:
    """The rows: every network on the source alone, without a game, in its ways, on the target."""
    return [
        Kind(training, network)
        for network, ways in networks.items()
        for training in (SOURCE_ONLY, NO_GAME, *(WAYS[way] for way in ways), ON_TARGET)
    ]


def loaded(run: Run, target: Config) -> Dataset:
    """A target's data set, on the run's device."""
    return run.on(target).data


def game_of(run: Run, game: Config, kind: Kind, domains: Domains, seed: int) -> Game:
    """The game that makes one row, for one seed.

    Alone, a domain is both source and target: what has been trained on the source has seen no image
    of the target, not even for a mean.
    """
    way = next((way for way, training in WAYS.items() if training == kind.training), "reversal")
    data = domains.trained_on[kind.training]
    changed = fitting(game, data).with_(network=kind.network, way=way)
    changed = changed if kind.training in WAYS.values() else changed.with_(strength=0.0)
    return run.game(changed, seed, trainer=scheduled(run.models.trainer), data=data)


def scheduled(trainer: Config) -> Config:
    """The trainer, with an optimizer whose schedule ends when the training does.

    Raises:
        ConfigError: the number of updates is left to the data.
    """
    if trainer.get("epoch_updates") is None:
        raise ConfigError(
            "trainer.epoch_updates=null: the rate's schedule needs the number of updates; valid: "
            "trainer.epoch_updates=250"
        )
    updates = trainer["max_epochs"] * trainer["epoch_updates"]
    return trainer.with_(optimizer={**trainer["optimizer"], "updates": updates})


def add(run: Run, kind: Kind, game: Game, domains: Domains, under: str) -> None:
    """The measures of one game."""
    seed, networks = game.seed, run.derive(networks_of, game)
    for name, data in (("source", domains.source), ("target", domains.target)):
        error = run.measure(error_rate, networks, data.test)
        measured = {f"{name}_error_rate": error}
        run.table.add(kind.row, measured, setting=under, seed=seed, n=len(data.test))
    n = len(domains.unseen)
    if not kind.alone:
        accuracy = run.measure(trained_critic_accuracy, networks, "critic", domains.unseen)
        run.table.add(kind.row, trained_critic_accuracy=accuracy, setting=under, seed=seed, n=n)
    for critic in CRITICS:
        fresh = run.measure(leakage, networks, domains.seen, domains.unseen, critic)
        asked = setting(under, critic=critic)
        run.table.add(kind.row, fresh_critic_accuracy=fresh.accuracy, setting=asked, seed=seed, n=n)


def draw(
    run: Run,
    game: Config,
    domains: dict[str, Domains],
    networks: dict[NetworkName, list[WayName]],
    shown_network: NetworkName,
) -> None:
    """Every seed's errors and critics as dots; features of both domains in the plane."""
    found, rows = run.numbers(), [kind.row for kind in kinds(networks)]
    arrays: dict[str, np.ndarray] = {}
    for name in domains:
        under = setting(target=name)
        for metric in SHOWN:
            cells = [Cell(row, metric, setting=under) for row in rows]
            arrays[f"{metric} {name}"] = found.over_seeds(cells)
        for critic in CRITICS:
            asked = setting(under, critic=critic)
            cells = [Cell(row, "fresh_critic_accuracy", setting=asked) for row in rows]
            arrays[f"{critic} {name}"] = found.over_seeds(cells)
    first, way = next(iter(domains)), WAYS[networks[shown_network][0]]
    shown = of_both(domains[first].source.test, domains[first].target.test, EMBEDDED)
    for training in (SOURCE_ONLY, way):
        kind = Kind(training, shown_network)
        made = game_of(run, game, kind, domains[first], run.seeds[0])
        points = run.attempt(partial(points_of, made, shown))
        if points is not None:
            arrays |= {f"{part} {training}": array for part, array in points.items()}
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        rows=rows,
        targets=[*domains],
        critics=[*CRITICS],
        embedded=[SOURCE_ONLY, way],
        source=run.data.name,
        findings=findings(found, first, shown_network, way),
        provenance=run.heading(),
    )


def points_of(game: Game, examples: Split) -> dict[str, np.ndarray]:
    """The embedding of one game's features, by part."""
    return embedding(networks_of(game.value), examples)._asdict()


def findings(found: Numbers, target: str, network: NetworkName, way: str) -> list[str]:
    """Above the figures, from means: the errors; and what a fresh critic makes of the features."""
    under = setting(target=target)
    asked = setting(under, critic="mlp")
    rows = [Kind(training, network).row for training in (SOURCE_ONLY, NO_GAME, way, ON_TARGET)]
    errors = [found.mean(row, "target_error_rate", setting=under) for row in rows]
    named = [found.mean(row, "fresh_critic_accuracy", setting=asked) for row in rows[1:3]]
    own = found.mean(rows[2], "trained_critic_accuracy", setting=under)
    return [
        f"On {target}, the network trained on the source alone errs on {errors[0]:.1f}% of the "
        f"images, with the target's images but no game on {errors[1]:.1f}%, against a critic of "
        f"domains on {errors[2]:.1f}%, with labels of the target on {errors[3]:.1f}%",
        f"The critic that was trained against names the domain of {own:.1f}% of the images, one "
        f"that is trained afresh of {named[1]:.1f}%; without the game, of {named[0]:.1f}%",
    ]
