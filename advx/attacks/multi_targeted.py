"""Projected gradient descent toward the likeliest wrong classes in turn (Gowal et al. 2019).

    for each of the wrong classes t, the largest logit first:  ascend z_t − max_{i≠t} zᵢ

An ascent away from the correct class follows whichever wrong class leads at the moment and can be
caught between two of them; an ascent toward one class cannot. Where the gradient misleads, the
way out may lead through the least likely class: all of them are worth a try.
"""

from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.attacks.pgd import PGD
from advx.attacks.targets import fooled, other_classes, predicted_logits
from advx.models.call import predicted
from advx.types import Interval, NonNegative, NormName, Positive, PositiveInt


class MultiTargeted(Attack):
    """The first point that leaves the correct class on the way to some other class.

    Args:
        epsilon: radius of the ball in `norm`, in the units of the images.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        targets: wrong classes that are tried, at most.
        steps: gradient steps toward each of them, from the example itself, shrinking to 0.
        step_size: length of the first step in `norm`; None for 2 epsilon.
        clip: range that the adversarial images are clipped to; None to let them leave [0, 1].
    """

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        norm: NormName = "linf",
        targets: PositiveInt = 9,
        steps: PositiveInt = 50,
        step_size: Positive | None = None,
        clip: Interval | None = None,
    ) -> None:
        self.targets = targets
        self.clip = clip
        self.toward = PGD(
            epsilon=epsilon,
            norm=norm,
            clip=clip,
            steps=steps,
            step_size=step_size,
            schedule="linear",
            objective="margin",
            random_start=False,
            stop_on_success=True,
            targeted=True,
        )

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The first success; an example that withstands every target comes back as it was."""
        best = images.clone()
        logits = predicted_logits(model, images)
        wrong = other_classes(logits, labels)  # (batch, classes − 1)
        active = (predicted(logits) == labels).nonzero().squeeze(1)
        for rank in range(min(self.targets, logits.shape[1] - 1)):
            x = self.toward.perturb(model, images[active], wrong[active, rank])
            succeeds = fooled(predicted_logits(model, x), labels[active], targeted=False)
            best[active[succeeds]] = x[succeeds]
            active = active[~succeeds]
            if len(active) == 0:
                break
        return best
