"""Images and labels of a .npz archive."""

import zipfile
from pathlib import Path

import numpy as np

from advx.errors import ConfigError, DataError, reason

IMAGES, LABELS = "images", "labels"
"""What the arrays are called."""

ATTACKED = ("adversarial", "perturbed")
"""What advx calls attacked images in what it writes; beside them lie the clean ones, `images`."""

SHOWN = 8
"""Names of arrays in a message, at most."""


def arrays_of(path: Path, array: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Images as they were stored, and labels (n,) int64.

    Args:
        path: the archive.
        array: the name of its images; None for `images`.

    Raises:
        ConfigError: it holds clean and attacked images, and `array` does not say which are meant.
        DataError: damaged, or without such arrays.
    """
    where = f"dataset.path={path}"
    with _opened(path, where) as content:
        name = array or IMAGES
        attacked = [other for other in ATTACKED if other in content.files]
        if array is None and attacked:
            raise ConfigError(
                f"{where}: holds clean images and attacked ones; set dataset.array={IMAGES} or "
                f"dataset.array={attacked[0]}"
            )
        missing = [wanted for wanted in (name, LABELS) if wanted not in content.files]
        if missing:
            key = "" if array is None else f" (dataset.array={array})"
            listed = ", ".join(content.files[:SHOWN]) or "nothing"
            more = ", …" if len(content.files) > SHOWN else ""
            raise DataError(
                f"{where}: no array {missing[0]!r} in it{key}, only {listed}{more}; "
                f"{name} and {LABELS} are needed"
            )
        pixels, labels = (_array(content, wanted, where) for wanted in (name, LABELS))
    if pixels.ndim == 0:
        raise DataError(f"{where}: {name} is a single value; an array of images is needed")
    if labels.shape != (len(pixels),) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{where}: labels of shape {labels.shape} and type {labels.dtype}; "
            f"({len(pixels)},) whole numbers are needed"
        )
    if labels.dtype.kind == "u" and labels.dtype.itemsize == 8:  # too large stays too large
        labels = np.minimum(labels, np.uint64(np.iinfo(np.int64).max))
    return pixels, labels.astype(np.int64)


def _opened(path: Path, where: str) -> "np.lib.npyio.NpzFile":
    """The archive, its arrays not yet read.

    Raises:
        DataError: it is none.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(6)
        if not start:
            raise DataError(f"{where}: cannot be read (the file is empty)")
        if start == b"\x93NUMPY":
            raise DataError(
                f"{where}: cannot be read (a single array; np.savez makes an archive of arrays)"
            )
        if not zipfile.is_zipfile(path):
            raise DataError(f"{where}: cannot be read (cut off, or not made by np.savez)")
        return np.load(path, allow_pickle=False)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged archive makes zipfile raise
        raise DataError(f"{where}: cannot be read ({reason(error)})") from error


def _array(content: "np.lib.npyio.NpzFile", name: str, where: str) -> np.ndarray:
    """One array of an archive.

    Raises:
        DataError: damaged, or no numbers.
    """
    try:
        found = content[name]
    except Exception as error:  # a wrong checksum, a header of nonsense
        text = reason(error)
        if "allow_pickle" in text:
            text = f"{name} holds Python objects, as images of different sizes do, not numbers"
        raise DataError(f"{where}: cannot be read ({text})") from error
    if not isinstance(found, np.ndarray):
        raise DataError(f"{where}: cannot be read ({name} is no array)")
    return found
