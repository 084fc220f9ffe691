"""Sequences of digit images, and sequences of labels that belong to other digits: no pairs.

Both follow one known language. The images are those of every other training digit, put in the order
of sequences that nobody sees; the labels are sequences drawn for themselves. So `train.labels[i]`
says nothing of `train.images[i]`: what the two have in common is their distribution alone. Only the
test sequences have labels that are their own, for the accuracy. Source of the task: Sutskever et
al. (2015), who call a reader that is trained so an artificial OCR.
"""

from typing import Literal

import torch

from advx.data import mnist, mnist5k
from advx.data.dataset import Dataset, Split
from advx.data.languages import Language, LanguageName, drawn, language
from advx.errors import ConfigError
from advx.types import NonNegativeInt, PositiveInt, Probability


def load(
    *,
    source: Literal["mnist", "mnist5k"] = "mnist",
    data_dir: str | None = None,
    digests: str | None = None,
    structure: LanguageName = "sparse",
    strength: Probability = 1.0,
    language_seed: NonNegativeInt = 0,
    length: PositiveInt = 10,
    train: PositiveInt = 10_000,
    test: PositiveInt = 1_000,
) -> Dataset:
    """Sequences (length, 1, 28, 28) in [0, 1] and labels (length,), always the same.

    Args:
        source: whose digits are read; the training digits for training, test digits for test.
        data_dir: folder with MNIST's files.
        digests: JSON file with other MD5 digests to accept.
        structure: of the language; see `languages`.
        strength: of the structure: at 0 all labels are equally likely and independent.
        language_seed: decides the language's successors.
        length: digits in a sequence.
        train: sequences of images, and as many of labels.
        test: sequences of images with their own labels.

    Raises:
        ConfigError: sequences of length 1, which have no structure.
        DataError: files missing and not downloadable, or with another digest.
    """
    if length < 2:
        raise ConfigError(
            f"dataset.length={length}: a sequence of one digit has no structure; valid: from 2"
        )
    digits = digits_of(source, data_dir, digests)
    spoken = language(structure, symbols=digits.classes, strength=strength, seed=language_seed)
    draw = torch.Generator().manual_seed(0)
    written = sequences(digits.train, spoken, train, length, draw)
    unpaired = Split(written.images, drawn(spoken, train, length, draw))
    return Dataset(
        "label_sequences",
        digits.classes,
        unpaired,
        Split(unpaired.images[:0], unpaired.labels[:0]),
        sequences(digits.test, spoken, test, length, draw),
        remarks=(f"digits of {source}", "training images and training labels are no pairs"),
    )


def digits_of(
    source: Literal["mnist", "mnist5k"],
    data_dir: str | None = None,
    digests: str | None = None,
    which: Literal[0, 1] = 0,
) -> Dataset:
    """The digits behind the sequences: every other training digit, and the test digits.

    Args:
        source, data_dir, digests: as above.
        which: 1 for the training digits that no sequence shows.

    Raises:
        DataError: files missing and not downloadable, or with another digest.
    """
    if source == "mnist5k":
        return mnist5k.load().half(which)
    return mnist.load(data_dir=data_dir, digests=digests).half(which)


def sequences(
    digits: Split, spoken: Language, count: int, length: int, generator: torch.Generator
) -> Split:
    """Images (count, length, *shape) of digits in the order of a language, and their labels.

    Args:
        digits: of every class at least one; one is drawn, again and again, for every label.
        spoken: the language.
        count: of sequences.
        length: of each.
        generator: of random numbers.
    """
    labels = drawn(spoken, count, length, generator)
    by_class = digits.labels.argsort(stable=True)
    sizes = torch.bincount(digits.labels, minlength=len(spoken.first))
    first = sizes.cumsum(0) - sizes
    place = (torch.rand(count, length, generator=generator) * sizes[labels]).long()
    rows = by_class[first[labels] + torch.minimum(place, sizes[labels] - 1)]
    return Split(digits.images[rows], labels)
