"""Layers of the chapter's maxout networks (Goodfellow et al. 2013a).

They differ from PyTorch's own in three ways that matter: weights start uniform in a named range
with zero biases, the norm of each filter's incoming weights is bounded after every update, and
dropout's rescaling factor is a choice of its own.
"""

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from advx.models.maximum import largest
from advx.models.products import linear

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

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

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
        return linear(x, self.weight, self.bias)

    def maximum(self, z: Tensor) -> Tensor:
        """The functions' values to the largest of each unit's, (batch, units)."""
        return largest(z.view(-1, self.pieces, self.units))

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
        return largest(z.unflatten(1, (self.pieces, self.units)))

    def forward(self, x: Tensor) -> Tensor:
        return self.maximum(self.affine(x))

    def constrain(self) -> None:
        """Scale every filter whose norm exceeds the bound back onto it, in place."""
        bound_filters(self.weight, self.max_kernel_norm)


def bound_filters(weight: Tensor, bound: float | None) -> None:
    """Scale filters (out, ...) whose L2 norm exceeds `bound` back onto it, in place."""
    if bound is not None:
        norm = torch.linalg.vector_norm(weight.flatten(1), dim=1)
        if norm.is_cpu and float(norm.max()) <= bound:
            return  # saves a pass over the weights; elsewhere the question would cost more
        factor = (bound / norm).clamp_(max=1.0)
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
        if self.scale != 1.0:
            mask.mul_(self.scale)
        return x * mask if x.requires_grad else mask.mul_(x)

    def extra_repr(self) -> str:
        return f"keep={self.keep}, scale={self.scale}"


def random_mask(x: Tensor, keep: float) -> Tensor:
    """Zeros and ones shaped like `x` and of its type, one with probability `keep` (to 2**-16).

    A component takes 16 random bits, and a single one where `keep` is a half.
    """
    count, bits = x.numel(), 1 if keep == 0.5 else 16
    words = -(-count * bits // 64)
    random = torch.empty(words, dtype=torch.int64, device=x.device)
    random.random_(-(2**63), None)  # the whole range: 64 random bits a word
    room = words * 64 // bits
    mask = torch.empty(room, dtype=x.dtype, device=x.device)
    if bits == 1:
        octets = random.view(torch.uint8) & _powers_of_two(x.device)
        torch.ne(octets, 0, out=mask.view(octets.shape))  # no booleans in between
    else:
        torch.lt(random.view(torch.int16), round(keep * 2**16) - 2**15, out=mask)
    return (mask if room == count else mask[:count]).view(x.shape)


@cache
def _powers_of_two(device: torch.device) -> Tensor:
    """Every bit of an octet alone, (8, 1) uint8."""
    return torch.tensor([[2**k] for k in range(8)], dtype=torch.uint8, device=device)


class Sequential(nn.Sequential):
    """`nn.Sequential` whose constraint is that of all its layers.

    A hyperbolic tangent is computed with the affine layer before it, in one go.
    """

    def forward(self, x: Tensor) -> Tensor:
        layers = [*self, None]
        joined = False
        for layer, following in pairwise(layers):
            if joined:
                joined = False
            elif joined := _join(layer, following):
                x = linear(x, layer.weight, layer.bias, "tanh")
            else:
                x = layer(x)
        return x

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


def _join(layer: nn.Module, following: nn.Module | None) -> bool:
    """Whether both can be computed as one: nobody looks at what lies between them."""
    return (
        type(layer) is Linear
        and type(following) is nn.Tanh
        and not any(_hooks(each) for each in (layer, following))
    )


def _hooks(layer: nn.Module) -> bool:
    return bool(
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
    )


class _Maximum(nn.Module):
    """A maxout layer without its affine map."""

    def __init__(self, layer: Maxout | MaxoutConvolution) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, z: Tensor) -> Tensor:
        return self.layer.maximum(z)


def flattened(parts: tuple[Affine, Affine] | None, inputs: Affine) -> tuple[Affine, Affine] | None:
    """The same for images (batch, *shape), which go flattened through `inputs` first."""
    if parts is None:
        return None
    affine, after = parts
    return (lambda x: affine(inputs(x.flatten(1)))), after
