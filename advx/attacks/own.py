"""A user's own attack, any `(model, images, labels) -> images`, with the promises of `Attack`.

It may work in place, leave the model in another mode, train it, or run a backward pass through it:
it is given copies, and the model is put back. What it returns must be images like those it got.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.errors import ConfigError


class OwnAttack(Attack):
    """The attack of a user, on copies of the images and on a model that is put back.

    Args:
        attack: theirs; `targeted`, `guided` and `whole` are honored where it has them.
    """

    def __init__(self, attack: Callable[..., Any]) -> None:
        self.attack = attack
        self.targeted = bool(getattr(attack, "targeted", False))
        self.guided = bool(getattr(attack, "guided", False))  # type: ignore[misc]
        self.whole = bool(getattr(attack, "whole", False))
        self.receives = "guides" if self.guided else "labels"

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
            found = self.attack(model, images.clone(), given)
        name = getattr(self.attack, "__name__", type(self.attack).__name__)
        wanted = f"valid: a floating-point tensor of shape {tuple(images.shape)}, like the images"
        if not isinstance(found, Tensor):
            raise ConfigError(f"attack: {name} returns a {type(found).__name__}; {wanted}")
        if found.shape != images.shape or not found.is_floating_point():
            kind = str(found.dtype).removeprefix("torch.")
            raise ConfigError(f"attack: {name} returns {kind} of {tuple(found.shape)}; {wanted}")
        undefined = int((~found.isfinite()).flatten(1).any(1).sum())
        if undefined:
            raise ConfigError(
                f"attack: {name} returns {undefined} of {len(found)} images with pixels that are "
                f"no numbers; {wanted}"
            )
        return found.detach().to(images)


def guarded(attack: Callable[..., Any]) -> Attack:
    """The attack itself where it is one of advx's, which keeps the promises; else around it."""
    return attack if isinstance(attack, Attack) else OwnAttack(attack)


@contextmanager
def put_back(model: nn.Module) -> Iterator[None]:
    """Parameters, their gradients and every module's mode, afterwards as they were before."""
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
