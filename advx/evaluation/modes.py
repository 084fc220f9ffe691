"""How many modes of the data a generator has, and how evenly it has them.

A generated example belongs to a mode, or to none: for a mixture of Gaussians to the nearest mean
within three standard deviations; for stacked digits to the three classes that a classifier gives.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import predictions, probabilities
from advx.evaluation.undefined import percent
from advx.training.load_or_train import TrainedGame

REACH = 3.0
"""Standard deviations around a mean that count as its mode."""

NONE = -1
"""The mode of an example that belongs to none."""

DIGITS = 10
"""Classes of one of three stacked digits."""

CONFIDENT = 0.9
"""Probability from which each of three stacked digits counts as recognized."""


@dataclass(frozen=True)
class ModeMeasures:
    """Generated examples by the modes of the data.

    Attributes:
        modes: number of modes with at least one example.
        high_quality: percent of the examples that belong to a mode.
        reverse_kl: KL(generated ‖ data) in nats over the modes and a bin for none; a bin that the
            data does not have counts as a tenth of an example there.
    """

    modes: float
    high_quality: float
    reverse_kl: float


def mode_measures(modes: Tensor, shares: Tensor) -> ModeMeasures:
    """What generated examples' modes (m,) say, `shares` (modes,) being those of the data."""
    count = len(shares)
    counts = torch.bincount(torch.where(modes == NONE, count, modes), minlength=count + 1).double()
    p = counts / counts.sum()
    none = (1 - shares.double().sum(0, keepdim=True)).clamp(min=0)
    q = torch.cat([shares.double(), none]).clamp(min=1 / (10 * len(modes)))  # never seen: rare
    used = p > 0
    kl = (p[used] * (p[used] / q[used]).log()).sum()
    return ModeMeasures(
        modes=float((counts[:count] > 0).sum()),
        high_quality=100 * p[:count].sum().item(),
        reverse_kl=max(kl.item(), 0.0),
    )


def nearest_modes(points: Tensor, means: Tensor, deviation: float, reach: float = REACH) -> Tensor:
    """The mode of every point (m, n) of a mixture with `means` (modes, n): (m,) int64 or `NONE`."""
    distance, mode = torch.cdist(points.double(), means.double()).min(1)
    return torch.where(distance <= reach * deviation, mode, NONE)


def stacked_modes(classifier: nn.Module, images: Tensor) -> Tensor:
    """Which of 1,000 modes images (m, 3, 28, 28) of three digits belong to: 100 a + 10 b + c.

    `NONE` where the logits of one of them hold a NaN.
    """
    a, b, c = (predictions(classifier, images[:, k : k + 1]) for k in range(3))
    return (DIGITS**2 * a + DIGITS * b + c).where(torch.stack([a, b, c]).amin(0) >= 0, NONE)


def stacked_confidence(classifier: nn.Module, images: Tensor) -> Tensor:
    """Probability of the least certain of the three digits of images (m, 3, 28, 28), (m,)."""
    p = [probabilities(classifier, images[:, k : k + 1]).amax(1) for k in range(3)]
    return torch.stack(p).amin(0)


@dataclass(frozen=True)
class MixtureModes:
    """The modes of a mixture of Gaussians.

    Attributes:
        means: (modes, n).
        deviation: of each component.
        reach: standard deviations around a mean that count as its mode.
    """

    means: Tensor
    deviation: float
    reach: float = REACH

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.means)

    def of(self, examples: Tensor) -> Tensor:
        """The mode of every example (m, n), (m,) int64, or `NONE`."""
        return nearest_modes(examples, self.means, self.deviation, self.reach)

    def measures(self, examples: Tensor, shares: Tensor) -> ModeMeasures:
        """Of examples (m, n), `shares` (modes,) being those of the data."""
        return mode_measures(self.of(examples), shares)


@dataclass(frozen=True)
class StackedModes:
    """The thousand modes of three stacked digits; of high quality is what is surely recognized.

    Attributes:
        classifier: gives a digit (m, 1, 28, 28) its class.
        confident: probability from which each of the three digits counts as recognized.
    """

    classifier: nn.Module
    confident: float = CONFIDENT

    @property
    def count(self) -> int:
        """How many there are."""
        return DIGITS**3

    def of(self, examples: Tensor) -> Tensor:
        """The mode of every example (m, 3, 28, 28), (m,) int64, or `NONE`."""
        return stacked_modes(self.classifier, examples)

    def measures(self, examples: Tensor, shares: Tensor) -> ModeMeasures:
        """Of examples (m, 3, 28, 28), `shares` (1000,) being those of the data."""
        confident = stacked_confidence(self.classifier, examples) > self.confident
        rate = 100 * confident.double().mean().item()
        return replace(mode_measures(self.of(examples), shares), high_quality=rate)


Modes = MixtureModes | StackedModes


@measurement(version=1)
def modes_seen_by(classifier: nn.Module, confident: float = CONFIDENT) -> StackedModes:
    """The modes of three stacked digits, as a classifier of single digits sees them."""
    return StackedModes(classifier, confident)


@measurement(version=1)
def mode_shares(examples: Tensor, modes: Modes) -> Tensor:
    """Share of the examples in every mode, (modes,); those in none are missing in the sum."""
    assigned = modes.of(examples)
    return torch.bincount(assigned[assigned != NONE], minlength=modes.count) / len(assigned)


@measurement(version=1)
def mode_coverage(examples: Tensor, modes: Modes, shares: Tensor) -> ModeMeasures:
    """Generated examples (m, *shape) by the modes of the data.

    Args:
        examples: generated, or of the data for the floor.
        modes: of the data.
        shares: (modes,), how much of the data is in each.
    """
    return modes.measures(examples, shares)


@measurement(version=1)
def modes_over_training(trained: TrainedGame, modes: Modes) -> list[float]:
    """How many modes each snapshot of a game has, the one before the first epoch included."""
    device = next(trained.game.parameters()).device
    assigned = [modes.of(shot.to(device)) for shot in trained.snapshots]
    return [float(len(labels[labels != NONE].unique())) for labels in assigned]


@measurement(version=1)
def stacked_error_rate(classifier: nn.Module, split: Split) -> float:
    """Percent of the images of three digits of which a classifier gives any a wrong class."""
    results = stacked_modes(classifier, split.images)
    return percent(classifier, results != split.labels, results)
