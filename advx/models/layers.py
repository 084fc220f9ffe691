"""Layers of the chapter's fully connected networks (Goodfellow et al. 2013a).

They differ from PyTorch's own in three ways that matter: weights start uniform in a named range
with zero biases, the norm of each filter's incoming weights is bounded after every update, and
dropout's rescaling factor is a choice of its own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Linear(nn.Linear):
    """Affine layer with uniform initial weights and a bound on each filter's incoming weights.

    Args:
        in_features: components of one input.
        out_features: number of filters.
        init_range: weights start in U(-init_range, init_range), biases at 0.
        max_column_norm: largest L2 norm of one filter's incoming weights; None for no bound.
            "Column" is the authors' word: in `weight` (out, in) a filter is a row.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        init_range: float,
        max_column_norm: float | None,
    ) -> None:
        self.init_range = init_range
        self.max_column_norm = max_column_norm
        super().__init__(in_features, out_features)

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.weight, -self.init_range, self.init_range)
        nn.init.zeros_(self.bias)

    def constrain(self) -> None:
        """Scale every filter whose norm exceeds the bound back onto it, in place."""
        if self.max_column_norm is not None:
            norm = torch.linalg.vector_norm(self.weight, dim=1, keepdim=True)
            self.weight.mul_((self.max_column_norm / norm).clamp_(max=1.0))


class Maxout(Linear):
    """Maxout layer: each unit is the maximum of `pieces` affine functions of the input.

    The pieces stand in the outer axis of the filters, so that the maximum runs over whole
    contiguous vectors of units instead of a strided read.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        pieces: int,
        *,
        init_range: float,
        max_column_norm: float | None,
    ) -> None:
        super().__init__(
            in_features, units * pieces, init_range=init_range, max_column_norm=max_column_norm
        )
        self.units = units
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        z = F.linear(x, self.weight, self.bias)  # (batch, pieces * units)
        return z.view(-1, self.pieces, self.units).amax(1)  # (batch, units)


class Dropout(nn.Module):
    """Keep each component with probability `keep`, multiply the kept ones by `scale`.

    `scale=1` is the authors' input dropout, `scale=1/keep` what PyTorch calls dropout. The mask is
    drawn from 16 random bits a component, several times faster on a CPU than `bernoulli_`; `keep`
    is thereby rounded to the nearest multiple of 2**-16 (exact for .5; .8 becomes .800003).
    """

    def __init__(self, keep: float, *, scale: float) -> None:
        super().__init__()
        self.keep = keep
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.keep >= 1.0:
            return x
        mask = random_mask(x, self.keep)
        return x * (mask.mul_(self.scale) if self.scale != 1.0 else mask)

    def extra_repr(self) -> str:
        return f"keep={self.keep}, scale={self.scale}"


def random_mask(x: Tensor, keep: float) -> Tensor:
    """Zeros and ones shaped like `x` and of its type, one with probability `keep` (to 2**-16)."""
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
    words.random_(-(2**63), None)  # the whole range: 64 random bits a word
    uniform = words.view(torch.int16)[: x.numel()].view(x.shape)
    mask = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    return torch.lt(uniform, round(keep * 2**16) - 2**15, out=mask)  # no booleans in between


class Sequential(nn.Sequential):
    """`nn.Sequential` whose constraint is that of all its layers."""

    def constrain(self) -> None:
        for layer in self:
            if isinstance(layer, Linear):
                layer.constrain()
