"""Softmax regression, the shallow linear target of Table 1.1: no hidden layer."""

from torch import Tensor

from advx.models.base import Classifier, features
from advx.models.inputs import InputName, fit, scaled_inputs
from advx.models.layers import Dropout, Linear
from advx.types import KeepProbability, Positive, PositiveInt, Shape


class SoftmaxRegression(Classifier):
    """A single linear layer.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        init_range: weights start in U(-init_range, init_range).
        max_column_norm: bound on the L2 norm of each class's weights; None for none.
        keep_input: probability of keeping a pixel in training; 1 for no dropout.
        scale_input: kept pixels are multiplied by it.
        inputs: what the layer sees of the pixels, see `advx.models.inputs`.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        init_range: Positive = 0.005,
        max_column_norm: Positive | None = None,
        keep_input: KeepProbability = 1.0,
        scale_input: Positive = 1.0,
        inputs: InputName = "unit",
    ) -> None:
        super().__init__()
        self.inputs = scaled_inputs(inputs, input_shape)
        self.dropout = Dropout(keep_input, scale=scale_input)
        self.linear = Linear(
            features(input_shape), classes, init_range=init_range, max_column_norm=max_column_norm
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to logits (batch, classes)."""
        return self.linear(self.dropout(self.inputs(x.flatten(1))))

    def adapt(self, images: Tensor) -> None:
        fit(self.inputs, images)

    def constrain(self) -> None:
        self.linear.constrain()
