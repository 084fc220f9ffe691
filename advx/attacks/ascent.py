"""What iterated attacks in a ball share: where they start, and which of their points they return.

For each example that is the best of all points visited, the example itself and its FGSM point among
them, so that the objective is never below FGSM's. Of equal ones the one that succeeds is better;
and where the best does not succeed although the FGSM point or the example itself does, that is
returned. Where nothing succeeds and the model's answer to some point was a NaN, that point is
returned: nobody can say then that the example withstands the ball.
"""

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack, Receives
from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import evaluated
from advx.attacks.noise import in_ball
from advx.attacks.objectives import Objective, ObjectiveName, in_float64, objective_named
from advx.attacks.targets import fooled
from advx.types import Interval, NormName

TIE = 8
"""Units in the last place by which objectives differ that their rounding may have ordered."""


class Ascent(Attack):
    """An iterated attack in a ball; a subclass goes from a start to the last point, in `_ascend`.

    Its arguments are those of `PGD`.
    """

    def __init__(
        self,
        *,
        epsilon: float,
        norm: NormName,
        objective: ObjectiveName,
        restarts: int,
        random_start: bool,
        stop_on_success: bool,
        clip: Interval | None,
        targeted: bool,
        training_cost: Objective | None,
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
        best = Best(images, labels, self)
        everyone = torch.arange(len(images), device=images.device)
        logits, loss, gradient = self._evaluated(model, images, labels)
        best.offer(everyone, images, loss, logits)
        certain, succeeds = images.clone(), self.success(logits, labels)
        point = self.fgsm.step(images, gradient)
        won = self._single(model, labels, point, best)
        certain[won], succeeds = point[won], succeeds | won
        for restart in range(self.restarts):
            start = images
            if self.random_start or restart:
                noise = self.epsilon * in_ball(images, self.norm, restart)
                start = self._project_(noise.add_(images), images)
            self._ascend(model, images, labels, start, best)
        lost = succeeds & ~best.succeeds()
        best.points[lost] = certain[lost]
        return best.with_undefined(lost)

    def _ascend(
        self, model: nn.Module, images: Tensor, labels: Tensor, start: Tensor, best: "Best"
    ) -> None:
        """Offer every point on the way up from `start`.

        Where success ends the search, an example that has succeeded takes no part.
        """
        raise NotImplementedError

    def _single(self, model: nn.Module, labels: Tensor, points: Tensor, best: "Best") -> Tensor:
        """Offer one point of each example (batch, *shape), and say which succeed, (batch,)."""
        active = best.unbeaten()
        target, won = labels[active], none_of(points)
        if len(active):
            logits, loss, _ = self._evaluated(model, points[active], target, gradient=False)
            best.offer(active, points[active], loss, logits)
            won[active] = self.success(logits, target)
        return won

    def _offered(
        self,
        model: nn.Module,
        x: Tensor,
        target: Tensor,
        rows: Tensor,
        best: "Best",
        *,
        gradient: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """What is ascended at x (m, *shape), (m,), and its ∇ₓ, once `best` has seen the points."""
        logits, loss, slope = self._evaluated(model, x, target, gradient=gradient)
        best.offer(rows, x, loss, logits)
        return loss, slope

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
            return none_of(target)
        return fooled(logits, target, targeted=self.targeted)

    def exact(self, logits: Tensor, target: Tensor) -> Tensor:
        """What is ascended, in float64 where it can be, (batch,)."""
        value = in_float64(self.objective, logits, target)
        return -value if self.targeted else value

    def _project_(self, x: Tensor, images: Tensor) -> Tensor:
        """Π(x) around the images, like x (m, *shape), in its memory: a step takes few copies."""
        inside = norms.projected(x.sub_(images), self.norm, self.epsilon).add_(images)
        return inside if self.clip is None else inside.clamp_(*self.clip)


class Best:
    """The best point of every example so far, its loss and the model's answer to it."""

    def __init__(self, images: Tensor, labels: Tensor, search: Ascent) -> None:
        self.points = images.clone()
        self.loss = images.new_full((len(images),), -torch.inf, dtype=torch.float64)
        self.labels = labels
        self.search = search
        self.logits: Tensor | None = None  # shaped like the first answer
        self.undefined: Tensor | None = None  # points whose answer is a NaN, of the examples where
        self.met_nan = none_of(images)  # there is one

    def offer(self, rows: Tensor, points: Tensor, loss: Tensor, logits: Tensor) -> None:
        """Keep the points (m, *shape) of the examples at `rows` (m,) that are better."""
        if self.logits is None:
            shape = (len(self.points), *logits.shape[1:])
            self.logits = logits.new_full(shape, torch.nan)
        nan = logits.isnan().flatten(1).any(1) & ~self.met_nan[rows]  # the first one is kept
        if nan.any():
            self.undefined = self.points.clone() if self.undefined is None else self.undefined
            self.undefined[rows[nan]], self.met_nan[rows[nan]] = points[nan], True
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

    def unbeaten(self) -> Tensor:
        """Places of the examples that have not ended their search by success, (m,) int64."""
        return (self.loss < torch.inf).nonzero().squeeze(1)

    def with_undefined(self, other: Tensor) -> Tensor:
        """The best points, but where none succeeds one whose answer is a NaN, like the images.

        Args:
            other: examples whose point here is a success of other than the best logits, (batch,).
        """
        if self.undefined is not None:
            fails = self.met_nan & ~self.succeeds() & ~other
            self.points[fails] = self.undefined[fails]
        return self.points

    def succeeds(self) -> Tensor:
        """Which of the best points succeed, (batch,) bool."""
        if self.logits is None:
            return none_of(self.labels)
        return self.search.success(self.logits, self.labels)


def none_of(examples: Tensor) -> Tensor:
    """False for each of the examples (batch, *any), (batch,)."""
    return torch.zeros(len(examples), dtype=torch.bool, device=examples.device)
