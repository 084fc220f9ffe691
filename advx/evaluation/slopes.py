"""Weights, input slopes and margins: what a network's linear extrapolation rests on."""

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.gradient import evaluating, input_gradient
from advx.attacks.objectives import Objective, log_odds, margin
from advx.data.dataset import Split

BATCH = 1_000


def vanished_share(model: nn.Module, split: Split, objective: Objective) -> float:
    """Percent of the examples where the objective's input gradient is exactly zero."""
    gone = [
        norms.vanished(input_gradient(model, x, y, objective))
        for x, y in zip(split.images.split(BATCH), split.labels.split(BATCH), strict=True)
    ]
    return 100 * torch.cat(gone).double().mean().item()


def input_slope(model: nn.Module, split: Split) -> float:
    """Mean L1 norm of the log-odds' input gradient: their rise for a small step in the max norm."""
    sums = [
        input_gradient(model, x, y, log_odds).flatten(1).abs().sum(1)
        for x, y in zip(split.images.split(BATCH), split.labels.split(BATCH), strict=True)
    ]
    return torch.cat(sums).double().mean().item()


def weight_norm(model: nn.Module) -> float:
    """L2 norm of all weights together, biases left out."""
    squares = sum(p.detach().double().square().sum().item() for p in model.parameters()
                  if p.dim() > 1)  # fmt: skip
    return squares**0.5


@torch.no_grad()
def margins(model: nn.Module, split: Split) -> Tensor:
    """z_y − max_{i≠y} zᵢ of every example, (n,): negative where the prediction is wrong."""
    with evaluating(model):
        found = [
            -margin(model(x), y)
            for x, y in zip(split.images.split(BATCH), split.labels.split(BATCH), strict=True)
        ]
    return torch.cat(found)
