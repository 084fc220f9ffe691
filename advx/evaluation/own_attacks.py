"""What a reader must know of a user's own attack: does it keep its radius, what does it draw?"""

import random
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.attacks.inputs import ROUNDING
from advx.attacks.targets import predicted_logits
from advx.data.dataset import Split
from advx.evaluation.transfer import craft
from advx.notes import Note, note, unnoted
from advx.types import DistanceName

TRIED = 16
"""Examples on which an attack is tried twice."""

SAME = 2**10
"""Units in the last place of a pixel that two runs on one machine may differ by."""


class Generators:
    """The states of the random generators, to be compared with those after an attack.

    Args:
        device: that the attack works on.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.torch = self._torch()
        self.others = self._others()

    def _torch(self) -> list[bytes]:
        states = [torch.get_rng_state()]
        if self.device.type == "cuda":
            states.append(torch.cuda.get_rng_state(self.device))
        return [state.numpy().tobytes() for state in states]

    def _others(self) -> Any:
        _, keys, place, *rest = np.random.get_state()
        return np.asarray(keys).tobytes(), place, rest, random.getstate()

    def drawn_from(self) -> str:
        """What an attack has drawn from that nobody seeds, in words; "" for nothing.

        PyTorch's generator is put back after an attack with `random = True`.
        """
        if self.torch != self._torch():
            return "PyTorch's generator without `random = True`"
        if self.others != self._others():
            return "NumPy's or Python's generator, which is not seeded, instead of PyTorch's"
        return ""


def note_draws(about: str, before: Generators, examples: int) -> None:
    """Note that an attack has drawn random numbers that differ from run to run.

    Args:
        about: the attack.
        before: the states before it.
        examples: that it was made to attack.
    """
    source = before.drawn_from()
    if source:
        text = f"{about}: draws from {source}: another run would give other numbers"
        note(Note(about, examples, examples, text))


def note_unrepeated(
    about: str,
    make: Callable[[], Attack],
    model: nn.Module,
    clean: Split,
    targets: Tensor | None,
) -> None:
    """Note that an attack made twice moves the same few examples differently.

    It draws from a generator of its own then, which nothing seeds. One that fails on so few
    examples is not tried.

    Args:
        about: the attack.
        make: makes it.
        model: that is attacked.
        clean: n examples.
        targets: (n, *any), what the attack receives in the labels' place; None for the labels.
    """
    rows = torch.arange(min(TRIED, len(clean)), device=clean.labels.device)
    some, aims = clean.take(rows), None if targets is None else targets[rows]
    answers = [predicted_logits(model, some.images).nan_to_num() for _ in range(2)]
    if not torch.equal(*answers):  # it is the model that draws
        return
    try:
        with unnoted():
            one, other = (craft(make(), model, some, aims).images for _ in range(2))
    except Exception:  # whatever an attack of a user's own raises for so few
        return
    unit = torch.finfo(clean.images.dtype).eps * max(1.0, clean.images.abs().max().item())
    if (one - other).abs().max() > SAME * unit:
        text = (
            f"{about}: moves the same examples differently when it is made anew: it draws numbers "
            "that nothing seeds, so draw them from PyTorch's generator; another run would give "
            "other numbers"
        )
        note(Note(about, len(clean), len(clean), text))


def note_outside(about: str, attack: Attack, epsilon: Any, clean: Split, moved: Split) -> None:
    """Note how many examples an attack moves by more than its epsilon.

    In the attack's own `norm`, or in the max norm, of which the others are no smaller.

    Args:
        about: the attack.
        attack: it, perhaps with a `norm`.
        epsilon: its argument of that name; nothing is noted where it is no number.
        clean: n examples.
        moved: the same after the attack.
    """
    if not isinstance(epsilon, int | float):
        return
    known: dict[Any, DistanceName] = {name: name for name in get_args(DistanceName)}
    norm = known.get(getattr(attack, "norm", None), "linf")
    unit = max(torch.finfo(clean.images.dtype).eps, torch.finfo(torch.float32).eps)
    largest = max(1.0, clean.images.abs().max().item())
    slack = ROUNDING * unit * largest * norms.length(torch.ones_like(clean.images[:1]), norm).item()
    size = norms.length(moved.images - clean.images, norm)
    outside = int((size > epsilon + slack).sum())
    if outside:
        text = (
            f"{about}: {outside:,} of {len(clean):,} examples are moved by more than "
            f"attack.epsilon={epsilon:g} in the norm {norm}, by up to {size.max().item():.4g}; "
            "they count all the same"
        )
        note(Note(about, outside, len(clean), text))
