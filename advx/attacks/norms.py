"""The geometry of a ball: its steepest direction, and the projection onto it.

Norms are taken over all axes but the first, each example on its own.
"""

import torch
from torch import Tensor

from advx.types import NormName


def steepest(gradient: Tensor, norm: NormName) -> Tensor:
    """The unit vector of `norm` with the largest inner product with the gradient (Equation 1.3).

    sign(g) for the max norm, g / ‖g‖₂ for L2; zero where the gradient vanishes.
    """
    if norm == "linf":
        return gradient.sign()
    flat = gradient.flatten(1)
    largest = flat.abs().amax(1, keepdim=True)
    scaled = flat / torch.where(largest > 0, largest, 1)  # no underflow in the squares
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return (scaled / torch.where(length > 0, length, 1)).view_as(gradient)


def projected(perturbation: Tensor, norm: NormName, epsilon: float) -> Tensor:
    """The nearest point of the ball of radius `epsilon`, for each example's perturbation."""
    if norm == "linf":
        return perturbation.clamp(-epsilon, epsilon)
    size = length(perturbation, norm).view(-1, *[1] * (perturbation.dim() - 1))
    return perturbation * (epsilon / torch.where(size > epsilon, size, max(epsilon, 1e-30))).clamp(
        max=1.0
    )


def length(perturbation: Tensor, norm: NormName) -> Tensor:
    """Norm of each example's perturbation, (batch,)."""
    order = torch.inf if norm == "linf" else 2
    return torch.linalg.vector_norm(perturbation.flatten(1), ord=order, dim=1)


def vanished(gradient: Tensor) -> Tensor:
    """Whether each example's gradient is exactly zero, (batch,) bool."""
    return (gradient.flatten(1) == 0).all(1)
