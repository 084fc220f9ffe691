"""The loop that trains everything here: seeds, checkpoints, resume, early stopping, divergence.

What is trained is a `Task`: a classifier with its loss, or a game with its players. Everything
random in epoch e of seed s is derived from (s, e) alone, so that a run that was killed and
continues from its last checkpoint goes through exactly the numbers of an uninterrupted one.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from advx.errors import Diverged
from advx.randomness import seed_all, seeded
from advx.training.optimizers import AttachedOptimizer

Row = dict[str, float]
"""What one epoch came to, by column of `metrics.csv`."""

Checkpoint = dict[str, Any]
"""Tensors, numbers, lists and dictionaries, as `torch.load` reads them without executing code."""


@dataclass
class Progress:
    """Where training stands: what a checkpoint holds besides parameters and optimizers.

    Attributes:
        epoch: epochs that are over.
        best_epoch: that with the smallest validation error; the last one where there is none.
        best_error: that error.
        best_state: the parameters after that epoch; empty where it is always the last one.
        history: one row an epoch.
        averages: by player, the moving average of its state, where one is wanted.
        snapshots: of a game, (shown, *shape) float16 each.
        snapshot_epochs: after which epochs; 0 is before the first.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_error: float = math.inf
    best_state: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    averages: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    snapshots: list[Tensor] = field(default_factory=list)
    snapshot_epochs: list[int] = field(default_factory=list)

    def note(self, error: float) -> bool:
        """Count one more epoch, with its validation error; whether it is the best so far.

        Without a validation set (NaN) the last epoch is the best.
        """
        self.epoch += 1
        best = math.isnan(error) or error < self.best_error
        if best:
            self.best_epoch, self.best_error = self.epoch, error
        return best


OnEpoch = Callable[[Progress, Callable[[], Checkpoint]], None]
"""Called after every epoch, with the progress and a function that makes a checkpoint of it."""


class Task(ABC):
    """What is trained.

    Attributes:
        module: all that a checkpoint must hold; on the device of the data.
        optimizers: those of its networks, by player's name.
        device: of the data.
    """

    module: nn.Module
    optimizers: Mapping[str, AttachedOptimizer]
    device: torch.device

    @abstractmethod
    def finished(self, progress: Progress) -> bool:
        """Whether the stopping rule has been met."""

    @abstractmethod
    def updates_per_epoch(self) -> int:
        """Calls of `update` in one epoch."""

    @abstractmethod
    def batches(self) -> Iterator[Any]:
        """What each update of one epoch is given, in an order from torch's own generator."""

    @abstractmethod
    def update(self, batch: Any, update: int, epoch: int) -> tuple[dict[str, Tensor], int]:
        """One update, counted from 0 over all epochs.

        Returns:
            scalars by name, and their weight in the epoch's mean.
        """

    @abstractmethod
    def validation_error(self, epoch: int) -> float:
        """What the best epoch minimizes, in evaluation mode; NaN where nothing is validated."""

    def begin(self, progress: Progress) -> None:  # noqa: B027
        """Before the first epoch, or the first one after a resume; may draw random numbers."""

    def observe(self, epoch: int, error: float) -> Row:
        """What else an epoch's row holds, in evaluation mode."""
        return {}

    def after_epoch(self, progress: Progress) -> None:  # noqa: B027
        """Once the epoch's row stands in the history."""

    def end(self, progress: Progress) -> None:  # noqa: B027
        """After the last epoch, the best epoch's parameters in place."""


def train(
    task: Task,
    *,
    seed: int,
    resume: Checkpoint | None = None,
    on_epoch: OnEpoch = lambda *_: None,
) -> Progress:
    """Train until the task is finished, and leave the best epoch's parameters in its module.

    Args:
        task: what is trained, in place.
        seed: decides all that is random.
        resume: a checkpoint to continue from, as `on_epoch` was given it.
        on_epoch: called after every epoch.

    Raises:
        Diverged: a mean of the epoch is no finite number, or what the task refuses to go on with.
    """
    progress = Progress() if resume is None else _restored(task, resume)

    def checkpoint() -> Checkpoint:
        states = {
            name: attached.optimizer.state_dict() for name, attached in task.optimizers.items()
        }
        return {
            "model": task.module.state_dict(),
            "optimizers": states,
            "progress": vars(progress),
        }

    with seeded(epoch_seed(seed, 0), task.device):
        task.begin(progress)
        while not task.finished(progress):
            epoch = progress.epoch + 1
            row = one_epoch(task, seed, epoch)
            _require_finite(row)
            task.module.eval()
            error = task.validation_error(epoch)
            if progress.note(error) and math.isfinite(error):
                state = task.module.state_dict()
                progress.best_state = {name: value.clone() for name, value in state.items()}
            progress.history.append(row | task.observe(epoch, error))
            task.after_epoch(progress)
            on_epoch(progress, checkpoint)
    if progress.best_state:
        task.module.load_state_dict(progress.best_state)
    task.end(progress)
    task.module.eval()
    return progress


def one_epoch(task: Task, seed: int, epoch: int) -> Row:
    """One epoch's updates, counted from 1; returns the weighted means of what they return."""
    seed_all(epoch_seed(seed, epoch))
    task.module.train()
    seen: list[Tensor] = []
    weights: list[int] = []
    names: list[str] = []
    first = (epoch - 1) * task.updates_per_epoch()
    for update, batch in enumerate(task.batches(), start=first):
        values, weight = task.update(batch, update, epoch)
        names = list(values)
        seen.extend(values.values())
        weights.append(weight)
    if not names:
        return {"epoch": epoch}
    share = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    means = share @ torch.stack(seen).view(-1, len(names)).cpu().double()
    return {"epoch": epoch} | dict(zip(names, means.tolist(), strict=True))


def losses_in(row: Row) -> str:
    """An epoch's losses, for a line that shows how training goes."""
    losses = {k.removesuffix("_loss"): v for k, v in row.items() if k.endswith("_loss")}
    return ", ".join(f"{name} {value:.3f}" for name, value in losses.items())


def epoch_seed(seed: int, epoch: int) -> int:
    """The generator seed of one epoch: distinct for every (seed, epoch) up to a million epochs."""
    return seed * 1_000_000 + epoch


def _restored(task: Task, resume: Checkpoint) -> Progress:
    """The progress of a checkpoint, its parameters and optimizers put in place."""
    task.module.load_state_dict(resume["model"])
    for name, attached in task.optimizers.items():
        attached.optimizer.load_state_dict(resume["optimizers"][name])
    return Progress(**copy.deepcopy(resume["progress"]))


def _require_finite(row: Row) -> None:
    """Refuse to go on from an epoch whose means are no numbers."""
    for name, value in row.items():
        if not math.isfinite(value):
            raise Diverged(f"{name.replace('_', ' ')} became {value} in epoch {row['epoch']:.0f}")
