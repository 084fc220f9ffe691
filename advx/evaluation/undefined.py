"""Answers that are no class: counted, left out of every rate, and refused where they are many.

An image whose logits hold a NaN is neither right nor wrong. `answered` says which examples a rate
may count, and notes how many it may not.
"""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from advx.errors import ConfigError
from advx.models.call import UNDEFINED, UNDEFINED_LIMIT
from advx.notes import Note, note

NAMES: "WeakKeyDictionary[nn.Module, str]" = WeakKeyDictionary()
"""What a run calls its models, for messages."""


def called(model: nn.Module) -> str:
    """What messages call a model: its name in the run, or its class."""
    return NAMES.get(model, type(model).__name__)


def answered(model: nn.Module, classes: Tensor) -> Tensor:
    """Which answers are a class, (n,) bool; the others are noted.

    Args:
        model: that gave them, for the message.
        classes: (n,) int64, `UNDEFINED` for an image whose logits hold a NaN.

    Raises:
        ConfigError: more than `UNDEFINED_LIMIT` of them are none.
    """
    defined = classes != UNDEFINED
    missing = len(classes) - int(defined.sum())
    if missing:
        if missing > UNDEFINED_LIMIT * len(classes):
            raise ConfigError(
                f"{called(model)}: the logits of {missing:,} of {len(classes):,} examples are NaN, "
                f"more than the {100 * UNDEFINED_LIMIT:g}% that may be left out; look in the model "
                "for damaged weights, a division by 0 or a logarithm of 0"
            )
        note(Note(called(model), missing, len(classes)))
    return defined


def percent(model: nn.Module, hits: Tensor, classes: Tensor) -> float:
    """Percent of `hits` (n,) bool among the examples that the model gave a class, `classes` (n,).

    Raises:
        ConfigError: too many of them have none.
    """
    return 100 * hits[answered(model, classes)].double().mean().item()


def no_number(scores: Tensor) -> Tensor:
    """Which rows of (n, *any) hold a NaN, (n,) bool."""
    return scores.isnan().flatten(1).any(1) if scores.dim() > 1 else torch.isnan(scores)
