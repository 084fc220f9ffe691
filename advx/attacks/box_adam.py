"""Adam within a box, on many independent problems at once (Kingma and Ba 2015).

What another optimizer than L-BFGS makes of the same function: each step is PyTorch's and is then
projected onto the box. All problems step together, and none has a line search.
"""

import torch
from torch import Tensor

from advx.attacks.box_lbfgs import Function


def minimize(
    function: Function,
    start: Tensor,
    low: Tensor,
    high: Tensor,
    *,
    evaluations: int,
    step: float = 0.01,
) -> Tensor:
    """The last point of each problem, (b, n), at which the function was evaluated too.

    Args:
        function: values and gradients of some of the problems.
        start: first points (b, n), within the box.
        low: lower bounds, (b, n) or broadcast to it; −inf for none.
        high: upper bounds, likewise.
        evaluations: of the function, each problem.
        step: the largest way of a variable in one step, about.
    """
    x, every = start.clone(), torch.arange(len(start), device=start.device)
    adam = torch.optim.Adam([x], lr=step)
    _, x.grad = function(x, every)
    for _ in range(evaluations - 1):
        adam.step()
        x.clamp_(low, high)
        _, x.grad = function(x, every)
    return x.detach()  # without its gradient
