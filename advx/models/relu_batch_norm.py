"""The network of virtual adversarial training: rectified layers with batch normalisation.

784-1200-1200-10 on MNIST (Miyato et al. 2015).
"""

from torch import Tensor, nn

from advx.models.base import Classifier, features
from advx.types import PositiveInt, Shape


class BatchNormReLUNetwork(Classifier):
    """Hidden layers of affine map, batch normalisation and rectifier under a linear output layer.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        units: units of each hidden layer.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        units: tuple[PositiveInt, ...] = (1200, 1200),
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = features(input_shape)
        for count in units:
            layers += [nn.Linear(width, count), nn.BatchNorm1d(count), nn.ReLU()]
            width = count
        self.layers = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) in [0, 1] to logits (batch, classes)."""
        return self.layers(x.flatten(1))
