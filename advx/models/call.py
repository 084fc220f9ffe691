"""Calling a classifier that is a black box: what may stand behind `model(images)`.

A user's own module may change the images it is given, answer with a tuple, a dictionary or an
object with `.logits`, compute in another number format, or answer NaN. Whoever needs a model's
logits asks here, so that no other part of advx has to know.
"""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from advx.errors import AdvxError, ConfigError, reason

UNDEFINED = -1
"""The class of an image whose logits hold a NaN: neither right nor wrong."""

TRIED = 16
"""Images that a user's own network is tried on before it is measured, or kept."""

REPEATED = 1e-5
"""The largest difference between two calls that is rounding, as a part of the largest logit."""

UNDEFINED_LIMIT = 0.01
"""The part of a set of examples that may be without a class; above it there is no rate."""

OWN: "WeakKeyDictionary[nn.Module, str]" = WeakKeyDictionary()
"""What a run calls its models of a user's own, for a line on what goes wrong inside of them."""


def refuse_failure(error: Exception, name: str | None, doing: str) -> None:
    """Say in one line what a model of a user's own fails at; its traceback stays behind it.

    Args:
        error: that it raised.
        name: what the run calls it; None for a model that is nobody's own, of which nothing is
            said.
        doing: what failed.

    Raises:
        ConfigError: unless advx has a line of its own, or the machine is at fault.
    """
    machines = (OSError, MemoryError, torch.OutOfMemoryError)
    if name is not None and not isinstance(error, (AdvxError, *machines)):
        raise ConfigError(f"{name}: {doing} fails ({reason(error)})") from error


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Logits (batch, classes) for images (batch, *shape), in float32 or float64.

    Whole numbers are logits too; they have no gradient.

    The model is given a copy of the images, which it may change; its mode stays as it is.

    Raises:
        ConfigError: the model's answer holds no tensor of real numbers, or a model of a user's own
            fails.
    """
    try:
        raw = model(images.clone())
    except Exception as error:  # whatever a user's own forward raises
        refuse_failure(error, OWN.get(model), f"its forward pass on {counted(images)}")
        raise
    answer = logits_in(raw, model)
    return answer.to(torch.promote_types(answer.dtype, torch.float32))


def logits_in(answer: Any, model: nn.Module) -> Tensor:
    """The logits in whatever a model answered: a tensor, `.logits`, ["logits"] or the first item.

    Raises:
        ConfigError: there is no tensor in it, or one of complex numbers.
    """
    found = answer
    if not isinstance(found, Tensor):
        found = getattr(answer, "logits", None)
    if found is None and isinstance(answer, Mapping):
        found = answer.get("logits")
    if found is None and isinstance(answer, tuple | list) and answer:
        found = answer[0]
    if not isinstance(found, Tensor):
        raise ConfigError(
            f"{type(model).__name__} returns a {type(answer).__name__}; needed: a tensor of "
            "logits, or a tuple that begins with one, or a dictionary or object with 'logits'"
        )
    if found.is_complex():
        kind = str(found.dtype).removeprefix("torch.")
        raise ConfigError(f"{type(model).__name__} returns {kind} logits; needed: real numbers")
    return found


def counted(images: Tensor) -> str:
    """How many images, (n, *shape), for a message."""
    return f"{len(images):,} image{'' if len(images) == 1 else 's'}"


def predicted(scores: Tensor) -> Tensor:
    """The class of each row of logits (batch, classes), (batch,) int64; `UNDEFINED` for NaN."""
    return scores.argmax(1).masked_fill(scores.isnan().any(1), UNDEFINED)
