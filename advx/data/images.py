"""Images of your own, to attack or to learn from: one subfolder a class, or a .npz file."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from advx.data.dataset import Dataset, Split, limited, rank_within_class
from advx.errors import ConfigError, DataError
from advx.types import PositiveInt, Share

KINDS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


def load(
    *,
    path: str,
    class_count: PositiveInt = 10,
    training_share: Share = 0.0,
    limit: dict[str, PositiveInt] | None = None,
) -> Dataset:
    """The images, (channels, height, width) float32 in [0, 1]; all for testing unless split.

    Args:
        path: a .npz file with `images`, (n, h, w), (n, h, w, c) or (n, c, h, w), in 8 bits or as
            numbers in [0, 1], and `labels` (n,); or a folder of `class/picture.png`, the classes
            numbered by name, or in the order of their names where those are no numbers.
        class_count: the number of classes of the model that is to be attacked.
        training_share: of each class, the share that is trained on, drawn in the same way every
            time; half of the others are validation examples, half test examples. With 0 there is
            nothing to train on: for a model that brings its weights.
        limit: largest number of examples of each split, stratified.

    Raises:
        ConfigError: there is no such file or folder.
        DataError: what is wrong with its content, and where.
    """
    where = Path(path)
    if where.is_dir():
        images, labels = _from_folder(where)
    elif where.suffix == ".npz" and where.is_file():
        images, labels = _from_arrays(where)
    else:
        raise ConfigError(f"dataset.path={path}: no such folder or .npz file")
    wrong = ((labels < 0) | (labels >= class_count)).nonzero()
    if len(wrong):
        place = int(wrong[0])
        raise DataError(
            f"dataset.path={path}: label {int(labels[place])} of image {place} is not one of "
            f"0 … {class_count - 1} (dataset.classes={class_count})"
        )
    train, validation, test = _parts(Split(images, labels), training_share)
    if training_share and not (len(train) and len(validation) and len(test)):
        raise ConfigError(
            f"dataset.training_share={training_share}: leaves {len(train)} of {len(images):,} "
            f"images for training, {len(validation)} for validation and {len(test)} for testing; "
            "each needs one"
        )
    return limited(Dataset("images", class_count, train, validation, test), limit)


def _parts(whole: Split, training_share: float) -> tuple[Split, Split, Split]:
    """Training, validation and test examples; all of them for testing where none are trained on."""
    if training_share == 0:
        empty = Split(whole.images[:0], whole.labels[:0])
        return empty, empty, whole
    shuffled = whole.take(torch.randperm(len(whole), generator=torch.Generator().manual_seed(0)))
    sizes = torch.bincount(shuffled.labels)[shuffled.labels]
    place = (rank_within_class(shuffled.labels) + 0.5) / sizes
    border = training_share + (1 - training_share) / 2
    return (
        shuffled.take((place < training_share).nonzero().squeeze(1)),
        shuffled.take(((place >= training_share) & (place < border)).nonzero().squeeze(1)),
        shuffled.take((place >= border).nonzero().squeeze(1)),
    )


def _from_arrays(path: Path) -> tuple[Tensor, Tensor]:
    """Images and labels of a .npz file."""
    try:
        with np.load(path) as content:
            missing = {"images", "labels"} - set(content.files)
            if missing:
                raise DataError(
                    f"dataset.path={path}: no array {min(missing)!r} in it, "
                    f"only {', '.join(content.files)}; images and labels are needed"
                )
            pixels, labels = content["images"], content["labels"]
    except (OSError, ValueError) as error:
        raise DataError(f"dataset.path={path}: cannot be read ({error})") from error
    if labels.shape != (len(pixels),) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"dataset.path={path}: labels of shape {labels.shape} and type {labels.dtype}; "
            f"({len(pixels)},) whole numbers are needed"
        )
    return _scaled(_channels_first(pixels, path), path), torch.from_numpy(labels.astype(np.int64))


def _channels_first(pixels: np.ndarray, path: Path) -> np.ndarray:
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim == 4 and pixels.shape[1] in (1, 3):
        return pixels
    if pixels.ndim == 4 and pixels.shape[3] in (1, 3):
        return pixels.transpose(0, 3, 1, 2)
    raise DataError(
        f"dataset.path={path}: images of shape {pixels.shape}; valid: (n, h, w), (n, h, w, c) or "
        "(n, c, h, w) with 1 or 3 channels"
    )


def _scaled(pixels: np.ndarray, path: Path) -> Tensor:
    """Float32 in [0, 1]; 8-bit pixels are divided by 255."""
    if len(pixels) == 0:
        raise DataError(f"dataset.path={path}: no images in it")
    if pixels.dtype == np.uint8:
        return torch.from_numpy(pixels.astype(np.float32)) / 255
    images = torch.from_numpy(pixels.astype(np.float32))
    odd = (~images.isfinite()).flatten(1).any(1).nonzero()
    if len(odd):
        raise DataError(f"dataset.path={path}: image {int(odd[0])} has pixels that are no numbers")
    low, high = float(images.min()), float(images.max())
    if low < -1e-6 or high > 1 + 1e-6:  # a rounding error is none
        hint = "; store them in 8 bits or divide them by 255" if high > 2 and low >= 0 else ""
        raise DataError(
            f"dataset.path={path}: pixels from {low:g} to {high:g}; [0, 1] is needed{hint}"
        )
    return images.clamp(0, 1)


def _from_folder(path: Path) -> tuple[Tensor, Tensor]:
    """Images and labels of `path/class/picture`, by class and name."""
    folders = sorted(p for p in path.iterdir() if p.is_dir())
    if not folders:
        raise DataError(f"dataset.path={path}: no subfolders; one a class is needed, e.g. {path}/0")
    numbered = all(p.name.isdigit() for p in folders)
    pictures: list[np.ndarray] = []
    labels: list[int] = []
    for place, folder in enumerate(folders):
        for file in sorted(p for p in folder.iterdir() if p.suffix.lower() in KINDS):
            try:
                with Image.open(file) as picture:
                    grey = picture.mode in ("1", "L", "I", "I;16", "F")
                    pixels = np.asarray(picture.convert("L" if grey else "RGB"))
            except (OSError, UnidentifiedImageError) as error:
                raise DataError(f"dataset.path={path}: {file} cannot be read ({error})") from error
            if pictures and pixels.shape != pictures[0].shape:
                raise DataError(
                    f"dataset.path={path}: {file} has shape {pixels.shape}, the ones before "
                    f"{pictures[0].shape}; all alike are needed"
                )
            pictures.append(pixels)
            labels.append(int(folder.name) if numbered else place)
    if not pictures:
        raise DataError(f"dataset.path={path}: no pictures in its subfolders")
    stacked = _channels_first(np.stack(pictures), path)
    return _scaled(stacked, path), torch.tensor(labels, dtype=torch.int64)
