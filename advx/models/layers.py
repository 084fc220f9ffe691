"""Layers of the chapter's maxout networks (Goodfellow et al. 2013a).

They differ from PyTorch's own in three ways that matter: weights start uniform in a named range
with zero biases, the norm of each filter's incoming weights is bounded after every update, and
dropout's rescaling factor is a choice of its own.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Affine = Callable[[Tensor], Tensor]
"""From (batch, ...) to (batch, ...)."""


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
        bound_filters(self.weight, self.max_column_norm)


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

    def affine(self, x: Tensor) -> Tensor:
        """Inputs (batch, in_features) to all functions' values, (batch, pieces * units)."""
        return F.linear(x, self.weight, self.bias)

    def maximum(self, z: Tensor) -> Tensor:
        """The functions' values to the largest of each unit's, (batch, units)."""
        return z.view(-1, self.pieces, self.units).amax(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.maximum(self.affine(x))


class MaxoutConvolution(nn.Conv2d):
    """Convolution whose every channel is the maximum of `pieces` filters' maps.

    As in `Maxout` the pieces stand in the outer axis: the maximum runs over whole maps.

    Args:
        in_channels: channels of the input.
        units: channels of the output.
        pieces: filters under each maximum.
        kernel_size: side of a filter.
        padding: zeros around the input.
        init_range: weights start in U(-init_range, init_range), biases at 0.
        max_kernel_norm: largest L2 norm of one filter; None for no bound.
        rate_scale: its parameters learn at this share of the learning rate.
    """

    def __init__(
        self,
        in_channels: int,
        units: int,
        pieces: int,
        kernel_size: int,
        *,
        padding: int,
        init_range: float,
        max_kernel_norm: float | None,
        rate_scale: float = 1.0,
    ) -> None:
        self.init_range = init_range
        super().__init__(in_channels, units * pieces, kernel_size, padding=padding)
        self.units = units
        self.pieces = pieces
        self.max_kernel_norm = max_kernel_norm
        self.rate_scale = rate_scale

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.weight, -self.init_range, self.init_range)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def affine(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, h, w) to those of all filters, (batch, pieces * units, ...)."""
        return self._conv_forward(x, self.weight, self.bias)

    def maximum(self, z: Tensor) -> Tensor:
        """The filters' maps to the largest of each unit's, (batch, units, ...)."""
        return z.unflatten(1, (self.pieces, self.units)).amax(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.maximum(self.affine(x))

    def constrain(self) -> None:
        """Scale every filter whose norm exceeds the bound back onto it, in place."""
        bound_filters(self.weight, self.max_kernel_norm)


def bound_filters(weight: Tensor, largest: float | None) -> None:
    """Scale filters (out, ...) whose L2 norm exceeds `largest` back onto it, in place."""
    if largest is not None:
        norm = torch.linalg.vector_norm(weight.flatten(1), dim=1)
        factor = (largest / norm).clamp_(max=1.0)
        weight.mul_(factor.view(-1, *[1] * (weight.dim() - 1)))


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
            if isinstance(layer, (Linear, MaxoutConvolution)):
                layer.constrain()

    def split(self) -> "tuple[Affine, Affine] | None":
        """The first affine map and everything after it, in evaluation mode; None if there is none.

        The maximum of a maxout layer belongs to what comes after.
        """
        for place, layer in enumerate(self):
            after = self[place + 1 :]
            if isinstance(layer, (Maxout, MaxoutConvolution)):
                return layer.affine, nn.Sequential(_Maximum(layer), *after)
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                return layer, after
            if not isinstance(layer, Dropout):
                break
        return None


class _Maximum(nn.Module):
    """A maxout layer without its affine map."""

    def __init__(self, layer: Maxout | MaxoutConvolution) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, z: Tensor) -> Tensor:
        return self.layer.maximum(z)


def flattened(parts: tuple[Affine, Affine] | None) -> tuple[Affine, Affine] | None:
    """The same for images (batch, *shape), which the affine map takes as vectors."""
    if parts is None:
        return None
    affine, after = parts
    return (lambda x: affine(x.flatten(1))), after
