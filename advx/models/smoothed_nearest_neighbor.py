"""Smoothed nearest neighbor: the differentiable stand-in for nearest neighbor (section 1.2.1).

The chapter's classifier gives class i the probability Σₙ wₙ yᵢ⁽ⁿ⁾ with wₙ the softmax over the
training points of −‖x − x⁽ⁿ⁾‖². Its logits are therefore, exactly and in log space,

    zᵢ(x) = log Σ_{n in class i} exp(−‖x − x⁽ⁿ⁾‖²)

(the printed formula's extra 1/N, and its missing minus sign in words, change neither the
prediction nor the gradient's direction). The common term −‖x‖² is left out: it cancels in every
probability, and leaving it out keeps the gradient exactly zero at a pixel where all the training
points that matter are zero, where rounding noise would otherwise decide the gradient's sign.

The gradient is ∂zᵢ/∂x = 2 Σ_{n in class i} (softmax within the class)ₙ x⁽ⁿ⁾ (again less 2x), so a
backward pass costs two more matrix products over the training set and no stored graph.
"""

import math
from typing import Any

import torch
from torch import Tensor

from advx.models.base import InstanceBasedClassifier

RAISED = 55.0
"""Added to the exponents of the weights for the matrix product, and taken back from its result.

A good part of the weights lies between e⁻¹⁰³ and e⁻⁸⁷, float32's subnormal numbers, which a CPU
multiplies several times slower. They cannot be dropped: where they alone light a pixel, they decide
the sign of its gradient.
"""


class SmoothedNearestNeighbor(InstanceBasedClassifier):
    """Softmax-weighted vote of all the training points, exact for any batch size.

    The peak memory of a forward or backward pass is about three blocks of `chunk_bytes` beyond the
    training set and the batch itself.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to logits (batch, classes), up to an image's constant."""
        x = x.flatten(1)
        images, offsets = self.images.to(x.dtype), self.squared_norms.to(x.dtype)
        chunks = [
            _ClassLogSumExp.apply(part, images, offsets, self.counts)
            for part in x.split(self.rows_at_once(x))
        ]
        return torch.cat(chunks)


class _ClassLogSumExp(torch.autograd.Function):
    """Per-class log-sum-exp of 2 x·x⁽ⁿ⁾ − ‖x⁽ⁿ⁾‖², recomputed in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, images: Tensor, offsets: Tensor, counts: list[int]) -> Tensor:
        exponents = torch.addmm(-offsets, x, images.T, alpha=2)  # (batch, n)
        blocks = exponents.split(counts, dim=1)
        logits = torch.stack([block.logsumexp(1) for block in blocks], dim=1)  # (batch, classes)
        ctx.save_for_backward(x, images, offsets, logits)
        ctx.counts = counts
        return logits

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        x, images, offsets, logits = ctx.saved_tensors
        weights = torch.addmm(-offsets, x, images.T, alpha=2)
        for label, block in enumerate(weights.split(ctx.counts, dim=1)):
            block.sub_(logits[:, label, None] - RAISED).exp_().mul_(grad[:, label, None])
        return weights @ images * (2 * math.exp(-RAISED)), None, None, None
