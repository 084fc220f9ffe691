"""A minibatch of a single example: what normalizes over the batch cannot be trained on it."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from advx.errors import reason
from advx.models.call import logits_of


def fails_alone(
    model: nn.Module,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor] | None,
    images: Tensor,
    labels: Tensor,
) -> str:
    """Why a network cannot be trained on one example at a time; empty where it can.

    Args:
        model: left as it is: a copy is tried.
        loss: the training loss, which may show the network more than the example; None for one
            that does not.
        images: (n, *shape), of which the first is tried.
        labels: (n,) int64.
    """
    cuda = [images.device] if images.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        try:
            with torch.no_grad():
                logits_of(copy.deepcopy(model).train(), images[:1])
            return ""
        except Exception as error:  # whatever a user's own forward raises
            because = reason(error)
        if loss is not None:
            try:
                loss(copy.deepcopy(model).train(), images[:1], labels[:1])
                return ""
            except Exception:  # for the same reason, or for want of what training prepares
                pass
    return because
