"""The attack that linearizes the model (Huang et al. 2015), section 1.2.4.

Where FGSM linearizes the cost, this one linearizes every logit: zₖ(x + η) ≈ zₖ + ∇zₖᵀ η. The
smallest η that makes class k overtake the label y has a closed form in every norm,

    η = (z_y − zₖ) / ‖w‖_* · (the unit vector steepest along w),    w = ∇zₖ − ∇z_y,

‖·‖_* the dual norm; the nearest of all classes is taken. Repeated from where it ends, this is
DeepFool (Moosavi-Dezfooli et al. 2016).
"""

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.attacks.gradient import linearized
from advx.attacks.targets import fooled, other_classes, predicted_logits
from advx.models.call import UNDEFINED, predicted
from advx.types import DistanceName, Interval, NonNegative, PositiveInt

BEYOND = 1e-4
"""Added to the length of every step where images are clipped, and of one from the boundary itself.

What a step loses to the range it makes up for in the next, and would so approach the boundary
without end; and where two logits are equal, the closed form's step has no length. The authors of
DeepFool add as much everywhere.
"""


class LinearizedModel(Attack):
    """The closed-form smallest perturbation that changes the class of the linearized model.

    Args:
        norm: what is smallest: the max norm (`linf`), the Euclidean norm (`l2`) or the sum of the
            absolute changes (`l1`, a single pixel a step).
        steps: linearizations; an example stops at the first that succeeds.
        classes: wrong classes considered, the largest logits first; None for all.
        overshoot: the perturbation is lengthened by this part, to end beyond the hyperplane.
        clip: range that the adversarial images are clipped to; None to let them leave [0, 1]. The
            closed form knows of no range.
        targeted: labels are classes to be reached, not to be left.
    """

    def __init__(
        self,
        *,
        norm: DistanceName = "l2",
        steps: PositiveInt = 1,
        classes: PositiveInt | None = None,
        overshoot: NonNegative = 0.02,
        clip: Interval | None = None,
        targeted: bool = False,
    ) -> None:
        self.norm = norm
        self.steps = steps
        self.classes = classes
        self.overshoot = overshoot
        self.clip = clip
        self.targeted = targeted

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Images across the nearest boundary.

        An example that succeeds without a perturbation comes back as it was; one that no step
        takes across comes back where the last one left it, also where its logits are no numbers.
        """
        adversarial = images.clone()
        total = torch.zeros_like(adversarial)
        active = torch.arange(len(images), device=images.device)
        for _ in range(self.steps):
            logits = predicted_logits(model, adversarial[active])
            undefined = predicted(logits) == UNDEFINED
            active = active[~(undefined | fooled(logits, labels[active], targeted=self.targeted))]
            if len(active) == 0:
                break
            change = self._nearest(model, adversarial[active], labels[active])
            possible = change.isfinite().flatten(1).all(1)  # where the slope is a number
            active, change = active[possible], change[possible]
            total[active] += change
            moved = images[active] + (1 + self.overshoot) * total[active]
            adversarial[active] = moved if self.clip is None else moved.clamp(*self.clip)
        return adversarial

    def _nearest(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The smallest change that crosses one of the linearized boundaries, like images."""
        logits, gradient = linearized(model, images)
        if self.targeted:
            leaving, entered = logits.argmax(1), labels[:, None]  # (batch,), (batch, 1)
        else:
            # a class whose logit is −inf stands among them, but is infinitely far
            leaving, entered = labels, other_classes(logits, labels)[:, : self.classes]
        best = torch.zeros_like(images)
        kind = torch.promote_types(logits.dtype, images.dtype)
        nearest = logits.new_full((len(logits),), torch.inf, dtype=kind)
        for entering in entered.unbind(1):
            ahead = _one(logits, leaving) - _one(logits, entering)
            weights = torch.zeros_like(logits).scatter(1, entering[:, None], 1.0)
            slope = gradient(weights.scatter(1, leaving[:, None], -1.0))
            steepness = norms.dual_length(slope, self.norm)
            distance = ahead / steepness
            nearer = distance < nearest
            beyond = BEYOND * steepness
            ahead = torch.where((ahead == 0) | (self.clip is not None), ahead + beyond, ahead)
            change = norms.shortest(slope[nearer], ahead[nearer], self.norm)
            best[nearer], nearest[nearer] = change.to(images.dtype), distance[nearer]
        return best


def _one(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None]).squeeze(1)
