"""A regression whose true output is d·x: what a perturbation changes, and what is a mistake.

Section 1.2.5: "any perturbation that has non-zero dot product with d will change the true output …
The norm of the perturbation is not relevant for this hypothetical task, but rather the direction."
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.randomness import seeded

SMALLEST_VARIANCE = 1e-10
"""Of the largest of the images' second moments: directions below are taken for ones that no image
has a component in."""

SMALLEST_DEVIATION = 1e-9
"""Of the largest output: one that varies less is constant but for rounding."""


@dataclass(frozen=True)
class Response:
    """To a perturbation, in standard deviations of the true output over the images.

    NaN where that does not vary.

    Attributes:
        true_change: by how much the true output changes.
        mistake: how far the model's output then is from the true one.
    """

    true_change: float
    mistake: float


@measurement(version=1)
def responses(examples: Split, length: float, seed: int) -> dict[str, Response]:
    """Of the true output and of least squares to perturbations of one L2 length, by direction.

    Args:
        examples: images (n, *shape) to fit the model to, whose true output is d·x.
        length: of the perturbations; "along, a hundredth" has a hundredth of it.
        seed: of the direction d, uniform over the sphere.
    """
    x = examples.images.flatten(1).double()
    with seeded(seed):
        d = torch.randn(x.shape[1], dtype=torch.float64).to(x.device)
    d /= d.norm()
    output = x @ d
    off = least_squares(x, output) - d
    across = off - (off @ d) * d
    directions = {
        "along": length * d,
        "along, a hundredth": length / 100 * d,
        "across": length * across / across.norm(),
    }
    scale = output.std(correction=0)
    if scale <= SMALLEST_DEVIATION * output.abs().max():
        scale = torch.full_like(scale, torch.nan)
    return {
        name: Response((d @ step).abs().div(scale).item(), (off @ step).abs().div(scale).item())
        for name, step in directions.items()
    }


def least_squares(x: Tensor, output: Tensor) -> Tensor:
    """The shortest w (m,) that makes x w (n,) nearest to `output`, with x (n, m)."""
    values, vectors = torch.linalg.eigh(x.T @ x)
    kept = values > SMALLEST_VARIANCE * values[-1]
    inside = vectors[:, kept]
    return inside @ ((inside.T @ (x.T @ output)) / values[kept])
