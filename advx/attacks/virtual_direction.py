"""The virtual adversarial direction (Miyato et al. 2015): no label is needed.

D(r) = KL(p(x) ‖ p(x + r)) vanishes at r = 0 together with its gradient, so its steepest direction
is the dominant eigenvector of its Hessian. That Hessian is exactly

    H = Jᵀ (diag(p) − p pᵀ) J,    J = ∂ logits / ∂x,

since the term with the logits' own second derivative is multiplied by ∂D/∂logits = 0. One step of
the power iteration, d ← H d / ‖H d‖, is therefore one derivative along d (`tangent`) and one
gradient: nothing is differenced, and no step size ξ has to be chosen.

At a finite ξ the same step is d ← ∇ᵣ D(r) at r = ξ d, which for ξ → 0 is the one above. A large one
looks where the prediction has changed already, and not at the example: a different direction.
"""

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.gradient import evaluating, require_gradient, require_slope
from advx.attacks.tangent import with_tangent
from advx.models.call import logits_of
from advx.types import NormName


def hessian_product(model: nn.Module, images: Tensor, direction: Tensor) -> Tensor:
    """H d of every example: images and directions (batch, *shape) to the same shape.

    The model is differentiated in the mode it is in. Where the logits' derivatives are very small
    or very large, H d would leave the number format: it is then multiplied by a power of two.

    Raises:
        NoGradientError: the logits carry no gradient to the images.
    """
    with torch.enable_grad():
        x = images.detach().clone().requires_grad_(True)
        logits, moved = with_tangent(model, x, direction)
        require_slope(model, logits)
        p = logits.detach().softmax(1)
        cotangent = p * (moved - (p * moved).sum(1, keepdim=True))
        certain = (cotangent == 0).all(1)
        if norms.may_hold(certain):
            theirs = _of_the_certain(logits.detach(), moved)
            cotangent = torch.where(certain[:, None], theirs, cotangent)
        (product,) = torch.autograd.grad(logits, x, norms.ordinary(cotangent)[0])
    return product.detach()


def _of_the_certain(logits: Tensor, moved: Tensor) -> Tensor:
    """The direction of (diag(p) − p pᵀ) m where 1 − p rounds to 0: divided by 1 − p of the largest.

    Args:
        logits: (m, classes).
        moved: m, their derivatives along a direction, likewise.
    """
    top = logits.argmax(1, keepdim=True)
    others = logits.scatter(1, top, -torch.inf).softmax(1)
    away = others * (moved - moved.gather(1, top))
    return away.scatter(1, top, -away.sum(1, keepdim=True))


def divergence_gradient(model: nn.Module, images: Tensor, moved: Tensor) -> Tensor:
    """∇ᵣ KL(p(x) ‖ p(x + r)) at x + r = moved: images and moved (batch, *shape) to the same shape.

    The model is differentiated in the mode it is in.
    """
    with torch.no_grad():
        here = logits_of(model, images)
    with torch.enable_grad():
        x = moved.detach().clone().requires_grad_(True)
        there = logits_of(model, x)
        require_slope(model, there)
        (slope,) = torch.autograd.grad(divergence(here, there).sum(), x)
    return slope


def virtual_adversarial_direction(
    model: nn.Module,
    images: Tensor,
    start: Tensor,
    iterations: int,
    norm: NormName = "l2",
    xi: float | None = None,
) -> Tensor:
    """The direction of unit `norm` in which the prediction changes fastest, (batch, *shape).

    Args:
        model: maps images to logits; crafted on in evaluation mode, left as it was.
        images: (batch, *shape).
        start: first directions, shaped like images; their length does not matter.
        iterations: steps of the power iteration.
        norm: in the max norm each step is d ← sign(H d), which never lowers dᵀ H d either.
        xi: the distance from the images, in `norm`, at which the divergence is differentiated; None
            for the limit of none, the Hessian at the images themselves.

    An example whose H d vanishes keeps its last direction; that does not touch the others.
    """
    direction = norms.steepest(start, norm)
    require_gradient(model)
    with evaluating(model):
        for _ in range(iterations):
            if xi is None:
                product = hessian_product(model, images, direction)
            else:
                product = divergence_gradient(model, images, images + xi * direction)
            steepest = norms.steepest(product, norm)
            gone = norms.vanished(steepest).view(-1, *[1] * (images.dim() - 1))  # (batch, 1, …)
            direction = torch.where(gone, direction, steepest)
    return direction


def divergence(logits: Tensor, other: Tensor) -> Tensor:
    """KL(p ‖ q) of each example from the logits (batch, classes) of p and q, (batch,)."""
    log_p, log_q = logits.log_softmax(1), other.log_softmax(1)
    change = (log_p - log_q).masked_fill(log_p == -torch.inf, 0)  # 0 · log 0 is 0
    return (log_p.exp() * change).sum(1)
