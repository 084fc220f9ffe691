"""Adam within a box, on many independent problems at once (Kingma and Ba 2015).

What another optimizer than L-BFGS makes of the same function: each step is taken as usual and then
projected onto the box. All problems step together, and none has a line search.
"""

import torch
from torch import Tensor

from advx.attacks.box_lbfgs import Function

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8
"""The decay of the gradients' running mean and of their squares', and what keeps the latter off 0:
the method's usual ones."""


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
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    _, gradient = function(x, every)
    for count in range(1, evaluations):
        mean = FIRST * mean + (1 - FIRST) * gradient
        square = SECOND * square + (1 - SECOND) * gradient.square()
        way = mean / (1 - FIRST**count)
        scale = (square / (1 - SECOND**count)).sqrt() + TINY
        x = torch.clamp(x - step * way / scale, low, high)
        _, gradient = function(x, every)
    return x
