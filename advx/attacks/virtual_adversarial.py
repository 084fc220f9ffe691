"""Virtual adversarial examples (Miyato et al. 2015), section 1.2.4: no label is needed.

They change the prediction itself as much as possible,

    maximize  KL(p(y | x) ‖ p(y | x + η))  within a ball,

whose first-order gradient at η = 0 vanishes: the direction is that of the second order, by power
iteration (`virtual_direction`, which the defense of the same name shares). Of its two signs, which
the second order cannot tell apart, the one with the larger divergence is taken.
"""

import torch
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.attacks.noise import gaussian
from advx.attacks.targets import predicted_logits
from advx.attacks.virtual_direction import divergence, virtual_adversarial_direction
from advx.types import Interval, NonNegative, NormName, PositiveInt


class VirtualAdversarial(Attack):
    """One step of length `epsilon` along the virtual adversarial direction.

    Args:
        epsilon: size of the perturbation in `norm`, in the units of the images.
        norm: the Euclidean norm (`l2`) or the max norm (`linf`).
        iterations: steps of the power iteration, from a random direction that belongs to the image.
        clip: range that the adversarial images are clipped to; None to let them leave [0, 1].
    """

    receives = "nothing"

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        norm: NormName = "l2",
        iterations: PositiveInt = 10,
        clip: Interval | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.norm: NormName = norm
        self.iterations = iterations
        self.clip = clip

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor:
        """One step from every image; labels are not used."""
        direction = virtual_adversarial_direction(
            model, images, gaussian(images, 0), self.iterations, self.norm
        )
        both = [images + self.epsilon * direction, images - self.epsilon * direction]
        if self.clip is not None:
            both = [x.clamp(*self.clip) for x in both]
        here = predicted_logits(model, images).double()  # float32 has no small divergences
        first, second = (divergence(here, predicted_logits(model, x).double()) for x in both)
        chosen = (first >= second).view(-1, *[1] * (images.dim() - 1))  # (batch, 1, …)
        return torch.where(chosen, both[0], both[1])
