"""How many modes of the data a generator has, and how evenly it has them.

A generated example belongs to a mode, or to none: for a mixture of Gaussians to the nearest mean
within three standard deviations; for stacked digits to the three classes that a classifier reads.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advx.evaluation.transfer import predictions, probabilities

REACH = 3.0
"""Standard deviations around a mean that count as its mode."""

NONE = -1
"""The mode of an example that belongs to none."""


def nearest_modes(points: Tensor, means: Tensor, deviation: float) -> Tensor:
    """The mode of every point (m, n) of a mixture with `means` (modes, n): (m,) int64 or `NONE`."""
    distance, mode = torch.cdist(points.double(), means.double()).min(1)
    return torch.where(distance <= REACH * deviation, mode, NONE)


def stacked_modes(classifier: nn.Module, images: Tensor) -> Tensor:
    """Which of 1,000 modes pictures (m, 3, 28, 28) of three digits belong to: 100 a + 10 b + c.

    `NONE` where the classifier says nothing of one of them.
    """
    said = [predictions(classifier, images[:, k : k + 1]) for k in range(3)]
    modes = 100 * said[0] + 10 * said[1] + said[2]
    return modes.where(torch.stack(said).amin(0) >= 0, NONE)


def stacked_sureness(classifier: nn.Module, images: Tensor) -> Tensor:
    """Probability of the least certain of the three digits of pictures (m, 3, 28, 28), (m,)."""
    p = [probabilities(classifier, images[:, k : k + 1]).amax(1) for k in range(3)]
    return torch.stack(p).amin(0)


def mode_measures(found: Tensor, shares: Tensor) -> dict[str, float]:
    """What generated examples' modes (m,) say, `shares` (modes,) being those of the data.

    Returns:
        modes: number of modes with at least one example.
        high_quality: percent of the examples that belong to a mode.
        reverse_kl: KL(generated ‖ data) in nats over the modes and a bin for none; a bin that the
            data does not have counts as a tenth of an example there.
    """
    count = len(shares)
    counts = torch.bincount(torch.where(found == NONE, count, found), minlength=count + 1).double()
    p = counts / counts.sum()
    none = (1 - shares.double().sum(0, keepdim=True)).clamp(min=0)
    q = torch.cat([shares.double(), none]).clamp(min=1 / (10 * len(found)))  # never seen: rare
    used = p > 0
    kl = (p[used] * (p[used] / q[used]).log()).sum()
    return {
        "modes": float((counts[:count] > 0).sum()),
        "high_quality": 100 * p[:count].sum().item(),
        "reverse_kl": max(kl.item(), 0.0),
    }


@dataclass(frozen=True)
class Modes:
    """The modes of the data.

    Attributes:
        count: of them.
        found: says of examples (n, *shape) which mode they belong to, (n,), -1 being none.
        keys: of the models that it asks.
        means: (modes, 2), where they are points of the plane.
        sure: says of which examples a classifier is sure, (n,) bool, where one reads the modes.
    """

    count: int
    found: Callable[[Tensor], Tensor]
    keys: list[str]
    means: Tensor | None = None
    sure: Callable[[Tensor], Tensor] | None = None

    def measures(self, examples: Tensor, shares: Tensor) -> dict[str, float]:
        """`mode_measures` of examples (n, *shape), `shares` (modes,) being those of the data."""
        found = mode_measures(self.found(examples), shares)
        if self.sure is not None:
            found["high_quality"] = 100 * self.sure(examples).double().mean().item()
        return found

    def shares(self, examples: Tensor) -> Tensor:
        """Share of the examples in every mode, (modes,); those in none are missing in the sum."""
        mode = self.found(examples)
        return torch.bincount(mode[mode >= 0], minlength=self.count) / len(mode)
