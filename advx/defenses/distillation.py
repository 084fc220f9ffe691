"""Defensive distillation: section 1.2.7, Papernot et al. 2015.

A teacher is trained at temperature T, that is with logits divided by T; a student of the same
architecture is trained, also at T, on the teacher's probabilities,

    argmin_θ Σ KL( softmax(z_teacher(x) / T) ‖ softmax(z(x) / T) ),

and deployed at T = 1. Its logits are then T times larger than they were in training, the float32
softmax saturates, and most of the apparent defense is a gradient that rounds to zero.

Both costs are multiplied by T, so that the gradient with respect to the logits is p − target as in
ordinary training and the trainer's learning rate keeps its meaning. (Without the factor the
chapter's network does not leave its initial plateau; with Hinton et al.'s T² it diverges.)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.defenses.base import Defense, Dependency
from advx.models.call import logits_of
from advx.types import Positive, Shape


class HighTemperature(Defense):
    """Ordinary training with logits divided by a temperature: the teacher.

    Args:
        temperature: T, above 0.
    """

    repeats = True

    def __init__(self, *, temperature: Positive) -> None:
        self.temperature = temperature

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return self.temperature * F.cross_entropy(
            logits_of(model, images) / self.temperature, labels
        )

    def cost_of_guessing(self, classes: int) -> float:
        return self.temperature * super().cost_of_guessing(classes)


class Distillation(HighTemperature):
    """Training on the probabilities of a teacher with the same architecture and seed.

    Args:
        temperature: T of the teacher and of the student, above 0; the authors use 20 to 100.
    """

    repeats = True

    def __init__(self, *, temperature: Positive = 20.0) -> None:
        super().__init__(temperature=temperature)
        self.teacher: nn.Module | None = None

    def dependencies(self, seed: int) -> list[Dependency]:
        """The teacher."""
        kind = f"{HighTemperature.__module__}.{HighTemperature.__name__}"
        return [Dependency(seed, {"_target_": kind, "temperature": self.temperature})]

    def prepare(
        self, module: nn.Module, dependencies: list[nn.Module], input_shape: Shape
    ) -> nn.Module:
        (self.teacher,) = dependencies
        return module

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """T times the cross-entropy with the teacher's probabilities: the KL plus a constant."""
        assert self.teacher is not None, "prepare() was not called"
        with torch.no_grad():
            targets = (logits_of(self.teacher, images) / self.temperature).softmax(1)
        return self.temperature * F.cross_entropy(
            logits_of(model, images) / self.temperature, targets
        )
