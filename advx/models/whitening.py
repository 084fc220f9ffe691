"""The preprocessing of the CIFAR-10 maxout network (Goodfellow et al. 2013a): GCN, then ZCA.

    g = c (x − mean(x)) / ‖x − mean(x)‖₂        global contrast normalization, image by image
    z = W (g − μ),   W = U (S + b)^(−1/2) Uᵀ    whitening; μ and U S Uᵀ are mean and covariance

of all g over the training images. What it takes away from an image is its mean and its contrast:
with those two numbers `invert` gives the image back.
"""

import torch
from torch import Tensor, nn

from advx.models.base import features
from advx.types import Positive, Shape

SMALLEST_CONTRAST = 1e-8
"""Divides an image of a single gray."""

BATCH = 2_500
"""Images at once; only memory depends on it."""


class Whitening(nn.Module):
    """Images to whitened ones of the same shape; fitted once on the training images.

    Args:
        input_shape: shape of one image, (channels, height, width).
        contrast: c, the L2 norm that every image is brought to.
        bias: b, added to the covariance's eigenvalues.
    """

    mean: Tensor  # (n,)
    matrix: Tensor  # (n, n), symmetric

    def __init__(
        self, input_shape: Shape, *, contrast: Positive = 55.0, bias: Positive = 0.1
    ) -> None:
        super().__init__()
        self.contrast = contrast
        self.bias = bias
        n = features(input_shape)
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("matrix", torch.eye(n))

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Take μ and W from the training images (m, *shape)."""
        n = self.mean.numel()
        total = self.mean.new_zeros(n, dtype=torch.float64)
        products = torch.zeros(n, n, dtype=torch.float64, device=self.mean.device)
        for x in images.split(BATCH):
            g = self.normalized(x)
            total += g.double().sum(0)
            products += (g.T @ g).double()
        mean = total / len(images)
        values, vectors = torch.linalg.eigh(products / len(images) - torch.outer(mean, mean))
        scaled = vectors * (values.clamp(min=0) + self.bias).rsqrt()
        self.mean.copy_(mean)
        self.matrix.copy_(scaled @ vectors.T)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *shape) in any units to whitened ones (batch, *shape)."""
        return ((self.normalized(x) - self.mean) @ self.matrix).view_as(x)

    def normalized(self, x: Tensor) -> Tensor:
        """Images (batch, *shape) without their mean and contrast, (batch, n)."""
        flat = x.flatten(1)
        away = flat - flat.mean(1, keepdim=True)
        length = torch.linalg.vector_norm(away, dim=1, keepdim=True)
        return away * (self.contrast / length.clamp(min=SMALLEST_CONTRAST))

    def lost(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` takes from images (batch, *shape): means (batch,), contrasts (batch,)."""
        flat = x.flatten(1)
        mean = flat.mean(1)
        return mean, torch.linalg.vector_norm(flat - mean[:, None], dim=1)

    def invert(self, z: Tensor, mean: Tensor, contrast: Tensor) -> Tensor:
        """The images (batch, *shape) behind whitened ones, given what each had lost."""
        flat = z.flatten(1).double()
        g = torch.linalg.solve(self.matrix.double(), flat.T).T + self.mean.double()
        x = g * (contrast.double() / self.contrast)[:, None] + mean.double()[:, None]
        return x.to(z.dtype).view_as(z)
