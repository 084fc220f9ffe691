"""The first attack (Szegedy et al. 2014b), section 1.2.4: box-constrained L-BFGS.

    minimise  λ ‖η‖₂² + J(x + η, ỹ)  subject to  x + η in [0, 1]ⁿ,

J the cross-entropy towards a wrong class ỹ. The larger λ, the smaller the perturbation: each
example's λ is searched for, by factors of ten until one succeeds and one fails, then by halving
the interval of their logarithms. Of all points that the optimiser visits and the model gives the
class ỹ, the one nearest to the example is returned.
"""

import torch
from torch import Tensor, nn

from advx.attacks.aims import likeliest_wrong, reached
from advx.attacks.box_lbfgs import minimize
from advx.attacks.gradient import evaluated
from advx.attacks.objectives import hard_label_cost
from advx.types import Interval, Positive, PositiveInt

FACTOR = 10.0
"""Of λ, from one search to the next, until it is bracketed."""


class LBFGS:
    """The smallest perturbation, in L2, that reaches a class.

    Args:
        searches: values of λ that each example is given.
        evaluations: of the model and its gradient in each search, at most.
        weight: the first λ.
        history: steps that the curvature is estimated from.
        clip: the box; None for no constraint.
        targeted: labels are the classes ỹ; otherwise they are to be left, and ỹ is the likeliest
            wrong class.
    """

    def __init__(
        self,
        *,
        searches: PositiveInt = 10,
        evaluations: PositiveInt = 100,
        weight: Positive = 1.0,
        history: PositiveInt = 10,
        clip: Interval | None = (0.0, 1.0),
        targeted: bool = True,
    ) -> None:
        self.searches = searches
        self.evaluations = evaluations
        self.weight = weight
        self.history = history
        self.clip = clip
        self.targeted = targeted

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Adversarial images (batch, *shape) for images (batch, *shape) and labels (batch,).

        An example for which no λ succeeds comes back as it was.
        """
        aims = labels if self.targeted else likeliest_wrong(model, images, labels)
        left = (~reached(model, images, aims)).nonzero().squeeze(1)
        found = images.detach().clone()
        if len(left):
            found[left] = self._towards(model, images[left].detach(), aims[left])
        return found

    def _towards(self, model: nn.Module, images: Tensor, aims: Tensor) -> Tensor:
        """The same for images that the model does not give the class aimed at."""
        x = images.flatten(1)
        low, high = (x.new_tensor(bound) for bound in self.clip or (-torch.inf, torch.inf))
        best, nearest = x.clone(), torch.full_like(x[:, 0], torch.inf)
        weight = torch.full_like(nearest, self.weight)

        def cost(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            logits, value, gradient = evaluated(
                model, points.view(-1, *images.shape[1:]), aims[rows], hard_label_cost
            )
            away = points - x[rows]
            distance = away.square().sum(1)
            closer = (logits.argmax(1) == aims[rows]) & (distance < nearest[rows])
            best[rows[closer]], nearest[rows[closer]] = points[closer], distance[closer]
            slope = gradient.flatten(1) + 2 * weight[rows, None] * away
            return value + weight[rows] * distance, slope

        works, fails = torch.zeros_like(weight), torch.full_like(weight, torch.inf)
        for _ in range(self.searches):
            start = best.clamp(low, high)
            end = minimize(
                cost, start, low, high, evaluations=self.evaluations, history=self.history
            )
            won = reached(model, end.view_as(images), aims)
            works = torch.where(won, weight, works)
            fails = torch.where(won, fails, weight)
            between = (works.log() / 2 + fails.log() / 2).exp()
            weight = torch.where(fails.isinf(), works * FACTOR, between)
            weight = torch.where(works == 0, fails / FACTOR, weight)
        return best.view_as(images)
