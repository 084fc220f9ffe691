"""Projected gradient descent: iterated steepest ascent within the ball (Madry et al. 2018).

    x ← Π(x + αₜ · steepest(∇ₓ J(x, y))),

Π the projection onto the ball around the example, then onto the clip range. This is the "gradient
descent on the true model to find the best perturbation" of section 1.3. Steps of one length refine
the point that the first gradients lead to; steps that start at the ball's diameter and shrink to
nothing look around in it first, which finds more where the gradient misleads. For each example the
best of all iterates is returned, the example itself and its FGSM point among them, so that the
objective is never below FGSM's.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import evaluated
from advx.attacks.noise import in_ball
from advx.attacks.objectives import Objective, ObjectiveName
from advx.attacks.objectives import objective as named
from advx.types import Interval, NonNegative, NormName, Positive, PositiveInt

DEFAULT_REACH = 2.5
"""All default steps together, in radii of the ball: any point is in reach from any other."""

DEFAULT_FIRST = 2.0
"""The first default step of the linear schedule, in radii: across the ball."""

Schedule = Literal["constant", "linear"]


class PGD:
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
        training_cost: the training cost of the attacked model's defence, (logits, labels) to
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
        self.epsilon = epsilon
        self.norm = norm
        self.objective = named(objective, training_cost)
        self.fgsm = FGSM(
            epsilon=epsilon, norm=norm, objective=objective, clip=clip, targeted=targeted,
            training_cost=training_cost,
        )  # fmt: skip
        self.steps = steps
        default = DEFAULT_REACH / steps if schedule == "constant" else DEFAULT_FIRST
        self.step_size = default * epsilon if step_size is None else step_size
        self.shrinking = schedule == "linear"
        self.restarts = restarts
        self.random_start = random_start
        self.stop_on_success = stop_on_success
        self.clip = clip
        self.targeted = targeted

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Adversarial images (batch, *shape) for images (batch, *shape) and labels (batch,)."""
        images = images.detach()
        best = images.clone()
        height = torch.full((len(images),), -torch.inf, dtype=images.dtype, device=images.device)
        for candidate in (self._within(images, images), self.fgsm(model, images, labels)):
            self._climb(model, images, labels, candidate, best, height, steps=0)
        for restart in range(self.restarts):
            start = images
            if self.random_start or restart:
                noise = self.epsilon * in_ball(images, self.norm, restart)
                start = self._within(images, images + noise)
            self._climb(model, images, labels, start, best, height, self.steps)
        return best

    def _climb(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        start: Tensor,
        best: Tensor,
        height: Tensor,
        steps: int,
    ) -> None:
        """Ascend from `start`, keeping in `best` and `height` the best point and its objective.

        Where success ends the search, it counts as an infinite height.
        """
        left = (height < torch.inf).nonzero().squeeze(1)
        origin, aim, x = images[left], labels[left], start[left]
        for step in range(steps + 1):
            if len(left) == 0:
                return
            climbing = step < steps
            logits, value, gradient = evaluated(model, x, aim, self.objective, gradient=climbing)
            if self.targeted:
                value, gradient = -value, -gradient
            if self.stop_on_success:
                value = value.masked_fill((logits.argmax(1) == aim) == self.targeted, torch.inf)
            better = value > height[left]
            best[left[better]] = x[better]
            height[left[better]] = value[better]
            if climbing:
                length = self.step_size * (1 - step / steps if self.shrinking else 1)
                x = self._within(origin, x + length * norms.steepest(gradient, self.norm))
            if self.stop_on_success and (value == torch.inf).any():
                on = value < torch.inf
                left, origin, aim, x = left[on], origin[on], aim[on], x[on]

    def _within(self, images: Tensor, moved: Tensor) -> Tensor:
        """The nearest points of the ball around `images`, cut to the clip range."""
        inside = images + norms.projected(moved - images, self.norm, self.epsilon)
        return inside if self.clip is None else inside.clamp(*self.clip)
