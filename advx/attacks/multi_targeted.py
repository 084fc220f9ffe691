"""Projected gradient descent towards the likeliest wrong classes in turn (Gowal et al. 2019).

    for each of the wrong classes t, the largest logit first:  ascend z_t − max_{i≠t} zᵢ

An ascent away from the correct class follows whichever wrong class leads at the moment and can be
caught between two of them; an ascent towards one class cannot. Where the gradient misleads, the
way out may lead through the least likely class: all of them are worth a try.
"""

from typing import Any

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.attacks.pgd import PGD
from advx.models.call import UNDEFINED, logits_of, predicted
from advx.types import Interval, NonNegative, NormName, Positive, PositiveInt


class MultiTargeted:
    """The first point that leaves the correct class on the way to some other class.

    Args:
        epsilon: radius of the ball in `norm`, in the units of the images.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        targets: wrong classes that are tried, at most.
        steps: gradient steps towards each of them, from the example itself, shrinking to 0.
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
        ball: dict[str, Any] = {"epsilon": epsilon, "norm": norm, "clip": clip}
        self.towards = PGD(
            **ball, steps=steps, step_size=step_size, schedule="linear", objective="margin",
            random_start=False, stop_on_success=True, targeted=True,
        )  # fmt: skip

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Adversarial images (batch, *shape) for images (batch, *shape) and labels (batch,).

        An example that withstands every target comes back as it was.
        """
        images = images.detach()
        best = images.clone()
        with torch.no_grad(), evaluating(model):
            logits = logits_of(model, images)
        wrong = logits.scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
        left = (logits.argmax(1) == labels).nonzero().squeeze(1)
        for rank in range(min(self.targets, logits.shape[1] - 1)):
            x = self.towards(model, images[left], wrong[left, rank])
            with torch.no_grad(), evaluating(model):
                classes = predicted(logits_of(model, x))
            fooled = (classes != labels[left]) & (classes != UNDEFINED)
            best[left[fooled]] = x[fooled]
            left = left[~fooled]
            if len(left) == 0:
                break
        return best
