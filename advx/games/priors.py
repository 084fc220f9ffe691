"""Distributions that an autoencoder's codes are to follow: p(z) of the adversarial autoencoder.

    gaussian     N(0, I), of any dimension
    mixture      ten Gaussians of the plane like the petals of a flower: equally likely, their means
                 on a circle, wider along the radius than across it
    swiss_roll   a spiral of two turns in the plane, with a little noise; evenly spread along it

They are as in Makhzani et al. (2015), figure 2, but for their sizes, which the paper does not give.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from advx.types import PositiveInt

PriorName = Literal["gaussian", "mixture", "swiss_roll"]

PETALS, PETAL_RADIUS, ALONG, ACROSS = 10, 2.0, 0.5, 0.12
"""Of the mixture: Gaussians, how far their means lie from 0, and their two deviations."""

TURNS, ROLL_RADIUS, ROLL_NOISE = 2, 3.0, 0.05
"""Of the roll: how often it goes around, how far it reaches, and the noise's deviation."""


def require_dimension(name: PriorName, latent: int) -> None:
    """Refuse a prior of another dimension than the code.

    Raises:
        ValueError: the dimension that there is, and the one that is needed.
    """
    if name != "gaussian" and latent != 2:
        raise ValueError(
            f"latent={latent}: prior={name} is a distribution of the plane; valid: latent=2, or "
            "prior=gaussian"
        )


def prior_samples(
    name: PriorName, count: int, latent: PositiveInt, device: torch.device | str = "cpu"
) -> Tensor:
    """Codes (count, latent) from a prior, by torch's own generator of random numbers.

    Raises:
        ValueError: another dimension than the prior has.
    """
    require_dimension(name, latent)
    noise = torch.randn(count, latent, device=device)
    if name == "gaussian":
        return noise
    chance = torch.rand(count, device=device)
    if name == "swiss_roll":
        # the length of a spiral grows with its angle's square
        way = chance.sqrt()
        angle = 2 * math.pi * TURNS * way
        return ROLL_RADIUS * way[:, None] * direction(angle) + ROLL_NOISE * noise
    angle = (chance * PETALS).floor() * (2 * math.pi / PETALS)
    along, across = direction(angle), direction(angle + math.pi / 2)
    far = PETAL_RADIUS + ALONG * noise[:, :1]
    return far * along + ACROSS * noise[:, 1:] * across


def direction(angle: Tensor) -> Tensor:
    """Unit vectors (n, 2) of angles (n,)."""
    return torch.stack([angle.cos(), angle.sin()], 1)
