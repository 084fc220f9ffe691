"""No defence: the ordinary cross-entropy against hard labels."""

from torch import Tensor, nn
from torch.nn import functional as F


class NoDefense:
    """Plain training: J(x, y) = −log P(y | x)."""

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Training cost of each example: logits (batch, classes), labels (batch,) to (batch,)."""
        return F.cross_entropy(logits, labels, reduction="none")

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Mean training cost of a minibatch, a scalar."""
        return F.cross_entropy(model(images), labels)
