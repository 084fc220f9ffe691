"""MNIST through torchvision: the first 50,000 training digits, 10,000 for validation, 10,000 test.

`load_idx` also serves Fashion-MNIST, which comes in the same files.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from advx.data import files
from advx.data.dataset import Dataset, from_arrays
from advx.text_files import file_digest
from advx.types import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    import torchvision


def load(
    *,
    data_dir: str | None = None,
    digests: str | None = None,
    train: PositiveInt = 50_000,
    validation: NonNegativeInt = 10_000,
    limit: dict[str, PositiveInt] | None = None,
) -> Dataset:
    """The MNIST digits, (1, 28, 28) in [0, 1].

    Args:
        data_dir: folder with `MNIST/raw/*.gz`; may be read-only.
        digests: JSON file with other MD5 digests to accept.
        train: number of leading training digits to train on.
        validation: number of training digits after those, for validation.
        limit: largest number of examples of each split, stratified.

    Raises:
        DataError: files missing and not downloadable, or with another digest.
    """
    import torchvision

    return load_idx(
        torchvision.datasets.MNIST,
        "mnist",
        data_dir=data_dir,
        digests=digests,
        train=train,
        validation=validation,
        limit=limit,
    )


def load_idx(
    source: "type[torchvision.datasets.MNIST]",
    name: str,
    *,
    data_dir: str | None,
    digests: str | None,
    train: int,
    validation: int,
    limit: dict[str, int] | None,
) -> Dataset:
    """A data set in MNIST's file format, read by torchvision's own class `source`."""
    accepted = files.accepted_digests(digests)
    published = {Path(resource).name: md5 for resource, md5 in source.resources}
    folder = Path(source.__name__) / "raw"

    def complete(root: Path) -> bool:
        return all((root / folder / file).exists() for file in published)

    root = next((root for root in files.search_path(data_dir) if complete(root)), None)
    if root is None:
        root = files.download(
            name, list(published), data_dir, lambda root: source(str(root), download=True)
        )
    others = sum(
        files.verify(root / folder / file, name, md5, accepted) for file, md5 in published.items()
    )
    contents = "".join(file_digest(root / folder / file, "md5") for file in published)
    unpacked = files.cache_dir() / "unpacked" / hashlib.sha256(contents.encode()).hexdigest()[:12]
    for file in published:
        files.unpack_gzip(root / folder / file, unpacked / folder / Path(file).stem)

    training = source(str(unpacked), train=True)
    test = source(str(unpacked), train=False)
    return from_arrays(
        name,
        training.data.unsqueeze(1),
        training.targets,
        test.data.unsqueeze(1),
        test.targets,
        classes=len(source.classes),
        train=train,
        validation=validation,
        limit=limit,
        remarks=files.accepted_remark(others, digests),
        class_names=tuple(name.split(" - ")[0] for name in source.classes),  # "0 - zero"
    )
