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
from advx.attacks.base import Attack, Receives
from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import evaluated
from advx.attacks.noise import in_ball
from advx.attacks.objectives import Objective, ObjectiveName, in_float64, objective_named
from advx.attacks.targets import fooled
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
        self.epsilon = epsilon
        self.norm = norm
        self.objective = objective_named(objective, training_cost)
        self.fgsm = FGSM(
            epsilon=epsilon,
            norm=norm,
            objective=objective,
            clip=clip,
            targeted=targeted,
            training_cost=training_cost,
        )
        self.steps = steps
        default = DEFAULT_REACH / steps if schedule == "constant" else DEFAULT_FIRST
        self.step_size = default * epsilon if step_size is None else step_size
        self.shrinking = schedule == "linear"
        self.restarts = restarts
        self.random_start = random_start
        self.stop_on_success = stop_on_success
        self.clip = clip
        self.targeted = targeted

    @property
    def receives(self) -> Receives:
        """What one step on the objective receives."""
        return self.fgsm.receives

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The best of the example, its FGSM point and all iterates."""
        best = _Best(images, labels, self)
        everyone = torch.arange(len(images), device=images.device)
        logits, loss, gradient = self._evaluated(model, images, labels)
        best.offer(everyone, images, loss, logits)
        certain, succeeds = images.clone(), self.success(logits, labels)
        point = self.fgsm.step(images, gradient)
        won = self._ascend(model, images, labels, point, best, steps=0)
        certain[won], succeeds = point[won], succeeds | won
        for restart in range(self.restarts):
            start = images
            if self.random_start or restart:
                noise = self.epsilon * in_ball(images, self.norm, restart)
                start = self._project_(noise.add_(images), images)
            self._ascend(model, images, labels, start, best, self.steps)
        lost = succeeds & ~best.succeeds()
        best.points[lost] = certain[lost]
        return best.points

    def _ascend(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        start: Tensor,
        best: "_Best",
        steps: int,
    ) -> Tensor:
        """Offer every point on the way up from `start`, and say where the last succeeds, (batch,).

        Where success ends the search, an example that has succeeded takes no part.
        """
        active = (best.loss < torch.inf).nonzero().squeeze(1)  # (m,)
        origin, target, x = images[active], labels[active], start[active]  # (m, *shape), (m,)
        for step in range(steps):
            if len(active) == 0:
                break
            logits, loss, gradient = self._evaluated(model, x, target)
            best.offer(active, x, loss, logits)
            length = self.step_size * (1 - step / steps if self.shrinking else 1)
            x = norms.steepest(gradient, self.norm).mul_(length).add_(x)
            x = self._project_(x, origin)
            undefined = loss.isnan()  # a NaN shows no way on: back to the best point so far
            if undefined.any():
                x[undefined] = best.points[active[undefined]]
            if self.stop_on_success and (loss == torch.inf).any():
                rest = loss < torch.inf
                active, origin, target, x = active[rest], origin[rest], target[rest], x[rest]
        last = _none(images)
        if len(active):
            logits, loss, _ = self._evaluated(model, x, target, gradient=False)
            best.offer(active, x, loss, logits)
            last[active] = self.success(logits, target)
        return last

    def _evaluated(
        self, model: nn.Module, x: Tensor, target: Tensor, *, gradient: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (m, classes), what is ascended (m,), and its ∇ₓ (m, *shape).

        Where success ends the search, it counts as an infinite loss.
        """
        logits, loss, slope = evaluated(model, x, target, self.objective, gradient=gradient)
        if self.targeted:
            loss, slope = -loss, -slope
        if self.stop_on_success:
            loss = loss.masked_fill(self.success(logits, target), torch.inf)
        return logits, loss, slope

    def success(self, logits: Tensor, target: Tensor) -> Tensor:
        """Which logits are successes, (batch,) bool; none where the answer is an image."""
        if self.receives == "originals":
            return _none(target)
        return fooled(logits, target, targeted=self.targeted)

    def exact(self, logits: Tensor, target: Tensor) -> Tensor:
        """What is ascended, in float64 where it can be, (batch,)."""
        value = in_float64(self.objective, logits, target)
        return -value if self.targeted else value

    def _project_(self, x: Tensor, images: Tensor) -> Tensor:
        """Π(x) around the images, like x (m, *shape), in its memory: a step takes few copies."""
        inside = norms.projected(x.sub_(images), self.norm, self.epsilon).add_(images)
        return inside if self.clip is None else inside.clamp_(*self.clip)


class _Best:
    """The best point of every example so far, its loss and the model's answer to it."""

    def __init__(self, images: Tensor, labels: Tensor, search: PGD) -> None:
        self.points = images.clone()
        self.loss = images.new_full((len(images),), -torch.inf, dtype=torch.float64)
        self.labels = labels
        self.search = search
        self.logits: Tensor | None = None  # shaped like the first answer

    def offer(self, rows: Tensor, points: Tensor, loss: Tensor, logits: Tensor) -> None:
        """Keep the points (m, *shape) of the examples at `rows` (m,) that are better."""
        if self.logits is None:
            shape = (len(self.points), *logits.shape[1:])
            self.logits = logits.new_full(shape, torch.nan)
        before = self.loss[rows]
        better = loss > before
        tolerance = TIE * torch.finfo(logits.dtype).eps * (1 + loss.abs())
        close = ((loss - before).abs() <= tolerance) & loss.isfinite()  # success ends a search
        if close.any():
            better[close] = self._settled(rows[close], logits[close])
        rows = rows[better]
        self.points[rows], self.loss[rows] = points[better], loss[better].double()
        self.logits[rows] = logits[better]

    def _settled(self, rows: Tensor, logits: Tensor) -> Tensor:
        """Which of logits about as high are better, (m,): by float64, else by success."""
        assert self.logits is not None
        labels, before = self.labels[rows], self.logits[rows]
        new, old = (self.search.exact(z, labels) for z in (logits, before))
        won, had = (self.search.success(z, labels) for z in (logits, before))
        return (new > old) | ((new == old) & won & ~had)

    def succeeds(self) -> Tensor:
        """Which of the best points succeed, (batch,) bool."""
        if self.logits is None:
            return _none(self.labels)
        return self.search.success(self.logits, self.labels)


def _none(examples: Tensor) -> Tensor:
    """False for each of the examples (batch, *any), (batch,)."""
    return torch.zeros(len(examples), dtype=torch.bool, device=examples.device)
