"""Box-constrained L-BFGS on many independent problems at once.

Every row of a batch is a problem of its own, with its own history, step length and end: who shares
the batch changes nothing but the speed. Variables that sit at a bound and would leave it are held;
the quasi-Newton direction is that of the others (a projected quasi-Newton method: Bertsekas 1982,
Kim, Sra and Dhillon 2010). A trial point is projected onto the box and accepted if it decreases the
function enough (Armijo along the projection arc); otherwise its problem's step shrinks. Accepted
and rejected trials of different problems are evaluated together, so that no problem waits for
another one's line search.

The product with the inverse Hessian is its compact representation (Byrd, Nocedal and Schnabel
1994): a few batched matrix products, instead of forty passes over the history.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From points (m, n) and the problems they belong to, (m,) int64, to values (m,) and gradients."""

ENOUGH = 1e-4
"""The share of the decrease promised by the slope that a trial point must show."""

SHRINKAGES = 12
"""Rejected trials in a row after which a problem counts as solved: its precision is exhausted."""


def minimize(
    function: Function,
    start: Tensor,
    low: Tensor,
    high: Tensor,
    *,
    evaluations: int,
    history: int = 10,
    tolerance: float = 1e-9,
) -> Tensor:
    """A local minimum of each problem within its box, (b, n).

    Args:
        function: values and gradients of some of the problems.
        start: first points (b, n), within the box.
        low: lower bounds, (b, n) or broadcast to it; −inf for none.
        high: upper bounds, likewise.
        evaluations: of the function, at most, each problem.
        history: steps that each problem's curvature is estimated from.
        tolerance: a problem ends once a step changes its value by less than this part of it (or of
            1, where the value is smaller), or its projected gradient is below it.
    """
    x = start.clone()
    low, high = low.expand_as(x), high.expand_as(x)
    active = torch.arange(len(x), device=x.device)  # problems that are not solved yet, (m,)
    value, gradient = function(x, active)
    past = _History(len(x), history, x)
    step = torch.ones_like(value)
    rejections = torch.zeros_like(active)
    direction = past.direction(active, gradient, _free(x, gradient, low, high))
    for _ in range(evaluations - 1):
        if len(active) == 0:
            break
        here, slope = x[active], gradient[active]
        forward = here + step[active, None] * direction[active]  # (m, n)
        trial = torch.clamp(forward, low[active], high[active])
        moved = trial - here
        new_value, new_gradient = function(trial, active)
        promised = (slope * moved).sum(1)  # (m,)
        good = new_value <= value[active] + ENOUGH * promised
        gain = value[active] - new_value
        scale = torch.maximum(value[active].abs(), new_value.abs()).clamp(min=1)
        ended = good & (gain <= tolerance * scale)

        accepted = active[good]
        past.add(accepted, moved[good], (new_gradient - slope)[good])
        x[accepted], value[accepted] = trial[good], new_value[good]
        gradient[accepted] = new_gradient[good]
        free = _free(x[accepted], gradient[accepted], low[accepted], high[accepted])
        direction[accepted] = past.direction(accepted, gradient[accepted], free)
        step[accepted], rejections[accepted] = 1.0, 0

        rejected = active[~good]
        step[rejected] *= _shrinkage(promised[~good], gain[~good])
        rejections[rejected] += 1

        projected = torch.clamp(x[active] - gradient[active], low[active], high[active]) - x[active]
        flat = projected.abs().amax(1) <= tolerance
        active = active[~(ended | flat | (rejections[active] >= SHRINKAGES))]
    return x


def _free(x: Tensor, gradient: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """1 for the variables that may move, 0 for those held at a bound, like x."""
    held = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
    return (~held).to(x.dtype)


def _shrinkage(promised: Tensor, gain: Tensor) -> Tensor:
    """The factor to the minimum of the parabola through value, slope and trial; .1 to .5."""
    bend = -gain - promised
    ratio = -promised / (2 * torch.where(bend > 0, bend, torch.inf))
    return torch.nan_to_num(ratio, nan=0.1).clamp(0.1, 0.5)


class _History:
    """The last steps s and gradient changes y of b problems of n variables."""

    def __init__(self, problems: int, size: int, like: Tensor) -> None:
        self.size = size
        self.pairs = like.new_zeros(problems, 2 * size, like.shape[1])  # s₀ … sₘ₋₁, y₀ … yₘ₋₁
        self.count = torch.zeros(problems, dtype=torch.int64, device=like.device)

    def add(self, rows: Tensor, s: Tensor, y: Tensor) -> None:
        """Keep the pairs with positive curvature, in the place of the oldest."""
        curved = (s * y).sum(1) > 1e-10 * y.square().sum(1)
        rows, s, y = rows[curved], s[curved], y[curved]
        place = self.count[rows] % self.size
        self.pairs[rows, place] = s
        self.pairs[rows, self.size + place] = y
        self.count[rows] += 1

    def direction(self, rows: Tensor, gradient: Tensor, free: Tensor) -> Tensor:
        """−H g over the free variables, 0 for the others: gradient, free (m, n) to (m, n).

        Without a history the steepest descent direction of length at most 1. In the precision of
        the variables, whatever autocast makes of the function.
        """
        with torch.autocast(gradient.device.type, enabled=False):
            return self._direction(rows, gradient, free)

    def _direction(self, rows: Tensor, gradient: Tensor, free: Tensor) -> Tensor:
        g = (gradient * free)[:, :, None]  # (m, n, 1)
        steepest = -g / torch.linalg.vector_norm(g, dim=1, keepdim=True).clamp(min=1)
        count = self.count[rows, None]
        stored = min(self.size, int(count.max())) if len(rows) else 0
        if stored == 0:
            return steepest.squeeze(2)
        nth = count - stored + torch.arange(stored, device=rows.device)  # (m, stored), oldest first
        s = self.pairs[rows[:, None], nth % self.size] * free[:, None]  # (m, stored, n)
        y = self.pairs[rows[:, None], self.size + nth % self.size] * free[:, None]
        sy, yy = s @ y.mT, y @ y.mT  # (m, stored, stored)
        curvature, bend = sy.diagonal(dim1=1, dim2=2), yy.diagonal(dim1=1, dim2=2)
        valid = (nth >= 0) & (curvature > 1e-10 * bend)
        both = valid[:, :, None] & valid[:, None, :]
        r = torch.where(both, sy, 0).triu() + torch.diag_embed((~valid).to(sy.dtype))
        ratio = torch.where(valid, curvature / bend, 0)
        newest = (valid * torch.arange(1, stored + 1, device=rows.device)).argmax(1, keepdim=True)
        gamma = ratio.gather(1, newest)[:, :, None]  # (m, 1, 1), the scale of H
        u = torch.linalg.solve_triangular(r, (s @ g) * valid[:, :, None], upper=True)
        middle = torch.diag_embed(curvature) + gamma * yy
        inner = (middle @ u - gamma * (y @ g)) * valid[:, :, None]
        w = torch.linalg.solve_triangular(r.mT, inner, upper=False)
        direction = -(gamma * g + s.mT @ w - gamma * (y.mT @ u))
        downhill = (direction.mT @ g < 0) & (gamma > 0)
        return torch.where(downhill, direction, steepest).squeeze(2)
