"""Games that have been played: loaded from the store, or played there once and kept."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from advx.config.build import build
from advx.data.dataset import Dataset
from advx.errors import ConfigError, Diverged, reason
from advx.games.base import Game
from advx.games.watch import warnings
from advx.store.store import Store, key_of
from advx.training.construct import seeded, some_images
from advx.training.obtain import CHECKPOINT_SECONDS, Recipe
from advx.training.pair import GameProgress

GAME_VERSION = 1
"""Raised by hand whenever playing comes to mean something else."""

GAME, SNAPSHOTS = "game.", "snapshots"


@dataclass(frozen=True)
class Played:
    """A game after its last epoch.

    Attributes:
        game: in evaluation mode, on the data's device; G with its averaged parameters, where the
            trainer keeps them.
        key: its key in the store.
        history: one row an epoch, see `GameProgress`.
        warnings: what was seen to go wrong, see `games.watch`.
        snapshots: (times, shown, *shape) float32, generated from the same z.
        snapshot_epochs: after which epochs; 0 is before the first.
    """

    game: Game
    key: str
    history: list[dict[str, float]]
    warnings: list[dict[str, Any]]
    snapshots: Tensor
    snapshot_epochs: list[int] = field(default_factory=list)

    def flags(self) -> dict[str, float]:
        """Percent of the epochs with each warning, and how many stood at the end."""
        share = 100 / len(self.history)
        found = {f"warned_{w['warning']}": share * w["epochs"] for w in self.warnings}
        return found | {"warnings_at_the_end": sum(w["at_the_end"] for w in self.warnings)}


def new_game(recipe: Recipe, data: Dataset) -> Game:
    """The game before its first epoch, checked to fit the data.

    Raises:
        ConfigError: it does not.
    """
    if recipe.model.get("weights"):
        raise ConfigError(
            f"{recipe.path}.weights={recipe.model['weights']}: a game is trained here, or read "
            "from the store; leave the key out"
        )
    with seeded(recipe.seed):
        game = build(recipe.model)
        if not isinstance(game, Game):
            raise ConfigError(
                f"{recipe.path}._target_={recipe.model['_target_']}: makes a "
                f"{type(game).__name__}, an advx.games.base.Game is needed"
            )
        labels = torch.zeros(2, dtype=torch.int64)
        images = some_images(data, 2)
        game.eval()
        try:
            with torch.no_grad():
                told = game.condition(images, labels)
                made = game.generate(game.draw(2), told)
                game.judge(made, told)
                judged = tuple(game.judge(images, told).shape)
            shape = tuple(made.shape[1:])
            misfit = f"it generates examples {shape}" if shape != data.input_shape else ""
            if judged != (2,):
                misfit = f"its discriminator gives {judged} for two examples, (2,) is needed"
        except Exception as error:  # whatever a user's own networks raise
            misfit = f"its networks fail on {images.dtype} images ({reason(error)})"
    if misfit:
        raise ConfigError(
            f"{recipe.path} does not fit dataset={data.name} (examples {data.input_shape}): "
            f"{misfit}"
        )
    return game.train()


def refuse_single_pairs(recipe: Recipe, game: Game, data: Dataset) -> None:
    """Refuse to play with one example at a time where a network normalizes over the batch.

    Raises:
        ConfigError: it does; the game is left as it was.
    """
    size = min(getattr(build(recipe.trainer), "batch_size", 2), len(data.train))
    if size > 1:
        return
    copied, images = copy.deepcopy(game).train(), some_images(data, 1)
    try:
        with seeded(recipe.seed), torch.no_grad():
            told = copied.condition(images, torch.zeros(1, dtype=torch.int64))
            copied.judge(copied.generate(copied.draw(1), told), told)
    except Exception as error:  # whatever a user's own networks raise
        raise ConfigError(
            f"{recipe.path}: cannot be played with a single example at a time ({reason(error)}); "
            "valid: a trainer.batch_size, and a training set, from 2"
        ) from error


def game_key(recipe: Recipe, data: Dataset) -> str:
    """Names the game without playing it."""
    return key_of(recipe.content(data) | {"game_version": GAME_VERSION})


def play(
    recipe: Recipe,
    data: Dataset,
    store: Store,
    on_epoch: Callable[[GameProgress], None] = lambda _: None,
) -> Played:
    """The game of a recipe: loaded, or played and kept.

    Raises:
        ConfigError: the game does not fit the data.
        Diverged: a loss became NaN; the last good epoch's checkpoint is kept.
    """
    game = new_game(recipe, data).to(data.train.images.device)
    key = game_key(recipe, data)
    with store.locked(key):
        kept = store.load(key)
        if kept is None:
            with seeded(recipe.seed):
                game.adapt(data.train.images)
            _play(recipe, game, data, store, key, on_epoch)
            kept = store.load(key)
            if kept is None:
                raise ConfigError(f"store entry {key} cannot be read back; is the disk full?")
    tensors, meta = kept
    game.load_state_dict({k.removeprefix(GAME): v for k, v in tensors.items()
                          if k.startswith(GAME)})  # fmt: skip
    history = meta["history"]
    return Played(game.eval(), key, history, warnings(history), tensors[SNAPSHOTS].float(),
                  meta["snapshot_epochs"])  # fmt: skip


def _play(
    recipe: Recipe,
    game: Game,
    data: Dataset,
    store: Store,
    key: str,
    on_epoch: Callable[[GameProgress], None],
) -> None:
    """Play from the last checkpoint, or from the start, and keep the outcome."""
    trainer = build(recipe.trainer)
    resume = store.checkpoint(key)
    spent = resume["seconds"] if resume else 0.0
    start = saved = time.perf_counter()
    unsaved: dict[str, Any] | None = None

    def after_epoch(progress: GameProgress, checkpoint: Callable[[], dict[str, Any]]) -> None:
        nonlocal saved, unsaved
        now = time.perf_counter()
        state = checkpoint() | {"seconds": spent + now - start}
        if now - saved >= CHECKPOINT_SECONDS:
            store.save_checkpoint(key, state)
            saved, unsaved = now, None
        else:
            unsaved = copy.deepcopy(state)
        on_epoch(progress)

    try:
        progress = trainer.fit(game, data, seed=recipe.seed, resume=resume, on_epoch=after_epoch)
    except Diverged:
        if unsaved is not None:
            store.save_checkpoint(key, unsaved)
        raise
    tensors = {GAME + k: v.cpu() for k, v in game.state_dict().items()}
    meta = recipe.content(data) | {
        "name": recipe.name,
        "best_epoch": progress.epoch,
        "epochs": progress.epoch,
        "validation_error_rate": None,
        "history": progress.history,
        "snapshot_epochs": progress.snapshot_epochs,
        "seconds": round(spent + time.perf_counter() - start, 2),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": str(data.train.images.device),
    }
    store.save(key, tensors | {SNAPSHOTS: torch.stack(progress.snapshots)}, meta)
