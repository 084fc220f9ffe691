"""Makes the models and games of a run: trains each once, or loads it."""

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

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
from advx.run.model import Game, Model
from advx.run.notices import Remarks
from advx.store.store import Store
from advx.text_files import file_digest
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
"""Models and games that a run holds at once; older ones are read from the store again."""

UNLIMITED_EPOCHS = 350
"""Epochs that the progress bar expects of a trainer without a limit."""


class Parts(TypedDict, total=False):
    """What a classifier is made with, where it is not the usual: see `Models.recipe`."""

    trainer: Config | None
    defense: Config | None
    part: DataPart
    path: str


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
        self._bars = [ModelBar()]
        self._made: dict[str, TrainedModel | TrainedGame | Diverged] = {}
        self._weights: dict[str, str] = {}

    def on(self, data: RunData) -> "Models":
        """Those of other data; named, and shown while they are trained, together with these."""
        other = copy.copy(self)
        other.data = data
        return other

    def recipe(
        self,
        config: Config,
        seed: int,
        *,
        trainer: Config | None = None,
        defense: Config | None = None,
        part: DataPart = "training examples",
        path: str = "",
    ) -> Recipe:
        """The recipe of a model or game for one seed.

        Args:
            config: the network's, or the game's.
            seed: of its training.
            trainer: where it is not the run's.
            defense: that it is trained with.
            part: of the data, that it is trained on.
            path: where it stands in the configuration, where `config` does not say.
        """
        return Recipe(
            model=config,
            trainer=trainer or self.trainer,
            defense=defense or NO_DEFENSE,
            seed=seed,
            path=path or config.path or "model",
            part=part,
        )

    def model(self, config: Config, seed: int, **parts: Unpack[Parts]) -> Model:
        """A classifier; nothing is made yet."""
        return Model(self.recipe(config, seed, **parts), self)

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
        return Game(self.recipe(config, seed, trainer=trainer, part=part), self, data)

    def key(self, recipe: Recipe) -> str:
        """Names a classifier without making it; noted for the manifest."""
        return self.game_key(recipe, self.data.part(recipe.part))

    def game_key(self, recipe: Recipe, data: Dataset) -> str:
        """Names a game without training it; noted for the manifest."""
        key = recipe_key(recipe, data)
        self._refuse_changed(recipe)
        if key not in self.names:
            self.names[key] = f"{recipe.name}, seed {recipe.seed}"
            for each in dependencies(recipe):  # the store may have spared this run their training
                self.key(each)
        return key

    def _refuse_changed(self, recipe: Recipe) -> None:
        """Refuse weights of the user's own that are others than when this run first saw them.

        Raises:
            ConfigError: they are, and numbers under one name would be of two models.
        """
        path = recipe.model.get("weights")
        if not path:
            return
        digest = file_digest(Path(path))
        if self._weights.setdefault(path, digest) != digest:
            raise ConfigError(
                f"{recipe.path}.weights={path}: the file has changed since this run first read it; "
                "the same command, run again, is of the new weights"
            )

    def trained(self, recipe: Recipe) -> TrainedModel:
        """The classifier of a recipe: remembered, from the store, or trained now.

        Raises:
            Diverged: its training failed.
        """
        made = self._remembered(self.key(recipe), recipe, lambda: self._load_or_train(recipe))
        self._refuse_changed(recipe)  # while it was read
        return made

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
        model: Any = self._made[key]
        if isinstance(model, Diverged):
            raise model
        return model

    def _load_or_train(self, recipe: Recipe) -> TrainedModel:
        """From the store, or trained now with the bar advancing; first what it is made of."""
        if self.store.meta(self.key(recipe)) is None:
            for each in dependencies(recipe):
                self.trained(each)
        data = self.data.part(recipe.part)
        limit = recipe.trainer.get("max_epochs") or UNLIMITED_EPOCHS
        name = f"{recipe.name}, seed {recipe.seed}"
        own = recipe.model.is_own
        with self._bars[-1].model(name, limit, int(recipe.random)) as show:
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
        with self._bars[-1].model(name, limit) as show:

            def on_epoch(progress: Progress) -> None:
                last = progress.history[-1]
                for diagnostic in lasting(progress.history, kind.limits):
                    if diagnostic not in seen:
                        seen.add(diagnostic)
                        meaning, value = kind.limits[diagnostic].meaning, last[diagnostic]
                        what = f"{meaning} ({diagnostic} {value:.2f})"
                        log.warning("%s, epoch %d: %s", name, progress.epoch, what)
                show(progress.epoch, losses_in(last))

            made = load_or_train_game(recipe, data, self.store, on_epoch)
        for warning in made.warnings:
            if warning["at_the_end"]:
                log.warning("%s, at the end: %s", name, warning["meaning"])
        return made

    @contextmanager
    def progress(self, models: int) -> Iterator[None]:
        """One bar over the training of `models` models; a line each where there is no terminal."""
        self._bars.append(ModelBar(models))
        try:
            yield
        finally:
            self._bars.pop().close()

    def training(self) -> dict[str, Mapping[str, Any]]:
        """What is known of the models that were named, by key.

        Of one that is not in the store, or with other weights than those that the run rests on:
        the digest of these alone.
        """
        facts = (
            *("best_epoch", "epochs", "validation_error_rate"),
            *("seconds", "device", "threads", "torch", "sha256"),
        )
        found: dict[str, Mapping[str, Any]] = {}
        for key, name in self.names.items():
            meta, digest = self.store.meta(key), self.store.digest(key)
            if meta is not None and meta.get("sha256") == digest:
                found[key] = {"model": name} | {fact: meta.get(fact) for fact in facts}
            elif digest is not None:
                found[key] = {"model": name, "sha256": digest}
        return found
