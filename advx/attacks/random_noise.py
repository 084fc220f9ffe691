"""Random perturbations of the same size as adversarial ones: the control of every attack.

Figure 1.3's caption: "random directions rarely cause the class to change".
"""

from typing import Literal

from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.attacks.noise import gaussian, uniform
from advx.types import Interval, NonNegative, NonNegativeInt, NormName


class RandomNoise(Attack):
    """Noise of length exactly `epsilon`, the same for the same image whatever its batch.

    Args:
        epsilon: size of the perturbation in `norm`, in the units of the images.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        kind: random signs, uniform or Gaussian numbers, brought to the length.
        draw: another number, other noise.
        clip: range that the noisy images are clipped to; None to let them leave [0, 1].
    """

    receives = "nothing"

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        norm: NormName = "linf",
        kind: Literal["sign", "uniform", "gaussian"] = "sign",
        draw: NonNegativeInt = 0,
        clip: Interval | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.norm: NormName = norm
        self.kind = kind
        self.draw = draw
        self.clip = clip

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor:
        """Noisy images (batch, *shape); neither model nor labels are used."""
        noise = (gaussian if self.kind == "gaussian" else uniform)(images, self.draw)
        if self.kind == "sign":
            noise = noise.sign()
        size = norms.length(noise, self.norm).view(-1, *[1] * (images.dim() - 1))  # (batch, 1, …)
        moved = images + norms.projected(self.epsilon * (noise / size), self.norm, self.epsilon)
        return moved if self.clip is None else moved.clamp(*self.clip)
