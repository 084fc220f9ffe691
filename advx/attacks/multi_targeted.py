"""Auto-PGD toward the likeliest wrong classes in turn (Gowal et al. 2019, Croce and Hein 2020).

    for each of the wrong classes t, the largest logit first:
        ascend (z_t − z_y) / (z₁ − (z₃ + z₄) / 2)

An ascent away from the correct class y follows whichever wrong class leads at the moment and can be
caught between two of them; an ascent toward one class cannot. Where the gradient misleads, the
way out may lead through the least likely class: all of them are worth a try. So is a second start:
two short ascents, from the example and from a random point, find more than one of twice the length.
"""

import torch
from torch import Tensor, nn

from advx.attacks.apgd import APGD
from advx.attacks.base import Attack
from advx.attacks.objectives import targeted_ratio
from advx.attacks.targets import fooled, other_classes, predicted_logits
from advx.models.call import UNDEFINED, predicted
from advx.types import Interval, NonNegative, NormName, Positive, PositiveInt


class MultiTargeted(Attack):
    """The first point that leaves the correct class on the way to some other class.

    Args:
        epsilon: radius of the ball in `norm`, in the units of the images.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        targets: wrong classes that are tried, at most.
        steps: gradient steps of each start.
        step_size: length of the first steps in `norm`; None for 2 epsilon.
        restarts: starts toward each class: the example itself, then random points of the ball.
        clip: range that the adversarial images are clipped to; None to let them leave [0, 1].
    """

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        norm: NormName = "linf",
        targets: PositiveInt = 9,
        steps: PositiveInt = 25,
        step_size: Positive | None = None,
        restarts: PositiveInt = 2,
        clip: Interval | None = None,
    ) -> None:
        self.targets = targets
        self.clip = clip
        self.toward = _Toward(
            epsilon=epsilon,
            norm=norm,
            clip=clip,
            steps=steps,
            step_size=step_size,
            restarts=restarts,
            random_start=False,
            stop_on_success=True,
        )
        self.toward.objective = targeted_ratio

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The first success.

        An example that withstands every target comes back as it was, or as a point whose answer is
        a NaN.
        """
        best = images.clone()
        logits = predicted_logits(model, images)
        wrong = other_classes(logits, labels)  # (batch, classes − 1)
        active = (predicted(logits) == labels).nonzero().squeeze(1)
        for rank in range(min(self.targets, logits.shape[1] - 1)):
            if len(active) == 0:
                break
            pairs = torch.stack([labels[active], wrong[active, rank]], 1)  # (active, 2)
            x = self.toward.perturb(model, images[active], pairs)
            classes = predicted(predicted_logits(model, x))
            changed = classes != labels[active]
            best[active[changed]] = x[changed]
            active = active[~changed | (classes == UNDEFINED)]
        return best


class _Toward(APGD):
    """An ascent that is given (label, class aimed at) for each example, (batch, 2) int64.

    Any mistake on the way ends it, not only one in the class aimed at.
    """

    def success(self, logits: Tensor, target: Tensor) -> Tensor:
        """Which logits are mistakes, (batch,) bool."""
        return fooled(logits, target[:, 0], targeted=False)
