"""The gradient of an objective with respect to the images, leaving the model as it was found."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from advx.attacks.objectives import Objective
from advx.errors import ConfigError, NoGradientError
from advx.models.base import is_differentiable
from advx.models.call import OWN, logits_of
from advx.models.layers import Dropout

DROPOUT = (Dropout, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
"""Layers that drop components at random in training mode."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, every submodule's own mode restored after.

    A module with a `train` of its own is put back through it; what that and its `eval` change
    besides has its value again. One that torch.jit froze or torch.export wrote has no mode.
    """
    modes = {module: getattr(module, "training", False) for module in model.modules()}
    if not any(modes.values()):
        yield
        return
    own = not all(_plain(module) for module in modes)
    before = _settings(modes) if own else {}
    switched: set[tuple[nn.Module, str]] = set()
    try:
        try:
            model.eval()
        except NotImplementedError:  # a part of torch.export's refuses; the others are switched
            for module in modes:
                module.training = False
        if own:
            switched |= _differing(before, _settings(modes))
        yield
    finally:
        if own:
            inside = _settings(modes)
            _put_back(model, modes)
            switched |= _differing(inside, _settings(modes))
        for module, mode in modes.items():
            if hasattr(module, "training"):
                module.training = mode
        for module, name in switched & before.keys():
            setattr(module, name, before[module, name])


def has_dropout(model: nn.Module) -> bool:
    """Whether the model has a layer that drops components; a function that it calls is not seen."""
    return any(isinstance(module, DROPOUT) for module in model.modules())


@contextmanager
def dropping(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside but for dropout, which is on as in training; the modes restored after.

    What is drawn comes from PyTorch's generator, for the whole batch at once.
    """
    with evaluating(model):
        layers = [module for module in model.modules() if isinstance(module, DROPOUT)]
        for layer in layers:
            layer.training = True
        try:
            yield
        finally:
            for layer in layers:
                layer.training = False


def _plain(module: nn.Module) -> bool:
    """Whether training and evaluation mode differ in nothing but `training`."""
    return (
        getattr(module.train, "__func__", None) is nn.Module.train
        and getattr(module.eval, "__func__", None) is nn.Module.eval
    )


Settings = dict[tuple[nn.Module, str], Any]
"""The value of each module's plain attributes, besides `training`."""


def _settings(modules: Iterable[nn.Module]) -> Settings:
    kinds = (bool, int, float, str, type(None))
    return {
        (module, name): value
        for module in modules
        for name, value in vars(module).items()
        if name != "training" and isinstance(value, kinds)
    }


def _differing(one: Settings, other: Settings) -> set[tuple[nn.Module, str]]:
    return {which for which, value in other.items() if one.get(which, value) is not value}


def _put_back(model: nn.Module, modes: dict[nn.Module, bool]) -> None:
    """Call `train` as a user would who wants these modes, the whole before its parts."""
    for module, mode in modes.items():
        if module is model or getattr(module, "training", mode) != mode:
            with suppress(NotImplementedError):
                module.train(mode)


def evaluated(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    objective: Objective,
    *,
    gradient: bool = True,
    dropout: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (batch, classes), objective (batch,) and its ∇ₓ, like images (batch, *shape).

    Parameters, their `.grad`, buffers, mode and the caller's tensors are left untouched. Without
    `gradient` the last of the three is empty. With `dropout` the model's dropout is on.

    Raises:
        NoGradientError: the model's prediction has no gradient.
    """
    mode = dropping if dropout else evaluating
    if not gradient:
        with mode(model), torch.no_grad():
            logits = logits_of(model, images.detach())
            return logits, objective(logits, labels), images.new_empty(0)
    x, logits = _traced(model, images, mode)
    with torch.enable_grad():
        value = objective(logits, labels)
        (slope,) = torch.autograd.grad(value.sum(), x)
    return logits.detach(), value.detach(), slope


def linearized(model: nn.Module, images: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Logits (batch, classes), and what turns weights of them into their sum's input gradient.

    The second maps weights (batch, classes) to ∇ₓ Σₖ weightₖ zₖ, like images (batch, *shape), any
    number of times for the one forward pass. The model is left as it was.

    Raises:
        NoGradientError: the model's prediction has no gradient.
    """
    x, logits = _traced(model, images)

    def gradient(weights: Tensor) -> Tensor:
        return torch.autograd.grad(logits, x, weights, retain_graph=True)[0]

    return logits.detach(), gradient


def hidden(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """The output of a submodule for images (batch, *shape), (batch, *any), in evaluation mode.

    As the layer gave it, whatever changes it in place afterward; in float32 or float64.

    Raises:
        ConfigError: there is no such submodule, it cannot be looked into, or its output is no
            tensor.
    """
    layers = dict(model.named_modules())
    if layer not in layers or not layer:
        names = ", ".join(filter(None, layers))
        raise ConfigError(
            f"attack.layer={layer}: {type(model).__name__} has no such layer; valid: {names}"
        )
    seen: list[Any] = []

    def note(module: nn.Module, given: Any, output: Any) -> None:
        seen.append(output.clone() if isinstance(output, Tensor) else output)

    opaque = ConfigError(
        f"attack.layer={layer}: compiled by torch.jit, and cannot be looked into; valid: the model "
        "as it is before that"
    )
    compiled = isinstance(layers[layer], torch.jit.ScriptModule)
    try:
        handle = layers[layer].register_forward_hook(note)
    except RuntimeError as error:
        raise (opaque if compiled else error) from error
    try:
        with evaluating(model):
            model(images.clone())
    finally:
        handle.remove()
    if compiled and not seen:
        raise opaque
    if not seen or not isinstance(seen[-1], Tensor):
        raise ConfigError(f"attack.layer={layer}: a layer whose output is a tensor is needed")
    return seen[-1].to(torch.promote_types(seen[-1].dtype, torch.float32))


def require_gradient(model: nn.Module) -> None:
    """Refuse a model whose prediction has no gradient.

    Raises:
        NoGradientError: it has none, and what to do.
    """
    if not is_differentiable(model):
        raise NoGradientError(
            f"{type(model).__name__} has no gradient: craft on another model and transfer"
        )


def require_slope(model: nn.Module, logits: Tensor) -> None:
    """Refuse logits that do not depend on the images as far as autograd knows.

    Raises:
        NoGradientError: they do not.
    """
    if not logits.requires_grad:
        name = OWN.get(model, type(model).__name__)
        raise NoGradientError(
            f"{name}: its logits carry no gradient to the images; needed: a forward pass that "
            "autograd can follow, without detach, whole numbers or torch.no_grad"
        )


def _traced(
    model: nn.Module,
    images: Tensor,
    mode: Callable[[nn.Module], AbstractContextManager[None]] = evaluating,
) -> tuple[Tensor, Tensor]:
    """The images as a leaf, and the logits that depend on it, in evaluation mode or another."""
    require_gradient(model)
    with mode(model), torch.enable_grad():
        x = images.detach()  # the same memory: `logits_of` gives the model a copy
        x = (x.clone() if x.is_inference() else x).requires_grad_(True)
        logits = logits_of(model, x)
    require_slope(model, logits)
    return x, logits


def input_gradient(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    objective: Objective,
    *,
    dropout: bool = False,
) -> Tensor:
    """∇ₓ objective(model(x), y) for every example: images (batch, *shape) to the same shape.

    See `evaluated`.
    """
    return evaluated(model, images, labels, objective, dropout=dropout)[2]
