"""Adversarial training: section 1.3, Goodfellow et al. 2014b.

    J̃(x, y) = (1 − a) J(x, y) + a J(x + ε sign ∇ₓ J(x, y), y),    a = ½,

the perturbation recomputed for every minibatch with the current parameters. Crafting is done in
evaluation mode, and no gradient passes through the perturbation. The controls train on noise of the
same max norm instead. Later authors take several steps (Madry et al. 2018), or one longer step from
a random point (Wong et al. 2020); both stay in the ball.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import input_gradient
from advx.attacks.objectives import hard_label_cost, log_odds
from advx.defenses.base import Defense
from advx.models.call import logits_of
from advx.types import NonNegative, NormName, PositiveInt, Probability

RANDOM_REACH = 1.25
"""The one step from a random point, in radii of the ball."""

REACH = 2.5
"""Several steps together, in radii."""

Perturbation = Literal["adversarial", "sign_noise", "uniform_noise"]


class AdversarialTraining(Defense):
    """The cost of each minibatch mixed with that of its perturbed version.

    Args:
        epsilon: size of the perturbation in `norm`, in the units of the images.
        share: weight `a` of the perturbed examples' cost.
        perturbation: the fast gradient sign method, or noise as a control: ±ε with equal
            probability, or uniform on [−ε, ε].
        validate_on: what early stopping counts mistakes on: validation examples perturbed in the
            same way, or as they are.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        steps: along the gradient, for every minibatch.
        random_start: from a random point of the ball, another one each time.
    """

    def __init__(
        self,
        *,
        epsilon: NonNegative = 0.25,
        share: Probability = 0.5,
        perturbation: Perturbation = "adversarial",
        validate_on: Literal["perturbed", "clean"] = "perturbed",
        norm: NormName = "linf",
        steps: PositiveInt = 1,
        random_start: bool = False,
    ) -> None:
        self.epsilon = epsilon
        self.share = share
        self.perturbation = perturbation
        self.validate_on = validate_on
        self.norm: NormName = norm
        self.steps = steps
        self.random_start = random_start
        self.fgsm = FGSM(epsilon=epsilon, norm=norm)

    @property
    def repeats(self) -> bool:  # type: ignore[override]
        """In the max norm; L2 asks for no number either, but was never recorded on a GPU."""
        return self.norm == "linf"

    def perturbed(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The images that training adds: (batch, *shape) to the same shape."""
        if self.perturbation == "adversarial":
            one_step = self.steps == 1 and not self.random_start
            ascend = self.fgsm.perturb if one_step else self.ascended
            return ascend(model, images, labels)
        noise = torch.empty_like(images).uniform_(-1, 1)
        if self.perturbation == "sign_noise":
            noise = noise.sign()
        return images + self.epsilon * norms.projected(noise, self.norm, 1.0)

    def ascended(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The images after the steps, from a random point where asked for: like images."""
        length = (RANDOM_REACH if self.steps == 1 else REACH / self.steps) * self.epsilon
        moved = torch.zeros_like(images)
        if self.random_start:
            moved = self.epsilon * random_point(images, self.norm)
        for _ in range(self.steps):
            gradient = input_gradient(model, images + moved, labels, log_odds)
            moved = moved + length * norms.steepest(gradient, self.norm)
            moved = norms.projected(moved, self.norm, self.epsilon)
        return images + moved

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


def random_point(images: Tensor, norm: NormName) -> Tensor:
    """Uniform points of the unit ball, like images (batch, *shape), from PyTorch's generator."""
    if norm == "linf":
        return torch.empty_like(images).uniform_(-1, 1)
    direction = norms.steepest(torch.randn_like(images), norm)
    pixels = images[0].numel()
    radius = torch.rand(len(images), device=images.device, dtype=images.dtype) ** (1 / pixels)
    return direction * radius.view(-1, *[1] * (images.dim() - 1))
