"""The training step in plain PyTorch: what the layers' own code is timed against and tested with.

The same networks with `F.linear`, `amax`, sixteen random bits for every mask, PyTorch's optimizer,
and every filter multiplied after every update, by 1 where it is short enough.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.data.dataset import Split
from advx.models.layers import Dropout, Linear, Maxout
from advx.training.optimizers import Momentum

Step = Callable[[nn.Module, Tensor, Tensor], Tensor]


class PlainLinear(nn.Module):
    """`Linear`, and the affine part of `Maxout`."""

    def __init__(self, layer: Linear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.bound = layer.max_column_norm

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def constrain(self) -> None:
        if self.bound is not None:
            norm = torch.linalg.vector_norm(self.weight, dim=1, keepdim=True)
            self.weight.mul_((self.bound / norm).clamp_(max=1.0))


class PlainMaxout(PlainLinear):
    """`Maxout`."""

    def __init__(self, layer: Maxout) -> None:
        super().__init__(layer)
        self.shape = (layer.pieces, layer.units)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).unflatten(1, self.shape).amax(1)


class PlainDropout(nn.Module):
    """`Dropout`."""

    def __init__(self, layer: Dropout) -> None:
        super().__init__()
        self.keep, self.scale = layer.keep, layer.scale

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.keep >= 1:
            return x
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)
        uniform = words.view(torch.int16)[: x.numel()].view(x.shape)
        mask = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        torch.lt(uniform, round(self.keep * 2**16) - 2**15, out=mask)
        return x * (mask * self.scale)


def plain(model: nn.Module) -> nn.Module:
    """A copy of a network, its layers replaced by plain ones with the same parameters."""
    return _replaced(copy.deepcopy(model))


def _replaced(module: nn.Module) -> nn.Module:
    """The module with plain layers in it; a plain layer where it is one of ours."""
    for ours, theirs in ((Maxout, PlainMaxout), (Linear, PlainLinear), (Dropout, PlainDropout)):
        if isinstance(module, ours):
            return theirs(module)  # type: ignore[arg-type]
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*map(_replaced, module))
    for name, child in module.named_children():
        setattr(module, name, _replaced(child))
    return module


def plain_updates(
    model: nn.Module, loss: Step, examples: Split, rule: Momentum, batch_size: int
) -> Callable[[], Tensor]:
    """One pass over the examples, as plain as can be, with an optimizer that is made once.

    Args:
        model: made by `plain`.
        loss: mean cost of a minibatch, `(model, images, labels) -> scalar`.
        examples: what it is trained on.
        rule: momentum and learning rate.
        batch_size: examples in a minibatch.

    Returns:
        a function that makes the pass and returns the sum of the costs.
    """
    optimizer = torch.optim.SGD(
        model.parameters(), rule.learning_rate, momentum=rule.momentum, fused=True
    )
    plain_layers = [layer for layer in model.modules() if isinstance(layer, PlainLinear)]

    def updates() -> Tensor:
        model.train()
        total = torch.zeros((), device=examples.images.device)
        order = torch.randperm(len(examples)).to(examples.labels.device)
        for batch in order.split(batch_size):
            cost = loss(model, examples.images[batch], examples.labels[batch])
            optimizer.zero_grad(set_to_none=True)
            cost.backward()
            optimizer.step()
            with torch.no_grad():
                for layer in plain_layers:
                    layer.constrain()
            total += cost.detach() * len(batch)
        return total

    return updates
