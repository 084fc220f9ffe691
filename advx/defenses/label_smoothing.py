"""Label smoothing: section 1.2.7, the chapter's own observation.

The target of the correct class falls from 1 to 1 − s, that of the others rises from 0. Three
conventions are in use; for s = .1 and ten classes they give

    chapter         .9  and .01       s / k: the targets sum to 1 − s/k, here .99
    uniform         .91 and .01       (1 − s) one-hot + s / k (Szegedy et al. 2015)
    other_classes   .9  and .0111…    s / (k − 1)

With targets q that sum to s' the gradient on the logits is s'·p − q: where p_y > q_y / s' it turns
round, so that ascending the training cost makes a confidently classified example *more* confident.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from advx.defenses.base import Defense
from advx.models.call import logits_of
from advx.types import NO_FRACTION

Convention = Literal["chapter", "uniform", "other_classes"]
Smoothing = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), NO_FRACTION]


def smoothed_targets(
    labels: Tensor, classes: int, smoothing: float, convention: Convention
) -> Tensor:
    """Soft targets (batch, classes) float32 of the labels (batch,)."""
    correct, wrong = {
        "chapter": (1 - smoothing, smoothing / classes),
        "uniform": (1 - smoothing + smoothing / classes, smoothing / classes),
        "other_classes": (1 - smoothing, smoothing / (classes - 1)),
    }[convention]
    targets = torch.full((len(labels), classes), wrong, device=labels.device)
    return targets.scatter_(1, labels[:, None], correct)


class LabelSmoothing(Defense):
    """Cross-entropy against smoothed targets.

    Args:
        smoothing: what is taken from the correct class, in [0, 1).
        convention: what the other classes get of it, see above.
    """

    repeats = True

    def __init__(self, *, smoothing: Smoothing = 0.1, convention: Convention = "chapter") -> None:
        self.smoothing = smoothing
        self.convention: Convention = convention

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Training cost of each example: logits (batch, classes), labels (batch,) to (batch,)."""
        targets = smoothed_targets(labels, logits.shape[1], self.smoothing, self.convention)
        return -(targets * logits.log_softmax(1)).sum(1)

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return self.cost(logits_of(model, images), labels).mean()
