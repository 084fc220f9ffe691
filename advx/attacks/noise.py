"""Random numbers that belong to an example, not to its place in a batch.

A random start drawn for the whole batch would make an example's result depend on who shares it.
Here each example's numbers come from a counter-based generator (SplitMix64, Steele et al. 2014)
keyed by the example's own pixels: the same image gets the same numbers in any batch and any run.
"""

import torch
from torch import Tensor

from advx.types import NormName

GOLDEN = 0x9E3779B97F4A7C15 - 2**64


def _mix(z: Tensor) -> Tensor:
    """SplitMix64's output function on int64 words, whose products wrap around."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64)):
        z = (z ^ _shifted(z, shift)) * factor
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Logical shift to the right: torch's own copies the sign bit."""
    return (z >> bits) & (2 ** (64 - bits) - 1)


def uniform(images: Tensor, stream: int) -> Tensor:
    """Uniform numbers on [−1, 1), shaped and typed like images (batch, *shape).

    Args:
        images: decide the numbers, each example its own.
        stream: another number, other numbers.
    """
    bits = images.detach().flatten(1).double().view(torch.int64)  # (batch, pixels)
    place = torch.arange(1, bits.shape[1] + 1, device=bits.device)
    key = _mix((bits * (_mix(place * GOLDEN) | 1)).sum(1) + stream)  # (batch,)
    words = _mix(key[:, None] + place * GOLDEN)  # (batch, pixels)
    return ((words >> 11).double() / 2**52).to(images.dtype).view_as(images)


def gaussian(images: Tensor, stream: int) -> Tensor:
    """Standard normal numbers, shaped and typed like images (batch, *shape).

    Args:
        images: decide the numbers, each example its own.
        stream: another number, other numbers.
    """
    numbers = uniform(images.double(), stream).clamp(min=-1 + 2**-53)
    return (2**0.5 * torch.erfinv(numbers)).to(images.dtype)


def in_ball(images: Tensor, norm: NormName, stream: int) -> Tensor:
    """Uniform points of the unit ball of `norm`, shaped like images (batch, *shape)."""
    numbers = uniform(images, 2 * stream)
    if norm == "linf":
        return numbers
    normal = gaussian(images, 2 * stream).double().flatten(1)
    share = (uniform(images.double(), 2 * stream + 1).flatten(1)[:, :1] + 1) / 2  # of the volume
    radius = share ** (1 / normal.shape[1])
    direction = normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True)
    return (radius * direction).to(images.dtype).view_as(images)
