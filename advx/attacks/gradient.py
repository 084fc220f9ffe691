"""The gradient of an objective with respect to the images, leaving the model as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from advx.attacks.objectives import Objective
from advx.errors import NoGradientError
from advx.models.base import is_differentiable


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, every submodule's own mode restored after."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def evaluated(
    model: nn.Module, images: Tensor, labels: Tensor, objective: Objective, *, gradient: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (batch, classes), objective (batch,) and its ∇ₓ, like images (batch, *shape).

    Parameters, their `.grad`, buffers, mode and the caller's tensors are left untouched. Without
    `gradient` the last of the three is empty.

    Raises:
        NoGradientError: the model's prediction has no gradient.
    """
    if gradient and not is_differentiable(model):
        raise NoGradientError(
            f"{type(model).__name__} has no gradient: craft on another model and transfer"
        )
    with evaluating(model), torch.set_grad_enabled(gradient):
        x = images.detach().clone().requires_grad_(gradient)
        logits = model(x)
        value = objective(logits, labels)
        if not gradient:
            return logits, value, x.new_empty(0)
        if not value.requires_grad:
            raise NoGradientError(
                f"{type(model).__name__}'s logits carry no gradient to the images"
            )
        (slope,) = torch.autograd.grad(value.sum(), x)
    return logits.detach(), value.detach(), slope


def input_gradient(
    model: nn.Module, images: Tensor, labels: Tensor, objective: Objective
) -> Tensor:
    """∇ₓ objective(model(x), y) for every example: images (batch, *shape) to the same shape.

    See `evaluated`.
    """
    return evaluated(model, images, labels, objective)[2]
