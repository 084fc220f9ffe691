"""MNIST-C10: MNIST's digits blended with color backgrounds cut from CIFAR-10's photographs.

Without either download: the digits of `mnist5k` on rendered faces.

    image = |background − digit|, in each of the three channels

In the manner of MNIST-M (Ganin and Lempitsky 2015, section 4), whose backgrounds are cut from the
photographs of BSDS500: another data set with other numbers, hence another name.
"""

import torch
from torch import Tensor

from advx.data import cifar10, faces, mnist, mnist5k
from advx.data.dataset import Dataset, Split
from advx.types import NonNegativeInt, PositiveInt


def load(
    *,
    data_dir: str | None = None,
    digests: str | None = None,
    train: PositiveInt = 50_000,
    validation: NonNegativeInt = 10_000,
    limit: dict[str, PositiveInt] | None = None,
) -> Dataset:
    """Digits on photographs, (3, 28, 28) in whole gray levels of [0, 1], always the same.

    Each split's backgrounds come from the same split of CIFAR-10: no photograph is behind training
    and test digits.

    Args:
        data_dir: folder with the files of MNIST and of CIFAR-10; may be read-only.
        digests: JSON file with other MD5 digests to accept.
        train: number of leading training digits to train on.
        validation: number of training digits after those, for validation.
        limit: largest number of examples of each split, stratified.

    Raises:
        DataError: files missing and not downloadable, or with another digest.
    """
    digits = mnist.load(
        data_dir=data_dir, digests=digests, train=train, validation=validation, limit=limit
    )
    return on_backgrounds("mnist_c10", digits, cifar10.load(data_dir=data_dir, digests=digests))


def on_faces(*, limit: dict[str, PositiveInt] | None = None) -> Dataset:
    """The digits that ship with a package on rendered faces, (3, 28, 28): no download.

    Args:
        limit: largest number of examples of each split, stratified.
    """
    return on_backgrounds("digits_on_faces", mnist5k.load(limit=limit), faces.load(train=4_000))


def on_backgrounds(name: str, digits: Dataset, photographs: Dataset) -> Dataset:
    """Gray digits blended with squares of color images; splits with splits of the same name."""
    draw = torch.Generator().manual_seed(0)

    def blended(split: Split, behind: Split) -> Split:
        images = difference(split.images, backgrounds(behind.images, len(split), draw))
        return Split(images, split.labels)

    return Dataset(
        name,
        digits.classes,
        blended(digits.train, photographs.train),
        blended(digits.validation, photographs.validation),
        blended(digits.test, photographs.test),
        remarks=tuple(dict.fromkeys((*digits.remarks, *photographs.remarks))),
        class_names=digits.class_names,
    )


def backgrounds(photographs: Tensor, count: int, draw: torch.Generator, side: int = 28) -> Tensor:
    """Squares (count, channels, side, side) cut at random from photographs (n, channels, h, w)."""
    which = torch.randint(len(photographs), (count,), generator=draw)
    height, width = photographs.shape[-2:]
    top = torch.randint(height - side + 1, (count, 1, 1), generator=draw)
    left = torch.randint(width - side + 1, (count, 1, 1), generator=draw)
    at = torch.arange(side)
    rows, columns = top + at[:, None], left + at
    cut = photographs.permute(0, 2, 3, 1)[which[:, None, None], rows, columns]
    return cut.permute(0, 3, 1, 2).contiguous()


def difference(digits: Tensor, behind: Tensor) -> Tensor:
    """|background − digit|: (n, 1, h, w) and (n, 3, h, w), both in gray levels, to (n, 3, h, w)."""
    gray = [x.mul(255).round_().to(torch.int16) for x in (digits, behind)]
    return (gray[1] - gray[0]).abs_().float().div_(255)
