"""What training asks of a defence beyond a loss `(model, images, labels) -> scalar`.

Any such function will do. The members below are honoured where present; a defence that inherits
them changes only what it needs.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from advx.types import Shape

NO_DEFENSE = {"_target_": "advx.defenses.none.NoDefense"}


@dataclass(frozen=True)
class Ingredient:
    """A network that must be trained first: the same architecture, trainer and data.

    Attributes:
        seed: its seed.
        defense: the configuration node of its own defence.
    """

    seed: int
    defense: dict[str, Any] = field(default_factory=lambda: dict(NO_DEFENSE))


class Defense:
    """A training loss, with what it needs before training and how its success is judged.

    `cost(logits, labels) -> (batch,)`, where a defence has it, is the training cost of each
    example: what an attack with `objective=training_cost` climbs.
    """

    trains: bool = True
    """Whether there is anything to train; False for a model put together from its ingredients."""

    uses_unlabelled: bool = False
    """Whether examples with the label −1, whose class is hidden, may stand in a minibatch."""

    def ingredients(self, seed: int) -> list[Ingredient]:
        """Networks that must be trained before this one, which has seed `seed`."""
        return []

    def prepare(
        self, module: nn.Module, ingredients: list[nn.Module], input_shape: Shape
    ) -> nn.Module:
        """The module to train, around or instead of `module`; the ingredients are trained.

        `input_shape` is that of one image, (channels, height, width).
        """
        return module

    def validation_images(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """What early stopping counts mistakes on: images (batch, *shape) to the same shape."""
        return images

    def cost_of_guessing(self, classes: int) -> float:
        """The loss of a model that knows nothing: one that stays above it has diverged."""
        return math.log(classes)

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Mean training cost of a minibatch, a scalar."""
        raise NotImplementedError
