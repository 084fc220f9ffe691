"""Gaussian noise inside a network, while it is trained."""

import torch
from torch import Tensor, nn


class GaussianNoise(nn.Module):
    """Adds noise from N(0, deviation² I) in training; the identity in evaluation.

    Args:
        deviation: standard deviation, in the units of what it is added to.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.deviation == 0:
            return x
        return x + self.deviation * torch.randn_like(x)

    def extra_repr(self) -> str:
        return f"deviation={self.deviation}"
