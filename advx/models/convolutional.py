"""A plain convolutional network of rectified linear units, for targets of another architecture."""

from torch import Tensor, nn

from advx.models.base import Classifier
from advx.types import PositiveInt, Shape


class ConvolutionalNetwork(Classifier):
    """Convolutions that keep the size, each followed by 2 × 2 max pooling; two affine layers.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        channels: of each convolution.
        kernel: side of the filters, odd.
        units: of the hidden affine layer.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        channels: tuple[PositiveInt, ...] = (32, 64),
        kernel: PositiveInt = 5,
        units: PositiveInt = 128,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width, *size = input_shape
        for count in channels:
            layers += [nn.Conv2d(width, count, kernel, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
            width, size = count, [side // 2 for side in size]
        if min(size) < 1:
            raise ValueError(f"{len(channels)} poolings leave nothing of images {input_shape}")
        layers += [nn.Flatten(), nn.Linear(width * size[0] * size[1], units), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(units, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to logits (batch, classes)."""
        return self.layers(x)
