"""Crafting on one model and counting another's mistakes, in batches."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.attacks.gradient import evaluating
from advx.attacks.own import AnyAttack, as_attack
from advx.data.dataset import Split, one_of_each_class
from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.undefined import answered
from advx.models.call import logits_of, predicted

BATCH = 1_000
"""Examples crafted or classified at once; only memory and speed depend on it."""


def craft(
    attack: AnyAttack, model: nn.Module, split: Split, targets: Tensor | None = None
) -> Split:
    """The split with every image replaced by its adversarial example, labels unchanged.

    An attack that draws random numbers draws the same ones in every run, and PyTorch's generator
    is afterward as it was.

    Args:
        attack: one of advx's, or any function of a model, images and labels (`as_attack`).
        model: the crafting model.
        split: n examples.
        targets: (n, *any), what the attack receives in the labels' place: the target classes, or
            other images; None for an attack that is given the labels to leave.

    Raises:
        ConfigError: the attack receives something else than it is given.
    """
    attack = as_attack(attack)
    refuse_other_aim(attack, aims=targets is not None)
    targets = split.labels if targets is None else targets
    size = len(split) if attack.batches_itself else BATCH
    parts = zip(split.images.split(size), targets.split(size), strict=True)
    with drawing(split.images.device) if attack.random else nullcontext():
        images = torch.cat([attack(model, x, y) for x, y in parts])
    return Split(images, split.labels)


def refuse_other_aim(attack: Attack, *, aims: bool) -> None:
    """Refuse an attack with an aim where it is given the labels to leave, and the reverse.

    A class to be reached taken for one to be left, or the reverse, would leave the examples almost
    as they are: a small error rate, and no sign of what went wrong.

    Args:
        attack: that is to be used.
        aims: it is given target classes or other images.

    Raises:
        ConfigError: it receives something else.
    """
    if attack.receives == "nothing" or aims == (attack.receives != "labels"):
        return
    name = type(attack).__name__
    given = "something to reach" if aims else "the labels to leave"
    valid = "an attack with targeted=true" if aims else "an attack with targeted=false"
    raise ConfigError(
        f"attack {name}: receives {attack.receives.replace('_', ' ')}, and is given {given}; "
        f"valid: {valid}"
    )


@contextmanager
def drawing(device: torch.device) -> Iterator[None]:
    """Inside the same random numbers every time; afterward the generators are as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


def target_classes(labels: Tensor, classes: int) -> Tensor:
    """A wrong class for every example, uniform among the others, the same in every run.

    Args:
        labels: (n,) int64.
        classes: number of classes, at least 2.

    Raises:
        ConfigError: there is no wrong class.
    """
    if classes < 2:
        raise ConfigError(f"dataset.classes={classes}: no wrong class to aim at; valid: from 2")
    generator = torch.Generator().manual_seed(0)
    shift = torch.randint(1, classes, (len(labels),), generator=generator).to(labels.device)
    return (labels + shift) % classes


def guides(labels: Tensor, targets: Tensor) -> Tensor:
    """For every example the place of one of its target class, (n,) int64.

    Among those of a class one is drawn, the same in every run; where no example is of the target
    class, it is the example itself.

    Args:
        labels: (n,) int64.
        targets: (n,) int64, the class wanted for each.
    """
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(len(labels), generator=generator).to(labels.device)
    places = torch.arange(len(labels), device=labels.device)
    for wanted in targets.unique():
        asking, there = targets == wanted, (labels == wanted).nonzero().squeeze(1)
        if len(there):
            places[asking] = there[(draws[asking] * len(there)).long()]
    return places


@torch.no_grad()
def probabilities(classifier: nn.Module, images: Tensor) -> Tensor:
    """Probability of every class, (n, classes), for images (n, *shape), in evaluation mode."""
    with evaluating(classifier):
        return torch.cat([logits_of(classifier, x).softmax(1) for x in images.split(BATCH)])


@torch.no_grad()
def predictions(model: nn.Module, images: Tensor) -> Tensor:
    """Class of each image, (n,) int64, in evaluation mode; −1 where its logits hold a NaN."""
    with evaluating(model):
        return torch.cat([predicted(logits_of(model, x)) for x in images.split(BATCH)])


def mistakes(model: nn.Module, split: Split) -> tuple[Tensor, Tensor]:
    """Which examples `model` misclassifies, and which it gives a class at all, (n,) bool each.

    Raises:
        ConfigError: too many examples have NaN logits; few are no mistakes.
    """
    classes = predictions(model, split.images)
    defined = answered(model, classes)
    return (classes != split.labels) & defined, defined


def known_of_each_class(model: nn.Module, split: Split, count: int) -> Tensor:
    """Indices (count,) at most, of examples that the model classifies correctly.

    The first of every class, then the second; of all examples where the model knows none.
    """
    known = (predictions(model, split.images) == split.labels).nonzero().squeeze(1)
    known = known if len(known) else torch.arange(len(split), device=split.labels.device)
    return known[one_of_each_class(split.labels[known], count)]


@measurement(version=1)
def error_rate(model: nn.Module, split: Split) -> float:
    """Share of the split's examples that `model` misclassifies, in percent.

    Raises:
        ConfigError: too many examples have NaN logits; few are left out.
    """
    wrong, defined = mistakes(model, split)
    return 100 * int(wrong.sum()) / int(defined.sum())


@measurement(version=1)
@torch.no_grad()
def mean_confidence_on_mistakes(model: nn.Module, split: Split) -> float:
    """Mean probability of the predicted class over the misclassified examples, in percent.

    NaN where there is no mistake.
    """
    scores = probabilities(model, split.images)
    p, classes = scores.amax(1), predicted(scores)
    wrong = (classes != split.labels) & answered(model, classes)
    return 100 * p[wrong].double().mean().item()
