"""Attacks of foolbox, torchattacks and adv-lib, kept in the ball and counted like advx's own.

    advx run experiment=transfer attack=foreign attack.call=foolbox.attacks:LinfPGD
    advx run experiment=transfer attack=foreign attack.call=torchattacks:AutoAttack

Each library is called as its documentation says (`libraries.py`), with copies of the images and
labels. What it returns counts where it is within `clip` and within the ball of radius `epsilon` in
`norm`, up to rounding, which is taken off. An example that the library moves farther proves
nothing; its original image is returned, and a note says how many these are.

Sources: foolbox (Rauber et al. 2020), torchattacks (Kim 2020) with its AutoAttack (Croce and Hein
2020), adv-lib (Rony and Ben Ayed, github.com/jeromerony/adversarial-library).
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.attacks.gradient import require_gradient
from advx.attacks.inputs import ROUNDING
from advx.attacks.libraries import AttackName, Request, library_of
from advx.attacks.own import like_images, put_back
from advx.config.sources import dotted, package_version
from advx.errors import AdvxError, ConfigError, reason
from advx.models.call import logits_of
from advx.notes import Note, note
from advx.types import DistanceName, Interval, NonNegative, PositiveInt


class Foreign(Attack):
    """An attack of another library, on copies of the images and on a model that is put back.

    Args:
        call: `PACKAGE.MODULE:NAME`, a class of foolbox or torchattacks or a function of adv-lib.
        arguments: of the class or function.
        epsilon: radius of the ball, in the units of the images; None for a search of the smallest
            perturbation.
        norm: of the ball; None where it is not to be looked at.
        clip: range of the images and of the adversarial images.
        targeted: labels are classes to be reached, not to be left.
        batch_size: examples at once.

    Raises:
        ConfigError: the package is not installed, or the attack cannot be called like this.
    """

    batches_itself = True  # one note on all examples
    random = True

    def __init__(
        self,
        *,
        call: AttackName,
        epsilon: NonNegative | None,
        arguments: dict[str, Any] | None = None,
        norm: DistanceName | None = "linf",
        clip: Interval = (0.0, 1.0),
        targeted: bool = False,
        batch_size: PositiveInt = 1000,
    ) -> None:
        self.call = call
        self.epsilon = epsilon
        self.norm = norm
        self.clip: Interval = clip
        self.targeted = targeted
        self.batch_size = batch_size
        request = Request(call, arguments or {}, epsilon, norm, clip, targeted)
        self.library = library_of(call)(request)

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """What the library finds within the ball; the original image where it finds nothing there.

        Raises:
            ConfigError: the library raises something, or returns no images like those it was given.
            NoGradientError: it failed, and the model has no gradient.
        """
        if self.epsilon == 0 or len(images) == 0:
            return images.clone()
        parts = zip(images.split(self.batch_size), labels.split(self.batch_size), strict=True)
        with put_back(model), seeded():
            made, changed = zip(*(self._called(model, x, y) for x, y in parts), strict=True)
        if any(changed):
            self._note(sum(changed), len(images), CHANGED)
        found, inside = self.bounded(torch.cat(made), images)
        if not inside.all():
            self._note(int((~inside).sum()), len(images), self._outside())
        return found

    def _called(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        """What the library returns for copies, and how many of these it changed."""
        logits, given = Logits(model), images.clone()
        try:
            made = self.library.search(logits, given, labels.clone())
        except AdvxError:
            raise
        except Exception as error:  # whatever a library raises
            if error is logits.error:
                raise
            require_gradient(model)
            kind, text = type(error).__name__, reason(error)
            package = package_version(dotted(self.call)) or self.library.distribution
            raise ConfigError(
                f"attack.call={self.call}: {package} fails "
                f"({text if text.startswith(kind) else f'{kind}: {text}'}); valid: arguments, a "
                "model and images that it can work with"
            ) from error
        changed = int((given.detach() != images).flatten(1).any(1).sum())
        return like_images(made, images, f"attack.call={self.call}:"), changed

    def bounded(self, found: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Adversarial images in the ball and in `clip`, and which were there, (batch,) bool.

        Args:
            found: what a library made, (batch, *shape); rounding may have put it outside.
            images: the originals, returned in place of what is farther outside or no number.
        """
        low, high = self.clip
        unit = max(torch.finfo(images.dtype).eps, torch.finfo(torch.float32).eps)
        slack = ROUNDING * unit * max(1.0, abs(low), abs(high))
        inside = ((found >= low - slack) & (found <= high + slack)).flatten(1).all(1)
        found = _where(inside, found, images).clamp(low, high)
        if self.epsilon is None or self.norm is None:
            return found, inside
        size = norms.length(found - images, self.norm)
        slack *= norms.length(torch.ones_like(images[:1]), self.norm).item()
        inside &= size <= self.epsilon + slack
        projected = images + norms.projected(found - images, self.norm, self.epsilon)
        found = _where(size <= self.epsilon, found, projected.clamp(low, high))
        return _where(inside, found, images), inside

    def _outside(self) -> str:
        low, high = self.clip
        places, bounds = [f"attack.clip=[{low:g}, {high:g}]"], "range"
        if self.epsilon is not None and self.norm is not None:
            places.insert(0, f"the ball (attack.norm={self.norm}, attack.epsilon={self.epsilon:g})")
            bounds = "norm, radius and range"
        return (
            f"are moved out of {' or '.join(places)} and prove nothing, so their original images "
            f"count; valid: the {bounds} that the attack keeps"
        )

    def _note(self, count: int, examples: int, what: str) -> None:
        about = f"attack.call={self.call}"
        note(Note(about, count, examples, f"{about}: {count:,} of {examples:,} examples {what}"))


CHANGED = "are changed in place, which no number depends on: they are copies"
"""What is said of images that a library writes into."""


def _where(which: Tensor, chosen: Tensor, others: Tensor) -> Tensor:
    """Examples (batch, *shape) of `chosen` at `which` (batch,), of `others` elsewhere."""
    return torch.where(which.view(-1, *[1] * (chosen.dim() - 1)), chosen, others)


class Logits(nn.Module):
    """A model as the libraries want one, from images to a tensor of logits, in a fixed mode.

    Args:
        model: the model, in evaluation mode.

    Attributes:
        error: what the model raised last, so that it is not taken for the library's error.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.training = False
        self.error: Exception | None = None

    def train(self, mode: bool = True) -> "Logits":
        """Nothing: a library switches modes to those that the model has."""
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes)."""
        try:
            return logits_of(self.model, images)
        except Exception as error:
            self.error = error
            raise


@contextmanager
def seeded() -> Iterator[None]:
    """Random numbers inside, NumPy's and Python's too, depend on PyTorch's generator alone.

    So do those afterward, also where a library seeds all generators itself.
    """
    before = np.random.get_state(), random.getstate()
    following = torch.Generator()
    following.set_state(torch.get_rng_state())
    inside, after = torch.randint(2**32, (2,), generator=following).tolist()
    np.random.seed(inside)
    random.seed(inside)
    try:
        yield
    finally:
        np.random.set_state(before[0])
        random.setstate(before[1])
        torch.manual_seed(after)
