"""What every attack promises, in one place: `attack(model, images, labels) -> adversarial images`.

`Attack.__call__` looks at what it is given, and refuses in one line what no attack can use. It
leaves the model as it found it, whatever mode of PyTorch it is called under. The search itself is
the subclass's `perturb`. An attack made of others calls their `perturb`: each promise is paid for
once.

Any function `(model, images, labels) -> images` will do as an attack elsewhere in advx; these
promises are then its own affair.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.config.check import checked
from advx.errors import AdvxError, ConfigError, NoGradientError, reason
from advx.models.call import logits_in

Receives = Literal["labels", "guides", "originals", "nothing"]
"""What stands beside the images: a class for each, images to resemble, or to give back; nothing."""

ROUNDING = 8
"""Units in the last place by which an image may lie outside of its range."""

BUFFER = 2**24
"""Numbers in a buffer, above which it is not copied: a training set that the model holds."""


class Attack:
    """An attack whose promises are kept for it; a subclass searches, in `perturb`.

    A constructor's arguments are compared with its annotations, as on the command line.

    Attributes:
        clip: range of the adversarial images, and so of the images; None for none.
        targeted: whether labels are classes to be reached, not to be left.
        receives: what stands in the labels' place.
    """

    clip: Any = None
    targeted: Any = False
    receives: Receives = "labels"
    guided: ClassVar[bool] = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]

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
        """The images and labels as a search can use them; the model as it was afterwards."""
        _require_module(model)
        _require_images(images, "images")
        x = within(images, self.clip)
        with untouched(model):
            x = x.clone() if x.is_inference() else x
            y, largest = _beside(self.receives, labels, x)
            try:
                with _first_answer(model, x, largest, self.receives in ("labels", "nothing")):
                    yield x, y
            except AdvxError:
                raise
            except Exception as error:  # whatever a user's own forward raises
                if isinstance(error, RuntimeError):
                    _explain(error, model, x)
                _require_single(error, model, x)
                raise


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and autograd inside; mode, buffers and autocast as they were afterwards."""
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


def _require_module(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise ConfigError(
            f"model: a {type(model).__name__}; valid: a torch.nn.Module from images to logits"
        )


def _require_images(images: Any, name: str) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point() or images.dim() < 2:
        raise ConfigError(
            f"{name}: {_described(images)}; valid: a floating-point tensor (batch, *shape)"
        )


def _described(value: Any) -> str:
    """What a value is, in a few words: its type, and a tensor's number format and shape."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _beside(receives: Receives, given: Any, images: Tensor) -> tuple[Any, int]:
    """What stands beside the images, as a search can use it, and the largest label."""
    if receives == "nothing":
        return given, -1
    if receives == "labels":
        return _classes(given, images)
    _require_images(given, receives)
    if given.shape != images.shape or given.device != images.device:
        raise ConfigError(
            f"{receives}: {_described(given)} on {given.device}; valid: shaped like the images, "
            f"{tuple(images.shape)}, on {images.device}"
        )
    given = given.detach()
    return (given.clone() if given.is_inference() else given), -1


def _classes(labels: Any, images: Tensor) -> tuple[Tensor, int]:
    """Labels as int64, and the largest of them, −1 where there is none."""
    whole = isinstance(labels, Tensor) and not (
        labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool
    )
    if not whole or labels.shape != images.shape[:1]:
        raise ConfigError(
            f"labels: {_described(labels)}; valid: one class for each image, as a tensor of "
            f"integers of shape ({len(images)},)"
        )
    if labels.device != images.device:
        raise ConfigError(f"labels: on {labels.device}; valid: where the images are, "
                          f"{images.device}")  # fmt: skip
    classes = labels.detach().to(torch.int64)
    classes = classes.clone() if classes.is_inference() else classes
    if classes.numel() == 0:
        return classes, -1
    least, largest = (int(bound) for bound in classes.aminmax())
    if least < 0:
        raise ConfigError(f"labels: {least} among them; valid: classes, counted from 0")
    return classes, largest


@contextmanager
def _first_answer(model: nn.Module, images: Tensor, largest: int, look: bool) -> Iterator[None]:
    """Look at the model's first answer inside: are these logits, and of the labels' classes?

    A model compiled by torch.jit takes no hook; it is asked about one image before.
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


def _require_single(error: Exception, model: nn.Module, images: Tensor) -> None:
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


def _explain(error: RuntimeError, model: nn.Module, images: Tensor) -> None:
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
