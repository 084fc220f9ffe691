"""The 1,797 handwritten digits of UCI that ship with scikit-learn; needs no download.

Images of 8 × 8 in 17 gray levels, other people's digits than MNIST's and scanned in another way.
They fill their squares, while MNIST's digits lie within 20 × 20 of 28 × 28 pixels: so they are
enlarged to 20 × 20 by bilinear interpolation, with a margin of four pixels, in whole gray levels.
Source: Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository.
"""

import torch
from torch import Tensor

from advx.data.dataset import Dataset, from_arrays
from advx.types import NonNegativeInt, PositiveInt

BOX, MARGIN = 20, 4
"""Pixels of a digit's side, and around it."""

BRIGHTEST = 16
"""Of the original's gray levels."""


def load(
    *,
    train: PositiveInt = 1_097,
    validation: NonNegativeInt = 200,
    limit: dict[str, PositiveInt] | None = None,
) -> Dataset:
    """The digits in their order, (1, 28, 28) in [0, 1]; the last 500 are test examples.

    Args:
        train: number of leading digits to train on, of the 1,297 before the last 500.
        validation: number of digits after those, for validation.
        limit: largest number of examples of each split, stratified.

    Raises:
        ConfigError: the split asks for more digits than there are.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = enlarged(torch.from_numpy(pixels).long().view(-1, 8, 8))[:, None]
    classes = torch.from_numpy(labels).long()
    return from_arrays(
        "uci_digits",
        images[:-500],
        classes[:-500],
        images[-500:],
        classes[-500:],
        classes=10,
        train=train,
        validation=validation,
        limit=limit,
    )


def enlarged(gray: Tensor) -> Tensor:
    """Images (n, 8, 8) in 0 … 16, int64, to (n, 28, 28) in 0 … 255, uint8.

    In whole numbers, so that no pixel depends on the processor.
    """
    across = weights(gray.shape[-1])
    sums = torch.einsum("ik,nkl,jl->nij", across, gray, across)
    whole = int(across[0].sum()) ** 2 * BRIGHTEST
    levels = (2 * 255 * sums + whole) // (2 * whole)  # rounded
    return torch.nn.functional.pad(levels, (MARGIN,) * 4).to(torch.uint8)


def weights(side: int) -> Tensor:
    """Of linear interpolation from `side` pixels to 20, in units of 1/40: (20, side) int64.

    Pixel i of 20 has its center at (2 i + 1) side / 40 of the original's pixels; beyond the first
    and the last center an image continues as at it.
    """
    result = torch.zeros(BOX, side, dtype=torch.long)
    for i in range(BOX):
        position = min(max((2 * i + 1) * side - BOX, 0), 2 * BOX * (side - 1))  # times 40
        left, part = divmod(position, 2 * BOX)
        result[i, left] += 2 * BOX - part
        if part:
            result[i, left + 1] += part
    return result
