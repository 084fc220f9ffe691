"""Auto-PGD: ascent with momentum whose steps halve where they no longer pay (Croce and Hein 2020).

    z    = Π(xₖ + η · steepest(∇ₓ J(xₖ, y)))
    xₖ₊₁ = Π(xₖ + α (z − xₖ) + (1 − α) (xₖ − xₖ₋₁)),     α = .75,   x₁ = Π(x₀ + η · steepest(∇ₓ J)),

Π the projection onto the ball around the example, then onto the clip range. η starts at the ball's
diameter. At a few checkpoints, closer and closer to each other, each example is looked at: its η is
halved, and its ascent goes on from the best of its points so far, if

1. fewer than ρ = .75 of the steps since the last checkpoint increased J, or
2. the last checkpoint did not halve η, and nothing better has been found since.

So each example finds its own steps: there is no length to choose. What is returned: `ascent.py`.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.ascent import Ascent, Best
from advx.attacks.objectives import Objective, ObjectiveName
from advx.types import Interval, NonNegative, NormName, Positive, PositiveInt

MOMENTUM = 0.75
"""α: how much of a move is the gradient's; the rest is the move before."""

RISING = 0.75
"""ρ: the share of the steps between checkpoints that must increase the objective."""

FIRST_STEP = 2.0
"""The first default step, in radii: across the ball."""


def checkpoints(steps: int) -> list[int]:
    """The steps after which an example's step may be halved: wⱼ = ⌈pⱼ · steps⌉, without w₀ = 0.

    In hundredths p₀ = 0, p₁ = 22 and pⱼ₊₁ = pⱼ + max(pⱼ − pⱼ₋₁ − 3, 6), as long as wⱼ ≤ steps.
    """
    places = [0, 22]
    while places[-1] <= 100:
        places.append(places[-1] + max(places[-1] - places[-2] - 3, 6))
    return sorted({-(-place * steps // 100) for place in places[1:] if place <= 100})


@dataclass
class _Paths:
    """Where each ascent stands, one row for each of m examples.

    Attributes:
        origin, target: the example (m, *shape), and its label (m,).
        x, loss, gradient: the point xₖ, J there (m,), and ∇ₓ J.
        previous: the point before, xₖ₋₁.
        top, top_loss, top_gradient: the best of the points so far.
        size: η, (m,).
        rises: steps since the last checkpoint that increased J, (m,) int64.
        checked_loss: `top_loss` at the last checkpoint.
        failing: whose η that checkpoint halves, (m,) bool.
    """

    origin: Tensor
    target: Tensor
    x: Tensor
    loss: Tensor
    gradient: Tensor
    previous: Tensor
    top: Tensor
    top_loss: Tensor
    top_gradient: Tensor
    size: Tensor
    rises: Tensor
    checked_loss: Tensor
    failing: Tensor

    @classmethod
    def begin(
        cls, origin: Tensor, target: Tensor, x: Tensor, loss: Tensor, gradient: Tensor, size: float
    ) -> "_Paths":
        """At x₀ (m, *shape)."""
        known = torch.where(loss.isnan(), -torch.inf, loss)  # anything is better than a NaN
        return cls(
            origin=origin,
            target=target,
            x=x,
            loss=loss,
            gradient=gradient,
            previous=x,
            top=x.clone(),
            top_loss=known,
            top_gradient=gradient.clone(),
            size=x.new_full((len(x),), size),
            rises=torch.zeros_like(loss, dtype=torch.int64),
            checked_loss=known.clone(),
            failing=torch.zeros_like(loss, dtype=torch.bool),
        )

    def of(self, chosen: Tensor) -> "_Paths":
        """Those of some of the examples, (m,) bool."""
        return _Paths(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def check(self, since: int) -> None:
        """Find out whose steps no longer pay, `since` steps after the last checkpoint."""
        few = self.rises < RISING * since
        stuck = ~self.failing & (self.top_loss == self.checked_loss)
        self.failing = few | stuck
        self.checked_loss = self.top_loss.clone()
        self.rises = torch.zeros_like(self.rises)

    def arrive(self, x: Tensor, loss: Tensor, gradient: Tensor, *, halve: bool) -> None:
        """Note what is found at x (m, *shape); after a checkpoint, halve η where it is to be."""
        higher = loss > self.top_loss
        self.top[higher], self.top_loss[higher] = x[higher], loss[higher]
        self.top_gradient[higher] = gradient[higher]
        before, self.previous = self.loss, self.x
        self.x, self.loss, self.gradient = x, loss, gradient
        if halve and self.failing.any():
            back = wide(self.failing, x)
            self.size = torch.where(self.failing, self.size / 2, self.size)
            self.x = torch.where(back, self.top, x)
            self.loss = torch.where(self.failing, self.top_loss, loss)
            self.gradient = torch.where(back, self.top_gradient, gradient)
        self.rises += self.loss > before

    def stay(self, chosen: Tensor, points: Tensor) -> None:
        """Put the examples at `chosen` (m,) bool on points (m, *shape), for the next move too."""
        there = wide(chosen, points)
        self.x = torch.where(there, points, self.x)
        self.previous = torch.where(there, points, self.previous)
        self.gradient = torch.where(there, 0, self.gradient)


def wide(values: Tensor, images: Tensor) -> Tensor:
    """Values (m,) as (m, 1, …), to go with images (m, *shape)."""
    return values.view(-1, *[1] * (images.dim() - 1))


class APGD(Ascent):
    """The best point that ascent with momentum and halved steps finds in the ball.

    Args:
        epsilon: radius of the ball in `norm`, in the units of the images.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        objective: what is increased.
        steps: gradient steps of each start.
        step_size: length of the first steps in `norm`; None for 2 epsilon.
        restarts: number of starts.
        random_start: start at random points of the ball, the same for the same image whatever its
            batch; otherwise the first start is the example itself.
        stop_on_success: take an example out as soon as an iterate succeeds; the result is then that
            iterate, not the best one.
        clip: range that the adversarial images are clipped to; None to let them leave [0, 1].
        targeted: labels are classes to be reached, not to be left.
        training_cost: the training cost of the attacked model's defense, (logits, labels) to
            (batch,); needed for `objective="training_cost"`.
    """

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        norm: NormName = "linf",
        objective: ObjectiveName = "log_odds",
        steps: PositiveInt = 100,
        step_size: Positive | None = None,
        restarts: PositiveInt = 1,
        random_start: bool = True,
        stop_on_success: bool = False,
        clip: Interval | None = None,
        targeted: bool = False,
        training_cost: Objective | None = None,
    ) -> None:
        super().__init__(
            epsilon=epsilon,
            norm=norm,
            objective=objective,
            restarts=restarts,
            random_start=random_start,
            stop_on_success=stop_on_success,
            clip=clip,
            targeted=targeted,
            training_cost=training_cost,
        )
        self.steps = steps
        self.step_size = FIRST_STEP * epsilon if step_size is None else step_size

    def _ascend(
        self, model: nn.Module, images: Tensor, labels: Tensor, start: Tensor, best: Best
    ) -> None:
        """Offer every point on the way up from `start`."""
        active = best.unbeaten()
        if len(active) == 0:
            return
        x, target = start[active], labels[active]
        loss, gradient = self._offered(model, x, target, active, best)
        paths = _Paths.begin(images[active], target, x, loss, gradient, self.step_size)
        last, looks = 0, checkpoints(self.steps)
        for step in range(self.steps):
            undefined = paths.loss.isnan()  # a NaN shows no way on: back to the best point so far
            if undefined.any():
                paths.stay(undefined, best.points[active])
            if self.stop_on_success and (paths.loss == torch.inf).any():
                rest = paths.loss != torch.inf  # a NaN is no success
                active, paths = active[rest], paths.of(rest)
                if len(active) == 0:
                    return
            if step in looks:
                paths.check(step - last)
                last = step
            x, end = self._moved(paths, momentum=step > 0), step == self.steps - 1
            loss, gradient = self._offered(model, x, paths.target, active, best, gradient=not end)
            if not end:
                paths.arrive(x, loss, gradient, halve=step in looks)

    def _moved(self, paths: _Paths, *, momentum: bool) -> Tensor:
        """The next point of each path, (m, *shape)."""
        z = norms.steepest(paths.gradient, self.norm) * wide(paths.size, paths.x)
        z = self._project_(z.add_(paths.x), paths.origin)
        if not momentum:
            return z
        x = z.sub_(paths.x).mul_(MOMENTUM).add_(paths.x)
        x = x.add_(paths.x - paths.previous, alpha=1 - MOMENTUM)
        return self._project_(x, paths.origin)
