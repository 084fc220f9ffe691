"""The models and games of a run: named by their recipe, trained or loaded when first asked for."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from advx.config.config import Config
from advx.data.dataset import Dataset
from advx.defenses.base import NO_DEFENSE
from advx.errors import ConfigError, Diverged
from advx.evaluation.undefined import NAMES
from advx.games import base
from advx.games.diagnostics import lasting
from advx.progress import ModelBar
from advx.run.data import RunData
from advx.run.examine import examine
from advx.run.named import Deferred
from advx.run.notices import Remarks
from advx.store.store import Store
from advx.training.construct import construct
from advx.training.load_or_train import (
    TrainedGame,
    TrainedModel,
    load_or_train_game,
    load_or_train_model,
)
from advx.training.loop import Progress, losses_in
from advx.training.recipe import DataPart, Recipe, dependencies, recipe_key

log = logging.getLogger(__name__)
Made = TypeVar("Made")

MODELS_IN_MEMORY = 16
"""TrainedModel models that a run holds at once; older ones are read from the store again."""

UNLIMITED_EPOCHS = 350
"""Epochs that the progress bar expects of a trainer without a limit."""


class Training(Deferred[TrainedModel]):
    """A classifier's training: its module with the epochs that it took.

    Args:
        model: the classifier.
    """

    def __init__(self, model: "Model") -> None:
        self.model = model

    @property
    def key(self) -> Any:
        return {"training": self.model.key}

    @property
    def value(self) -> TrainedModel:
        return self.model.trained


class Model(Deferred[nn.Module]):
    """A classifier for one seed, named before it is trained.

    Args:
        recipe: how it is made.
        models: of the run.
    """

    def __init__(self, recipe: Recipe, models: "Models") -> None:
        self.recipe = recipe
        self._models = models

    @property
    def key(self) -> str:
        return self._models.key(self.recipe)

    @property
    def value(self) -> nn.Module:
        return self.trained.module

    @property
    def trained(self) -> TrainedModel:
        """The module with what is known of its training.

        Raises:
            Diverged: its training failed.
        """
        return self._models.trained(self.recipe)

    @property
    def training(self) -> Training:
        """Its training, for measurements."""
        return Training(self)

    @property
    def config(self) -> Config:
        """The network's configuration."""
        return self.recipe.model

    @property
    def trainer(self) -> Config:
        """Its trainer's configuration."""
        return self.recipe.trainer

    @property
    def name(self) -> str:
        """What it is called."""
        return self.recipe.name

    @property
    def seed(self) -> int:
        """Decides initial weights, order of examples and dropout masks."""
        return self.recipe.seed

    @property
    def random(self) -> bool:
        """Whether another seed would make another model."""
        return self.recipe.random

    def with_(self, **parts: Any) -> "Model":
        """The same with another `trainer`, `defense`, `seed` or `part` of the data."""
        return Model(replace(self.recipe, **parts), self._models)

    def untrained(self) -> nn.Module:
        """The network before its training, for what can be refused then."""
        data = self._models.data
        return construct(self.recipe, data.part(self.recipe.part)).to(data.device)


class Game(Deferred[TrainedGame]):
    """A game between networks for one seed, named before it is trained.

    Args:
        recipe: how it is made.
        models: of the run.
        data: that it is trained on, where they are not the run's.
    """

    def __init__(self, recipe: Recipe, models: "Models", data: Dataset | None = None) -> None:
        self.recipe = recipe
        self._models = models
        self._data = data

    @property
    def data(self) -> Dataset:
        """What it is trained on."""
        return self._data or self._models.data.part(self.recipe.part)

    @property
    def key(self) -> str:
        return self._models.game_key(self.recipe, self.data)

    @property
    def value(self) -> TrainedGame:
        return self._models.trained_game(self.recipe, self.data)

    @property
    def seed(self) -> int:
        """Decides initial weights, minibatches and noise."""
        return self.recipe.seed


def seed_of(*models: Model | None) -> int | None:
    """The seed that a number rests on; None where another seed would change none of the models."""
    seeds = {model.seed for model in models if model is not None and model.random}
    return min(seeds, default=None)


class Models:
    """Trains each model once, or loads it; the few in use stay in memory.

    Args:
        data: of the run.
        store: where trained models lie.
        trainer: the run's, for a model that names no other.
        remarks: where what is seen of a user's own models is said.

    Attributes:
        names: of all models and games that were named, by key.
    """

    def __init__(self, data: RunData, store: Store, trainer: Config, remarks: Remarks) -> None:
        self.data = data
        self.store = store
        self.trainer = trainer
        self.remarks = remarks
        self.names: dict[str, str] = {}
        self._bar = ModelBar()
        self._made: dict[str, TrainedModel | TrainedGame | Diverged] = {}

    def recipe(self, config: Config, seed: int, **parts: Any) -> Recipe:
        """The recipe of a model or game for one seed.

        Args:
            config: the network's, or the game's.
            seed: of its training.
            parts: `trainer`, `defense`, `part` or `path`, where they are not the usual ones.
        """
        usual: dict[str, Any] = {"trainer": self.trainer, "defense": NO_DEFENSE}
        usual["path"] = config.path or "model"
        return Recipe(model=config, seed=seed, **(usual | parts))

    def model(
        self,
        config: Config,
        seed: int,
        *,
        trainer: Config | None = None,
        defense: Config | None = None,
        part: DataPart = "training examples",
        path: str = "",
    ) -> Model:
        """A classifier; nothing is made yet."""
        given = {"trainer": trainer, "defense": defense, "path": path}
        chosen = {key: value for key, value in given.items() if value}
        return Model(self.recipe(config, seed, part=part, **chosen), self)

    def game(
        self,
        config: Config,
        seed: int,
        *,
        trainer: Config | None = None,
        data: Dataset | None = None,
        part: DataPart = "training examples",
    ) -> Game:
        """A game; nothing is made yet."""
        chosen = {} if trainer is None else {"trainer": trainer}
        return Game(self.recipe(config, seed, part=part, **chosen), self, data)

    def key(self, recipe: Recipe) -> str:
        """Names a classifier without making it; noted for the manifest."""
        key = recipe_key(recipe, self.data.part(recipe.part))
        self.names[key] = f"{recipe.name}, seed {recipe.seed}"
        return key

    def game_key(self, recipe: Recipe, data: Dataset) -> str:
        """Names a game without training it; noted for the manifest."""
        key = recipe_key(recipe, data)
        self.names[key] = f"{recipe.name}, seed {recipe.seed}"
        return key

    def trained(self, recipe: Recipe) -> TrainedModel:
        """The classifier of a recipe: remembered, from the store, or trained now.

        Raises:
            Diverged: its training failed.
        """
        return self._remembered(self.key(recipe), recipe, lambda: self._load_or_train(recipe))

    def trained_game(self, recipe: Recipe, data: Dataset) -> TrainedGame:
        """The game of a recipe: remembered, from the store, or trained now.

        Raises:
            Diverged: one of its losses became NaN.
        """
        return self._remembered(
            self.game_key(recipe, data), recipe, lambda: self._train_game(recipe, data)
        )

    def _remembered(self, key: str, recipe: Recipe, make: Callable[[], Made]) -> Made:
        if key not in self._made:
            try:
                made: Any = make()
            except Diverged as error:
                made = Diverged(f"{recipe.name}, seed {recipe.seed}: {error}").with_traceback(
                    error.__traceback__
                )
            while len(self._made) >= MODELS_IN_MEMORY:
                self._made.pop(next(iter(self._made)))
            self._made[key] = made
        found: Any = self._made[key]
        if isinstance(found, Diverged):
            raise found
        return found

    def _load_or_train(self, recipe: Recipe) -> TrainedModel:
        """From the store, or trained now with the bar advancing; first what it is made of."""
        if self.store.meta(self.key(recipe)) is None:
            for each in dependencies(recipe):
                self.trained(each)
        data = self.data.part(recipe.part)
        limit = recipe.trainer.get("max_epochs") or UNLIMITED_EPOCHS
        name = f"{recipe.name}, seed {recipe.seed}"
        own = recipe.model.is_own
        with self._bar.model(name, limit, int(recipe.random)) as show:
            if own and recipe.random:
                examine(recipe, construct(recipe, data).to(self.data.device), data, self.remarks)
            made = load_or_train_model(recipe, data, self.store, lambda p: show(p.epoch, ""))
        NAMES[made.module] = f"{recipe.path} ({recipe.name})" + (
            f", seed {recipe.seed}" if recipe.random else ""
        )
        if own:
            examine(recipe, made.module, data, self.remarks)
        return made

    def _train_game(self, recipe: Recipe, data: Dataset) -> TrainedGame:
        """From the store, or trained now with the bar advancing."""
        name = f"{recipe.name}, seed {recipe.seed}"
        limit = recipe.trainer.get("max_epochs") or UNLIMITED_EPOCHS
        kind: type[base.Game] = recipe.model.target
        seen: set[str] = set()
        with self._bar.model(name, limit) as show:

            def on_epoch(progress: Progress) -> None:
                last = progress.history[-1]
                for flag in lasting(progress.history, kind.limits):
                    if flag not in seen:
                        seen.add(flag)
                        what = f"{kind.limits[flag].meaning} ({flag} {last[flag]:.2f})"
                        log.warning("%s, epoch %d: %s", name, progress.epoch, what)
                show(progress.epoch, losses_in(last))

            made = load_or_train_game(recipe, data, self.store, on_epoch)
        for flag in made.warnings:
            if flag["at_the_end"]:
                log.warning("%s, at the end: %s", name, flag["meaning"])
        return made

    @contextmanager
    def progress(self, models: int) -> Iterator[None]:
        """One bar over the training of `models` models; a line each where there is no terminal."""
        self._bar = ModelBar(models)
        try:
            yield
        finally:
            self._bar.close()
            self._bar = ModelBar()

    def training(self) -> dict[str, dict[str, Any]]:
        """What the store knows of the models that were named, by key."""
        facts = ("best_epoch", "epochs", "validation_error_rate", "seconds", "threads", "torch")
        metas = {key: self.store.meta(key) for key in self.names}
        return {
            key: {"model": self.names[key]} | {fact: meta[fact] for fact in facts}
            for key, meta in metas.items()
            if meta is not None
        }


def pick_device(name: str) -> torch.device:
    """`auto` is a GPU where there is one.

    Raises:
        ConfigError: `cuda` is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    if name == "cuda" and not available:
        raise ConfigError("device=cuda: no CUDA device on this machine; valid here: auto, cpu")
    return torch.device(name)
