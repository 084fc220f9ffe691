"""What a targeted attack aims at, and what it has reached."""

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.models.call import UNDEFINED, logits_of, predicted


@torch.no_grad()
def answers(model: nn.Module, images: Tensor) -> Tensor:
    """The model's logits in evaluation mode, without a gradient, (batch, classes)."""
    with evaluating(model):
        return logits_of(model, images)


def likeliest_wrong(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """For each image the class with the largest logit besides its label, (batch,) int64."""
    logits = answers(model, images)
    wrong = logits.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    return wrong.scatter(1, labels[:, None], -torch.inf).argmax(1)


def others(logits: Tensor, labels: Tensor) -> Tensor:
    """All classes but the label, the largest logit first: (batch, classes − 1) int64."""
    order = logits.argsort(1, descending=True)
    return order[order != labels[:, None]].view(len(logits), logits.shape[1] - 1)


def fooled(logits: Tensor, labels: Tensor, *, targeted: bool) -> Tensor:
    """Which logits (batch, classes) mean success, (batch,) bool: never those with a NaN.

    Args:
        logits: the model's.
        labels: (batch,) int64.
        targeted: labels are classes to be reached, not to be left.
    """
    classes = predicted(logits)
    return classes == labels if targeted else (classes != labels) & (classes != UNDEFINED)


def reached(model: nn.Module, images: Tensor, aims: Tensor) -> Tensor:
    """Which images are given the class aimed at, (batch,) bool."""
    return fooled(answers(model, images), aims, targeted=True)
