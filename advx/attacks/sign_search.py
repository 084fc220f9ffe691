"""Gradient-free search over sign vectors by halving (Al-Dujaili and O'Reilly 2020, SignHunter).

In the max-norm ball the best perturbation of a nearly linear model is a corner, ε·s with s = ±1
in every pixel. The search asks only for the model's logits: flip the sign of the whole vector, then
of each half, of each quarter and so on, and keep what raises the margin. It needs no gradient, so a
model that hides its gradient is not safe from it.
"""

import math

import torch
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.attacks.gradient import evaluating
from advx.attacks.objectives import margin
from advx.models.call import logits_of
from advx.types import Interval, NonNegative, NormName, PositiveInt


class SignSearch(Attack):
    """The best corner found with so many queries; an example is left alone once it succeeds.

    Args:
        epsilon: size of the perturbation in `norm`, in the units of the images.
        norm: the max norm (`linf`), or the Euclidean norm (`l2`): every pixel moves by ε / √n.
        queries: forward passes an example may cost.
        clip: range that the adversarial images are clipped to; None to let them leave [0, 1].
    """

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        norm: NormName = "linf",
        queries: PositiveInt = 500,
        clip: Interval | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.norm = norm
        self.queries = queries
        self.clip = clip

    @torch.no_grad()
    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The best corner that the queries find; where none succeeds, one whose answer is a NaN."""
        best, undefined = images.clone(), images.clone()
        with evaluating(model):
            best_margin = margin(logits_of(model, images), labels)
            active = (best_margin <= 0).nonzero().squeeze(1)
            met_nan = torch.zeros_like(labels, dtype=torch.bool)
            signs = torch.ones_like(images[active]).flatten(1)  # (active, pixels)
            corner_margin = torch.full_like(
                best_margin[active], -torch.inf
            )  # of the present corner
            for first, last in [(0, 0), *blocks(signs.shape[1])][: self.queries - 1]:
                if len(active) == 0:
                    break
                signs[:, first:last] *= -1
                x = self._corner(images[active], signs)
                value = margin(logits_of(model, x), labels[active])
                better = value > corner_margin
                signs[~better, first:last] *= -1
                corner_margin = torch.where(better, value, corner_margin)
                nan = value.isnan()
                undefined[active[nan]] = x[nan]
                met_nan[active[nan]] = True
                higher = value > best_margin[active]
                best[active[higher]] = x[higher]
                best_margin[active[higher]] = value[higher]
                remain = corner_margin <= 0
                active, signs, corner_margin = active[remain], signs[remain], corner_margin[remain]
            fails = met_nan & (best_margin <= 0)
            best[fails] = undefined[fails]
        return best

    def _corner(self, images: Tensor, signs: Tensor) -> Tensor:
        size = self.epsilon if self.norm == "linf" else self.epsilon / math.sqrt(signs.shape[1])
        moved = images + size * signs.view_as(images)
        return moved if self.clip is None else moved.clamp(*self.clip)


def blocks(n: int) -> list[tuple[int, int]]:
    """The whole of n components, its halves, its quarters, …, single ones: (first, last + 1)."""
    blocks = []
    size = n
    while True:
        blocks += [(first, min(first + size, n)) for first in range(0, n, size)]
        if size == 1:
            return blocks
        size = math.ceil(size / 2)
