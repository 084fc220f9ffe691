"""Singular values of a map's Jacobian: by how much it can lengthen a small perturbation."""

from collections.abc import Callable

import torch
from torch import Tensor


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

    found = []
    for batch in images.split(batch_size):
        jacobian = torch.func.vmap(torch.func.jacrev(one))(batch)
        found.append(torch.linalg.svdvals(jacobian.flatten(2)))
    return torch.cat(found)
