"""The fast gradient sign method (Goodfellow et al. 2014b): Equation 1.3 of the chapter.

    x̃ = x + ε · sign(∇ₓ J(x, y)),

the maximizer of the linearized objective in the max-norm ball; with the L2 norm, x + ε g / ‖g‖₂. J
is by default the log-odds of a mistake: its gradient has the direction of the training cost's, and
does not saturate (`objectives.py`). Unclipped by default, which is the chapter's protocol. The
model is not asked about the result: it costs one gradient and nothing else.
"""

from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack, Receives
from advx.attacks.gradient import has_dropout, input_gradient
from advx.attacks.objectives import (
    Objective,
    ObjectiveName,
    objective_named,
    reconstruction_error,
)
from advx.notes import Note, note
from advx.types import Interval, NonNegative, NormName


class FGSM(Attack):
    """One step of length `epsilon` along the steepest direction.

    Args:
        epsilon: size of the perturbation in `norm`, in the units of the images.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        objective: what the step increases.
        clip: range that the adversarial images are clipped to; None to let them leave [0, 1].
        targeted: labels are classes to be reached, not to be left.
        training_cost: the training cost of the attacked model's defense, (logits, labels) to
            (batch,); needed for `objective="training_cost"`.
        dropout: the model's dropout layers are on while its gradient is taken, one mask for each
            example, as in training. The attack is random then, and no example is independent of
            its batch. A model without such layers is noted.
    """

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        norm: NormName = "linf",
        objective: ObjectiveName = "log_odds",
        clip: Interval | None = None,
        targeted: bool = False,
        training_cost: Objective | None = None,
        dropout: bool = False,
    ) -> None:
        self.epsilon = epsilon
        self.norm = norm
        self.clip = clip
        self.targeted = targeted
        self.random = dropout
        self.objective = objective_named(objective, training_cost)

    @property
    def receives(self) -> Receives:
        """The originals, where the objective is an autoencoder's error."""
        return "originals" if self.objective is reconstruction_error else super().receives

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """One step from every image."""
        if self.random and not has_dropout(model):
            name = type(model).__name__
            text = (
                f"{name}: no dropout layer (nn.Dropout) is found in it; dropout=true does nothing"
            )
            note(Note(name, len(images), len(images), text))
        gradient = input_gradient(model, images, labels, self.objective, dropout=self.random)
        return self.step(images, -gradient if self.targeted else gradient)

    def step(self, images: Tensor, gradient: Tensor) -> Tensor:
        """One step from every image along the gradient of what is to grow, all (batch, *shape)."""
        perturbed = images + self.epsilon * norms.steepest(gradient, self.norm)
        return perturbed if self.clip is None else perturbed.clamp(*self.clip)
