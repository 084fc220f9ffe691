"""Which classes an attack may aim at, and where it succeeds."""

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.models.call import UNDEFINED, logits_of, predicted


@torch.no_grad()
def predicted_logits(model: nn.Module, images: Tensor) -> Tensor:
    """The model's logits in evaluation mode, without a gradient, (batch, classes)."""
    with evaluating(model):
        return logits_of(model, images)


def likeliest_wrong(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """For each image the class with the largest logit besides its label, (batch,) int64."""
    logits = predicted_logits(model, images)  # (batch, classes)
    wrong = logits.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    return wrong.scatter(1, labels[:, None], -torch.inf).argmax(1)


def other_classes(logits: Tensor, labels: Tensor) -> Tensor:
    """All classes but the label, the largest logit first: (batch, classes − 1) int64."""
    order = logits.argsort(1, descending=True)
    wrong = order[order != labels[:, None]]  # (batch · (classes − 1),)
    return wrong.view(len(logits), logits.shape[1] - 1)


def fooled(logits: Tensor, labels: Tensor, *, targeted: bool) -> Tensor:
    """Which logits (batch, classes) mean success, (batch,) bool: never those with a NaN.

    Args:
        logits: the model's.
        labels: (batch,) int64.
        targeted: labels are classes to be reached, not to be left.
    """
    classes = predicted(logits)
    return classes == labels if targeted else (classes != labels) & (classes != UNDEFINED)


def reached(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Which images are given the target class, (batch,) bool."""
    return fooled(predicted_logits(model, images), targets, targeted=True)
