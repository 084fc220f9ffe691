"""A user's own attack, any `(model, images, labels) -> images`, with the promises of `Attack`.

It may work in place, leave the model in another mode, train it, or run a backward pass through it:
it is given copies, and the model is put back. What it returns must be images like those it got.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

import torch
from torch import Tensor, nn

from advx.attacks.base import Attack, Receives
from advx.errors import ConfigError

AnyAttack = Callable[..., Any]
"""From a model, images (batch, *shape) and labels (batch,) to adversarial images."""


def as_attack(attack: AnyAttack) -> Attack:
    """The attack itself where it is derived from `Attack`; else one around it (`OwnAttack`).

    Raises:
        ConfigError: its `receives` is none of `Receives`.
    """
    return attack if isinstance(attack, Attack) else OwnAttack(attack)


class OwnAttack(Attack):
    """The attack of a user, on copies of the images and on a model that is put back.

    Where it has attributes that the protocol has too, these are honored:

    - `receives`, by default "guide_images" where its `guided` is true, "target_classes" where its
      `targeted` is, and else "labels";
    - `batches_itself`, or `whole`: by default False;
    - `random`: by default True, as nobody can know.

    Args:
        attack: theirs.
    """

    receives: Receives = "labels"

    def __init__(self, attack: AnyAttack) -> None:
        self.attack = attack
        default: Receives = "target_classes" if getattr(attack, "targeted", False) else "labels"
        default = "guide_images" if getattr(attack, "guided", False) else default
        self.receives = getattr(attack, "receives", default)
        self.targeted = self.receives == "target_classes"
        self.batches_itself = bool(
            getattr(attack, "batches_itself", False) or getattr(attack, "whole", False)
        )
        self.random = bool(getattr(attack, "random", True))
        try:
            inspect.signature(attack).bind("model", "images", "labels")
        except TypeError as error:
            raise ConfigError(
                f"attack: {_name(self.attack)} cannot be called with a model, images and labels "
                f"({error}); valid: a function (model, images, labels), or a class of such"
            ) from error
        except ValueError:  # compiled, it has no signature to look at
            pass
        if self.receives not in get_args(Receives):
            raise ConfigError(
                f"attack: {_name(self.attack)} receives {self.receives!r}; "
                f"valid: {', '.join(get_args(Receives))}"
            )

    def __getattr__(self, name: str) -> Any:
        """Whatever else the user's attack has."""
        if name == "attack":  # not there yet: copied or unpickled
            raise AttributeError(name)
        return getattr(self.attack, name)

    def perturb(self, model: nn.Module, images: Tensor, labels: Any) -> Tensor:
        """What the user's attack makes of copies.

        Raises:
            ConfigError: no images like those that it was given.
        """
        given = labels.clone() if isinstance(labels, Tensor) else labels
        with put_back(model):
            made = self.attack(model, images.clone(), given)
        who = f"attack: {_name(self.attack)}"
        made = like_images(made, images, who)
        undefined = int((~made.isfinite()).flatten(1).any(1).sum())
        if undefined:
            raise ConfigError(
                f"{who} returns {undefined} of {len(made)} images with pixels that are no numbers; "
                f"{_wanted(images)}"
            )
        return made


def like_images(made: Any, images: Tensor, who: str) -> Tensor:
    """What an attack returned, detached, in the number format and on the device of the images.

    Args:
        made: what it returned.
        images: (batch, *shape), what it was given.
        who: the attack, for the message.

    Raises:
        ConfigError: no images of that shape.
    """
    if not isinstance(made, Tensor):
        raise ConfigError(f"{who} returns a {type(made).__name__}; {_wanted(images)}")
    if made.shape != images.shape or not made.is_floating_point():
        kind = str(made.dtype).removeprefix("torch.")
        raise ConfigError(f"{who} returns {kind} of {tuple(made.shape)}; {_wanted(images)}")
    return made.detach().to(images)


def _wanted(images: Tensor) -> str:
    return f"valid: a floating-point tensor of shape {tuple(images.shape)}, like the images"


def _name(attack: AnyAttack) -> str:
    name: str = getattr(attack, "__name__", type(attack).__name__)
    return name


@contextmanager
def put_back(model: nn.Module) -> Iterator[None]:
    """Parameters, their gradients and every module's mode, afterward as they were before."""
    modes = {module: module.training for module in model.modules()}
    before = [(p, p.detach().clone(), p.grad, p.requires_grad) for p in model.parameters()]
    for parameter, _, _, _ in before:
        parameter.grad = None  # a backward pass adds to what is there
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value, gradient, wanted in before:
                if not torch.equal(parameter, value):
                    parameter.copy_(value)
                parameter.grad = gradient
                parameter.requires_grad_(wanted)
        for module, mode in modes.items():
            module.training = mode
