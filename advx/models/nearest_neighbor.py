"""Nearest neighbor classification: the class of the closest training image (section 1.2.1).

With x a test image and x⁽ⁿ⁾ the training images, ‖x − x⁽ⁿ⁾‖² = ‖x‖² − 2 (x·x⁽ⁿ⁾ − ½‖x⁽ⁿ⁾‖²): the
nearest image maximizes x·x⁽ⁿ⁾ − ½‖x⁽ⁿ⁾‖², one matrix product for a whole batch.
"""

import torch
from torch import Tensor

from advx.models.base import InstanceBasedClassifier


class NearestNeighbor(InstanceBasedClassifier):
    """One nearest neighbor in squared Euclidean distance.

    Its "logits" are minus each class's smallest squared distance, up to a constant of the image,
    so that argmax is the class of the nearest training image. They have no gradient.
    """

    differentiable = False

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to scores (batch, classes); -inf for a class never seen."""
        x = x.flatten(1)
        images, offsets = self.images.to(x.dtype), self.squared_norms.to(x.dtype) / 2
        rows = self.rows_at_once(x)
        scores = x.new_full((len(x), self.classes), -torch.inf)
        for start in range(0, len(x), rows):
            similarity = torch.addmm(-offsets, x[start : start + rows], images.T)  # (rows, n)
            for label, block in enumerate(similarity.split(self.counts, dim=1)):
                if block.shape[1]:
                    scores[start : start + rows, label] = 2 * block.amax(1)
        return scores
