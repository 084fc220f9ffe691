"""Where ε lives: in pixels, or in what the network's own preprocessing makes of them."""

from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.errors import ConfigError
from advx.evaluation.transfer import BATCH

SpaceName = Literal["pixels", "preprocessed"]


@runtime_checkable
class Invertible(Protocol):
    """Preprocessing that can be undone, such as `advx.models.whitening.Whitening`."""

    def lost(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What it takes from images (n, *shape): means (n,) and contrasts (n,)."""

    def invert(self, z: Tensor, mean: Tensor, contrast: Tensor) -> Tensor:
        """The images (n, *shape) behind what it made of them, given what each had lost."""


def in_space(model: nn.Module, images: Tensor, space: SpaceName) -> tuple[nn.Module, Tensor]:
    """The model as a function of that space, and the images there, (n, *shape).

    Raises:
        ConfigError: the model has no preprocessing of its own.
    """
    if space == "pixels":
        return model, images
    preprocessing, network = halves(model)
    with torch.no_grad(), evaluating(model):
        return network, torch.cat([preprocessing(x.clone()) for x in images.split(BATCH)])


def in_pixels(model: nn.Module, images: Tensor, steps: Tensor, space: SpaceName) -> Tensor:
    """By how much each pixel changes for steps in that space, (n, k, *shape).

    Preprocessing is undone with the mean and contrast of the images. For `Whitening` that is
    affine: a multiple of a step changes the pixels by that multiple.

    Args:
        model: its preprocessing is `Invertible`, where the space is that of the preprocessed.
        images: (n, *shape), the images themselves.
        steps: k of each image, (n, k, *shape), in that space.
        space: of the steps.
    """
    if space == "pixels":
        return steps
    preprocessing, _ = halves(model)
    assert isinstance(preprocessing, Invertible)
    lost = preprocessing.lost(images)
    _, points = in_space(model, images, space)
    moved = [preprocessing.invert(points + step, *lost) for step in steps.unbind(1)]
    return torch.stack(moved, 1) - preprocessing.invert(points, *lost)[:, None]


def halves(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """A model's `preprocessing` and the `network` behind it.

    Raises:
        ConfigError: the model has no preprocessing of its own.
    """
    preprocessing, network = (getattr(model, part, None) for part in ("preprocessing", "network"))
    if not isinstance(preprocessing, nn.Module) or not isinstance(network, nn.Module):
        raise ConfigError(
            f"space=preprocessed: {type(model).__name__} has no preprocessing of its own; "
            "valid: space=pixels, or a model like conv_maxout"
        )
    return preprocessing, network
