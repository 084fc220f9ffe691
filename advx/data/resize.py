"""Images made half as large, and twice: the two steps of a Laplacian pyramid.

Blurred with Burt and Adelson's (1983) filter; beyond its edge an image continues as at it.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

KERNEL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
"""Applied along either axis."""

AT_ONCE = 5_000
"""Images; only memory depends on it."""


def blurred(x: Tensor) -> Tensor:
    """Images (n, channels, h, w), blurred."""
    kernel = (KERNEL[:, None] * KERNEL).to(x)
    channels = x.shape[1]
    filters = kernel.expand(channels, 1, 5, 5)
    return torch.cat(
        [
            F.conv2d(F.pad(part, (2, 2, 2, 2), mode="replicate"), filters, groups=channels)
            for part in x.split(AT_ONCE)
        ]
    )


def halved(x: Tensor) -> Tensor:
    """Images (n, channels, h, w) blurred and halved, (n, channels, h/2, w/2).

    Raises:
        ValueError: a side is odd.
    """
    if x.shape[-1] % 2 or x.shape[-2] % 2:
        raise ValueError(f"a pyramid cannot halve images of {x.shape[-2]} × {x.shape[-1]}")
    return blurred(x)[..., ::2, ::2].contiguous()


def doubled(x: Tensor) -> Tensor:
    """Images (n, channels, h, w) enlarged to twice the size and blurred."""
    return blurred(x.repeat_interleave(2, -1).repeat_interleave(2, -2))
