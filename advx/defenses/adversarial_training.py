"""Adversarial training: section 1.3, Goodfellow et al. 2014b.

    J̃(x, y) = (1 − a) J(x, y) + a J(x + ε sign ∇ₓ J(x, y), y),    a = ½,

the perturbation recomputed for every minibatch with the current parameters. Crafting is done in
evaluation mode, and no gradient passes through the perturbation. The controls train on noise of the
same max norm instead.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from advx.attacks.fgsm import FGSM
from advx.attacks.objectives import hard_label_cost
from advx.defenses.base import Defense
from advx.models.call import logits_of
from advx.types import NonNegative, Probability

Perturbation = Literal["adversarial", "sign_noise", "uniform_noise"]


class AdversarialTraining(Defense):
    """The cost of each minibatch mixed with that of its perturbed version.

    Args:
        epsilon: max norm of the perturbation, in the units of the images.
        share: weight `a` of the perturbed examples' cost.
        perturbation: the fast gradient sign method, or noise as a control: ±ε with equal
            probability, or uniform on [−ε, ε].
        validate_on: what early stopping counts mistakes on: validation examples perturbed in the
            same way, or as they are.
    """

    def __init__(
        self,
        *,
        epsilon: NonNegative = 0.25,
        share: Probability = 0.5,
        perturbation: Perturbation = "adversarial",
        validate_on: Literal["perturbed", "clean"] = "perturbed",
    ) -> None:
        self.epsilon = epsilon
        self.share = share
        self.perturbation = perturbation
        self.validate_on = validate_on
        self.fgsm = FGSM(epsilon=epsilon)

    def perturbed(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The images that training adds: (batch, *shape) to the same shape."""
        if self.perturbation == "adversarial":
            return self.fgsm.perturb(model, images, labels)
        noise = torch.empty_like(images).uniform_(-1, 1)
        return images + self.epsilon * (
            noise.sign() if self.perturbation == "sign_noise" else noise
        )

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """J, the training cost of each example: logits, labels (batch,) to (batch,)."""
        return hard_label_cost(logits, labels)

    def validation_images(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return images if self.validate_on == "clean" else self.perturbed(model, images, labels)

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        both = torch.cat([images, self.perturbed(model, images, labels)])
        costs = nn.functional.cross_entropy(
            logits_of(model, both), labels.repeat(2), reduction="none"
        )
        clean, perturbed = costs.chunk(2)
        return (1 - self.share) * clean.mean() + self.share * perturbed.mean()
