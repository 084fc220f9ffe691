"""How the attacks of foolbox, torchattacks and adv-lib are named, made and called.

- foolbox: an object made with its settings, called with a wrapped model, images, a criterion and
  the radius;
- torchattacks: an object made with the model and its settings, the radius among them, called with
  images in [0, 1] and labels;
- adv-lib: a function of the model, images in [0, 1], labels and its settings.

A radius, a norm, the number of classes and a seed are given to whatever takes them.
"""

import difflib
import importlib
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from advx.errors import ConfigError, nearest, reason
from advx.types import DistanceName, Interval

CLASSES = ("n_classes", "num_classes")
"""What an argument is called that is the number of classes."""

SEED = 0
"""For attacks with a seed of their own, some of which else take the time of day."""


@dataclass(frozen=True)
class Request:
    """What is asked of a library.

    Attributes:
        call: `PACKAGE.MODULE:NAME`.
        arguments: of the class or function.
        epsilon: radius of the ball; None for the smallest perturbation.
        norm: of the ball.
        clip: range of the images.
        targeted: labels are classes to be reached.
    """

    call: str
    arguments: Mapping[str, Any]
    epsilon: float | None
    norm: DistanceName | None
    clip: Interval
    targeted: bool


class Library(ABC):
    """One library's attack, as it is asked for.

    Args:
        request: what is asked of it.

    Raises:
        ConfigError: the attack does not take these arguments, or this range of images.
    """

    distribution: ClassVar[str]
    """What pip installs."""

    kind: ClassVar[str]
    """What its attacks are, in words."""

    leading: ClassVar[int] = 0
    """Parameters, from the first, that are not the user's: the model, say."""

    norms: ClassVar[Mapping[DistanceName, Any]] = {}
    """What an argument `norm` is called."""

    any_range: ClassVar[bool] = False
    """Whether images may have another range than [0, 1]."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.attack = _named(request.call)
        parameters = list(inspect.signature(self.attack).parameters.values())[self.leading :]
        others = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        self.parameters = {p.name: p for p in parameters if p.kind not in others}
        self.open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self._check_arguments()
        if not self.any_range and request.clip != (0, 1):
            raise ConfigError(
                f"attack.clip={list(request.clip)}: {self.distribution} keeps images in [0, 1]; "
                "valid: [0, 1]"
            )

    @classmethod
    @abstractmethod
    def has(cls, found: Any) -> bool:
        """Whether this is an attack of the library."""

    @abstractmethod
    def search(self, model: nn.Module, images: Tensor, labels: Tensor) -> Any:
        """What it returns for images (batch, *shape) and labels (batch,); it may change both."""

    def radius(self) -> str | None:
        """Name of the parameter that is the radius of the ball."""
        return None

    def keywords(self, classes: int) -> dict[str, Any]:
        """The arguments, and those that follow from the other keys."""
        request, radius = self.request, self.radius()
        implied: dict[str, Any] = {"seed": SEED, "targeted": request.targeted}
        implied |= dict.fromkeys(CLASSES, classes)
        if request.norm is not None and request.norm in self.norms:
            implied["norm"] = self.norms[request.norm]
        if radius and request.epsilon is not None:
            implied[radius] = request.epsilon
        return {k: v for k, v in implied.items() if k in self.parameters} | dict(request.arguments)

    def _check_arguments(self) -> None:
        request, radius = self.request, self.radius()
        for name, value in request.arguments.items():
            where = f"attack.arguments.{name}={value}"
            if name not in self.parameters and not self.open_ended:
                raise ConfigError(
                    f"{where}: no such argument of {request.call}; {nearest(name, self.parameters)}"
                )
            if (name == radius and request.epsilon is not None) or name == "targeted":
                key = "epsilon" if name == radius else "targeted"
                raise ConfigError(f"{where}: valid: attack.{key}={value}, which is passed on")
        given = self.keywords(classes=0)
        default = self.parameters[radius].default if radius else None
        if radius not in given and isinstance(default, int | float):  # epsilon=null
            raise ConfigError(
                f"attack.epsilon=null: {request.call} has a radius, {radius}, by default "
                f"{default:.4g}; valid: attack.epsilon=RADIUS, or attack.arguments={{{radius}: "
                "RADIUS}"
            )
        for name, parameter in self.parameters.items():
            if parameter.default is parameter.empty and name not in given:
                raise ConfigError(
                    f"attack.arguments.{name}: not given, and {request.call} has no default for it"
                )


class Foolbox(Library):
    """foolbox's attacks: objects that are called with a wrapped model and a criterion."""

    distribution = "foolbox"
    kind = "a class derived from foolbox.attacks.base.Attack"
    any_range = True

    @classmethod
    def has(cls, found: Any) -> bool:
        from foolbox.attacks.base import Attack

        return (
            inspect.isclass(found) and issubclass(found, Attack) and not inspect.isabstract(found)
        )

    def search(self, model: nn.Module, images: Tensor, labels: Tensor) -> Any:
        request = self.request
        attack = self.attack(**self.keywords(classes=0))
        return foolbox_images(
            attack, model, images, labels, request.epsilon, request.clip, request.targeted
        )


def foolbox_images(
    attack: Any,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float | None,
    clip: Interval = (0.0, 1.0),
    targeted: bool = False,
) -> Any:
    """What an attack of foolbox's makes of images, clipped to the ball where `epsilon` is given."""
    from foolbox import PyTorchModel
    from foolbox.criteria import Misclassification, TargetedMisclassification

    bounds = tuple(images.new_tensor(clip).tolist())  # in the images' number format, as they are
    wrapped = PyTorchModel(model, bounds=bounds, device=images.device)
    criterion = (TargetedMisclassification if targeted else Misclassification)(labels)
    _, clipped, _ = attack(wrapped, images, criterion, epsilons=epsilon)
    return clipped


class Torchattacks(Library):
    """torchattacks' attacks: objects that are made with the model."""

    distribution = "torchattacks"
    kind = "a class derived from torchattacks.attack.Attack"
    leading = 1
    norms: ClassVar[Mapping[DistanceName, Any]] = {"linf": "Linf", "l2": "L2", "l1": "L1"}

    @classmethod
    def has(cls, found: Any) -> bool:
        from torchattacks.attack import Attack

        return inspect.isclass(found) and issubclass(found, Attack) and found is not Attack

    def radius(self) -> str | None:
        return next((name for name in ("eps", "max_epsilon") if name in self.parameters), None)

    def search(self, model: nn.Module, images: Tensor, labels: Tensor) -> Any:
        attack = self.attack(model, **self.keywords(_classes(model, images)))
        attack.set_device(images.device)
        if self.request.targeted:
            attack.set_mode_targeted_by_label(quiet=True)
        return attack(images, labels)


class AdvLib(Library):
    """adv-lib's attacks: functions."""

    distribution = "adv-lib"
    kind = "a function (model, inputs, labels, …)"
    leading = 3
    norms: ClassVar[Mapping[DistanceName, Any]] = {"linf": torch.inf, "l2": 2, "l1": 1}

    @classmethod
    def has(cls, found: Any) -> bool:
        return inspect.isfunction(found) and [*inspect.signature(found).parameters][:1] == ["model"]

    def radius(self) -> str | None:
        """`ε`, or an `eps` that must be given; `tr` has another one."""
        eps = self.parameters.get("eps")
        required = eps is not None and eps.default is eps.empty
        return "ε" if "ε" in self.parameters else "eps" if required else None

    def search(self, model: nn.Module, images: Tensor, labels: Tensor) -> Any:
        keywords = self.keywords(_classes(model, images))
        return self.attack(model, images, labels, **keywords)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self.request.targeted and "targeted" not in self.parameters:
            raise ConfigError(
                f"attack.targeted=true: {self.request.call} has no target classes; valid: false"
            )


LIBRARIES: dict[str, type[Library]] = {
    "foolbox": Foolbox,
    "torchattacks": Torchattacks,
    "adv_lib": AdvLib,
}
"""The libraries that advx can call, by the package that is imported."""


def library_of(call: str) -> type[Library]:
    """The library that `PACKAGE.MODULE:NAME` belongs to."""
    return LIBRARIES[re.split("[.:]", call)[0]]


def _callable(call: str) -> str:
    """`PACKAGE.MODULE:NAME`, once it is known to be an attack.

    Raises:
        ValueError: it is none, and why.
    """
    if not re.fullmatch(rf"({'|'.join(LIBRARIES)})(\.\w+)*:\w+", call):
        raise ValueError(
            "no attack of a library that advx knows; valid: PACKAGE.MODULE:NAME with one of "
            f"{', '.join(LIBRARIES)}, e.g. foolbox.attacks:LinfPGD"
        )
    library, (module, _, name) = library_of(call), call.partition(":")
    try:
        found = vars(importlib.import_module(module))
        known = [key for key, value in found.items() if library.has(value)]
    except Exception as error:  # whatever a package raises that does not fit the others
        raise ValueError(
            f"{module} cannot be imported ({reason(error)}); valid: a module of what "
            f"`pip install {library.distribution}` installs"
        ) from error
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"no attack of {module}; {guess}valid: {library.kind}")
    return call


AttackName = Annotated[str, AfterValidator(_callable)]
"""An attack of a library, `PACKAGE.MODULE:NAME`."""


def _named(call: str) -> Any:
    module, _, name = call.partition(":")
    return getattr(importlib.import_module(module), name)


@torch.no_grad()
def _classes(model: nn.Module, images: Tensor) -> int:
    return int(model(images[:1]).shape[1])
