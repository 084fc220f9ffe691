"""Weights, input slopes and margins: what a network's linear extrapolation rests on."""

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.gradient import evaluating, input_gradient
from advx.attacks.objectives import Objective, log_odds, margin
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.undefined import no_number
from advx.models.call import logits_of

BATCH = 1_000


def slopes(
    model: nn.Module, points: Tensor, labels: Tensor, objective: Objective = log_odds
) -> Tensor:
    """The objective's input gradient at every point: like points (n, *shape).

    That of the log-odds has the direction of the training cost's.

    Args:
        model: maps points to logits.
        points: (n, *shape).
        labels: (n,) int64.
        objective: what rises along it.
    """
    parts = zip(points.split(BATCH), labels.split(BATCH), strict=True)
    return torch.cat([input_gradient(model, x, y, objective) for x, y in parts])


def zero_gradient_rate(model: nn.Module, split: Split, objective: Objective) -> float:
    """Percent of the examples where the objective's input gradient is exactly zero.

    An example whose gradient is NaN is left out.
    """
    slope = slopes(model, split.images, split.labels, objective)
    gone = norms.vanished(slope)[~no_number(slope)]
    return 100 * gone.double().mean().item()


@measurement(version=1)
def input_slope(model: nn.Module, split: Split) -> float:
    """Mean L1 norm of the log-odds' input gradient: their rise for a small step in the max norm."""
    slope = slopes(model, split.images, split.labels)
    return slope.flatten(1).abs().sum(1).double().mean().item()


@measurement(version=1)
def weight_norm(model: nn.Module) -> float:
    """L2 norm of all weights together, biases left out."""
    weights = [p.detach().double() for p in model.parameters() if p.dim() > 1]
    squares = sum(weight.square().sum().item() for weight in weights)
    return float(squares**0.5)


@measurement(version=1)
@torch.no_grad()
def margins(model: nn.Module, split: Split) -> Tensor:
    """z_y − max_{i≠y} zᵢ of every example, (n,): negative where the prediction is wrong."""
    with evaluating(model):
        parts = [
            -margin(logits_of(model, x), y)
            for x, y in zip(split.images.split(BATCH), split.labels.split(BATCH), strict=True)
        ]
    return torch.cat(parts)


@measurement(version=1)
def median_margin(model: nn.Module, split: Split) -> float:
    """Median over the examples of `margins`, in logits."""
    return margins(model, split).median().item()
