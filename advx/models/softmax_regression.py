"""Softmax regression, the shallow linear target of Table 1.1: no hidden layer, no dropout."""

from torch import Tensor

from advx.models.base import Classifier, features
from advx.models.layers import Linear
from advx.types import Positive, PositiveInt, Shape


class SoftmaxRegression(Classifier):
    """A single linear layer.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        init_range: weights start in U(-init_range, init_range).
        max_column_norm: bound on the L2 norm of each class's weights; None for none.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        init_range: Positive = 0.005,
        max_column_norm: Positive | None = None,
    ) -> None:
        super().__init__()
        self.linear = Linear(
            features(input_shape), classes, init_range=init_range, max_column_norm=max_column_norm
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to logits (batch, classes)."""
        return self.linear(x.flatten(1))

    def constrain(self) -> None:
        self.linear.constrain()
