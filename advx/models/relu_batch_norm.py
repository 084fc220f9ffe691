"""The network of virtual adversarial training: rectified layers with batch normalization.

784-1200-1200-10 on MNIST (Miyato et al. 2015). The logits are normalized too, as in the authors'
code. That matters with few labels: without it one class can take all unlabeled examples of another
(a 4 read as a 9), which makes the prediction as smooth as it can be; with it each class's logit has
the same mean and spread over the batch, so none can win everywhere.
"""

from torch import Tensor, nn

from advx.models.base import Classifier, features
from advx.types import PositiveInt, Shape


class BatchNormReLUNetwork(Classifier):
    """Hidden layers of affine map, batch normalization and rectifier; logits normalized as well.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        units: units of each hidden layer.
        normalize_output: whether the logits are normalized over the batch like the hidden layers.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        units: tuple[PositiveInt, ...] = (1200, 1200),
        normalize_output: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = features(input_shape)
        for count in units:
            layers += [nn.Linear(width, count), nn.BatchNorm1d(count), nn.ReLU()]
            width = count
        layers.append(nn.Linear(width, classes))
        if normalize_output:
            layers.append(nn.BatchNorm1d(classes))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) in [0, 1] to logits (batch, classes)."""
        return self.layers(x.flatten(1))
