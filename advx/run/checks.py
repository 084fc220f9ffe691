"""Everything that can be wrong with a configuration, found before anything is trained."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from advx.config.build import target
from advx.config.check import check_keywords, check_node
from advx.config.config import Config
from advx.config.declared import check_declared
from advx.config.documents import Composed, Node
from advx.config.plain import check_plain
from advx.config.renamed import OLD_MODEL_KEYS
from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.models.base import FittedClassifier, is_differentiable
from advx.run.data import loader_of
from advx.run.device import pick_device
from advx.run.examine import examine
from advx.training.construct import (
    construct,
    new_game,
    refuse_single_examples,
    refuse_single_pairs,
)
from advx.training.load_or_train import load_or_train_model
from advx.training.recipe import Recipe

if TYPE_CHECKING:
    from advx.run.run import Run

COMMON_KEYS = (
    "experiment",
    "title",
    "main",
    "scale",
    "seeds",
    "dataset",
    "data_dir",
    "device",
    "trainer",
    "store",
    "rows",
    "claims",
    "deviations",
)
"""Top-level keys that every experiment has; its own are the parameters of its `main`."""

MODEL_KEYS = ("models", "model", "crafting", "target", "evaluator", "substitute", *OLD_MODEL_KEYS)
"""Top-level keys under which models stand."""

GAME_KEYS = ("game", "games")
"""Top-level keys under which games between networks stand."""


def check(
    config: Composed, main: Callable[..., None], chosen: Mapping[str, Any] | None = None
) -> None:
    """Refuse a configuration that cannot run.

    Args:
        config: resolved.
        main: the experiment.
        chosen: what was chosen, by group and place, as Hydra lists it, for messages.

    Raises:
        ConfigError: the first thing that is wrong.
    """
    check_plain(config)
    check_keywords(config, main, COMMON_KEYS, f"experiment={config['experiment']}", chosen or {})
    pick_device(config["device"]["name"])
    for path, node in nodes(config):
        loads = path == "dataset" or makes_data(node)
        check_node(loader_of(Config(node)) if loads else node, path)
        if path in ("crafting", "model") and not is_differentiable(target(node)):
            key = "model" if path == "model" else "model@crafting"
            raise ConfigError(
                f"{key}={node['name']}: has no gradient to craft along; "
                "valid: any differentiable model, e.g. maxout, smoothed_nearest_neighbor"
            )
    check_declared(config, main)


def makes_data(node: Node) -> bool:
    """Whether a part's function says that it returns a data set.

    One that cannot be imported does not; `check_node` says why.
    """
    try:
        function = target(node)
    except (Exception, SystemExit):
        return False
    returned = inspect.get_annotations(function).get("return")
    return returned is Dataset or str(returned).rpartition(".")[2] == Dataset.__name__


def check_models(run: "Run") -> None:
    """Refuse a model that does not fit the data, or the user's weights, before any training.

    Raises:
        ConfigError: the first model that cannot be used, and why.
    """
    defense = Config(run.config["defense"], "defense") if run.config.get("defense") else None
    for path, node in nodes(run.config):
        config, (kind, _, name) = Config(node, path), path.partition(".")
        trainers = run.config.get("trainers") or {}
        trainer = run.config.get(f"{path}_trainer") or (trainers.get(name) if name else None)
        own = Config(trainer) if trainer else None
        if kind in GAME_KEYS:
            run.source.refuse_empty(path)
            run.source.refuse_other_shape()
            recipe = run.models.recipe(config, run.seeds[0], trainer=own)
            game = new_game(recipe, run.data)
            recipe.trainer.build().check(game)
            refuse_single_pairs(recipe, game, run.data)
        if kind in MODEL_KEYS and not stands_alone(config):
            if not node.get("weights"):
                run.source.refuse_empty(f"{path}.weights=null")
            told = node.get("input_shape")  # which a network may read any order of pixels by
            if told is not None and told == run.source.config.get("input_shape"):
                run.source.refuse_other_shape()
            recipe = run.models.recipe(config, run.seeds[0], trainer=own)
            check_model(run, recipe, defense)


def check_model(run: "Run", recipe: Recipe, defense: Config | None) -> None:
    """Refuse one model."""
    module = construct(recipe, run.data)
    if recipe.random:
        recipe.trainer.build().check(run.data, defense.build() if defense else None)
        refuse_single_examples(
            replace(recipe, defense=defense) if defense else recipe, module, run.data
        )
    if recipe.model.get("weights"):
        module = load_or_train_model(recipe, run.data, run.store).module
    if not isinstance(module, FittedClassifier):  # not yet fitted: once it is
        attacked = recipe.path in ("crafting", "model")
        examine(recipe, module, run.data, run.remarks, attacked=attacked)


def own_parts(config: Composed) -> list[Node]:
    """Everything that a configuration names by a `_target_`, and an experiment of a user's own."""
    main = {"_target_": config.get("main") or "advx"}
    parts = [node for _, node in nodes(config)]
    return [*parts, main] if Config(main).is_own else parts


def stands_alone(config: Config) -> bool:
    """Whether a model has images of its own, whatever the run's data set."""
    return getattr(config.target, "stands_alone", False)


def nodes(config: Composed, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every part of a configuration with a `_target_`, with its path."""
    for key, value in config.items():
        if isinstance(value, dict):
            here = f"{path}.{key}" if path else str(key)
            if "_target_" in value:
                yield here, value
            else:
                yield from nodes(value, here)
