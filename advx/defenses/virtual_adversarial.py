"""Virtual adversarial training: section 1.3.1, Miyato et al. 2015.

    J(x, y) + λ · KL(p(x) ‖ p(x + ε d)),

d the virtual adversarial direction, found anew for every minibatch with the current parameters. The
second term needs no label: examples with the label −1 count in it alone. Where a minibatch has
such examples the second term is theirs; where it has none, it is that of all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks.objectives import hard_label_cost
from advx.attacks.virtual_direction import divergence, virtual_adversarial_direction
from advx.defenses.base import Defense
from advx.models.call import logits_of
from advx.types import NonNegative, NormName, Positive, PositiveInt


class VirtualAdversarial(Defense):
    """Cross-entropy and the local smoothness of the prediction.

    Args:
        epsilon: size of the perturbation in `norm`, in the units of the images.
        weight: λ; at 0 only the labeled examples count.
        iterations: steps of the power iteration.
        xi: the distance at which the power iteration differentiates the divergence; None for the
            exact second order at the example. With few labels a large one is needed: the exact
            direction smooths the prediction away (`experiment=virtual_adversarial_training`).
        norm: the Euclidean norm (`l2`), as in the paper, or the max norm (`linf`).
    """

    uses_unlabeled = True

    def __init__(
        self,
        *,
        epsilon: NonNegative = 2.0,
        weight: NonNegative = 1.0,
        iterations: PositiveInt = 1,
        xi: Positive | None = None,
        norm: NormName = "l2",
    ) -> None:
        self.epsilon = epsilon
        self.weight = weight
        self.iterations = iterations
        self.xi = xi
        self.norm: NormName = norm

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """J, the labeled part of the cost: logits, labels (batch,) to (batch,)."""
        return hard_label_cost(logits, labels)

    def smoothness(self, model: nn.Module, images: Tensor) -> Tensor:
        """Mean KL between the predictions for the images and for their perturbed versions."""
        direction = virtual_adversarial_direction(
            model, images, torch.randn_like(images), self.iterations, self.norm, self.xi
        )
        with frozen_statistics(model):
            with torch.no_grad():
                logits = logits_of(model, images)
            moved = logits_of(model, images + self.epsilon * direction)
        return divergence(logits, moved).mean()

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        known = labels >= 0
        cost = F.cross_entropy(logits_of(model, images[known]), labels[known])
        if self.weight == 0:
            return cost
        smoothed = images if bool(known.all()) else images[~known]
        return cost + self.weight * self.smoothness(model, smoothed)


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Batch normalization inside uses the batch's statistics and does not record them."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    layers = [m for m in model.modules() if isinstance(m, kinds) and m.track_running_stats]
    training = [m for m in layers if m.training]
    for layer in training:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in training:
            layer.track_running_stats = True
