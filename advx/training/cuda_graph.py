"""Updates that a GPU repeats by itself.

An update of a small network is a hundred kernels of a few microseconds each, and launching them one
by one takes ten times as long as running them. Recorded as a CUDA graph they are launched at once.

What is recorded are kernels, not Python: a loss that looks at its numbers and goes another way
cannot be replayed. Hence only losses that promise to go one way (`repeats`), and networks that are
made of nothing but advx's layers and PyTorch's.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from advx.training.fused_sgd import FusedSGD
from advx.training.optimizers import AttachedOptimizer

LAUNCHED_FIRST = 3
"""Updates launched one by one, in which the libraries make what they need."""

KNOWN_LAYERS = (
    "advx.models.",
    *(
        f"torch.nn.modules.{kind}"
        for kind in (
            *("activation", "batchnorm", "container", "conv", "dropout", "flatten", "linear"),
            *("normalization", "pooling"),
        )
    ),
)
"""Where layers are defined whose forward pass always launches the same kernels."""

Update = Callable[[Tensor, Tensor], Tensor]
"""Moves the parameters along the gradient of a minibatch: images, labels to the cost, a scalar."""


class RecordedUpdates:
    """An update, recorded for the usual shape of a minibatch and replayed.

    Rates of learning and momenta enter as float32 numbers, so that results agree with those of
    single launches to rounding. Random numbers are the same.

    Args:
        update: what is recorded; its optimizer's rates are set before it is called. The usual shape
            is that of its first minibatch.
        optimizer: whose rates change from update to update, and whose momenta from epoch to epoch.
    """

    def __init__(self, update: Update, optimizer: AttachedOptimizer) -> None:
        self.update = update
        self.groups = optimizer.optimizer.param_groups
        self.launched = 0
        self.usual: torch.Size | None = None
        self.graph: torch.cuda.CUDAGraph | None = None
        self.recorded_for: tuple[object, ...] = ()

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """The update's cost, a scalar; images (batch, *shape) and labels (batch,) on a GPU."""
        self.usual = self.usual or images.shape
        if self.launched < LAUNCHED_FIRST or images.shape != self.usual:
            self.launched += 1
            return self.update(images, labels)
        momenta = [float(np.float32(group["momentum"])) for group in self.groups]
        wanted = (images.dtype, *momenta)
        if wanted != self.recorded_for:
            self.record(images, labels, momenta)
            self.recorded_for = wanted
        assert self.graph is not None
        self.images.copy_(images)
        self.labels.copy_(labels)
        for rate, group in zip(self.rates, self.groups, strict=True):
            rate.fill_(group["lr"])
        self.graph.replay()
        return self.cost.clone()

    def record(self, images: Tensor, labels: Tensor, momenta: list[float]) -> None:
        """Record an update of minibatches of this shape with these momenta."""
        self.graph = None  # gives its memory back
        self.images, self.labels = images.clone(), labels.clone()
        self.rates = [torch.zeros((), device=images.device) for _ in self.groups]
        before = [(group["lr"], group["momentum"]) for group in self.groups]
        for group, rate, momentum in zip(self.groups, self.rates, momenta, strict=True):
            group["lr"], group["momentum"] = rate, momentum
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.device(images.device), torch.cuda.graph(graph):
                self.cost = self.update(self.images, self.labels)
        finally:
            for group, (rate, momentum) in zip(self.groups, before, strict=True):
                group["lr"], group["momentum"] = rate, momentum
        self.graph = graph


def recordable(model: nn.Module, loss: object, optimizer: AttachedOptimizer) -> bool:
    """Whether an update can be recorded: a GPU, a fused optimizer, and always the same kernels."""
    on_gpu = all(p.is_cuda for p in optimizer.parameters)
    return on_gpu and isinstance(optimizer.optimizer, FusedSGD) and repeats(model, loss)


def repeats(model: nn.Module, loss: object) -> bool:
    """Whether every training pass of minibatches of one shape launches the same kernels.

    A loss says so itself, in its own class: one that inherits from it may do otherwise. A network
    is trusted where all of its layers are advx's or PyTorch's, and nobody has hooked into them.
    """
    promised = "repeats" in vars(type(loss)) and bool(loss.repeats)  # type: ignore[attr-defined]
    return promised and all(map(_known, model.modules()))


def _known(layer: nn.Module) -> bool:
    if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.momentum is None:
        return False  # it divides by how many minibatches it has seen, a number on the GPU
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return type(layer).__module__.startswith(KNOWN_LAYERS) and not any(
        getattr(layer, name) for name in hooks
    )
