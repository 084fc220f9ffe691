"""Projection onto the directions in which the training images vary most."""

import torch
from torch import Tensor, nn

from advx.models.base import features
from advx.types import PositiveInt, Shape


class PrincipalComponents(nn.Module):
    """Images (n, *shape) to (n, components) of them, divided by one number: unit variance on
    average. Fitted once on training images; before that everything is projected to 0.

    Args:
        input_shape: shape of one image.
        components: how many, at most as many as pixels.

    Raises:
        ValueError: more than that.
    """

    mean: Tensor  # (pixels,)
    directions: Tensor  # (pixels, components)

    def __init__(self, input_shape: Shape, components: PositiveInt) -> None:
        super().__init__()
        pixels = features(input_shape)
        if components > pixels:
            raise ValueError(f"components={components}: an example has {pixels}; valid: up to them")
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("directions", torch.zeros(pixels, components))

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Take mean and directions from training images (m, *shape)."""
        flat = images.flatten(1)
        mean = flat.mean(0)
        away = flat - mean
        values, vectors = torch.linalg.eigh((away.T @ away).double() / len(flat))
        largest = values.flip(0)[: self.directions.shape[1]].clamp(min=0)
        chosen = vectors.flip(1)[:, : self.directions.shape[1]]
        self.mean.copy_(mean)
        self.directions.copy_(chosen / largest.mean().clamp(min=1e-12).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.mean) @ self.directions
