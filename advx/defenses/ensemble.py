"""An ensemble of networks that differ in their seed: section 1.2.7, no viable defense.

The ensemble predicts with the mean of its members' probabilities, P(y | x) = 1/m Σ P_i(y | x);
its logits are the logarithm of that mean, computed in log space.
"""

import math

import torch
from torch import Tensor, nn

from advx.defenses.base import Defense, Dependency
from advx.models.base import Classifier
from advx.models.call import logits_of
from advx.types import PositiveInt, Shape


class MeanOfProbabilities(Classifier):
    """The classifier that averages its members' probabilities.

    Args:
        members: classifiers of the same classes, at least one.
    """

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *shape) to log-probabilities (batch, classes)."""
        each = torch.stack([logits_of(member, x).log_softmax(1) for member in self.members])
        return each.logsumexp(0) - math.log(len(self.members))


class Ensemble(Defense):
    """Nothing is trained but the members. That of seed s has members s·m, …, s·m + m − 1.

    Args:
        members: m, the number of networks; Goodfellow et al. 2014b took 12.
    """

    trains = False

    def __init__(self, *, members: PositiveInt = 12) -> None:
        self.members = members

    def dependencies(self, seed: int) -> list[Dependency]:
        """The members, without a defense of their own."""
        return [Dependency(seed * self.members + i) for i in range(self.members)]

    def prepare(
        self, module: nn.Module, dependencies: list[nn.Module], input_shape: Shape
    ) -> nn.Module:
        return MeanOfProbabilities(dependencies)
