"""How near virtual adversarial examples come to the largest change of the prediction."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.attacks.gradient import input_gradient
from advx.attacks.noise import gaussian
from advx.attacks.targets import predicted_logits
from advx.attacks.virtual_direction import divergence
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import craft


@dataclass(frozen=True)
class Divergences:
    """KL(p(y | x) ‖ p(y | x + η)), means over the examples, in nats.

    Attributes:
        kl_divergence: of the attack.
        largest_kl_divergence: that the attack or the search found.
        share_of_largest: the first over the second, in percent, the median over the examples.
    """

    kl_divergence: float
    largest_kl_divergence: float
    share_of_largest: float


@measurement(version=1)
def divergences(
    model: nn.Module, attack: Attack, clean: Split, *, epsilon: float, steps: int, starts: int
) -> Divergences:
    """An attack's divergence beside the largest that a search finds in the same L2 ball.

    The search is gradient ascent from where the attack ended, from the point opposite, and from
    random points of the ball's surface; its steps shrink from ε to nothing.

    Args:
        model: maps images to logits.
        attack: with L2 perturbations of at most ε.
        clean: n examples.
        epsilon: ε.
        steps: of each ascent.
        starts: random points.
    """
    x = clean.images
    here = predicted_logits(model, x).double()

    def divergence_at(points: Tensor) -> Tensor:
        return divergence(here, predicted_logits(model, points).double())

    end = craft(attack, model, clean).images
    reached = divergence_at(end)
    best = reached.clone()
    away = [end - x, x - end]
    away += [epsilon * norms.steepest(gaussian(x, draw), "l2") for draw in range(1, starts + 1)]
    for moved in away:
        for step in range(steps):
            best = torch.maximum(best, divergence_at(x + moved))
            slope = input_gradient(model, x + moved, here, _from)
            moved = moved + epsilon * (1 - step / steps) * norms.steepest(slope, "l2")
            moved = norms.projected(moved, "l2", epsilon)
        best = torch.maximum(best, divergence_at(x + moved))
    known = best > 0
    share = 100 * (reached / best)[known].median().item()
    return Divergences(reached.mean().item(), best.mean().item(), share)


def _from(logits: Tensor, here: Tensor) -> Tensor:
    """The divergence as an objective: the clean logits stand in the labels' place."""
    return divergence(here, logits.double())
