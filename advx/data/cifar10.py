"""CIFAR-10 through torchvision: 40,000 training images, 10,000 for validation, 10,000 test."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch

from advx.data import files
from advx.data.dataset import Dataset, from_arrays
from advx.text_files import file_digest
from advx.types import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    import torchvision

NAME = "cifar10"


def load(
    *,
    data_dir: str | None = None,
    digests: str | None = None,
    train: PositiveInt = 40_000,
    validation: NonNegativeInt = 10_000,
    limit: dict[str, PositiveInt] | None = None,
) -> Dataset:
    """The CIFAR-10 photographs, (3, 32, 32) in [0, 1].

    Args:
        data_dir: folder with `cifar-10-batches-py/` or `cifar-10-python.tar.gz`; may be read-only.
        digests: JSON file with other MD5 digests to accept.
        train: number of leading training images to train on.
        validation: number of training images after those, for validation.
        limit: largest number of examples of each split, stratified.

    Raises:
        DataError: files missing and not downloadable, or with another digest.
    """
    source = _source()
    accepted = files.accepted_digests(digests)
    published = dict([*source.train_list, *source.test_list])
    published[source.meta["filename"]] = source.meta["md5"]
    folder = Path(source.base_folder)
    root = _found(data_dir, [str(folder / file) for file in published], accepted)
    others = {
        file: file_digest(root / folder / file, "md5")
        for file, md5 in published.items()
        if files.verify(root / folder / file, NAME, md5, accepted)
    }
    reader = _reader(others)
    training = reader(str(root), train=True)
    test = reader(str(root), train=False)
    return from_arrays(
        NAME,
        torch.from_numpy(training.data).permute(0, 3, 1, 2).contiguous(),
        torch.tensor(training.targets),
        torch.from_numpy(test.data).permute(0, 3, 1, 2).contiguous(),
        torch.tensor(test.targets),
        classes=len(training.classes),
        train=train,
        validation=validation,
        limit=limit,
        remarks=files.accepted_remark(len(others), digests),
        class_names=tuple(training.classes),
    )


def _source() -> "type[torchvision.datasets.CIFAR10]":
    """torchvision's class; importing torchvision takes a second."""
    import torchvision

    return torchvision.datasets.CIFAR10


def _found(data_dir: str | None, needed: list[str], accepted: dict[str, str]) -> Path:
    """The folder that holds all files, from the archive or downloaded where there is none.

    Raises:
        DataError: they are nowhere and not downloadable, or the archive has another digest.
    """
    source = _source()
    roots = files.search_path(data_dir)
    for root in roots:
        if all((root / file).exists() for file in needed):
            return root
    for root in roots:
        if (packed := root / source.filename).exists():
            return _unpack(packed, accepted)
    published = [Path(file).name for file in needed]
    return files.download(NAME, published, data_dir, lambda root: source(str(root), download=True))


def _unpack(packed: Path, accepted: dict[str, str]) -> Path:
    """Unpack the archive into the cache through torchvision, which checks its MD5."""
    source = _source()
    files.verify(packed, NAME, source.tgz_md5, accepted)
    root = files.cache_dir() / "data"
    root.mkdir(parents=True, exist_ok=True)
    link = root / source.filename
    if not link.exists():
        os.symlink(packed.resolve(), link)
    return files.download(NAME, [packed.name], None, lambda _: source(str(root), download=True))


def _reader(others: dict[str, str]) -> "type[torchvision.datasets.CIFAR10]":
    """torchvision's class, given the digests of the files that the user accepts."""
    source = _source()

    class Accepted(source):  # type: ignore[misc, valid-type]
        train_list: ClassVar = [[file, others.get(file, md5)] for file, md5 in source.train_list]
        test_list: ClassVar = [[file, others.get(file, md5)] for file, md5 in source.test_list]
        meta: ClassVar = source.meta | {
            "md5": others.get(source.meta["filename"], source.meta["md5"])
        }

    return Accepted if others else source
