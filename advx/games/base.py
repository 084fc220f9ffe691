"""What the training loop and the experiments expect of a generative adversarial game."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from advx.types import PositiveInt

NoiseName = Literal["uniform", "wide_uniform", "gaussian"]
"""p(z): uniform on [−1, 1]ᵈ, uniform on [−√3, √3]ᵈ (unit variance), or a standard Gaussian."""


class Game(nn.Module):
    """A generator and a discriminator.

    Examples are in the data's own units. A condition is what both players are told of an example
    besides: by default its class label, (n,) int64, from which a game that is not conditional looks
    away.

    Args:
        latent: d, components of z.
        noise: p(z).

    Attributes:
        generator, discriminator: the two networks, whose parameters are the two players' moves.
        conditional: whether the condition is the class, and heeded.
    """

    conditional: bool = False
    generator: nn.Module
    discriminator: nn.Module

    def __init__(self, *, latent: PositiveInt = 100, noise: NoiseName = "uniform") -> None:
        super().__init__()
        self.latent = latent
        self.noise = noise

    def draw(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """z, (count, latent), from torch's own generator of random numbers."""
        if self.noise != "gaussian":
            reach = 1.0 if self.noise == "uniform" else math.sqrt(3)
            return (torch.rand(count, self.latent, device=device) * 2 - 1) * reach
        return torch.randn(count, self.latent, device=device)

    def condition(self, images: Tensor, labels: Tensor) -> Tensor:
        """What is told of images (n, *shape) with labels (n,): (n, ...)."""
        return labels

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """G(z): (n, latent) to examples (n, *shape)."""
        return self.generator(z)

    def judge(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits (n,) of the probability that examples (n, *shape) come from the data."""
        return self.discriminator(x).squeeze(1)

    def adapt(self, images: Tensor) -> None:
        """Take what the networks need from the training images (n, *shape), before training."""

    def constrain(self, player: nn.Module) -> None:
        """Project one player's parameters back onto their constraint set after its update."""
        for module in player.modules():
            project = getattr(module, "constrain", None)
            if callable(project) and module is not player:
                with torch.no_grad():
                    project()
