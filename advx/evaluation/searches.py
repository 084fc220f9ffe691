"""What gradient steps find, by which of their points counts: the last, the best, or any.

    x₀ = x, or a random point of the ball;   xₖ₊₁ = Π(xₖ + α · d(∇ₓ J(xₖ, y)))

The search of Kurakin et al. (2016) and Madry et al. (2018) with nothing added to it. An attack that
is meant to be strong keeps the best of its points, starts twice, and asks the fast gradient sign
method too (`advx/attacks/pgd.py`); what a paper calls "gradient descent" may do none of this.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import evaluated
from advx.attacks.noise import in_ball
from advx.attacks.objectives import ObjectiveName, objective_named
from advx.attacks.targets import fooled
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.undefined import answered, no_number
from advx.models.call import UNDEFINED
from advx.types import Interval, NonNegative, Positive

Direction = Literal["sign", "gradient"]


@dataclass(frozen=True)
class Search:
    """Gradient steps in a ball of the max norm.

    Attributes:
        epsilon: radius of the ball.
        step_size: length of each step, in the max norm.
        objective: what is ascended.
        clip: range that the images stay in; None to let them leave [0, 1].
        random_start: start at a random point of the ball, the same for the same image; otherwise
            the example itself.
        direction: of a step: the gradient's sign, or the gradient over its largest component.
    """

    epsilon: NonNegative
    step_size: Positive
    objective: ObjectiveName = "log_odds"
    clip: Interval | None = None
    random_start: bool = False
    direction: Direction = "sign"


@dataclass(frozen=True)
class Found:
    """Percent of the examples that are misclassified, by which point of a search counts.

    Attributes:
        last: the last one.
        best: the one with the largest objective, of all from the start on.
        any: whether some point is misclassified.
        last_or_fgsm, best_or_fgsm, any_or_fgsm: the same, the FGSM point of the same objective and
            size being one more candidate: the better of it and the last point; one of all; any.
    """

    last: float
    best: float
    any: float
    last_or_fgsm: float
    best_or_fgsm: float
    any_or_fgsm: float


@dataclass
class _Seen:
    """Objective (batch,) of some points, and which are misclassified, (batch,) bool."""

    loss: Tensor
    wrong: Tensor

    def or_better(self, other: "_Seen") -> "_Seen":
        """For each example the one of two points with the larger objective; of equal ones this."""
        better = other.loss > self.loss
        return _Seen(
            torch.where(better, other.loss, self.loss),
            torch.where(better, other.wrong, self.wrong),
        )


@measurement(version=1)
def found(
    model: nn.Module, examples: Split, search: Search, steps: list[int], batch_size: int = 1000
) -> list[Found]:
    """What a search has found after each of these numbers of steps.

    Args:
        model: that is searched, by its own gradient.
        examples: n of them.
        search: how.
        steps: numbers of steps; one search passes through them all.
        batch_size: examples at once.

    Raises:
        ConfigError: too many of the logits are NaN; few examples are left out.
    """
    parts = [
        _searched(model, x, y, search, steps)
        for x, y in zip(
            examples.images.split(batch_size), examples.labels.split(batch_size), strict=True
        )
    ]
    wrong, undefined = (torch.cat(each) for each in zip(*parts, strict=True))
    counted = answered(model, torch.where(undefined, UNDEFINED, examples.labels))
    rates = 100 * wrong[counted].double().mean(0)  # (len(steps), 6)
    return [Found(*each) for each in rates.tolist()]


def _searched(
    model: nn.Module, images: Tensor, labels: Tensor, search: Search, steps: list[int]
) -> tuple[Tensor, Tensor]:
    """Which images (batch, *shape) are misclassified, and which had an answer that is no class.

    Returns:
        (batch, len(steps), 6) bool, after each number of steps, in the order of `Found`; (batch,)
        bool.
    """
    objective = objective_named(search.objective)
    undefined = torch.zeros_like(labels, dtype=torch.bool)

    def seen(x: Tensor, *, gradient: bool = False) -> tuple[_Seen, Tensor]:
        logits, loss, slope = evaluated(model, x, labels, objective, gradient=gradient)
        undefined.logical_or_(no_number(logits))
        return _Seen(loss, fooled(logits, labels, targeted=False)), slope

    step = FGSM(epsilon=search.epsilon, objective=search.objective, clip=search.clip)
    fgsm, _ = seen(step.perturb(model, images, labels))
    x = _start(images, search)
    best, ever, after = None, torch.zeros_like(undefined), []
    for taken in range(max(steps) + 1):
        last, slope = seen(x, gradient=taken < max(steps))
        best = last if best is None else best.or_better(last)
        ever = ever | last.wrong
        if taken in steps:
            alone = [last.wrong, best.wrong, ever]
            beside = [last.or_better(fgsm).wrong, best.or_better(fgsm).wrong, ever | fgsm.wrong]
            after.append(torch.stack([*alone, *beside], 1))
        if taken < max(steps):
            x = _projected(x + search.step_size * _direction(slope, search), images, search)
    return torch.stack(after, 1), undefined


def _start(images: Tensor, search: Search) -> Tensor:
    """Where the search starts, like images (batch, *shape)."""
    if not search.random_start:
        return images
    return _projected(images + search.epsilon * in_ball(images, "linf", 0), images, search)


def _direction(slope: Tensor, search: Search) -> Tensor:
    """A step of length 1 in the max norm, like the gradient (batch, *shape); zero where that is."""
    if search.direction == "sign":
        return norms.steepest(slope, "linf")
    flat = slope.flatten(1)
    largest = flat.abs().amax(1, keepdim=True)  # (batch, 1)
    return (flat / torch.where(largest > 0, largest, 1)).view_as(slope)


def _projected(x: Tensor, images: Tensor, search: Search) -> Tensor:
    """The nearest point of the ball around the images, then of the range, all (batch, *shape)."""
    inside = images + norms.projected(x - images, "linf", search.epsilon)
    return inside if search.clip is None else inside.clamp(*search.clip)
