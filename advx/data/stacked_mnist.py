"""Stacked MNIST: three random digits in the three color channels, 1,000 modes.

A classifier of single digits reads off which of the 1,000 modes an image belongs to, and so counts
those that a generator has dropped (Metz et al. 2017). The label is 100 a + 10 b + c.
"""

from typing import Literal

import torch

from advx.data import mnist, mnist5k
from advx.data.dataset import Dataset, Split
from advx.types import PositiveInt


def load(
    *,
    source: Literal["mnist", "mnist5k"] = "mnist",
    data_dir: str | None = None,
    digests: str | None = None,
    train: PositiveInt = 50_000,
    test: PositiveInt = 10_000,
) -> Dataset:
    """Images (3, 28, 28) in [0, 1], always the same.

    Args:
        source: whose digits are stacked; the training digits for training, test digits for test.
        data_dir: folder with MNIST's files.
        digests: JSON file with other MD5 digests to accept.
        train: images to train on.
        test: images to compare with.

    Raises:
        DataError: files missing and not downloadable, or with another digest.
    """
    digits = (
        mnist5k.load() if source == "mnist5k" else mnist.load(data_dir=data_dir, digests=digests)
    )
    draw = torch.Generator().manual_seed(0)

    def stacked(split: Split, count: int) -> Split:
        rows = torch.randint(len(split), (count, 3), generator=draw)
        place = torch.tensor([100, 10, 1])
        return Split(split.images[rows].squeeze(2), (split.labels[rows] * place).sum(1))

    seen = stacked(digits.train, train)
    empty = Split(seen.images[:0], seen.labels[:0])
    return Dataset(
        "stacked_mnist",
        1000,
        seen,
        empty,
        stacked(digits.test, test),
        remarks=(f"digits of {source}",),
    )


def first_digits(data: Dataset) -> Dataset:
    """The digits in the first channel, (n, 1, 28, 28), with their ten classes."""

    def first(split: Split) -> Split:
        return Split(split.images[:, :1].contiguous(), split.labels // 100)

    return Dataset(
        data.name,
        10,
        first(data.train),
        first(data.validation),
        first(data.test),
        remarks=data.remarks,
    )
