"""What a model of a user's own does on a few images, before anything is measured with it.

Rates rest on three habits that no signature shows: the same answer to the same image, an answer
that does not depend on the other images of the batch, and logits rather than probabilities.
"""

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.errors import ConfigError, NoGradientError, reason
from advx.models.call import REPEATED, logits_in, logits_of

REGROUPED = 1e-2
"""The same where the images stand in another batch, for which other kernels may be chosen."""

SUM = 1e-3
"""How far from 1 the sum of an image's probabilities may lie."""


@torch.no_grad()
def habits(model: nn.Module, images: Tensor, name: str) -> dict[str, str]:
    """What a reader of the model's numbers must know: a line for each kind of habit.

    Args:
        model: the classifier; its mode and the caller's random numbers are left as they are.
        images: (n, *shape), a few.
        name: what messages call it.

    Raises:
        ConfigError: it answers with probabilities, or fails on a single image.
    """
    cuda = [images.device] if images.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), evaluating(model):
        raw = logits_in(model(images.clone()), model)
        first, again = (
            raw.to(torch.promote_types(raw.dtype, torch.float32)),
            logits_of(model, images),
        )
        some = max(1, len(images) // 3)
        parts = [x for x in (images[:some], images[some:]) if len(x)]  # of one image, one part
        apart = torch.cat([logits_of(model, x) for x in parts])
        try:
            logits_of(model, images[:1])
        except Exception as error:  # whatever a user's own forward raises
            raise ConfigError(
                f"{name}: cannot classify a single image ({reason(error)}); needed: a model that "
                "in evaluation mode takes batches of any size"
            ) from error
    coarse = torch.finfo(raw.dtype).eps if raw.dtype.is_floating_point else 0.0
    refuse_probabilities(first, name, max(SUM, 8 * coarse))
    remarks = {}
    size = max(first.nan_to_num(0.0).abs().max().item(), torch.finfo(torch.float32).tiny)
    between, beside = (
        (first - other).nan_to_num(0.0).abs().max().item() for other in (again, apart)
    )
    if between > REPEATED * size:
        remarks["random"] = (
            f"{name}: its answers differ between two calls on the same images, by up to "
            f"{between:.2g} in logits of up to {size:.2g}: they are random in evaluation mode, and "
            "so is every number that rests on them; another run would give another"
        )
    elif beside > max(REGROUPED, 8 * coarse) * size:
        remarks["batch"] = (
            f"{name}: its answer to an image depends on the other images of the batch, by up to "
            f"{beside:.2g} in logits of up to {size:.2g} (normalization over the batch in "
            "evaluation mode?): every number depends on how the images are grouped"
        )
    if bool(((first > 0) & (first < 1)).all()):
        remarks["sigmoid"] = (
            f"{name}: all its outputs lie between 0 and 1, as a sigmoid's do; they are taken for "
            "logits, so leave out the sigmoid if there is one"
        )
    return remarks


def refuse_probabilities(outputs: Tensor, name: str, tolerance: float = SUM) -> None:
    """Attacks need logits: say so where a model returns what a softmax returns.

    Outputs of only 0 and 1 are the logits of a model that votes, outputs that are all alike those
    of one that has not learned. Logarithms of probabilities are logits, but of one that has
    underflown there is no gradient: `advx.evaluation.masked` counts those examples.

    Raises:
        ConfigError: the outputs (n, classes) lie in [0, 1] and sum to 1, for every image.
    """
    inside = bool(((outputs >= 0) & (outputs <= 1)).all())
    votes = bool(((outputs == 0) | (outputs == 1)).all())
    constant = bool((outputs == outputs[0, 0]).all())
    whole = bool(((outputs.sum(1) - 1).abs() < tolerance).all())
    if inside and whole and not votes and not constant:
        raise ConfigError(
            f"{name}: the model returns probabilities; logits are needed, so leave out its last "
            "softmax, or return log_softmax of the logits (of a single one, logsigmoid of -z and "
            "z); the logarithm of the probabilities loses the gradient where they underflow"
        )


def require_slope(model: nn.Module, images: Tensor, name: str) -> None:
    """Refuse a model whose logits carry no gradient to the images (n, *shape), or fail to.

    Args:
        model: the classifier; left as it is.
        images: (n, *shape), a few.
        name: what messages call it.

    Raises:
        NoGradientError: they carry none, and it does not say so itself (`differentiable = False`).
        ConfigError: its backward pass fails.
    """
    if getattr(model, "differentiable", True) is False:
        return
    x = images.detach().clone().requires_grad_(True)
    slope = None
    with torch.random.fork_rng(devices=[]), evaluating(model), torch.enable_grad():
        logits = logits_of(model, x)
        if logits.requires_grad:
            try:
                (slope,) = torch.autograd.grad(logits.sum(), x, allow_unused=True)
            except Exception as error:  # whatever a user's own backward raises
                raise ConfigError(
                    f"{name}: its backward pass fails ({reason(error)}); needed: a forward pass "
                    "that autograd can follow back to the images"
                ) from error
    if slope is None:
        raise NoGradientError(
            f"{name}: its logits carry no gradient to the images; needed: a forward pass that "
            "autograd can follow, without detach, whole numbers or torch.no_grad; as a target, "
            "model@target=custom, it may have none"
        )
