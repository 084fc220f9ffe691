"""How linear is a network along a line? The linearity hypothesis of section 1.2.3, as numbers.

"If the cost function J(x, y) increases in a roughly linear fashion in direction d": along a segment
x + ε d the logits are compared with their tangent at x, and the linear pieces of the network that
the segment crosses are counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.attacks.tangent import with_tangent
from advx.evaluation.transfer import BATCH
from advx.models.call import logits_of
from advx.models.layers import Maxout, MaxoutConvolution

POOLING = (
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d,
)
PIECEWISE = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.Hardtanh,  # and with it ReLU6
    Maxout,
    MaxoutConvolution,
    *POOLING,
)
"""Layers whose function is linear as long as their pattern stays the same."""

NO_CHOICE = -1
"""The pattern of a window whose values are all equal, as where a ReLU cuts them all off."""


@torch.no_grad()
def along_line(model: nn.Module, images: Tensor, direction: Tensor, sizes: Tensor) -> Tensor:
    """Logits at x + ε d for every ε of `sizes` (k,): (n, k, classes), in evaluation mode."""
    with evaluating(model):
        results = []
        for size in sizes.tolist():
            parts = zip(images.split(BATCH), direction.split(BATCH), strict=True)
            results.append(torch.cat([logits_of(model, x + size * d) for x, d in parts]))
    return torch.stack(results, 1)


def tangent(model: nn.Module, images: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """The logits at x and their derivatives along d, (n, classes) each.

    Exact: by forward-mode differentiation, one pass for all classes, where the layers allow it.
    """
    values, slopes = [], []
    with evaluating(model), torch.enable_grad():
        for x, d in zip(images.split(BATCH), direction.split(BATCH), strict=True):
            z, slope = with_tangent(model, x.detach().clone().requires_grad_(True), d)
            values.append(z.detach())
            slopes.append(slope)
    return torch.cat(values), torch.cat(slopes)


def deviation(logits: Tensor, start: Tensor, slope: Tensor, size: float) -> Tensor:
    """How far the logits at one ε are from the tangent's, as a part of how far they have moved.

    Logits are compared without their mean over the classes, which no prediction depends on.

    Args:
        logits: at x + ε d, (n, classes).
        start: at x, (n, classes).
        slope: along d, (n, classes).
        size: ε.

    Returns:
        (n,): 0 on a straight line; 1 for logits that stay where they were, or go twice as far.
    """
    moved = _centered(logits - start)
    away = moved - size * _centered(slope)
    return away.norm(dim=1) / moved.norm(dim=1).clamp(min=1e-12)


def _centered(values: Tensor) -> Tensor:
    return values - values.mean(1, keepdim=True)


def crossings(
    model: nn.Module, images: Tensor, direction: Tensor, sizes: Tensor
) -> tuple[Tensor, int] | None:
    """How many units change their linear piece from each ε to the next, and of how many.

    A unit that changes twice between two sizes counts once or not at all: take them close. A window
    of max pooling is a unit too; its choice among values that were equal is no change, since what
    told them apart is one. Layers are seen, functions that a model calls instead are not.

    Returns:
        (n, k − 1) int64 and the number of units; None where no layer is linear by pieces.
    """
    results, units, before = [], 0, None
    for size in sizes.tolist():
        with torch.no_grad(), evaluating(model), _patterns(model) as patterns:
            logits_of(model, images + size * direction)
        if not patterns:
            return None
        now = torch.cat([p.flatten(1) for p in patterns], 1)
        units = now.shape[1]
        if before is not None:
            chosen = (now != NO_CHOICE) & (before != NO_CHOICE)
            results.append(((now != before) & chosen).sum(1))
        before = now
    return torch.stack(results, 1), units


@contextmanager
def _patterns(model: nn.Module) -> Iterator[list[Tensor]]:
    """Which piece every unit is on, layer by layer, filled by the next forward pass."""
    seen: list[Tensor] = []

    def note(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, (Maxout, MaxoutConvolution)):
            z = layer.affine(given[0]).unflatten(1, (layer.pieces, layer.units))
            seen.append(z.argmax(1).to(torch.int8))
        elif isinstance(layer, POOLING):
            seen.append(_choices(layer, given[0]))
        elif isinstance(layer, nn.Hardtanh):
            x = given[0]
            seen.append((x > layer.min_val).to(torch.int8) + (x >= layer.max_val).to(torch.int8))
        else:
            seen.append((output > 0).to(torch.int8))

    handles = [
        layer.register_forward_hook(note)
        for layer in model.modules()
        if isinstance(layer, PIECEWISE)
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _choices(layer: Any, x: Tensor) -> Tensor:
    """The place of each window's largest value, shaped like the pooled output; or `NO_CHOICE`.

    Args:
        layer: one of `POOLING`.
        x: what it is given, (n, channels, *places).
    """
    before = layer.return_indices
    layer.return_indices = True
    try:
        largest, places = layer.forward(x)
    finally:
        layer.return_indices = before
    least = x.flatten(1).amin(1).view(-1, *[1] * (largest.dim() - 1))
    return places.masked_fill(largest == least, NO_CHOICE).int()


def dual_lengths(weights: Tensor, counts: list[int], draws: int) -> tuple[Tensor, Tensor]:
    """‖w‖₁ and ‖w‖₂ of random parts of a linear model's weights.

    Args:
        weights: (n,), of the difference of two logits.
        counts: components in a part.
        draws: parts drawn for each count.

    Returns:
        Their means over the draws, (len(counts),) each: times ε they are what the sign of the
        weights, and the standard deviation of what random signs, add to the difference.
    """
    generator = torch.Generator().manual_seed(0)
    sums, roots = [], []
    for count in counts:
        parts = torch.stack(
            [
                weights[torch.randperm(len(weights), generator=generator)[:count]]
                for _ in range(draws)
            ]
        )
        sums.append(parts.abs().sum(1).mean())
        roots.append(parts.norm(dim=1).mean())
    return torch.stack(sums), torch.stack(roots)
