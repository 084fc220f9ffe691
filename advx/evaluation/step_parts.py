"""What a training step cannot do without, and what else its time is spent on.

A step computes its matrix products (forward, back to every layer's input but the first, back to
every weight) and moves memory: it reads parameters, velocities and gradients, writes parameters and
velocities, and reads the parameters once more where the norms of their columns are bounded. The
limit is the time of these alone, one after the other, on arrays of the step's own sizes: each
product by whichever of PyTorch's libraries is faster, and one fused update of a flat array.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from advx.data.dataset import Split
from advx.data.minibatches import one_pass
from advx.evaluation.benchmark import Factors, Work
from advx.models.base import constrain
from advx.models.layers import Dropout, Linear, Maxout
from advx.training.fused_sgd import FusedSGD


class _Products(TorchDispatchMode):
    """Notes the factors of every matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Factors] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name == "_linear_pointwise":
            self.found.append(Factors(args[0].clone(), args[1].clone()))
        elif name in ("mm", "addmm"):
            a, b = args[-2:]
            self.found.append(Factors(a.clone(), b.t().clone()))
        return function(*args, **(kwargs or {}))


def products_of(work: Work) -> list[Factors]:
    """The matrix products in `work()`, in their order, with their factors."""
    with _Products() as products:
        work()
    return products.found


@dataclass(frozen=True)
class Limit:
    """What a step must compute and move."""

    products: Work
    memory: Work

    def whole(self) -> None:
        """Both, one after the other."""
        self.products()
        self.memory()


def limit_of(
    model: nn.Module, loss: Callable[..., Tensor], images: Tensor, labels: Tensor
) -> Limit:
    """The limit of one step of `model` on this minibatch."""
    model.train()
    factors = products_of(lambda: loss(model, images, labels).backward())
    model.zero_grad()
    ways = [each.fastest() for each in factors]
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    parameters = torch.randn(size, device=images.device, requires_grad=True)
    parameters.grad = torch.randn(size, device=images.device)
    optimizer = FusedSGD([parameters], 1e-9, momentum=0.5)
    bounded = parameters.detach()[: _bounded(model)]

    def products() -> None:
        for way in ways:
            way()

    def memory() -> None:
        optimizer.step()
        torch.linalg.vector_norm(bounded)

    return Limit(products, memory)


def _bounded(model: nn.Module) -> int:
    """Components of the weights whose filters have a bound on their norm."""
    layers = [layer for layer in model.modules() if isinstance(layer, Linear)]
    return sum(layer.weight.numel() for layer in layers if layer.max_column_norm is not None)


def parts_of(model: nn.Module, images: Tensor, labels: Tensor, train: Split) -> dict[str, Work]:
    """A step's parts besides its products, each alone: forward, and back where the step does so.

    Args:
        model: the network.
        images: a minibatch (batch, *shape).
        labels: its labels (batch,).
        train: where minibatches are drawn from; as many as it holds make one call of that part.
    """
    inputs = _inputs(model, images)
    dropouts = [(layer, x) for layer, x in inputs if isinstance(layer, Dropout)]
    activations = [
        (layer.maximum, layer.affine(x).detach().requires_grad_())
        if isinstance(layer, Maxout)
        else (layer, x)
        for layer, x in inputs
        if isinstance(layer, (Maxout, nn.ReLU))
    ]
    logits = model(images).detach().requires_grad_()
    optimizer = FusedSGD(model.parameters(), 1e-9, momentum=0.5)
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()
    return {
        "minibatch": lambda: list(one_pass(train, len(labels))),
        "dropout": _there_and_back(dropouts),
        "activation": _there_and_back(activations),
        "loss": lambda: F.cross_entropy(logits, labels).backward(),
        "update": optimizer.step,
        "column_norms": lambda: constrain(model),
    }


def _inputs(model: nn.Module, images: Tensor) -> list[tuple[nn.Module, Tensor]]:
    """Every layer that has no layers in it, with its input, in training."""
    inputs: list[tuple[nn.Module, Tensor]] = []

    def note(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        inputs.append((layer, given[0].detach().requires_grad_(given[0].requires_grad)))

    leaves = [layer for layer in model.modules() if not [*layer.children()]]
    handles = [layer.register_forward_pre_hook(note) for layer in leaves]
    model.train()
    model(images)
    for handle in handles:
        handle.remove()
    return inputs


def _there_and_back(layers: Sequence[tuple[Callable[[Tensor], Tensor], Tensor]]) -> Work:
    """Each layer forward on its input, and back to it where the step goes there."""
    gradients = [torch.ones_like(layer(x).detach()) for layer, x in layers]

    def work() -> None:
        for (layer, x), gradient in zip(layers, gradients, strict=True):
            y = layer(x)
            if y.requires_grad:
                torch.autograd.grad(y, x, gradient)

    return work
