"""What the rest of advx expects of a classifier beyond `nn.Module`.

Any `nn.Module` that maps images (batch, *shape) to logits (batch, classes) will do. Three optional
members are honored when present: `adapt(images)`, called once before training, `constrain()`,
called after every parameter update, and `differentiable`, False for a model whose prediction has no
gradient.
"""

import math

import torch
from torch import Tensor, nn

from advx.types import PositiveInt, Shape


class Classifier(nn.Module):
    """A classifier with the optional members in place."""

    differentiable: bool = True
    """Whether the logits have a gradient with respect to the images."""

    def adapt(self, images: Tensor) -> None:
        """Take what preprocessing needs from the training images (n, *shape), before training."""

    def constrain(self) -> None:
        """Project the parameters back onto their constraint set, in place, after an update."""


class FittedClassifier(Classifier):
    """A classifier made from the training set in one go, without chance and without epochs.

    It is fitted again in every run that needs it: no store holds it.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
    """

    def __init__(self, *, input_shape: Shape, classes: PositiveInt) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.classes = classes

    def fit(self, images: Tensor, labels: Tensor) -> None:
        """Take in the training set: images (n, *shape), labels (n,) int64."""
        raise NotImplementedError


class InstanceBasedClassifier(FittedClassifier):
    """A classifier that is its training set.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        chunk_bytes: bound on the memory of one block of the matrix of distances.
    """

    images: Tensor  # (n, features), sorted by class
    squared_norms: Tensor  # (n,)

    def __init__(
        self, *, input_shape: Shape, classes: PositiveInt, chunk_bytes: PositiveInt = 2**27
    ) -> None:
        super().__init__(input_shape=input_shape, classes=classes)
        self.chunk_bytes = chunk_bytes
        self.counts = [0] * classes

    def fit(self, images: Tensor, labels: Tensor) -> None:
        """Keep the training set: images (n, *shape), labels (n,) int64."""
        order = torch.argsort(labels, stable=True)
        self.counts = torch.bincount(labels, minlength=self.classes).tolist()
        self.register_buffer("images", images[order].flatten(1), persistent=False)
        self.register_buffer("squared_norms", self.images.square().sum(1), persistent=False)

    def rows_at_once(self, x: Tensor) -> int:
        """Images whose distances to all training images fit into `chunk_bytes`."""
        return max(1, self.chunk_bytes // (len(self.images) * x.element_size()))


Fitted, Memory = FittedClassifier, InstanceBasedClassifier
"""The names under which models of one's own may still import them."""


def features(shape: Shape) -> int:
    """Number of components of one example of the given shape."""
    return math.prod(shape)


def is_differentiable(model: object) -> bool:
    """Whether an attack may ask `model` (or models of this class) for a gradient."""
    return getattr(model, "differentiable", True) is not False


def adapt(model: nn.Module, images: Tensor) -> None:
    """Fit the model's own preprocessing to the training images (n, *shape), if it has one."""
    fit = getattr(model, "adapt", None)
    if callable(fit):
        fit(images)


def constrain(model: nn.Module) -> None:
    """Apply the model's own parameter constraint, if it has one."""
    project = getattr(model, "constrain", None)
    if callable(project):
        with torch.no_grad():
            project()
