"""What goes wrong in a generative game during training, seen from a few hundred examples.

Four numbers an epoch, each beside its own threshold:

    diversity    mean distance between two generated examples, over that between two real ones
    coverage     share of real examples with a generated one among their neighbors (Naeem et al.
                 2020): inside the ball that reaches to the fifth nearest real example
    contrast     spread of the components within a generated example, over that within a real one;
                 for images, not for points of the plane
    confidence   share of examples, half of them real, that D places rightly at odds over 99 : 1;
                 batch normalization sees the real and the generated ones apart, as in training

Black or constant images have no contrast, a generator that has collapsed to one image no
diversity, one that has dropped most of the data no coverage; where D is confident of
everything, its gradient in D's own units vanishes. None of the four says that samples are good.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import TypedDict

import torch
from torch import Tensor

NEIGHBORS = 5
"""Of a real example, that its ball holds."""

EXACT = "donot_use_mm_for_euclid_dist"
"""Distances by differences: by products, those within a narrow mode are lost to rounding."""

ODDS = log(99)
"""Logit beyond which D counts as confident."""


LASTING = 5
"""Epochs in a row after which a warning is shown to whoever waits; most games begin with some."""


@dataclass(frozen=True)
class Limit:
    """When one of the numbers is a warning, and what it means."""

    low: float = 0.0
    high: float = float("inf")
    meaning: str = ""


LIMITS = {
    "diversity": Limit(low=0.2, meaning="generated examples are nearly the same"),
    "coverage": Limit(low=0.2, meaning="most of the data has no generated example nearby"),
    "contrast": Limit(low=0.2, meaning="generated examples are nearly constant"),
    "confidence": Limit(high=0.98, meaning="the discriminator is sure of nearly every example"),
}
"""Chosen before the first run; what lies beyond is kept with the result."""


def diagnosed(
    real: Tensor,
    fake: Tensor,
    real_logits: Tensor | None = None,
    fake_logits: Tensor | None = None,
) -> dict[str, float]:
    """The four numbers; of a game without a discriminator the three that need none.

    Args:
        real: examples of the data (n, *shape).
        fake: generated ones, as many.
        real_logits: D's logits (n,) of the first, without dropout; None where there is no D.
        fake_logits: of the second.
    """
    a, b = real.flatten(1), fake.flatten(1)
    within, between, across = (
        torch.cdist(x, y, compute_mode=EXACT) for x, y in ((a, a), (b, b), (a, b))
    )
    pairs = len(a) * (len(a) - 1)
    radius = within.kthvalue(min(NEIGHBORS + 1, len(a)), dim=1).values  # itself is the first
    results = {
        "diversity": ratio(between.sum() / pairs, within.sum() / pairs),
        "coverage": (across.amin(1) <= radius).double().mean().item(),
    }
    if real_logits is not None and fake_logits is not None:
        confident = torch.cat([real_logits > ODDS, fake_logits < -ODDS])
        results["confidence"] = confident.double().mean().item()
    if real.dim() == 4:
        results["contrast"] = ratio(b.std(1).mean(), a.std(1).mean())
    return results


def ratio(a: Tensor, b: Tensor) -> float:
    """a / b; 1 where both are zero."""
    return 1.0 if a == b else (a / b).item()


def beyond(row: dict[str, float], limits: Mapping[str, Limit]) -> list[str]:
    """Names of the numbers that lie beyond their limits; NaN lies beyond none."""
    return [
        name
        for name, limit in limits.items()
        if name in row and (row[name] < limit.low or row[name] > limit.high)
    ]


def lasting(history: list[dict[str, float]], limits: Mapping[str, Limit] = LIMITS) -> list[str]:
    """Names of the numbers that have been beyond their limits in each of the last epochs."""
    last = [set(beyond(row, limits)) for row in history[-LASTING:]]
    return sorted(set.intersection(*last)) if len(last) == LASTING else []


class Warned(TypedDict):
    """A number that was beyond its limit.

    Attributes:
        warning: its name.
        meaning: of being beyond.
        epochs: in how many.
        first, last: of them.
        at_the_end: whether the last epoch is one.
    """

    warning: str
    meaning: str
    epochs: int
    first: int
    last: int
    at_the_end: bool


def warnings(history: list[dict[str, float]], limits: Mapping[str, Limit] = LIMITS) -> list[Warned]:
    """Every number that was ever beyond its limit: in how many epochs, and in which.

    Args:
        history: one row an epoch, with `epoch` and the diagnostics' numbers.
        limits: of those numbers.
    """
    results: list[Warned] = []
    for name, limit in limits.items():
        epochs = [int(row["epoch"]) for row in history if name in beyond(row, limits)]
        if epochs:
            results.append(
                {
                    "warning": name,
                    "meaning": limit.meaning,
                    "epochs": len(epochs),
                    "first": epochs[0],
                    "last": epochs[-1],
                    "at_the_end": epochs[-1] == int(history[-1]["epoch"]),
                }
            )
    return results


def percent_wrong(logits: Tensor, labels: Tensor) -> float:
    """Percent of logits (n, k) whose largest is not that of the label (n,)."""
    return 100 * (logits.argmax(1) != labels).double().mean().item()
