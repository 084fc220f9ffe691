"""A denoising autoencoder in front of the classifier: section 1.2.7, Gu and Rigazio 2014.

The noise is the crafting of adversarial examples: the autoencoder g learns to give back the clean
image from one that was perturbed to fool the classifier f,

    min_g ½ E ‖g(x) − x‖² + ½ E ‖g(x + ε sign ∇ₓ J_f(x, y)) − x‖²,

and is then stacked with it. The stack f(g(x)) is a model like any other and is attacked as one.
"""

import itertools
import math

import torch
from torch import Tensor, nn

from advx.attacks.fgsm import FGSM
from advx.defenses.base import Defense, Dependency
from advx.models.base import Classifier, features
from advx.models.call import logits_of
from advx.types import Positive, PositiveInt, Shape


class Autoencoder(nn.Module):
    """Fully connected rectified layers around a bottleneck; the output layer is linear.

    Args:
        shape: shape of one image, (channels, height, width).
        units: units of each hidden layer.
    """

    def __init__(self, shape: Shape, units: tuple[int, ...]) -> None:
        super().__init__()
        widths = [features(shape), *units]
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise(widths):
            layers += [nn.Linear(width, following), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], widths[0]))

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *shape) to reconstructions of the same shape."""
        return self.layers(x.flatten(1)).view_as(x)


class Stacked(Classifier):
    """A classifier that is shown what an autoencoder makes of the image.

    Args:
        autoencoder: images (batch, *shape) to the same shape.
        classifier: a trained classifier; its parameters are frozen.
    """

    def __init__(self, autoencoder: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.classifier = classifier.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *shape) to logits (batch, classes)."""
        return logits_of(self.classifier, self.autoencoder(x))

    def train(self, mode: bool = True) -> "Stacked":
        """As usual, but the classifier stays in evaluation mode: it is not being trained."""
        super().train(mode)
        self.classifier.eval()
        return self


class DenoisingAutoencoder(Defense):
    """Trains an autoencoder to undo the perturbations that fool the classifier behind it.

    Args:
        epsilon: max norm of the perturbations, in the units of the images.
        units: units of the autoencoder's hidden layers.
    """

    def __init__(
        self, *, epsilon: Positive = 0.25, units: tuple[PositiveInt, ...] = (256, 128, 256)
    ) -> None:
        self.units = tuple(units)
        self.fgsm = FGSM(epsilon=epsilon)

    def dependencies(self, seed: int) -> list[Dependency]:
        """The classifier, trained without a defense."""
        return [Dependency(seed)]

    def prepare(
        self, module: nn.Module, dependencies: list[nn.Module], input_shape: Shape
    ) -> nn.Module:
        (classifier,) = dependencies
        return Stacked(Autoencoder(input_shape, self.units), classifier)

    def perturbed(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Examples that fool the classifier alone: (batch, *shape) to the same shape."""
        assert isinstance(model, Stacked)
        return self.fgsm.perturb(model.classifier, images, labels)

    def validation_images(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return self.perturbed(model, images, labels)

    def cost_of_guessing(self, classes: int) -> float:
        """Squared errors have no such bound."""
        return math.inf

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Squared error of the reconstruction, summed over pixels, its mean over both kinds."""
        assert isinstance(model, Stacked)
        both = torch.cat([images, self.perturbed(model, images, labels)])
        error = (model.autoencoder(both) - images.repeat(2, *[1] * (images.dim() - 1))).square()
        return error.flatten(1).sum(1).mean()
