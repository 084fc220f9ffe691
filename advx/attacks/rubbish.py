"""Rubbish class examples, section 1.2.6: noise that a model takes for a class.

Images of noise belong to no class; a good classifier would be unsure of them. They are drawn, and
then, if wished, improved by gradient ascent toward a class (Goodfellow et al. 2014b, section 7).
"""

from typing import Literal

from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.attacks.gradient import input_gradient
from advx.attacks.noise import gaussian, uniform
from advx.attacks.objectives import log_odds
from advx.types import Interval, NonNegativeInt, NormName, Positive


class Rubbish(Attack):
    """Noise, and steps from it that raise the log-odds of a class.

    Args:
        noise: standard normal pixels, or uniform ones on [0, 1].
        steps: steps of gradient ascent; 0 for plain noise.
        step_size: length of a step in `norm`.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        draw: another number, other noise.
        clip: range that the images are kept in; None for no range.
    """

    targeted = True

    def __init__(
        self,
        *,
        noise: Literal["gaussian", "uniform"] = "gaussian",
        steps: NonNegativeInt = 0,
        step_size: Positive = 0.25,
        norm: NormName = "linf",
        draw: NonNegativeInt = 0,
        clip: Interval | None = None,
    ) -> None:
        self.noise = noise
        self.steps = steps
        self.step_size = step_size
        self.norm: NormName = norm
        self.draw = draw
        self.clip = clip

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Rubbish (batch, *shape) taken for the classes `labels` (batch,).

        The images give the shape, and each its own noise; nothing else of them is left.
        """
        if self.noise == "gaussian":
            x = gaussian(images, self.draw)
        else:
            x = (uniform(images, self.draw) + 1) / 2
        x = x if self.clip is None else x.clamp(*self.clip)
        for _ in range(self.steps):
            slope = -input_gradient(model, x, labels, log_odds)
            x = x + self.step_size * norms.steepest(slope, self.norm)
            x = x if self.clip is None else x.clamp(*self.clip)
        return x
