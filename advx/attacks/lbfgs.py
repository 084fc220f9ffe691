"""The first attack (Szegedy et al. 2014b), section 1.2.4: box-constrained L-BFGS.

    minimize  λ ‖η‖₂² + J(x + η, ỹ)  subject to  x + η in [0, 1]ⁿ,

J the cross-entropy toward a wrong class ỹ. The larger λ, the smaller the perturbation: each
example's λ is searched for, by factors of ten until one succeeds and one fails, then by halving
the interval of their logarithms. Of all points that the optimizer visits and the model gives the
class ỹ, the one nearest to the example is returned. Logits that are very small or very large are
brought to an ordinary scale first: λ would not be found from its usual start.

"In principle any gradient-based optimization algorithm would suffice": `optimizer=adam` minimizes
the same function by another one.
"""

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from advx.attacks import box_adam, box_lbfgs
from advx.attacks.base import Attack
from advx.attacks.gradient import evaluated
from advx.attacks.objectives import hard_label_cost
from advx.attacks.targets import fooled, likeliest_wrong, predicted_logits, reached
from advx.types import Interval, Positive, PositiveInt

FACTOR = 10.0
"""Of λ, from one search to the next, until it is bracketed."""

ORDINARY = 0.1, 1e4
"""Differences of logits for which the cost is taken as it is."""


class LBFGS(Attack):
    """The smallest perturbation, in L2, that reaches a class.

    Args:
        searches: values of λ that each example is given.
        evaluations: of the model and its gradient in each search, at most.
        weight: the first λ.
        history: steps that the curvature is estimated from.
        clip: the box; None for no constraint.
        targeted: labels are the classes ỹ, as in the paper; otherwise they are to be left, and ỹ is
            the likeliest wrong class.
        optimizer: `lbfgs`, or `adam`, which spends all evaluations and has no use for `history`.
    """

    def __init__(
        self,
        *,
        searches: PositiveInt = 10,
        evaluations: PositiveInt = 100,
        weight: Positive = 1.0,
        history: PositiveInt = 10,
        clip: Interval | None = (0.0, 1.0),
        targeted: bool = False,
        optimizer: Literal["lbfgs", "adam"] = "lbfgs",
    ) -> None:
        self.searches = searches
        self.evaluations = evaluations
        self.weight = weight
        self.clip = clip
        self.targeted = targeted
        self.minimize = (
            partial(box_lbfgs.minimize, history=history)
            if optimizer == "lbfgs"
            else box_adam.minimize
        )

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The nearest successes; an example for which no λ succeeds comes back as it was."""
        targets = labels if self.targeted else likeliest_wrong(model, images, labels)
        active = (~reached(model, images, targets)).nonzero().squeeze(1)
        adversarial = images.clone()
        if len(active):
            adversarial[active] = self._toward(model, images[active], targets[active])
        return adversarial

    def _toward(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The same for images that the model does not give the target class yet."""
        kind = torch.promote_types(images.dtype, torch.float32)
        x = images.flatten(1).to(kind)  # (batch, pixels)
        scale = ordinary_scale(predicted_logits(model, images), targets)
        low, high = (x.new_tensor(bound) for bound in self.clip or (-torch.inf, torch.inf))
        best, nearest = x.clone(), torch.full_like(x[:, 0], torch.inf)
        weight = torch.full_like(nearest, self.weight)

        def cost(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            asked = points.view(-1, *images.shape[1:]).to(images.dtype)  # (m, *shape)
            points = asked.flatten(1).to(x.dtype)
            logits, value, gradient = evaluated(
                model,
                asked,
                targets[rows],
                lambda logits, labels: hard_label_cost(scale[rows] * logits, labels),
            )
            away = points - x[rows]
            distance = away.square().sum(1)  # (m,)
            closer = fooled(logits, targets[rows], targeted=True) & (distance < nearest[rows])
            best[rows[closer]], nearest[rows[closer]] = points[closer], distance[closer]
            slope = gradient.flatten(1) + 2 * weight[rows, None] * away
            return value.to(x.dtype) + weight[rows] * distance, slope

        succeeds, fails = torch.zeros_like(weight), torch.full_like(weight, torch.inf)
        for _ in range(self.searches):
            start = best.clamp(low, high)
            end = self.minimize(cost, start, low, high, evaluations=self.evaluations)
            reaches = reached(model, end.view_as(images).to(images.dtype), targets)
            succeeds = torch.where(reaches, weight, succeeds)
            fails = torch.where(reaches, fails, weight)
            between = (succeeds.log() / 2 + fails.log() / 2).exp()
            weight = torch.where(fails.isinf(), succeeds * FACTOR, between)
            weight = torch.where(succeeds == 0, fails / FACTOR, weight)
        return best.view_as(images).to(images.dtype)


def ordinary_scale(logits: Tensor, targets: Tensor) -> Tensor:
    """What brings each example's logits (batch, classes) to differences of about 32, (batch, 1).

    A power of two; 1 where they differ by something between `ORDINARY`. Where they differ by more,
    some may be of classes that are masked, −inf or −1e30: the lead over the target class counts.
    """
    top = logits.amax(1, keepdim=True)
    spread = top - logits.amin(1, keepdim=True)
    lead = top - logits.gather(1, targets[:, None])
    spread = torch.where(spread > ORDINARY[1], lead, spread)
    usual = (spread >= ORDINARY[0]) & (spread <= ORDINARY[1])
    possible = spread.isfinite() & (spread > 0) & ~usual
    return torch.where(possible, torch.exp2(5 - spread.log2().round()), 1.0)
