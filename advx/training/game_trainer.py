"""How games between networks are trained: players with optimizers, snapshots, averages."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from torch import Tensor

from advx.config.build import build
from advx.config.check import check_node
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.games.base import Game, Observer
from advx.games.players import Players
from advx.training.loop import Checkpoint, OnEpoch, Progress, Row, Task, train
from advx.training.optimizers import Adam, Optimizer
from advx.training.rule import TrainingRule
from advx.types import NonNegativeInt, PositiveInt, Probability

RADFORD = Adam(learning_rate=2e-4, beta1=0.5)


class GameTrainer(TrainingRule):
    """As many updates in an epoch as show the game all the data once.

    Args:
        optimizer: moves each player; by default as in Radford et al. (2015).
        optimizers: what differs for some of them, by player's name: arguments of `optimizer` (None
            for its own), or a `_target_` and arguments of another one.
        batch_size: examples in a minibatch.
        max_epochs: stop after so many epochs; schedules and snapshots go by it.
        patience: stop after so many epochs without a smaller validation error, for a game that has
            one; None to train to `max_epochs`.
        epoch_updates: updates of the game in one epoch; None for as many as show it all the data.
        snapshots: how often, evenly spaced over `max_epochs`, the game's samples are kept.
        shown: examples in a snapshot.
        average: decay of a moving average of the parameters of the players that the game names,
            which are kept instead; None for none.

    Raises:
        ConfigError: `optimizers` has what no optimizer takes.
    """

    STOPPING_RULE: ClassVar[tuple[str, ...]] = ()
    """Every argument counts: when snapshots are due depends on `max_epochs`."""

    def __init__(
        self,
        *,
        optimizer: Optimizer = RADFORD,
        optimizers: dict[str, dict[str, Any]] | None = None,
        batch_size: PositiveInt = 128,
        max_epochs: PositiveInt = 25,
        patience: PositiveInt | None = None,
        epoch_updates: PositiveInt | None = None,
        snapshots: PositiveInt = 20,
        shown: PositiveInt = 100,
        average: Probability | None = None,
    ) -> None:
        super().__init__(
            optimizer=optimizer,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=patience,
        )
        self.max_epochs: int = max_epochs
        self.optimizers = {
            player: changed(self.optimizer, changes, f"trainer.optimizers.{player}")
            for player, changes in (optimizers or {}).items()
        }
        self.epoch_updates = epoch_updates
        self.snapshots = snapshots
        self.shown = shown
        self.average = average

    def optimizer_of(self, player: str) -> Optimizer:
        """What moves a player."""
        return self.optimizers.get(player, self.optimizer)

    def rounds(self, game: Game, train: Split) -> int:
        """Updates of the game in one epoch."""
        seen = self.batch_size * game.minibatches_per_update
        return self.epoch_updates or max(1, len(train) // seen)

    def check(self, game: Game) -> None:
        """Refuse a game that does not have the players which this trainer names.

        Raises:
            ConfigError: the name, and those of the game's players.
        """
        for player in self.optimizers:
            if player not in game.players:
                raise ConfigError(
                    f"trainer.optimizers.{player}: {type(game).__name__} has no such player; "
                    f"valid: {', '.join(game.players)}"
                )
        if self.average is not None and not game.averaged:
            raise ConfigError(
                f"trainer.average={self.average}: {type(game).__name__} has no player to average; "
                "valid: null"
            )

    def fit(
        self,
        game: Game,
        data: Dataset,
        *,
        seed: NonNegativeInt,
        resume: Checkpoint | None = None,
        on_epoch: OnEpoch = lambda *_: None,
    ) -> Progress:
        """Train the players of `game` in place.

        Args:
            game: on the device of `data`.
            data: its training examples are shown to the game.
            seed: decides minibatches, noise, dropout masks and what the snapshots are made of.
            resume: a checkpoint to continue from, as `on_epoch` was given it.
            on_epoch: called after every epoch with the progress and a function that makes a
                checkpoint of it.

        Raises:
            Diverged: what an update returns is no longer a number.
        """
        self.check(game)
        task = GameTask(self, game, data)
        return train(task, seed=seed, resume=resume, on_epoch=on_epoch)


def changed(optimizer: Optimizer, changes: dict[str, Any], path: str) -> Optimizer:
    """An optimizer with other arguments, or another one altogether.

    Args:
        optimizer: the one that is changed.
        changes: arguments; a `_target_` begins anew.
        path: where the changes stand in the configuration, for error messages.

    Raises:
        ConfigError: an argument that it does not have, or outside its range.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    if "_target_" in changes:
        check_node(changes, path)
        return build(changes)
    kind = type(optimizer)
    check_node({"_target_": f"{kind.__module__}.{kind.__qualname__}"} | changes, path)
    return dataclasses.replace(optimizer, **changes)


class GameTask(Task):
    """Players that learn.

    Args:
        trainer: minibatches, optimizers, snapshots and stopping rule.
        game: on the device of `data`.
        data: its training examples are shown to the game.
    """

    observer: Observer

    def __init__(self, trainer: GameTrainer, game: Game, data: Dataset) -> None:
        self.trainer = trainer
        self.module = self.game = game
        self.data = data
        self.device = data.train.images.device
        networks = {name: getattr(game, name) for name in game.players}
        self.optimizers = {
            name: trainer.optimizer_of(name).attach(
                network, functools.partial(game.constrain, network)
            )
            for name, network in networks.items()
        }
        self.players = Players(self.optimizers)
        self.averages: dict[str, dict[str, Tensor]] = {}
        times = range(1, trainer.snapshots + 1)
        self.due = {round(k * trainer.max_epochs / trainer.snapshots) for k in times}

    def finished(self, progress: Progress) -> bool:
        return self.trainer.finished(progress)

    def begin(self, progress: Progress) -> None:
        self.averages = progress.averages
        self.game.begin(self.data)
        self.observer = self.game.observer(self.data, self.trainer.shown)
        if not progress.snapshots:
            self.save_snapshot(progress)

    def updates_per_epoch(self) -> int:
        return self.trainer.rounds(self.game, self.data.train)

    def batches(self) -> Iterator[Iterator[Any]]:
        """The epoch's minibatches, for each update to draw from."""
        minibatches = self.game.minibatches(self.data.train, self.trainer.batch_size)
        return itertools.repeat(minibatches, self.updates_per_epoch())

    def update(
        self, batch: Iterator[Any], update: int, epoch: int
    ) -> tuple[dict[str, Tensor], int]:
        self.players.update, self.players.epoch = update, epoch
        self.players.progress = update / (self.trainer.max_epochs * self.updates_per_epoch())
        values = self.game.update(batch, self.players)
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"{type(self.game).__name__}.update returns a {type(values).__name__}; valid: a "
                "dictionary of scalar tensors by name, such as losses"
            )
        if self.trainer.average is not None:
            self.move_averages(self.trainer.average)
        return values, 1

    def validation_error(self, epoch: int) -> float:
        self.game.after_epoch(self.data.train)
        return self.game.validation_error(self.data.validation)

    def observe(self, epoch: int, error: float) -> Row:
        return self.observer.diagnose()

    def after_epoch(self, progress: Progress) -> None:
        if progress.epoch in self.due:
            self.save_snapshot(progress)

    def end(self, progress: Progress) -> None:
        for name, average in progress.averages.items():
            getattr(self.game, name).load_state_dict(average)

    def move_averages(self, decay: float) -> None:
        """Move the averages toward the present states."""
        for name in self.game.averaged:
            state = getattr(self.game, name).state_dict()
            if name not in self.averages:
                self.averages[name] = {k: v.clone() for k, v in state.items()}
            for key, value in state.items():
                average = self.averages[name][key]
                if average.is_floating_point():
                    average.lerp_(value, 1 - decay)
                else:
                    average.copy_(value)

    def save_snapshot(self, progress: Progress) -> None:
        """Add the game's samples to the progress."""
        self.game.eval()
        samples = self.observer.samples()
        if samples is not None:
            progress.snapshots.append(samples.half().cpu())
            progress.snapshot_epochs.append(progress.epoch)
