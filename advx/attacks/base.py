"""The protocol of an attack, and what advx's own promise.

    attack(model, images, labels) -> adversarial images

Whoever calls an attack has to know three things about it, its attributes:

- `receives`: what it is given beside the images (`Receives`);
- `batches_itself`: whether it wants all examples in one call;
- `random`: whether it draws random numbers, so that two calls differ.

An attack derived from `Attack` only searches, in `perturb`. `Attack.__call__` looks at what it is
given, and refuses in one line what no attack can use. It leaves the model as it found it, whatever
mode of PyTorch it is called under. An attack made of others calls their `perturb`: each promise is
paid for once.

Any function `(model, images, labels) -> images` will do as well: `advx.attacks.own.as_attack` makes
an `Attack` of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.attacks.inputs import (
    check_module,
    checked_classes,
    checked_images_like,
    checked_logits,
    explain,
    explain_single,
    require_images,
    within,
)
from advx.config.check import checked
from advx.errors import AdvxError
from advx.models.call import OWN, counted, refuse_failure
from advx.types import Interval

Receives = Literal["labels", "target_classes", "guide_images", "originals", "nothing"]
"""What an attack is given beside the images, one for each of them:

- `labels`: their classes, to be left;
- `target_classes`: classes to be reached;
- `guide_images`: images to resemble;
- `originals`: images that an autoencoder is to give back;
- `nothing`: it does not look at what it is given.
"""

BUFFER = 2**24
"""Numbers in a buffer, above which it is not copied: a training set that the model holds."""


class Attack:
    """An attack whose promises are kept for it; a subclass searches, in `perturb`.

    A constructor's arguments are compared with its annotations, as on the command line.

    Attributes:
        clip: range of the adversarial images, and so of the images; None for none.
        targeted: labels are classes to be reached, not to be left.
        batches_itself: it is given all examples in one call, instead of so many at once.
        random: it draws from PyTorch's generator, so that two calls differ.
    """

    clip: Interval | None = None
    targeted: bool = False
    batches_itself: bool = False
    random: bool = False

    @property
    def receives(self) -> Receives:
        """What the attack is given beside the images; a subclass may name something else."""
        return "target_classes" if self.targeted else "labels"

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]
        if vars(cls).get("guided"):  # the older names of these two
            cls.receives = "guide_images"  # type: ignore[method-assign, assignment]
        if vars(cls).get("whole"):
            cls.batches_itself = True

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Adversarial images (batch, *shape) for images (batch, *shape) and labels (batch,).

        Labels are of any integer type. Where other images stand in their place, these are shaped
        like the images.

        Raises:
            ConfigError: the model, images or labels are nothing that can be attacked.
            NoGradientError: the attack needs a gradient, and the model has none.
        """
        with self.promised(model, images, labels) as (x, y):
            return self.perturb(model, x, y)

    def perturb(self, model: nn.Module, images: Tensor, labels: Any) -> Tensor:
        """The search: detached floating images, int64 labels; the model in evaluation mode."""
        raise NotImplementedError

    @contextmanager
    def promised(
        self, model: nn.Module, images: Tensor, labels: Tensor | None
    ) -> Iterator[tuple[Tensor, Any]]:
        """The images and labels as a search can use them; the model as it was afterward."""
        check_module(model)
        require_images(images, "images")
        x = within(images, self.clip)
        with untouched(model):
            x = x.clone() if x.is_inference() else x
            y, largest = self._checked(labels, x)
            asks_for_logits = self.receives in ("labels", "target_classes", "nothing")
            try:
                with checked_logits(model, x, largest, asks_for_logits):
                    yield x, y
            except AdvxError:
                raise
            except Exception as error:  # whatever a user's own forward raises
                if isinstance(error, RuntimeError):
                    explain(error, model, x)
                explain_single(error, model, x)
                refuse_failure(error, OWN.get(model), f"an attack with {counted(x)}")
                raise

    def _checked(self, given: Any, images: Tensor) -> tuple[Any, int]:
        """What stands beside the images, as a search can use it, and the largest label, or −1."""
        if self.receives == "nothing":
            return given, -1
        if self.receives in ("labels", "target_classes"):
            return checked_classes(given, images)
        return checked_images_like(given, images, self.receives), -1


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and autograd inside; mode, buffers and autocast as they were afterward."""
    buffers = [
        (module, name, buffer, buffer.detach().clone() if buffer.numel() <= BUFFER else None)
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    inference = torch.is_inference_mode_enabled()
    with torch.inference_mode(False) if inference else torch.enable_grad(), evaluating(model):
        try:
            yield
        finally:
            for module, name, buffer, copy in buffers:
                module._buffers[name] = buffer
                if copy is None or _same(buffer, copy):
                    continue
                if buffer.is_inference():
                    module._buffers[name] = copy
                else:
                    buffer.data.copy_(copy)
            if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
                torch.clear_autocast_cache()  # of weights cast where nothing wanted their gradient


def _same(buffer: Tensor, copy: Tensor) -> bool:
    return buffer.shape == copy.shape and torch.equal(buffer, copy)
