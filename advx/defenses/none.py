"""No defense: the ordinary cross-entropy against hard labels."""

from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks.objectives import hard_label_cost
from advx.defenses.base import Defense
from advx.models.call import logits_of


class NoDefense(Defense):
    """Plain training: J(x, y) = −log P(y | x)."""

    repeats = True

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Training cost of each example: logits (batch, classes), labels (batch,) to (batch,)."""
        return hard_label_cost(logits, labels)

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits_of(model, images), labels)
