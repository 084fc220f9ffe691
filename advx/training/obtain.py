"""Trained models by what made them: loaded from the store, or trained there once and kept."""

import inspect
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from advx.config.build import build, target
from advx.config.identity import identity
from advx.data.dataset import Dataset
from advx.defenses.base import NO_DEFENSE
from advx.errors import ConfigError
from advx.models.base import Fitted, adapt
from advx.models.weights import load_weights
from advx.store.store import Store, key_of
from advx.text_files import file_digest, read_text, write_text
from advx.training.construct import construct, first_pass, refuse_single_examples, seeded
from advx.training.trainer import RECIPE_VERSION, Progress

CHECKPOINT_SECONDS = 5.0
"""Least time between two checkpoints of one training run."""


DataPart = Literal[
    "training examples",
    "training and validation examples",
    "first half",
    "second half",
    "half as large",
    "a quarter as large",
    "the first digits",
]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a trained model's parameters.

    Attributes:
        model, trainer, defense: configuration nodes.
        seed: decides the initial weights, the order of examples and the dropout masks.
        path: where the model stands in the configuration, for error messages.
        part: of the data set, that it is trained on.
    """

    model: Mapping[str, Any]
    trainer: Mapping[str, Any]
    defense: Mapping[str, Any]
    seed: int
    path: str = "model"
    part: DataPart = "training examples"

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.model.get("name", self.path)

    @property
    def random(self) -> bool:
        """Whether another seed would make another model."""
        kind = target(self.model)
        fitted = inspect.isclass(kind) and issubclass(kind, Fitted)
        return not fitted and not self.model.get("weights")

    def content(self, data: Dataset) -> dict[str, Any]:
        """What the store's key is made of: arguments at their defaults are left out."""
        return {
            "recipe_version": RECIPE_VERSION,
            "model": identity(self.model, self.path),
            "trainer": identity(self.trainer, "trainer"),
            "defense": identity(self.defense, "defense"),
            "dataset": data.name,
            "fingerprint": data.fingerprint,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Trained:
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


def model_key(recipe: Recipe, data: Dataset) -> str:
    """Names the model that `recipe` makes of `data`, without making it.

    Raises:
        ConfigError: the recipe's weights cannot be read, or it asks for a defence of a model that
            is not trained.
    """
    if not recipe.random and recipe.defense["_target_"] != NO_DEFENSE["_target_"]:
        name = recipe.defense["_target_"].rpartition(".")[2]
        raise ConfigError(
            f"defense={name}: {recipe.path} ({recipe.model.get('name', 'custom')}) is not trained "
            "here, so no defence can be built into it; valid: defense=none"
        )
    if recipe.model.get("weights"):
        path = Path(recipe.model["weights"])
        try:
            weights = file_digest(path)
        except OSError as error:
            raise ConfigError(f"{recipe.path}.weights={path}: {error.strerror}") from error
        return key_of({"model": identity(recipe.model, recipe.path), "weights": weights})
    if not recipe.random:
        return key_of({"model": identity(recipe.model, recipe.path), "data": data.fingerprint})
    return key_of(recipe.content(data))


def obtain(
    recipe: Recipe,
    data: Dataset,
    store: Store,
    on_epoch: Callable[[Progress], None] = lambda _: None,
) -> Trained:
    """The model that `recipe` makes of `data`: remembered, loaded, or trained and kept.

    Raises:
        ConfigError: the model does not fit the data, or its weights belong to other data.
        Diverged: its training failed.
    """
    module = construct(recipe, data)
    device = data.train.images.device
    key = model_key(recipe, data)
    if isinstance(module, Fitted):
        module.fit(data.train.images, data.train.labels)
        return Trained(module.to(device).eval(), key)
    if recipe.model.get("weights"):
        return Trained(_with_weights(recipe, module, data).to(device).eval(), key)
    defense = build(recipe.defense)
    trains = getattr(defense, "trains", True)
    with store.locked(key):
        kept = store.load(key) if trains else None
        ingredients = [
            construct(each, data) if kept else obtain(each, data, store, on_epoch).module
            for each in needed(recipe)
        ]  # a model that is kept brings its ingredients' weights and its preprocessing along
        if kept is None:
            refuse_single_examples(recipe, module, data)
            with seeded(recipe.seed):
                adapt(module.to(device), data.train.images)
        module = _prepared(defense, recipe, module, ingredients, data)
        if not trains:
            return Trained(module.to(device).eval(), key)
        if kept is None:
            meta = recipe.content(data) | {"name": recipe.name}
            _train(recipe, defense, module, data, store, key, meta, on_epoch)
            kept = store.load(key)
            if kept is None:
                raise ConfigError(f"store entry {key} cannot be read back; is the disk full?")
    weights, meta = kept
    module.load_state_dict(weights)
    return Trained(
        module.to(device).eval(),
        key,
        best_epoch=meta["best_epoch"],
        epochs=meta["epochs"],
        validation_error=math.nan
        if meta["validation_error_rate"] is None
        else meta["validation_error_rate"],
    )


def needed(recipe: Recipe) -> list[Recipe]:
    """The recipes of the networks that must be trained before that of `recipe`."""
    ingredients = getattr(build(recipe.defense), "ingredients", None)
    if ingredients is None or not recipe.random:
        return []
    return [replace(recipe, seed=i.seed, defense=i.defense) for i in ingredients(recipe.seed)]


def _prepared(
    defense: Any, recipe: Recipe, module: nn.Module, ingredients: list[nn.Module], data: Dataset
) -> nn.Module:
    """What the defence makes of `module` and its ingredients."""
    if not hasattr(defense, "prepare"):
        return module
    device = data.train.images.device
    with seeded(recipe.seed):
        made = defense.prepare(module.to(device), ingredients, data.input_shape).to(device)
        if any(is_lazy(p) for p in made.parameters()):
            misfit = first_pass(made.eval(), data)
            if misfit:
                name = recipe.defense["_target_"].rpartition(".")[2]
                raise ConfigError(f"defense={name}: what it makes of {recipe.path}: {misfit}")
        return made


def _train(
    recipe: Recipe,
    defense: Any,
    module: nn.Module,
    data: Dataset,
    store: Store,
    key: str,
    meta: dict[str, Any],
    on_epoch: Callable[[Progress], None],
) -> None:
    """Train `module` from its last checkpoint, or from the start, and keep it."""
    trainer = build(recipe.trainer)
    trainer.check(data, defense)
    meta = meta | {"trajectory": _trajectory(recipe, data)}
    resume = store.checkpoint(key) or _shorter_run(trainer, store, meta["trajectory"])
    spent = resume["seconds"] if resume else 0.0
    start = saved = time.perf_counter()

    def after_epoch(progress: Progress, checkpoint: Callable[[], dict[str, Any]]) -> None:
        nonlocal saved
        now = time.perf_counter()
        if now - saved >= CHECKPOINT_SECONDS or trainer.finished(progress):
            store.save_checkpoint(key, checkpoint() | {"seconds": spent + now - start})
            saved = now
        on_epoch(progress)

    progress = trainer.fit(
        module.to(data.train.images.device),
        defense,
        data,
        seed=recipe.seed,
        resume=resume,
        on_epoch=after_epoch,
    )
    history = "".join(
        ",".join(f"{value:.6g}" for value in row.values()) + "\n" for row in progress.history
    )
    folder = store.path(key)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "metrics.csv", ",".join(progress.history[0]) + "\n" + history)
    error = progress.best_error
    meta = meta | {
        "best_epoch": progress.best_epoch,
        "epochs": progress.epoch,
        "validation_error_rate": error if math.isfinite(error) else None,
        "seconds": round(spent + time.perf_counter() - start, 2),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": str(data.train.images.device),
    }
    store.save(key, {k: v.cpu() for k, v in module.state_dict().items()}, meta)


def _trajectory(recipe: Recipe, data: Dataset) -> str:
    """Names the course of training: the recipe without the rule that ends it."""
    content = recipe.content(data)
    rule = getattr(target(recipe.trainer), "STOPPING_RULE", ())
    trainer = content["trainer"]
    node = {k: v for k, v in trainer.get("node", trainer).items() if k not in rule}
    return key_of(content | {"trainer": trainer | {"node": node} if "node" in trainer else node})


def _shorter_run(trainer: Any, store: Store, trajectory: str) -> dict[str, Any] | None:
    """The last checkpoint of the longest finished run that this training would go through too.

    `trainer=published` thereby continues where `trainer=budget` stopped, to the same bytes.
    """
    metas = [(key, store.meta(key) or {}) for key in store.entries()]
    candidates = [(m["epochs"], k) for k, m in metas if m.get("trajectory") == trajectory]
    for _, key in sorted(candidates, reverse=True):
        checkpoint = store.checkpoint(key)
        if checkpoint and trainer.passes_through(checkpoint["progress"]["history"]):
            return checkpoint
    return None


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
