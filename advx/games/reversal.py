"""Gradient reversal: the identity, whose gradient is multiplied by −λ.

What stands below it ascends, λ times as fast, what stands above it descends: one backward pass for
both sides of a game. Source: Ganin and Lempitsky (2015), equations 7 and 8.
"""

from typing import Any

import torch
from torch import Tensor


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * slopes[0], None


def reversed_gradient(x: Tensor, strength: float = 1.0) -> Tensor:
    """`x` as it is, of any shape; its gradient is multiplied by −`strength`."""
    return _Reversal.apply(x, strength)
