"""Singular values of a map's Jacobian: by how much it can lengthen a small perturbation."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from advx.data.dataset import Split
from advx.defenses.denoising_autoencoder import Stacked
from advx.evaluation.measurement import measurement


def jacobian_singular_values(
    function: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 8
) -> Tensor:
    """Singular values of ∂ function / ∂x at each image, largest first.

    Args:
        function: images (batch, *shape) to outputs (batch, *any), each example on its own.
        images: (n, *shape).
        batch_size: Jacobians in memory at once.

    Returns:
        (n, min(inputs, outputs)).
    """

    def one(x: Tensor) -> Tensor:
        return function(x[None])[0].flatten()

    values = []
    for batch in images.split(batch_size):
        jacobian = torch.func.vmap(torch.func.jacrev(one))(batch)
        values.append(torch.linalg.svdvals(jacobian.flatten(2)))
    return torch.cat(values)


@dataclass(frozen=True)
class Amplification:
    """Singular values of an autoencoder: those above 1 lengthen a perturbation.

    Attributes:
        largest_singular_value: median over the examples.
        singular_values_above_1: how many, on average over the examples.
    """

    largest_singular_value: float
    singular_values_above_1: float


@measurement(version=1)
def amplification(stacked: Stacked, examples: Split) -> Amplification:
    """What the Jacobian of a stacked network's autoencoder does to small perturbations."""
    values = jacobian_singular_values(stacked.autoencoder, examples.images)
    return Amplification(values[:, 0].median().item(), (values > 1).sum(1).double().mean().item())
