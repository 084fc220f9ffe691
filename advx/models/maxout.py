"""The permutation-invariant MNIST maxout network (Goodfellow et al. 2013a, section 5.1).

The crafting model of Table 1.1: two maxout layers of 240 units with 5 pieces each and a softmax
layer, trained with dropout on inputs and hidden units and a bound on every filter's norm.
"""

from torch import Tensor

from advx.models.base import Classifier, features
from advx.models.inputs import InputName, fit, scaled_inputs
from advx.models.layers import Affine, Dropout, Linear, Maxout, Sequential, flattened
from advx.types import KeepProbability, Positive, PositiveInt, Shape


class MaxoutNetwork(Classifier):
    """Maxout layers under a linear output layer.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        units: maxout units of each hidden layer.
        pieces: affine functions under each maximum.
        init_range: weights start in U(-init_range, init_range).
        max_column_norm: bound on the L2 norm of each filter's incoming weights; None for none.
        keep_input: probability of keeping a pixel in training.
        scale_input: kept pixels are multiplied by it; 1 is the authors', 1/keep_input PyTorch's.
        keep_hidden: probability of keeping a hidden unit; kept ones are scaled by 1/keep_hidden.
        inputs: what the first layer sees of the pixels, see `advx.models.inputs`.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        units: tuple[PositiveInt, ...] = (240, 240),
        pieces: PositiveInt = 5,
        init_range: Positive = 0.005,
        max_column_norm: Positive | None = 1.9365,
        keep_input: KeepProbability = 0.8,
        scale_input: Positive = 1.0,
        keep_hidden: KeepProbability = 0.5,
        inputs: InputName = "unit",
    ) -> None:
        super().__init__()
        self.inputs = scaled_inputs(inputs, input_shape)
        layers = Sequential(Dropout(keep_input, scale=scale_input))
        width = features(input_shape)
        for count in units:
            layers.append(
                Maxout(width, count, pieces, init_range=init_range, max_column_norm=max_column_norm)
            )
            layers.append(Dropout(keep_hidden, scale=1.0 / keep_hidden))
            width = count
        layers.append(
            Linear(width, classes, init_range=init_range, max_column_norm=max_column_norm)
        )
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) in [0, 1] to logits (batch, classes)."""
        return self.layers(self.inputs(x.flatten(1)))

    def adapt(self, images: Tensor) -> None:
        fit(self.inputs, images)

    def constrain(self) -> None:
        self.layers.constrain()

    def split(self) -> tuple[Affine, Affine] | None:
        return flattened(self.layers.split(), self.inputs)
