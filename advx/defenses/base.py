"""What training asks of a defense beyond a loss `(model, images, labels) -> scalar`.

Any such function will do. The members below are honored where present; a defense that inherits
them changes only what it needs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from advx.config.config import Config
from advx.types import Shape

NO_DEFENSE = Config({"_target_": "advx.defenses.none.NoDefense"}, "defense")


@dataclass(frozen=True)
class Dependency:
    """A network that must be trained first: the same architecture, trainer and data.

    Attributes:
        seed: its seed.
        defense: the configuration node of its own defense.
    """

    seed: int
    defense: Mapping[str, Any] = NO_DEFENSE


Ingredient = Dependency
"""The name under which defenses of one's own may still import it."""


class Defense:
    """A training loss, with what it needs before training and how its success is judged.

    `cost(logits, labels) -> (batch,)`, where a defense has it, is the training cost of each
    example: what an attack with `objective=training_cost` ascends.
    """

    trains: bool = True
    """Whether there is anything to train; False for a model put together from its dependencies."""

    uses_unlabeled: bool = False
    """Whether examples with the label −1, whose class is hidden, may stand in a minibatch."""

    repeats: bool = False
    """Whether the loss does the same with every minibatch of a shape, and asks for no number on the
    way: a GPU can then repeat the update by itself. Only what the class itself says counts."""

    def dependencies(self, seed: int) -> list[Dependency]:
        """Networks that must be trained before this one, which has seed `seed`."""
        return []

    def prepare(
        self, module: nn.Module, dependencies: list[nn.Module], input_shape: Shape
    ) -> nn.Module:
        """The module to train, around or instead of `module`; the dependencies are trained.

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


def uses_unlabeled(loss: object) -> bool:
    """Whether a training loss knows what to do with an example whose label is −1.

    A defense of one's own may still say so as `uses_unlabelled`.
    """
    return any(getattr(loss, name, False) for name in ("uses_unlabeled", "uses_unlabelled"))
