"""Nearest neighbor that sees of every pixel only whether it is above a half (section 1.2.5).

It reads what the chapter calls the information content of a pixel of MNIST, "roughly binary", and
nothing else. No perturbation that leaves every pixel on its side of a half can change its answer.
"""

from torch import Tensor

from advx.models.nearest_neighbor import NearestNeighbor

HALF = 0.5


class BinaryNearestNeighbor(NearestNeighbor):
    """One nearest neighbor by the number of pixels that are on the other side of a half."""

    def fit(self, images: Tensor, labels: Tensor) -> None:
        """Keep the training set's bits: images (n, *shape) in [0, 1], labels (n,) int64."""
        super().fit(bits(images), labels)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to scores (batch, classes); -inf for a class never seen."""
        return super().forward(bits(x))


def bits(images: Tensor) -> Tensor:
    """1 where a pixel is above a half, else 0; NaN stays."""
    return (images > HALF).to(images.dtype) + 0 * images
