"""How much a pixel says of the class, by its gray levels and by one bit. Section 1.2.5.

The mutual information I(v; y) of a pixel's value v and the class y, in bits, summed over the pixels
as if each were read alone. From counts it comes out too large, the more so the more values there
are; the same with the classes shuffled, where the truth is 0, is subtracted.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.models.binary_nearest_neighbor import HALF, bits
from advx.randomness import seeded

AT_ONCE = 2**22
"""Pixels counted at once; only memory depends on it."""


@dataclass(frozen=True)
class PixelInformation:
    """Of pixels.

    Attributes:
        gray_rate: of those that are not black, how many a perturbation can bring across a half; in
            percent.
        bit_information: what one bit of each tells of the class, over what its gray levels tell;
            NaN where they tell nothing.
    """

    gray_rate: float
    bit_information: float


@measurement(version=1)
def pixel_information(
    examples: Split, classes: int, levels: int, epsilon: float, seed: int
) -> PixelInformation:
    """What pixels tell of the class.

    Args:
        examples: n images in [0, 1], of all classes.
        classes: how many there are.
        levels: of gray, from black to white.
        epsilon: a perturbation's size in the max norm.
        seed: of the shuffling.
    """
    pixels = examples.images.flatten(1)
    with seeded(seed):
        shuffled = examples.labels[torch.randperm(len(examples)).to(examples.labels.device)]
    told = []
    for values, count in ((bits(pixels), 2), (pixels.mul(levels - 1).round(), levels)):
        true, none = (
            information(values.long(), labels, count, classes).sum().item()
            for labels in (examples.labels, shuffled)
        )
        told.append(true - none)
    inked = pixels[pixels > 0]
    return PixelInformation(
        100 * crossing(inked, epsilon).double().mean().item(),
        told[0] / told[1] if told[1] else math.nan,
    )


def crossing(pixels: Tensor, epsilon: float) -> Tensor:
    """Which pixels a change of at most `epsilon` can bring to the other side of a half."""
    return torch.where(pixels > HALF, pixels - epsilon <= HALF, pixels + epsilon > HALF)


def information(values: Tensor, labels: Tensor, count: int, classes: int) -> Tensor:
    """I(v; y) in bits of every pixel (pixels,), from counts.

    Args:
        values: (n, pixels) int64 in 0 … count - 1.
        labels: (n,) int64 in 0 … classes - 1.
    """
    n, pixels = values.shape
    table = torch.zeros(pixels * count * classes, dtype=torch.int64, device=values.device)
    place = torch.arange(pixels, device=values.device) * count
    rows = max(1, AT_ONCE // pixels)
    for v, y in zip(values.split(rows), labels.split(rows), strict=True):
        cells = (place + v) * classes + y[:, None]
        table += torch.bincount(cells.flatten(), minlength=len(table))
    joint = table.view(pixels, count, classes).double() / n
    apart = joint.sum(2, keepdim=True) * joint.sum(1, keepdim=True)
    return torch.where(joint > 0, joint * (joint / apart).log2(), 0.0).sum((1, 2))
