"""What a run knows a model by: named before it is trained, made when it is first asked for."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import nn

from advx.config.config import Config
from advx.data.dataset import Dataset
from advx.run.named import Deferred
from advx.training.construct import construct
from advx.training.load_or_train import TrainedGame, TrainedModel
from advx.training.recipe import Recipe, stored_keys

if TYPE_CHECKING:
    from advx.run.models import Models


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
    def networks(self) -> frozenset[str]:
        return self.model.networks

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

    @cached_property
    def networks(self) -> frozenset[str]:
        return frozenset(stored_keys(self.recipe, self._models.data.part(self.recipe.part)))

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
    def networks(self) -> frozenset[str]:
        return frozenset([self.key])

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
