"""SGD with momentum in one pass over the memory, and little around it."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class FusedSGD(torch.optim.SGD):
    """`torch.optim.SGD(fused=True)`: the same numbers to the last bit, the same state.

    PyTorch looks after hooks, profilers and groups of kinds of tensors in every step, which takes
    longer than the update of a small network.

    Args:
        params: the parameters, or groups of them.
        lr: learning rate.
        momentum: the velocity's share of the next one.
    """

    def __init__(self, params: Iterable[Any], lr: float, *, momentum: float) -> None:
        super().__init__(params, lr, momentum=momentum, fused=True)
        everything = [p for group in self.param_groups for p in group["params"]]
        self._alike = len({(p.device, p.dtype) for p in everything}) == 1

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update. PyTorch's own makes the first, and those of parameters of several kinds."""
        parts = [self._moving(group) for group in self.param_groups]
        started = all(v is not None for *_, velocities in parts for v in velocities)
        if closure is not None or not started or not self._alike:
            return super().step(closure)
        for group, (parameters, gradients, velocities) in zip(
            self.param_groups, parts, strict=True
        ):
            if parameters:
                torch._fused_sgd_(
                    parameters,
                    gradients,
                    velocities,
                    lr=group["lr"],
                    momentum=group["momentum"],
                    weight_decay=group["weight_decay"],
                    dampening=group["dampening"],
                    nesterov=group["nesterov"],
                    maximize=group["maximize"],
                    is_first_step=False,
                )
        return None

    step.hooked = True  # type: ignore[attr-defined]  # or PyTorch wraps it in all that again

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        if not set_to_none:
            super().zero_grad(set_to_none)
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def _moving(self, group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor], list[Any]]:
        """Parameters with a gradient, their gradients, their velocities (None before the first)."""
        parameters = [p for p in group["params"] if p.grad is not None]
        velocities = [self.state[p].get("momentum_buffer") for p in parameters]
        return parameters, [p.grad for p in parameters], velocities
