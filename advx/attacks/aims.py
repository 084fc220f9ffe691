"""What a targeted attack aims at, and what it has reached."""

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.models.call import logits_of, predicted


@torch.no_grad()
def likeliest_wrong(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """For each image the class with the largest logit besides its label, (batch,) int64."""
    with evaluating(model):
        logits = logits_of(model, images)
    return logits.scatter(1, labels[:, None], -torch.inf).argmax(1)


@torch.no_grad()
def reached(model: nn.Module, images: Tensor, aims: Tensor) -> Tensor:
    """Which images are given the class aimed at, (batch,) bool."""
    with evaluating(model):
        return predicted(logits_of(model, images)) == aims
