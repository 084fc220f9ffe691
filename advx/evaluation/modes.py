"""How many modes of the data a generator has, and how evenly it has them.

A generated example belongs to a mode, or to none: for a mixture of Gaussians to the nearest mean
within three standard deviations; for stacked digits to the three classes that a classifier reads.
"""

import torch
from torch import Tensor, nn

from advx.evaluation.transfer import BATCH, predictions

REACH = 3.0
"""Standard deviations around a mean that count as its mode."""

NONE = -1
"""The mode of an example that belongs to none."""


def nearest_modes(points: Tensor, means: Tensor, deviation: float) -> Tensor:
    """The mode of every point (m, n) of a mixture with `means` (modes, n): (m,) int64 or `NONE`."""
    distance, mode = torch.cdist(points.double(), means.double()).min(1)
    return torch.where(distance <= REACH * deviation, mode, NONE)


def stacked_modes(classifier: nn.Module, images: Tensor) -> Tensor:
    """Which of 1,000 modes pictures (m, 3, 28, 28) of three digits belong to: 100 a + 10 b + c."""
    said = [predictions(classifier, images[:, k : k + 1]) for k in range(3)]
    return 100 * said[0] + 10 * said[1] + said[2]


@torch.no_grad()
def stacked_sureness(classifier: nn.Module, images: Tensor) -> Tensor:
    """Probability of the least certain of the three digits of pictures (m, 3, 28, 28), (m,)."""
    p = [
        torch.cat([classifier(x[:, k : k + 1]).softmax(1).amax(1) for x in images.split(BATCH)])
        for k in range(3)
    ]
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
