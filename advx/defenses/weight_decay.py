"""Weight decay: section 1.2.7 counts it among the regularizers that do not defend.

    J(x, y) + ½ λ Σ w²,

the sum over weight matrices (parameters of two or more axes), not over biases.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks.objectives import hard_label_cost
from advx.defenses.base import Defense
from advx.models.call import logits_of
from advx.types import NonNegative


class WeightDecay(Defense):
    """Cross-entropy with an L2 penalty on the weights.

    Args:
        coefficient: λ.
    """

    repeats = True

    def __init__(self, *, coefficient: NonNegative) -> None:
        self.coefficient = coefficient

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Training cost of each example, the penalty left out: it does not depend on the image."""
        return hard_label_cost(logits, labels)

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        weights = [p for p in model.parameters() if p.dim() > 1]
        penalty = sum((w.square().sum() for w in weights), start=images.new_zeros(()))
        return F.cross_entropy(logits_of(model, images), labels) + self.coefficient / 2 * penalty
