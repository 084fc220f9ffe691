"""Which adversarial examples an error rate counts, and in what precision the images are kept."""

from typing import Literal

import torch
from torch import Tensor, nn

from advx.data.dataset import Split
from advx.data.pixels import ROUNDING
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import mistakes
from advx.types import PositiveInt

Counted = Literal["all", "right_before", "right_for_crafting_model", "fooling_crafting_model"]
"""Of all test examples: all; those that the target classifies correctly without a perturbation;
those that the crafting model does; those whose adversarial examples fool the crafting model."""


def has_gray_levels(images: Tensor) -> bool:
    """Whether examples (n, *shape) are images in [0, 1], as a file's gray levels are read."""
    if images.dim() != 4:
        return False
    return bool(((images >= -ROUNDING) & (images <= 1 + ROUNDING)).all())


@measurement(version=1)
def in_gray_levels(adversarial: Split, *, levels: PositiveInt = 255) -> Split:
    """The images as a file holds them: kept in [0, 1], in `levels` steps above black."""
    images = (adversarial.images.clamp(0, 1) * levels).round() / levels
    return Split(images, adversarial.labels)


@measurement(version=1)
def counted(
    adversarial: Split, clean: Split, target: nn.Module, crafting_model: nn.Module, which: Counted
) -> Split:
    """The adversarial examples that are counted.

    Args:
        adversarial: n examples.
        clean: the n examples that they were made of, in the same order.
        target: whose mistakes are counted.
        crafting_model: that the adversarial examples were crafted on.
        which: see `Counted`.
    """
    if which == "all":
        return adversarial
    if which == "fooling_crafting_model":
        wanted = mistakes(crafting_model, adversarial)[0]
    else:
        wrong, defined = mistakes(target if which == "right_before" else crafting_model, clean)
        wanted = defined & ~wrong
    return adversarial.take(torch.nonzero(wanted).squeeze(1))


@measurement(version=1)
def examples(split: Split) -> float:
    """How many examples there are."""
    return float(len(split))
