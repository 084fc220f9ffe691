"""Projected gradient descent: iterated steepest ascent within the ball (Madry et al. 2018).

    x ← Π(x + αₜ · steepest(∇ₓ J(x, y))),

Π the projection onto the ball around the example, then onto the clip range. This is the "gradient
descent on the true model to find the best perturbation" of section 1.3. Steps of one length refine
the point that the first gradients lead to; steps that start at the ball's diameter and shrink to
nothing look around in it first, which finds more where the gradient misleads. What is returned:
`ascent.py`.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.ascent import Ascent, Best
from advx.attacks.objectives import Objective, ObjectiveName
from advx.types import Interval, NonNegative, NormName, Positive, PositiveInt

DEFAULT_REACH = 2.5
"""All default steps together, in radii of the ball: any point is in reach from any other."""

DEFAULT_FIRST = 2.0
"""The first default step of the linear schedule, in radii: across the ball."""

Schedule = Literal["constant", "linear"]


class PGD(Ascent):
    """The best point that steepest ascent finds in the ball.

    Args:
        epsilon: radius of the ball in `norm`, in the units of the images.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        objective: what is increased.
        steps: gradient steps of each start.
        step_size: length of the first step in `norm`; None for 2.5 epsilon / steps where all have
            the same length, for 2 epsilon where they shrink.
        schedule: steps of the same length (`constant`), or shrinking to 0 (`linear`).
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
        schedule: Schedule = "constant",
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
        default = DEFAULT_REACH / steps if schedule == "constant" else DEFAULT_FIRST
        self.step_size = default * epsilon if step_size is None else step_size
        self.shrinking = schedule == "linear"

    def _ascend(
        self, model: nn.Module, images: Tensor, labels: Tensor, start: Tensor, best: Best
    ) -> None:
        """Offer every point on the way up from `start`."""
        active = best.unbeaten()
        origin, target, x = images[active], labels[active], start[active]  # (m, *shape), (m,)
        for step in range(self.steps):
            if len(active) == 0:
                return
            loss, gradient = self._offered(model, x, target, active, best)
            length = self.step_size * (1 - step / self.steps if self.shrinking else 1)
            x = norms.steepest(gradient, self.norm).mul_(length).add_(x)
            x = self._project_(x, origin)
            undefined = loss.isnan()  # a NaN shows no way on: back to the best point so far
            if undefined.any():
                x[undefined] = best.points[active[undefined]]
            if self.stop_on_success and (loss == torch.inf).any():
                rest = loss != torch.inf  # a NaN is no success
                active, origin, target, x = active[rest], origin[rest], target[rest], x[rest]
        if len(active):
            self._offered(model, x, target, active, best, gradient=False)
