"""What decides the parameters of a model or of a game, and the key that names them."""

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from advx.config.config import Config
from advx.config.identity import RECIPE_VERSION, identity
from advx.data.dataset import Dataset
from advx.defenses.base import NO_DEFENSE
from advx.errors import ConfigError
from advx.games.base import Game
from advx.models.base import FittedClassifier
from advx.store.store import key_of
from advx.text_files import file_digest

GAME_VERSION = 2
"""The same of games alone."""

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
    """Everything that decides the parameters of a model or of a game.

    Attributes:
        model, trainer, defense: configurations, or their keys; `model` is the game's, for a game.
        seed: decides the initial weights, the order of examples and the dropout masks.
        path: where the model stands in the configuration, for error messages.
        part: of the data set, that it is trained on.
    """

    model: Config
    trainer: Config
    defense: Config
    seed: int
    path: str = "model"
    part: DataPart = "training examples"

    def __post_init__(self) -> None:
        for key in ("model", "trainer", "defense"):
            value = getattr(self, key)
            if not isinstance(value, Config):
                object.__setattr__(self, key, Config(value, self.path if key == "model" else key))

    @property
    def name(self) -> str:
        """What the model is called."""
        return str(self.model.get("name") or self.path)

    @property
    def is_game(self) -> bool:
        """Whether a game is trained, not a classifier."""
        kind = self.model.target
        return inspect.isclass(kind) and issubclass(kind, Game)

    @property
    def random(self) -> bool:
        """Whether another seed would make another model."""
        kind = self.model.target
        fitted = inspect.isclass(kind) and issubclass(kind, FittedClassifier)
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
        } | ({"game_version": GAME_VERSION} if self.is_game else {})


def recipe_key(recipe: Recipe, data: Dataset) -> str:
    """Names what `recipe` makes of `data`, without making it.

    Raises:
        ConfigError: the recipe's weights cannot be read, or it asks for a defense of a model that
            is not trained.
    """
    if recipe.is_game or recipe.random:
        return key_of(recipe.content(data))
    if recipe.defense["_target_"] != NO_DEFENSE["_target_"]:
        name = recipe.defense.target_name
        raise ConfigError(
            f"defense={name}: {recipe.path} ({recipe.model.get('name', 'custom')}) is not trained "
            "here, so no defense can be built into it; valid: defense=none"
        )
    if not recipe.model.get("weights"):
        return key_of({"model": identity(recipe.model, recipe.path), "data": data.fingerprint})
    path = Path(recipe.model["weights"])
    try:
        weights = file_digest(path)
    except OSError as error:
        raise ConfigError(f"{recipe.path}.weights={path}: {error.strerror}") from error
    return key_of({"model": identity(recipe.model, recipe.path), "weights": weights})


def trajectory(recipe: Recipe, data: Dataset) -> str:
    """Names the course of training: the recipe without the rule that ends it."""
    content = recipe.content(data)
    rule = getattr(recipe.trainer.target, "STOPPING_RULE", ())
    trainer = content["trainer"]
    node = {k: v for k, v in trainer.get("node", trainer).items() if k not in rule}
    return key_of(content | {"trainer": trainer | {"node": node} if "node" in trainer else node})


def dependencies(recipe: Recipe) -> list[Recipe]:
    """The recipes of the networks that must be trained before that of `recipe`."""
    if recipe.is_game or not recipe.random:
        return []
    defense = recipe.defense.build()
    # a defense of one's own may still call them ingredients
    wanted = getattr(defense, "ingredients", None) or getattr(defense, "dependencies", None)
    if wanted is None:
        return []
    return [
        replace(recipe, seed=each.seed, defense=Config(each.defense, "defense"))
        for each in wanted(recipe.seed)
    ]


def stored_keys(recipe: Recipe, data: Dataset) -> list[str]:
    """Keys in the store of the networks whose weights make up that of `recipe`: its own, or those
    of its parts where nothing more is trained, as in an ensemble."""
    if not (recipe.is_game or recipe.random):
        return []
    if recipe.is_game or getattr(recipe.defense.build(), "trains", True):
        return [recipe_key(recipe, data)]
    return [key for each in dependencies(recipe) for key in stored_keys(each, data)]
