"""Projected gradient descent: iterated steepest ascent within the ball (Madry et al. 2018).

    x ← Π(x + αₜ · steepest(∇ₓ J(x, y))),

Π the projection onto the ball around the example, then onto the clip range. This is the "gradient
descent on the true model to find the best perturbation" of section 1.3. Steps of one length refine
the point that the first gradients lead to; steps that start at the ball's diameter and shrink to
nothing look around in it first, which finds more where the gradient misleads. For each example the
best of all iterates is returned, the example itself and its FGSM point among them, so that the
objective is never below FGSM's. Of equal ones the one that succeeds is better; and where the best
does not succeed although the FGSM point or the example itself does, that is returned.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.aims import fooled
from advx.attacks.base import Attack
from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import evaluated
from advx.attacks.noise import in_ball
from advx.attacks.objectives import Objective, ObjectiveName, in_float64, receives
from advx.attacks.objectives import objective as named
from advx.types import Interval, NonNegative, NormName, Positive, PositiveInt

DEFAULT_REACH = 2.5
"""All default steps together, in radii of the ball: any point is in reach from any other."""

DEFAULT_FIRST = 2.0
"""The first default step of the linear schedule, in radii: across the ball."""

TIE = 8
"""Units in the last place by which objectives differ that their rounding may have ordered."""

Schedule = Literal["constant", "linear"]


class PGD(Attack):
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
        self.receives = receives(objective)
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

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The best of the example, its FGSM point and all iterates."""
        best = _Best(images, labels, self)
        certain, sure = images.clone(), _none(images)
        for candidate in (self._within(images, images), self.fgsm.perturb(model, images, labels)):
            won = self._climb(model, images, labels, candidate, best, steps=0)
            certain[won], sure = candidate[won], sure | won
        for restart in range(self.restarts):
            start = images
            if self.random_start or restart:
                noise = self.epsilon * in_ball(images, self.norm, restart)
                start = self._within(images, images + noise)
            self._climb(model, images, labels, start, best, self.steps)
        lost = sure & ~best.won()
        best.points[lost] = certain[lost]
        return best.points

    def _climb(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        start: Tensor,
        best: "_Best",
        steps: int,
    ) -> Tensor:
        """Ascend from `start`, keeping the best points; says where the last one succeeds, (batch,).

        Where success ends the search, it counts as an infinite height.
        """
        left = (best.height < torch.inf).nonzero().squeeze(1)
        origin, aim, x = images[left], labels[left], start[left]
        last = _none(images)
        for step in range(steps + 1):
            if len(left) == 0:
                break
            climbing = step < steps
            logits, value, gradient = evaluated(model, x, aim, self.objective, gradient=climbing)
            if self.targeted:
                value, gradient = -value, -gradient
            if self.stop_on_success:
                value = value.masked_fill(self.success(logits, aim), torch.inf)
            best.offer(left, x, value, logits)
            if climbing:
                length = self.step_size * (1 - step / steps if self.shrinking else 1)
                x = self._within(origin, x + length * norms.steepest(gradient, self.norm))
                undefined = value.isnan()  # a NaN shows no way on: back to the best point so far
                if undefined.any():
                    x[undefined] = best.points[left[undefined]]
            else:
                last[left] = self.success(logits, aim)
            if self.stop_on_success and (value == torch.inf).any():
                on = value < torch.inf
                left, origin, aim, x = left[on], origin[on], aim[on], x[on]
        return last

    def success(self, logits: Tensor, aim: Tensor) -> Tensor:
        """Which answers are successes, (batch,) bool; none where the answer is an image."""
        if self.receives == "labels":
            return fooled(logits, aim, targeted=self.targeted)
        return _none(aim)

    def exact(self, logits: Tensor, aim: Tensor) -> Tensor:
        """What is ascended, in float64 where it can be, (batch,)."""
        value = in_float64(self.objective, logits, aim)
        return -value if self.targeted else value

    def _within(self, images: Tensor, moved: Tensor) -> Tensor:
        """The nearest points of the ball around `images`, cut to the clip range."""
        inside = images + norms.projected(moved - images, self.norm, self.epsilon)
        return inside if self.clip is None else inside.clamp(*self.clip)


class _Best:
    """The best point of every example so far, its height and the model's answer to it."""

    def __init__(self, images: Tensor, labels: Tensor, search: PGD) -> None:
        self.points = images.clone()
        self.height = images.new_full((len(images),), -torch.inf, dtype=torch.float64)
        self.labels = labels
        self.search = search
        self.answers: Tensor | None = None  # shaped like the first answer

    def offer(self, rows: Tensor, points: Tensor, height: Tensor, answers: Tensor) -> None:
        """Keep the points (m, *shape) of the examples at `rows` (m,) that are better."""
        if self.answers is None:
            shape = (len(self.points), *answers.shape[1:])
            self.answers = answers.new_full(shape, torch.nan)
        before = self.height[rows]
        better = height > before
        unsure = TIE * torch.finfo(answers.dtype).eps * (1 + height.abs())
        close = (height - before).abs() <= unsure
        if close.any():
            better[close] = self._settled(rows[close], answers[close])
        rows = rows[better]
        self.points[rows], self.height[rows] = points[better], height[better].double()
        self.answers[rows] = answers[better]

    def _settled(self, rows: Tensor, answers: Tensor) -> Tensor:
        """Which of answers about as high are better, (m,): by float64, else by success."""
        assert self.answers is not None
        labels, before = self.labels[rows], self.answers[rows]
        new, old = (self.search.exact(z, labels) for z in (answers, before))
        won, had = (self.search.success(z, labels) for z in (answers, before))
        return (new > old) | ((new == old) & won & ~had)

    def won(self) -> Tensor:
        """Which of the best points succeed, (batch,) bool."""
        if self.answers is None:
            return _none(self.labels)
        return self.search.success(self.answers, self.labels)


def _none(examples: Tensor) -> Tensor:
    """False for each of the examples (batch, *any), (batch,)."""
    return torch.zeros(len(examples), dtype=torch.bool, device=examples.device)
