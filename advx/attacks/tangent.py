"""The logits' derivative along a direction, J d with J = ∂ logits / ∂x, of any network.

Forward-mode differentiation gives it in one pass. Some of PyTorch's layers, and most autograd
functions of one's own, have no such derivative. For them Jᵀ v, which is linear in v, is
differentiated with respect to v along d: two passes backward, as exact. A layer whose backward
pass cannot be differentiated either has its J built class by class, as many passes as there are
classes.
"""

import warnings

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from advx.attacks.gradient import require_slope
from advx.errors import ConfigError
from advx.models.call import logits_of


def with_tangent(model: nn.Module, images: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Logits z that depend on the images, and J d: (batch, classes) both.

    The model is differentiated in the mode it is in; autograd must be on.

    Args:
        model: maps images to logits.
        images: (batch, *shape), requiring a gradient.
        direction: like images.

    Raises:
        NoGradientError: the logits do not depend on the images.
    """
    try:
        with forward_ad.dual_level(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's about its own use of torch.jit
            dual = logits_of(model, forward_ad.make_dual(images, direction))
            logits, moved = forward_ad.unpack_dual(dual)
            if moved is not None:
                return logits, moved.detach()
    except (RuntimeError, ConfigError) as error:  # a layer without such a derivative
        if isinstance(error, ConfigError) and not isinstance(error.__cause__, RuntimeError):
            raise
    return _backward(model, images, direction)


def _backward(model: nn.Module, images: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """The same by passes backward."""
    logits = logits_of(model, images)
    require_slope(model, logits)
    v = torch.zeros_like(logits, requires_grad=True)
    try:
        (slope,) = torch.autograd.grad(logits, images, v, create_graph=True)
        (moved,) = torch.autograd.grad(slope, v, direction)
    except RuntimeError:  # a backward pass that cannot be differentiated
        slopes = (
            torch.autograd.grad(z.sum(), images, retain_graph=True)[0] for z in logits.unbind(1)
        )
        moved = torch.stack([(g * direction).flatten(1).sum(1) for g in slopes], 1).to(logits)
    return logits, moved
