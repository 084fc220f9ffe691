"""Models and games by what made them: loaded from the store, or trained there once."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.games.base import Game
from advx.games.diagnostics import Warned, warnings
from advx.models.base import FittedClassifier, adapt
from advx.models.weights import load_weights
from advx.randomness import seeded
from advx.store.store import Store
from advx.text_files import read_text
from advx.training.checkpoints import CheckpointedTraining, Shown
from advx.training.construct import (
    construct,
    first_pass,
    new_game,
    refuse_single_examples,
)
from advx.training.lost_state import game_whole_in_its_weights, whole_in_its_weights
from advx.training.recipe import Recipe, dependencies, recipe_key

FACTS = ("best_epoch", "epochs", "validation_error_rate")
GAME_FACTS = ("history", "snapshot_epochs")
"""What the store must know of a classifier, and of a game."""

GAME, SNAPSHOTS = "game.", "snapshots"
"""Names of a game's tensors in the store."""


@dataclass(frozen=True)
class TrainedModel:
    """A classifier ready to be attacked.

    Attributes:
        module: in evaluation mode, on the data's device.
        key: names it: its key in the store, or a hash of its weights or training set.
        best_epoch: the epoch whose parameters were kept; 0 where nothing was trained.
        epochs: epochs trained; 0 where nothing was trained.
        validation_error: its validation error rate in percent; NaN where there is none.
    """

    module: nn.Module
    key: str
    best_epoch: int = 0
    epochs: int = 0
    validation_error: float = math.nan


@dataclass(frozen=True)
class TrainedGame:
    """A game after its last epoch.

    Attributes:
        game: in evaluation mode, on the data's device; with averaged parameters, where the trainer
            makes them.
        key: its key in the store.
        history: one row an epoch: means of what its updates returned, and its diagnostics.
        warnings: what went wrong, see `games.diagnostics`.
        snapshots: (times, shown, *shape) float32; (0,) for a game without samples.
        snapshot_epochs: after which epochs; 0 is before the first.
    """

    game: Game
    key: str
    history: list[dict[str, float]]
    warnings: list[Warned]
    snapshots: Tensor
    snapshot_epochs: list[int] = field(default_factory=list)

    def diagnostics(self) -> dict[str, float]:
        """Percent of the epochs with each warning that was looked for, and how many stood last."""
        share = 100 / len(self.history)
        looked_for = [name for name in self.game.limits if any(name in row for row in self.history)]
        found = {f"warned_{name}": 0.0 for name in looked_for}
        found |= {f"warned_{w['warning']}": share * w["epochs"] for w in self.warnings}
        return found | {"warnings_at_the_end": sum(w["at_the_end"] for w in self.warnings)}


def load_or_train(
    recipe: Recipe, data: Dataset, store: Store, on_epoch: Shown = lambda _: None
) -> TrainedModel | TrainedGame:
    """What `recipe` makes of `data`: loaded, or trained and kept.

    Raises:
        ConfigError: the model or the game does not fit the data, or its weights belong to other
            data.
        Diverged: its training failed.
    """
    if recipe.is_game:
        return load_or_train_game(recipe, data, store, on_epoch)
    return load_or_train_model(recipe, data, store, on_epoch)


def load_or_train_model(
    recipe: Recipe, data: Dataset, store: Store, on_epoch: Shown = lambda _: None
) -> TrainedModel:
    """`load_or_train` of a classifier."""
    module = construct(recipe, data)
    device = data.train.images.device
    key = recipe_key(recipe, data)
    if isinstance(module, FittedClassifier):
        module.fit(data.train.images, data.train.labels)
        return TrainedModel(module.to(device).eval(), key)
    if recipe.model.get("weights"):
        return TrainedModel(_with_weights(recipe, module, data).to(device).eval(), key)
    defense = recipe.defense.build()
    trains = getattr(defense, "trains", True)
    with store.locked(key):
        stored = store.load(key, FACTS) if trains else None
        parts = [
            construct(each, data)
            if stored
            else load_or_train_model(each, data, store, on_epoch).module
            for each in dependencies(recipe)
        ]  # a model that is kept brings its dependencies' weights and its preprocessing along
        if stored is None:
            refuse_single_examples(recipe, module, data)
            with seeded(recipe.seed):
                adapt(module.to(device), data.train.images)
        module = _prepared(defense, recipe, module, parts, data)
        if not trains:
            return TrainedModel(module.to(device).eval(), key)
        if stored is None:
            trainer = recipe.trainer.build()
            trainer.check(data, defense)
            fit = CheckpointedTraining(recipe, data, store, on_epoch)
            fit.watch(module.to(device), defense, trainer)
            with whole_in_its_weights(fit, module, lambda: _untrained(recipe, data)):
                fit.run(
                    trainer, lambda **more: trainer.fit(module.to(device), defense, data, **more)
                )
            stored = fit.save({k: v.cpu() for k, v in module.state_dict().items()}, {})
    weights, meta = stored
    module.load_state_dict(weights)
    error = meta["validation_error_rate"]
    return TrainedModel(
        module.to(device).eval(),
        key,
        best_epoch=meta["best_epoch"],
        epochs=meta["epochs"],
        validation_error=math.nan if error is None else error,
    )


def load_or_train_game(
    recipe: Recipe, data: Dataset, store: Store, on_epoch: Shown = lambda _: None
) -> TrainedGame:
    """`load_or_train` of a game."""
    game = new_game(recipe, data).to(data.train.images.device)
    key = recipe_key(recipe, data)
    with store.locked(key):
        stored = store.load(key, GAME_FACTS)
        if stored is None:
            with seeded(recipe.seed):
                game.adapt(data.train.images)
            trainer = recipe.trainer.build()
            fit = CheckpointedTraining(recipe, data, store, on_epoch)
            fit.watch(game, None, trainer)
            with game_whole_in_its_weights(fit, game, lambda: new_game(recipe, data)):
                progress = fit.run(trainer, lambda **more: trainer.fit(game, data, **more))
            tensors = {GAME + k: v.cpu() for k, v in game.state_dict().items()}
            if progress.snapshots:
                tensors[SNAPSHOTS] = torch.stack(progress.snapshots)
            stored = fit.save(
                tensors,
                {"history": progress.history, "snapshot_epochs": progress.snapshot_epochs},
            )
    tensors, meta = stored
    state = {k.removeprefix(GAME): v for k, v in tensors.items() if k.startswith(GAME)}
    game.load_state_dict(state)
    return TrainedGame(
        game.eval(),
        key,
        meta["history"],
        warnings(meta["history"], game.limits),
        tensors[SNAPSHOTS].float() if SNAPSHOTS in tensors else torch.zeros(0),
        meta["snapshot_epochs"],
    )


def _untrained(recipe: Recipe, data: Dataset) -> nn.Module:
    """The network as it is before stored weights are loaded into it."""
    parts = [construct(each, data) for each in dependencies(recipe)]
    return _prepared(recipe.defense.build(), recipe, construct(recipe, data), parts, data)


def _prepared(
    defense: Any, recipe: Recipe, module: nn.Module, parts: list[nn.Module], data: Dataset
) -> nn.Module:
    """What the defense makes of `module` and its dependencies."""
    if not hasattr(defense, "prepare"):
        return module
    device = data.train.images.device
    with seeded(recipe.seed):
        made = defense.prepare(module.to(device), parts, data.input_shape).to(device)
        if any(is_lazy(p) for p in made.parameters()):
            misfit = first_pass(made.eval(), data)
            if misfit:
                name = recipe.defense.target_name
                raise ConfigError(f"defense={name}: what it makes of {recipe.path}: {misfit}")
        return made


def _with_weights(recipe: Recipe, module: nn.Module, data: Dataset) -> nn.Module:
    """A model with the user's own weights, refused where its training data include our test set."""
    path = Path(recipe.model["weights"])
    key = f"{recipe.path}.weights={path}"
    load_weights(module, path, key)
    trained_on = recipe.model.get("trained_on") or _trained_on(path)
    if trained_on is not None and trained_on == data.part_of:
        raise ConfigError(
            f"{key}: trained on {trained_on}, whose training set contains dataset={data.name}; "
            f"score it on dataset={trained_on}"
        )
    return module


def _trained_on(weights: Path) -> str | None:
    """The data set that a store entry's weights were trained on, where `weights` is one."""
    try:
        return json.loads(read_text(weights.with_name("meta.json"))).get("dataset")
    except (OSError, ValueError, AttributeError):
        return None
