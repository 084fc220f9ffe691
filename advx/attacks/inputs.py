"""What an attack accepts: the checks of its model, images and labels, each with one clear line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from advx.errors import ConfigError, NoGradientError, reason
from advx.models.call import logits_in
from advx.notes import Note, collecting, note

ROUNDING = 8
"""Units in the last place by which an image may lie outside of its range."""


def within(images: Tensor, clip: tuple[float, float] | None) -> Tensor:
    """Images in a range, detached; what rounding put outside is put on its end.

    Images farther outside are refused: clipping alone would move them.

    Raises:
        ConfigError: they are, or hold a NaN or an infinity.
    """
    images = images.detach()
    if images.numel() == 0:
        return images
    low, high = (bound.item() for bound in images.aminmax())
    if not (-float("inf") < low <= high < float("inf")):
        raise ConfigError("images: some pixels are NaN or infinite; valid: finite numbers")
    if clip is None or clip[0] <= low <= high <= clip[1]:
        return images
    unit = max(torch.finfo(images.dtype).eps, torch.finfo(torch.float32).eps)
    slack = ROUNDING * unit * max(1.0, abs(clip[0]), abs(clip[1]))
    if low < clip[0] - slack or high > clip[1] + slack:
        raise ConfigError(
            f"images: pixels from {low:.4g} to {high:.4g}, outside of clip="
            f"[{clip[0]:g}, {clip[1]:g}]; valid: images within it, the range that they have, or "
            "none"
        )
    return images.clamp(*clip)


def check_module(model: Any) -> None:
    """Raises ConfigError where the model is no module."""
    if not isinstance(model, nn.Module):
        raise ConfigError(
            f"model: a {type(model).__name__}; valid: a torch.nn.Module from images to logits"
        )


def require_images(images: Any, name: str) -> None:
    """Raises ConfigError where the images, called `name`, are no floating-point batch."""
    batch = isinstance(images, Tensor) and images.is_floating_point() and images.dim() > 1
    if not batch or images.layout is not torch.strided:
        raise ConfigError(
            f"{name}: {_described(images)}; valid: a dense floating-point tensor (batch, *shape)"
        )


def _described(value: Any) -> str:
    """What a value is, in a few words: its type, and a tensor's layout, number format and shape."""
    if isinstance(value, Tensor):
        layout = "" if value.layout is torch.strided else f"{value.layout} "
        words = f"{layout}{value.dtype} of shape {tuple(value.shape)}"
        return words.replace("torch.", "")
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def checked_images_like(given: Any, images: Tensor, name: str) -> Tensor:
    """Other images that stand in the labels' place, detached.

    Args:
        given: what was given.
        images: (batch, *shape), what it must be shaped like.
        name: what it is called, for the message.

    Raises:
        ConfigError: it is nothing like the images.
    """
    require_images(given, name)
    if given.shape != images.shape or given.device != images.device:
        raise ConfigError(
            f"{name}: {_described(given)} on {given.device}; valid: shaped like the images, "
            f"{tuple(images.shape)}, on {images.device}"
        )
    given = given.detach()
    return given.clone() if given.is_inference() else given


def checked_classes(labels: Any, images: Tensor) -> tuple[Tensor, int]:
    """Labels (batch,) as int64, and the largest of them, −1 where there is none.

    Raises:
        ConfigError: they are not one class for each image.
    """
    whole = isinstance(labels, Tensor) and not (
        labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool
    )
    dense = whole and labels.layout is torch.strided
    if not dense or labels.shape != images.shape[:1]:
        raise ConfigError(
            f"labels: {_described(labels)}; valid: one class for each image, as a tensor of "
            f"integers of shape ({len(images)},)"
        )
    if labels.device != images.device:
        raise ConfigError(
            f"labels: on {labels.device}; valid: where the images are, {images.device}"
        )
    classes = labels.detach().to(torch.int64)
    classes = classes.clone() if classes.is_inference() else classes
    if classes.numel() == 0:
        return classes, -1
    least, largest = (int(bound) for bound in classes.aminmax())
    if least < 0:
        raise ConfigError(f"labels: {least} among them; valid: classes, counted from 0")
    return classes, largest


@contextmanager
def checked_logits(model: nn.Module, images: Tensor, largest: int, look: bool) -> Iterator[None]:
    """Look at the model's first answer inside: are these logits, and of the labels' classes?

    A model compiled by torch.jit takes no hook; it is asked about one image before.

    Args:
        model: maps images to logits.
        images: (batch, *shape).
        largest: the largest label, −1 for none.
        look: otherwise nothing is done, as the answers need not be logits.

    Raises:
        ConfigError: they are no logits, or a label is none of the classes.
    """

    def check(module: nn.Module, given: tuple[Any, ...], answer: Any) -> None:
        scores = logits_in(answer, model)
        name, wanted = type(model).__name__, "needed: logits (batch, classes)"
        count = len(given[0]) if given and isinstance(given[0], Tensor) else None
        if scores.dim() != 2 or count not in (None, len(scores)):
            raise ConfigError(f"{name} returns {_described(scores)} for {count} images; {wanted}")
        classes = scores.shape[1]
        if classes < 2:
            raise ConfigError(
                f"{name} returns {classes} logit for each image; {wanted}, 2 or more of them: for "
                "one logit z, torch.cat([torch.zeros_like(z), z], 1) is the same classifier"
            )
        if largest >= classes:
            raise ConfigError(
                f"labels: {largest} among them, but {name} has {classes} classes; "
                f"valid: 0 to {classes - 1}"
            )
        undefined = int(scores.isnan().any(1).sum())
        if undefined and not collecting():  # a run counts them where it classifies
            note(Note(name, undefined, len(scores)))

    if not look:
        yield
        return
    if isinstance(model, torch.jit.ScriptModule):
        one = images[:1].clone()
        if len(one):
            with torch.no_grad():
                check(model, (one,), model(one.clone()))
        yield
        return

    def hook(module: nn.Module, given: tuple[Any, ...], answer: Any) -> None:
        handle.remove()
        check(module, given, answer)

    handle = model.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def explain_single(error: Exception, model: nn.Module, images: Tensor) -> None:
    """Say in one line that the model failed for want of a second image, where that is why.

    Raises:
        ConfigError: it answers to several images, and not to one.
    """
    several = images if len(images) > 1 else torch.cat([images, images])
    with torch.no_grad():
        try:
            model(several.clone())
        except Exception:  # it fails anyway, so that the number of images is not why
            return
        try:
            model(several[:1].clone())
        except Exception as alone:
            raise ConfigError(
                f"{type(model).__name__} cannot classify a single image ({reason(alone)}); needed: "
                "a model that in evaluation mode takes batches of any size"
            ) from error


def explain(error: RuntimeError, model: nn.Module, images: Tensor) -> None:
    """Say in one line what is wrong with the model, where that is why.

    Raises:
        ConfigError: its parameters cannot be used with these images, or at all.
        NoGradientError: it does what has no derivative.
    """
    text = str(error)
    if isinstance(error, NotImplementedError) and ("derivative" in text or "backward" in text):
        raise NoGradientError(
            f"{type(model).__name__} has no gradient ({reason(error)}): craft on another model and "
            "transfer"
        ) from error
    if any(p.is_inference() for p in model.parameters()):
        raise ConfigError(
            f"model: the parameters of {type(model).__name__} were made under torch.inference_mode "
            f"({reason(error)}); valid: a model made outside of it"
        ) from error
    kinds = {p.dtype for p in model.parameters() if p.is_floating_point()}
    if len(kinds) == 1 and images.dtype not in kinds:
        kind = str(kinds.pop()).removeprefix("torch.")
        raise ConfigError(
            f"images: {str(images.dtype).removeprefix('torch.')}, but the parameters of "
            f"{type(model).__name__} are {kind} ({reason(error)}); valid: images.to(torch.{kind})"
        ) from error
