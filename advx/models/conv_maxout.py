"""The CIFAR-10 maxout network (Goodfellow et al. 2013a, section 5.2), behind Figures 1.2 to 1.4.

Whitened images go through three convolutional maxout layers with overlapping max pooling, a dense
maxout layer and a softmax layer, trained with dropout between all of them and a bound on the norm
of every filter. `conv_maxout_small` has a quarter of the channels.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from advx.models.base import Classifier
from advx.models.layers import Dropout, Linear, Maxout, MaxoutConvolution, Sequential
from advx.models.whitening import Whitening
from advx.types import KeepProbability, NonNegativeInt, Positive, PositiveInt, Shape


class ConvMaxoutNetwork(Classifier):
    """Convolutional maxout layers under a dense one, on whitened images.

    `preprocessing` and `network` are its two halves: an attack on `network` works in the whitened
    space (`space: preprocessed`).

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        channels: of each convolutional layer, after the maximum.
        pieces: filters under each maximum of a convolutional layer.
        kernels: side of each layer's filters.
        pads: zeros around each layer's input.
        pools: side of each layer's pooling window.
        pool_stride: between windows, in every layer; the last window may reach over the edge.
        max_kernel_norms: bound on the norm of each layer's filters.
        units: of the dense maxout layer.
        unit_pieces: affine functions under each of its maxima.
        max_column_norm: bound on its filters.
        max_output_norm: bound on the filters of the softmax layer.
        init_range: weights start in U(-init_range, init_range).
        keep_input: probability of keeping a component of the input; kept ones are not rescaled.
        keep_hidden: probability of keeping a hidden unit; kept ones are scaled by 1/keep_hidden.
        rate_scale: the convolutional layers learn at this share of the learning rate.
        contrast: see `Whitening`.
        whitening_bias: see `Whitening`.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        channels: tuple[PositiveInt, ...] = (96, 192, 192),
        pieces: PositiveInt = 2,
        kernels: tuple[PositiveInt, ...] = (8, 8, 5),
        pads: tuple[NonNegativeInt, ...] = (4, 3, 3),
        pools: tuple[PositiveInt, ...] = (4, 4, 2),
        pool_stride: PositiveInt = 2,
        max_kernel_norms: tuple[Positive, ...] = (0.9, 1.9365, 1.9365),
        units: PositiveInt = 500,
        unit_pieces: PositiveInt = 5,
        max_column_norm: Positive = 1.9,
        max_output_norm: Positive = 1.9365,
        init_range: Positive = 0.005,
        keep_input: KeepProbability = 0.8,
        keep_hidden: KeepProbability = 0.5,
        rate_scale: Positive = 0.05,
        contrast: Positive = 55.0,
        whitening_bias: Positive = 0.1,
    ) -> None:
        super().__init__()
        _check_lengths(channels, kernels, pads, pools, max_kernel_norms)
        self.preprocessing = Whitening(input_shape, contrast=contrast, bias=whitening_bias)
        dropout = Dropout(keep_hidden, scale=1.0 / keep_hidden)
        layers: list[nn.Module] = [Dropout(keep_input, scale=1.0)]
        height, width = _map_size(input_shape, kernels, pads, pools, pool_stride)
        widths = (input_shape[0], *channels)
        for layer, (before, after) in enumerate(pairwise(widths)):
            layers += [
                MaxoutConvolution(
                    before,
                    after,
                    pieces,
                    kernels[layer],
                    padding=pads[layer],
                    init_range=init_range,
                    max_kernel_norm=max_kernel_norms[layer],
                    rate_scale=rate_scale,
                ),
                nn.MaxPool2d(pools[layer], pool_stride, ceil_mode=True),
                dropout,
            ]
        layers += [
            nn.Flatten(),
            Maxout(
                widths[-1] * height * width,
                units,
                unit_pieces,
                init_range=init_range,
                max_column_norm=max_column_norm,
            ),
            dropout,
            Linear(units, classes, init_range=init_range, max_column_norm=max_output_norm),
        ]
        self.network = Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to logits (batch, classes)."""
        return self.network(self.preprocessing(x))

    def adapt(self, images: Tensor) -> None:
        self.preprocessing.fit(images)

    def constrain(self) -> None:
        self.network.constrain()


def _check_lengths(*parts: Sequence[float]) -> None:
    """Refuse parts of different lengths.

    Raises:
        ValueError: they have.
    """
    if len({len(part) for part in parts}) > 1:
        raise ValueError(
            "channels, kernels, pads, pools and max_kernel_norms name the same "
            "layers: as many of each are needed"
        )


def _map_size(
    input_shape: tuple[int, ...],
    kernels: tuple[int, ...],
    pads: tuple[int, ...],
    pools: tuple[int, ...],
    stride: int,
) -> tuple[int, int]:
    """Height and width of the last convolutional layer's maps.

    Raises:
        ValueError: a layer leaves nothing.
    """
    _, height, width = input_shape
    for layer, (kernel, pad, pool) in enumerate(zip(kernels, pads, pools, strict=True)):
        height, width = (_pooled(s + 2 * pad - kernel + 1, pool, stride) for s in (height, width))
        if min(height, width) < 1:
            raise ValueError(f"layer {layer + 1} leaves nothing of images {input_shape}")
    return height, width


def _pooled(side: int, pool: int, stride: int) -> int:
    """The side of a pooled map whose last window starts inside the map, as PyTorch has it."""
    if side < 1:
        return 0
    count = -(-max(side - pool, 0) // stride) + 1
    return count - 1 if (count - 1) * stride >= side else count
