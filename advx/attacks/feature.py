"""Images with another image's hidden representation (Sabour et al. 2015), section 1.2.4.

    minimize  ‖φ(x + η) − φ(guide)‖₂²  subject to  ‖η‖∞ ≤ ε  and  x + η in [0, 1]ⁿ,

φ the output of a hidden layer, by box-constrained L-BFGS as in the paper. "This is a stronger
condition than perturbing the image to take on a specific class": of the guide, not only the class
is taken over.
"""

import torch
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.attacks.box_lbfgs import minimize
from advx.attacks.gradient import hidden, require_gradient
from advx.errors import NoGradientError
from advx.types import Interval, NonNegative, PositiveInt


class Feature(Attack):
    """The image in the ball whose hidden representation is nearest to the guide's.

    Args:
        epsilon: size of the perturbation in the max norm, in the units of the images.
        layer: name of a submodule of the model, as in `model.named_modules()`; its output is φ.
        evaluations: of the model and its gradient, at most.
        history: steps that the curvature is estimated from.
        clip: range of the adversarial images; None to let them leave [0, 1].
    """

    receives = "guide_images"

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        layer: str,
        evaluations: PositiveInt = 200,
        history: PositiveInt = 10,
        clip: Interval | None = (0.0, 1.0),
    ) -> None:
        self.epsilon = epsilon
        self.layer = layer
        self.evaluations = evaluations
        self.history = history
        self.clip = clip

    def perturb(self, model: nn.Module, images: Tensor, guide_images: Tensor) -> Tensor:
        """Images near `images` that the layer takes for the guides: all (batch, *shape).

        Raises:
            ConfigError: the model has no such layer.
            NoGradientError: the layer has no gradient.
        """
        require_gradient(model)
        with torch.no_grad():
            targets = hidden(model, guide_images, self.layer).flatten(1)  # (batch, features)
        kind = torch.promote_types(images.dtype, torch.float32)
        x = images.flatten(1).to(kind)  # (batch, pixels)
        low, high = x - self.epsilon, x + self.epsilon
        if self.clip is not None:
            low, high = low.clamp(*self.clip), high.clamp(*self.clip)

        def distance(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                z = points.clone().requires_grad_(True)  # (m, pixels)
                asked = z.view(-1, *images.shape[1:]).to(images.dtype)  # (m, *shape)
                phi = hidden(model, asked, self.layer).flatten(1)  # (m, features)
                if not phi.requires_grad:
                    raise NoGradientError(
                        f"attack.layer={self.layer}: its output carries no gradient to the images"
                    )
                value = (phi - targets[rows]).square().sum(1)  # (m,)
                (slope,) = torch.autograd.grad(value.sum(), z)
            return value.detach().to(x.dtype), slope

        end = minimize(
            distance,
            x.clamp(low, high),
            low,
            high,
            evaluations=self.evaluations,
            history=self.history,
        )
        return end.view_as(images).to(images.dtype)
