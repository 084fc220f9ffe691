"""What a network's first layer sees of pixels in [0, 1]: an affine map, fitted before training.

    unit                    x, as it is
    signed                  2x − 1
    centered                x − μ, with μ the mean training image
    standardized            (x − m) / s, with m and s mean and standard deviation of all pixels
    standardized_by_pixel   (x − μ) / (σ + 10⁻⁴), with σ each pixel's standard deviation

The images stay as they are: an attack on the network still moves pixels in [0, 1]. Input dropout
acts on what the layer sees: a dropped pixel is black in the first, gray in the second, and the mean
in the others. By the last, a pixel that never varies is multiplied by 10,000.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from advx.models.base import features
from advx.types import Shape

InputName = Literal["unit", "signed", "centered", "standardized", "standardized_by_pixel"]

SMALLEST_DEVIATION = 1e-4
"""Added to a pixel's standard deviation, which is 0 in a corner that is always black."""


def scaled_inputs(name: InputName, input_shape: Shape) -> nn.Module:
    """The map of this name, of flattened images (batch, n) to (batch, n)."""
    return nn.Identity() if name == "unit" else ScaledInputs(name, features(input_shape))


def fit(layer: nn.Module, images: Tensor) -> None:
    """Take what the map needs from the training images (m, *shape)."""
    if isinstance(layer, ScaledInputs):
        layer.fit(images)


class ScaledInputs(nn.Module):
    """(x − shift) · scale, component by component.

    Args:
        name: which map.
        components: of one image.
    """

    shift: Tensor  # (n,)
    scale: Tensor  # (n,)

    def __init__(self, name: InputName, components: int) -> None:
        super().__init__()
        self.name = name
        signed = name == "signed"
        self.register_buffer("shift", torch.full((components,), 0.5 if signed else 0.0))
        self.register_buffer("scale", torch.full((components,), 2.0 if signed else 1.0))

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Take mean and standard deviation from the training images (m, *shape)."""
        pixels = images.flatten(1).double()
        if self.name in ("centered", "standardized_by_pixel"):
            self.shift.copy_(pixels.mean(0))
        if self.name == "standardized_by_pixel":
            self.scale.copy_(1 / (pixels.std(0, correction=0) + SMALLEST_DEVIATION))
        if self.name == "standardized":
            self.shift.fill_(float(pixels.mean()))
            self.scale.fill_(1 / float(pixels.std(correction=0)))

    def forward(self, x: Tensor) -> Tensor:
        """Flattened images (batch, n) in [0, 1] to what the first layer sees, (batch, n)."""
        return (x - self.shift) * self.scale

    def extra_repr(self) -> str:
        return self.name
