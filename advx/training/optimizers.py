"""How parameters move along their gradient: the rules, their schedules, and one update.

An optimizer here is a configuration, `trainer.optimizer` in a run: it holds no state and serves any
number of networks. `attach` puts it to work on one of them. Updates are counted from 0, epochs
from 1.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import nn
from torch.optim.optimizer import ParamsT

from advx.training.fused_sgd import FusedSGD
from advx.types import NonNegative, Positive, PositiveInt, Probability


class Group(TypedDict):
    """Parameters that learn at the same rate.

    Attributes:
        params: the parameters.
        lr: their learning rate.
        scale: its share of the network's.
    """

    params: list[nn.Parameter]
    lr: float
    scale: float


@dataclass(frozen=True, kw_only=True)
class Optimizer(ABC):
    """A rule for parameter updates, with its schedule."""

    learning_rate: Positive = 0.001

    @abstractmethod
    def make(self, groups: ParamsT) -> torch.optim.Optimizer:
        """PyTorch's optimizer of these groups of parameters."""

    def learning_rate_at(self, update: int, epoch: int) -> float:
        """The learning rate of an update."""
        return self.learning_rate

    def groups(self, network: nn.Module) -> list[Group]:
        """The network's parameters in groups, each with its `scale` of the learning rate."""
        parameters = [p for p in network.parameters() if p.requires_grad]
        return [{"params": parameters, "lr": self.learning_rate, "scale": 1.0}]

    def schedule(self, optimizer: torch.optim.Optimizer, update: int, epoch: int) -> None:
        """Set what changes from update to update."""
        rate = self.learning_rate_at(update, epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]

    def values(self, update: int, epoch: int) -> dict[str, float]:
        """The schedule's values at an update, by name, for `metrics.csv`."""
        return {"learning_rate": self.learning_rate_at(update, epoch)}

    def attach(self, network: nn.Module, constrain: Callable[[], None]) -> "AttachedOptimizer":
        """The optimizer at work on one network.

        Args:
            network: whose parameters move.
            constrain: projects them back onto their constraint set, after every update.
        """
        return AttachedOptimizer(self, network, constrain)


class AttachedOptimizer:
    """An optimizer at work on one network: schedule, step and constraint.

    Args:
        rule: the optimizer.
        network: whose parameters move.
        constrain: projects them back onto their constraint set, after every update.
    """

    def __init__(self, rule: Optimizer, network: nn.Module, constrain: Callable[[], None]) -> None:
        self.rule = rule
        self.constrain = constrain
        self.optimizer = rule.make([{**group} for group in rule.groups(network)])

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What moves."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.optimizer.zero_grad(set_to_none=True)

    def schedule(self, update: int, epoch: int) -> None:
        """Set what changes from update to update."""
        self.rule.schedule(self.optimizer, update, epoch)

    def move(self) -> None:
        """Move the parameters along the gradient that they have, and project them."""
        self.optimizer.step()
        self.constrain()

    def step(self, update: int, epoch: int) -> None:
        """One update along the gradient that the parameters have."""
        self.schedule(update, epoch)
        self.move()


LEAST_RATE = 1e-12
"""So small that a step along a gradient moves no weight by anything that counts."""


@dataclass(frozen=True, kw_only=True)
class Momentum(Optimizer):
    """Stochastic gradient descent with the authors' momentum.

    Their velocity v ← μv − λ∇J is PyTorch's buffer times −λ. Where λ changes between updates the
    buffer must shrink with it, hence the ratio of the two rates in μ. A λ of 0, with which the
    velocity goes on without the gradient, stands as `LEAST_RATE`.

    Attributes:
        learning_rate: λ of the first update.
        momentum: first μ.
        final_momentum: μ from epoch `momentum_epochs` on, reached linearly from epoch 1.
        momentum_epochs: length of that ramp, in epochs.
    """

    learning_rate: Positive = 0.1
    momentum: Probability = 0.5
    final_momentum: Probability = 0.7
    momentum_epochs: PositiveInt = 250

    def make(self, groups: ParamsT) -> torch.optim.Optimizer:
        return FusedSGD(groups, self.learning_rate, momentum=self.momentum)

    def momentum_at(self, epoch: int) -> float:
        """μ during an epoch."""
        share = min(1.0, (epoch - 1) / max(1, self.momentum_epochs - 1))
        return self.momentum + share * (self.final_momentum - self.momentum)

    def schedule(self, optimizer: torch.optim.Optimizer, update: int, epoch: int) -> None:
        for group in optimizer.param_groups:
            rate = max(self.learning_rate_at(update, epoch) * group["scale"], LEAST_RATE)
            group["momentum"] = self.momentum_at(epoch) * group["lr"] / rate
            group["lr"] = rate

    def values(self, update: int, epoch: int) -> dict[str, float]:
        return super().values(update, epoch) | {"momentum": self.momentum_at(epoch)}


@dataclass(frozen=True, kw_only=True)
class SGD(Momentum):
    """The schedule of Goodfellow et al. 2013a and 2014a: λ falls with every update.

    Attributes:
        learning_rate: λ of the first update.
        learning_rate_divisor: divides λ after every update.
        learning_rate_floor: smallest λ.
        momentum: first momentum.
        final_momentum: momentum from epoch `momentum_epochs` on, reached linearly from epoch 1.
        momentum_epochs: length of that ramp, in epochs.
    """

    learning_rate_divisor: Positive = 1.000004
    learning_rate_floor: NonNegative = 1e-6

    def learning_rate_at(self, update: int, epoch: int) -> float:
        fallen = self.learning_rate * math.exp(-update * math.log(self.learning_rate_divisor))
        return max(fallen, self.learning_rate_floor)


@dataclass(frozen=True, kw_only=True)
class LinearDecay(Momentum):
    """The schedule of Goodfellow et al. 2013a for CIFAR-10: λ falls linearly over epochs.

    Layers with a member `rate_scale` learn at that share of λ; a weight that several layers share,
    at that of the first.

    Attributes:
        learning_rate: λ of the first epoch.
        final_share: the part of it that is left in epoch `decay_epochs` and after.
        decay_epochs: length of the linear fall, in epochs.
        momentum: first momentum.
        final_momentum: momentum from epoch `momentum_epochs` on, reached linearly from epoch 1.
        momentum_epochs: length of that ramp, in epochs.
    """

    learning_rate: Positive = 0.17
    final_share: Probability = 0.01
    decay_epochs: PositiveInt = 500
    final_momentum: Probability = 0.6

    def learning_rate_at(self, update: int, epoch: int) -> float:
        share = min(1.0, (epoch - 1) / max(1, self.decay_epochs - 1))
        return self.learning_rate * (1 - share * (1 - self.final_share))

    def groups(self, network: nn.Module) -> list[Group]:
        scaled: dict[float, list[nn.Parameter]] = {}
        seen: set[int] = set()
        for module in network.modules():
            own = [p for p in module.parameters(recurse=False) if p.requires_grad]
            own = [p for p in own if id(p) not in seen]
            seen.update(map(id, own))
            scaled.setdefault(float(getattr(module, "rate_scale", 1.0)), []).extend(own)
        return [
            {"params": parameters, "lr": self.learning_rate * scale, "scale": scale}
            for scale, parameters in scaled.items()
            if parameters
        ]


@dataclass(frozen=True, kw_only=True)
class Annealed(Momentum):
    """The schedule of Ganin and Lempitsky (2015): λ = λ₀ / (1 + α p)^β, constant momentum.

    Attributes:
        learning_rate: λ₀, of the first update.
        growth: α.
        power: β.
        updates: of the whole training; p is the share of them that is over, at most 1.
        momentum: first momentum.
        final_momentum: momentum from epoch `momentum_epochs` on, reached linearly from epoch 1.
        momentum_epochs: length of that ramp, in epochs.
    """

    learning_rate: Positive = 0.01
    growth: NonNegative = 10.0
    power: NonNegative = 0.75
    updates: PositiveInt = 8_600
    momentum: Probability = 0.9
    final_momentum: Probability = 0.9

    def learning_rate_at(self, update: int, epoch: int) -> float:
        progress = min(1.0, update / self.updates)
        return self.learning_rate / (1 + self.growth * progress) ** self.power


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015).

    Attributes:
        learning_rate: that of the first epoch.
        decay: multiplies it after every epoch.
        beta1: decay of the mean of the gradients.
        beta2: decay of the mean of their squares.
    """

    learning_rate: Positive = 0.001
    decay: Probability = 1.0
    beta1: Probability = 0.9
    beta2: Probability = 0.999

    def make(self, groups: ParamsT) -> torch.optim.Optimizer:
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(groups, self.learning_rate, betas=betas, fused=True)

    def learning_rate_at(self, update: int, epoch: int) -> float:
        return self.learning_rate * self.decay ** (epoch - 1)


@dataclass(frozen=True, kw_only=True)
class RMSProp(Optimizer):
    """The gradient over the root of its mean square (Tieleman and Hinton 2012).

    Attributes:
        learning_rate: that of the first epoch.
        decay: multiplies it after every epoch.
        smoothing: decay of the mean of the squares.
    """

    learning_rate: Positive = 0.001
    decay: Probability = 1.0
    smoothing: Probability = 0.9

    def make(self, groups: ParamsT) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(groups, self.learning_rate, alpha=self.smoothing)

    def learning_rate_at(self, update: int, epoch: int) -> float:
        return self.learning_rate * self.decay ** (epoch - 1)
