"""Nearest neighbor classification: the class of the closest training image (section 1.2.1).

With x a test image and x⁽ⁿ⁾ the training images, ‖x − x⁽ⁿ⁾‖² = ‖x‖² − 2 (x·x⁽ⁿ⁾ − ½‖x⁽ⁿ⁾‖²): the
nearest image maximises x·x⁽ⁿ⁾ − ½‖x⁽ⁿ⁾‖², one matrix product for a whole batch.
"""

import torch
from torch import Tensor

from advx.models.base import Memory
from advx.types import PositiveInt, Shape


class NearestNeighbor(Memory):
    """One nearest neighbor in squared Euclidean distance.

    Its "logits" are minus each class's smallest squared distance, up to a constant of the image,
    so that argmax is the class of the nearest training image. They have no gradient.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        chunk_bytes: bound on the memory of one block of the distance matrix.
    """

    differentiable = False
    images: Tensor
    offsets: Tensor

    def __init__(
        self, *, input_shape: Shape, classes: PositiveInt, chunk_bytes: PositiveInt = 2**28
    ) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.classes = classes
        self.chunk_bytes = chunk_bytes
        self.counts = [0] * classes

    def remember(self, images: Tensor, labels: Tensor) -> None:
        """Keep the training set sorted by class: images (n, *shape), labels (n,) int64."""
        order = torch.argsort(labels, stable=True)
        self.counts = torch.bincount(labels, minlength=self.classes).tolist()
        self.register_buffer("images", images[order].flatten(1), persistent=False)
        self.register_buffer("offsets", self.images.square().sum(1) / 2, persistent=False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to scores (batch, classes); -inf for a class never seen."""
        x = x.flatten(1)
        images, offsets = self.images.to(x.dtype), self.offsets.to(x.dtype)
        rows = max(1, self.chunk_bytes // (len(images) * x.element_size()))
        scores = x.new_full((len(x), self.classes), -torch.inf)
        for start in range(0, len(x), rows):
            similarity = torch.addmm(-offsets, x[start : start + rows], images.T)  # (rows, n)
            for label, block in enumerate(similarity.split(self.counts, dim=1)):
                if block.shape[1]:
                    scores[start : start + rows, label] = 2 * block.amax(1)
        return scores
