"""Crafting on one model and counting another's mistakes, in batches."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.data.dataset import Split

Attack = Callable[[nn.Module, Tensor, Tensor], Tensor]

BATCH = 1_000
"""Examples crafted or classified at once; only memory and speed depend on it."""


def craft(
    attack: Attack, model: nn.Module, split: Split, target_classes: Tensor | None = None
) -> Split:
    """The split with every image replaced by its adversarial example, labels unchanged.

    Args:
        attack: from images and labels to adversarial images; one with the attribute `whole` is
            given all examples at once and makes its own batches.
        model: the crafting model.
        split: n examples.
        target_classes: (n,) int64, what a targeted attack is to reach; None for an untargeted one,
            which is given the labels to leave.
    """
    aims = split.labels if target_classes is None else target_classes
    size = len(split) if getattr(attack, "whole", False) else BATCH
    images = [
        attack(model, x, y) for x, y in zip(split.images.split(size), aims.split(size), strict=True)
    ]
    return Split(torch.cat(images), split.labels)


def target_classes(labels: Tensor, classes: int) -> Tensor:
    """A wrong class for every example, uniform among the others, the same in every run.

    Args:
        labels: (n,) int64.
        classes: number of classes, at least 2.
    """
    generator = torch.Generator().manual_seed(0)
    shift = torch.randint(1, classes, (len(labels),), generator=generator).to(labels.device)
    return (labels + shift) % classes


@torch.no_grad()
def predictions(model: nn.Module, images: Tensor) -> Tensor:
    """Predicted class of each image, (n,) int64, in evaluation mode."""
    with evaluating(model):
        return torch.cat([model(x).argmax(1) for x in images.split(BATCH)])


def error_rate(model: nn.Module, split: Split) -> float:
    """Share of all the split's examples that `model` misclassifies, in percent."""
    wrong = int((predictions(model, split.images) != split.labels).sum())
    return 100 * wrong / len(split)


@torch.no_grad()
def mean_confidence_on_mistakes(model: nn.Module, split: Split) -> float:
    """Mean probability of the predicted class over the misclassified examples, in percent.

    NaN where there is no mistake.
    """
    with evaluating(model):
        p, said = zip(*(model(x).softmax(1).max(1) for x in split.images.split(BATCH)), strict=True)
    wrong = torch.cat(said) != split.labels
    return 100 * torch.cat(p)[wrong].double().mean().item()
