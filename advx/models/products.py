"""Affine layers on a CPU, by the faster of PyTorch's two libraries of matrix products.

PyTorch hands float32 products to MKL, which leaves half of a processor's vector units idle where
it is not Intel's own. oneDNN, the library behind PyTorch's convolutions, uses them all. Both
compute in float32; their results differ in the last bits, by the order of the sums.
"""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Activation = Literal["none", "tanh"]
"""oneDNN's rectifier is missing: it turns NaN into 0, which would hide that training diverged."""

SMALLEST_WEIGHT = 2**15
"""Components of a weight matrix below which choosing the library costs more than it gains."""

AVAILABLE = (
    torch.backends.mkldnn.is_available()
    and torch.backends.cpu.get_cpu_capability() == "AVX512"
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)
"""Whether oneDNN is there, and the processor has the vector units that MKL may leave idle."""


def linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: Activation = "none"
) -> Tensor:
    """`F.linear` and an activation.

    Which library computes it depends on shapes, number format and device alone, so that the same
    training gives the same bytes again. `torch.backends.mkldnn.enabled = False` leaves MKL.

    Args:
        x: (batch, in).
        weight: (out, in).
        bias: (out,).
        activation: of the result (batch, out).
    """
    if suits(x, weight):
        return _Linear.apply(x, weight, bias, activation)
    z = F.linear(x, weight, bias)
    return z.tanh() if activation == "tanh" else z


def suits(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN takes the product of x (batch, in) and weight (out, in).

    It compiles code for every batch size, a millisecond and a megabyte each. Attacks whose batch
    shrinks with every step would make hundreds: only the sizes that people choose are worth it.
    """
    if not AVAILABLE or torch.compiler.is_compiling():
        return False
    if x.dim() != 2 or weight.numel() < SMALLEST_WEIGHT:
        return False
    batch = x.shape[0]
    usual = batch > 0 and (batch % 50 == 0 or batch % 64 == 0)
    kind = x.is_cpu and x.dtype == weight.dtype == torch.float32
    allowed = bool(torch.backends.mkldnn.enabled)
    return usual and kind and allowed and not torch._C._are_functorch_transforms_active()


class _Linear(torch.autograd.Function):
    """f(x Wᵀ + b); its gradients are products of the same kind, and have gradients too."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation
    ) -> Tensor:
        y = product(x, weight, bias, activation)
        ctx.activation = activation
        saved = (x, weight, y) if activation == "tanh" else (x, weight)
        ctx.save_for_backward(*saved)
        ctx.save_for_forward(*saved)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *y = ctx.saved_tensors
        if ctx.activation == "tanh":
            gradient = torch.ops.aten.tanh_backward(gradient, *y)
        times = _differentiable if torch.is_grad_enabled() else product
        return (
            times(gradient, weight.t()) if ctx.needs_input_grad[0] else None,
            times(gradient.t(), x.t()) if ctx.needs_input_grad[1] else None,
            gradient.sum(0) if ctx.needs_input_grad[2] else None,
            None,
        )

    @staticmethod
    def jvp(
        ctx: Any, of_x: Tensor | None, of_weight: Tensor | None, of_bias: Tensor | None, _: None
    ) -> Tensor:
        x, weight, *y = ctx.saved_tensors
        parts = [
            product(of_x, weight) if of_x is not None else None,
            product(x, of_weight) if of_weight is not None else None,
            of_bias.expand(len(x), -1) if of_bias is not None else None,
        ]
        moved = torch.stack([part for part in parts if part is not None]).sum(0)
        return torch.ops.aten.tanh_backward(moved, *y) if ctx.activation == "tanh" else moved


def _differentiable(a: Tensor, b: Tensor) -> Tensor:
    return _Linear.apply(a, b, None, "none")


def product(
    a: Tensor, b: Tensor, bias: Tensor | None = None, activation: Activation = "none"
) -> Tensor:
    """oneDNN's f(a bᵀ + bias) (n, m) of a (n, k) and b (m, k); matrices may lie transposed."""
    return torch.ops.mkldnn._linear_pointwise(_dense(a), _dense(b), bias, activation, [], "")


def _dense(a: Tensor) -> Tensor:
    return a if a.is_contiguous() or a.t().is_contiguous() else a.contiguous()
