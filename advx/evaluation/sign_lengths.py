"""How long the sign of a difference of two images is where its zeros stay. Figure 1.5."""

import math
from dataclasses import dataclass

import torch

from advx.attacks import norms
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.randomness import seeded


@dataclass(frozen=True)
class SignLengths:
    """L2 norms over pairs of images of different classes; NaN where none is drawn.

    Attributes:
        l2_norm: the mean.
        longest_l2_norm: the largest.
    """

    l2_norm: float
    longest_l2_norm: float


@measurement(version=1)
def sign_lengths(examples: Split, pairs: int, max_norm: float, seed: int) -> SignLengths:
    """L2 norms of `max_norm` times the sign of differences.

    Args:
        examples: images (n, *shape) of at least two classes.
        pairs: drawn at random; those of one class are left out.
        max_norm: of the sign.
        seed: of the draw.
    """
    with seeded(seed):
        one, other = torch.randint(len(examples), (2, pairs)).to(examples.labels.device)
    apart = examples.labels[one] != examples.labels[other]
    signs = (examples.images[one] - examples.images[other])[apart].sign()
    lengths = norms.length(max_norm * signs.double(), "l2")
    longest = lengths.max().item() if len(lengths) else math.nan
    return SignLengths(lengths.mean().item(), longest)
