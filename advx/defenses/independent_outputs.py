"""Independent outputs: section 1.2.6, "an independent probability estimate for … each class".

Each logit is the log-odds of its own class, whatever the others are: p_k = 1 / (1 + exp(−z_k)). The
cost adds up the cross-entropies of the k yes-or-no questions,

    − log p_y − Σ_{k≠y} log(1 − p_k),

and a model may say that no class is present at all, which a softmax cannot. It is no defense; it
stands among them because it is a training loss.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.defenses.base import Defense
from advx.models.call import logits_of


class IndependentOutputs(Defense):
    """The sum of the classes' binary cross-entropies."""

    repeats = True

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Training cost of each example: logits (batch, classes), labels (batch,) to (batch,)."""
        present = torch.zeros_like(logits).scatter_(1, labels[:, None], 1)
        return F.binary_cross_entropy_with_logits(logits, present, reduction="none").sum(1)

    def cost_of_guessing(self, classes: int) -> float:
        """The loss of a model that knows nothing: p = 1/2 for every class."""
        return classes * math.log(2)

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return self.cost(logits_of(model, images), labels).mean()
