"""One training run with its checkpoints in the store, and what the store keeps of its end."""

import copy
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from advx.config.build import plain
from advx.data.dataset import Dataset
from advx.errors import ConfigError, Diverged
from advx.store.store import CHECKPOINT, Store
from advx.text_files import write_text
from advx.training.loop import Checkpoint, Progress
from advx.training.plain_state import PlainState, is_own
from advx.training.recipe import Recipe, recipe_key, trajectory

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 5.0
"""Least time between two checkpoints of one training run."""

CHECKPOINT_SHARE = 0.05
"""Share of a training's time that its checkpoints may take: large ones are written less often."""

Tensors = dict[str, Tensor]

Shown = Callable[[Progress], None]
"""Called after every epoch."""


class CheckpointedTraining:
    """One training run with its checkpoints, and what the store keeps of it.

    Args:
        recipe: what is trained.
        data: that it is trained on.
        store: where it is kept.
        on_epoch: called after every epoch.
    """

    def __init__(self, recipe: Recipe, data: Dataset, store: Store, on_epoch: Shown) -> None:
        self.recipe = recipe
        self.data = data
        self.store = store
        self.on_epoch = on_epoch
        self.key = recipe_key(recipe, data)
        self.trajectory = trajectory(recipe, data)
        self.progress = Progress()
        self.spent = 0.0
        self.start = self.saved = time.perf_counter()
        self.pause = CHECKPOINT_SECONDS
        self.unsaved: Checkpoint | None = None
        self.plain: PlainState | None = None
        self.resumable = True

    def watch(self, module: nn.Module, defense: Any, trainer: Any) -> None:
        """Keep no checkpoint once a user's own part of the training has state of another kind.

        Args:
            module: the network or the game before the training, on its device.
            defense: what computes its loss; None for a game.
            trainer: what trains it.
        """
        recipe = self.recipe
        parts = {
            f"{recipe.path} ({recipe.name})": (recipe.model, module),
            f"defense={recipe.defense.target_name}": (recipe.defense, defense),
            f"trainer={recipe.trainer.target_name}": (recipe.trainer, trainer),
        }
        own = {name: part for name, (config, part) in parts.items() if is_own(plain(config))}
        self.plain = PlainState(module, own) if own else None

    def run(self, trainer: Any, fit: Callable[..., Progress]) -> Progress:
        """Train from the last checkpoint, or from the start.

        Args:
            trainer: its stopping rule, for what a longer run can continue.
            fit: the trainer's `fit` on all but seed, checkpoint and callback.

        Raises:
            Diverged: training failed; the checkpoint of a game's last good epoch is kept.
        """
        continues = bool(getattr(trainer, "STOPPING_RULE", ()))
        resume = self._own(self.store.checkpoint(self.key))
        if resume is None and continues:
            resume = self._shorter_run(trainer)
        self.spent = resume["seconds"] if resume else 0.0

        def after_epoch(progress: Progress, checkpoint: Callable[[], Checkpoint]) -> None:
            now = time.perf_counter()
            last = continues and trainer.finished(progress)
            if not self._resumable():
                pass
            elif now - self.saved >= self.pause or last:
                self.store.save_checkpoint(self.key, checkpoint() | self._more(now))
                self.saved, self.unsaved = time.perf_counter(), None
                self.pause = max(CHECKPOINT_SECONDS, (self.saved - now) / CHECKPOINT_SHARE)
            elif self.recipe.is_game:
                self.unsaved = copy.deepcopy(checkpoint() | self._more(now))
            self.on_epoch(progress)

        try:
            self.progress = fit(seed=self.recipe.seed, resume=resume, on_epoch=after_epoch)
        except Diverged as error:
            if self.unsaved is not None:
                self.store.save_checkpoint(self.key, self.unsaved)
            if not self.recipe.is_game or not self.store.unfinished(self.key):
                raise
            text = f"{error}; the checkpoint of the epoch before is kept"
            raise Diverged(text) from error
        return self.progress

    def _resumable(self) -> bool:
        """Whether a checkpoint holds all that the training goes on from; it says so where not."""
        changed = self.plain.changed() if self.plain and self.resumable else {}
        for name, attributes in changed.items():
            log.warning(
                "%s: changes %s while it is trained, which no checkpoint holds; if this training "
                "is interrupted, it starts over",
                name,
                ", ".join(attributes),
            )
        if changed:
            self.resumable, self.unsaved = False, None
            (self.store.path(self.key) / CHECKPOINT).unlink(missing_ok=True)
        return self.resumable

    def save(self, tensors: Tensors, more: dict[str, Any]) -> tuple[Tensors, dict[str, Any]]:
        """Keep the outcome, and read it back.

        Args:
            tensors: by name, on the CPU.
            more: facts besides those that every training has.
        """
        progress, folder = self.progress, self.store.path(self.key)
        columns = list(dict.fromkeys(name for row in progress.history for name in row))
        lines = [
            ",".join(f"{row[name]:.6g}" if name in row else "" for name in columns)
            for row in progress.history
        ]
        folder.mkdir(parents=True, exist_ok=True)
        text = "\n".join([",".join(columns), *lines]) + "\n"
        write_text(folder / "metrics.csv", text)
        error = progress.best_error
        meta = self.recipe.content(self.data) | {
            "name": self.recipe.name,
            "trajectory": self.trajectory,
            "best_epoch": progress.best_epoch,
            "epochs": progress.epoch,
            "validation_error_rate": error if math.isfinite(error) else None,
            "seconds": round(self._seconds(time.perf_counter()), 2),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "device": str(self.data.train.images.device),
        }
        self.store.save(self.key, tensors, meta | more)
        stored = self.store.load(self.key)
        if stored is None:
            raise ConfigError(f"store entry {self.key} cannot be read back; is the disk full?")
        return stored

    def _own(self, checkpoint: Checkpoint | None) -> Checkpoint | None:
        """A checkpoint of this training; one of another, in the wrong folder, is left alone."""
        if checkpoint is None or checkpoint.get("trajectory", self.trajectory) == self.trajectory:
            return checkpoint
        log.warning("store entry %s: its checkpoint is another training's; starting over", self.key)
        return None

    def _seconds(self, now: float) -> float:
        return self.spent + now - self.start

    def _more(self, now: float) -> dict[str, Any]:
        """What a checkpoint holds besides the trainer's."""
        return {"seconds": self._seconds(now), "trajectory": self.trajectory}

    def _shorter_run(self, trainer: Any) -> Checkpoint | None:
        """The last checkpoint of the longest finished run that this training goes through too.

        `trainer=published` thereby continues where `trainer=budget` stopped, to the same bytes.
        """
        store = self.store
        metas = [(key, store.meta(key) or {}) for key in store.entries()]
        found = [
            (m.get("epochs", 0), k) for k, m in metas if m.get("trajectory") == self.trajectory
        ]
        for _, key in sorted(found, reverse=True):
            checkpoint = self._own(store.checkpoint(key))
            if checkpoint and trainer.passes_through(checkpoint["progress"]["history"]):
                return checkpoint
        return None
