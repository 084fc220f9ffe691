"""Images of your own, to attack or to learn from: one subfolder a class, or a .npz file."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from advx.data.archives import ATTACKED, arrays_of
from advx.data.dataset import Dataset, Split, limited, rank_within_class
from advx.data.folders import classes_in
from advx.data.image_files import read_image
from advx.data.pixels import channels_first, full_range, remarks_on, scaled
from advx.errors import ConfigError, DataError
from advx.types import Positive, PositiveInt, Share


def load(
    *,
    path: str,
    class_count: PositiveInt = 10,
    training_share: Share = 0.0,
    limit: dict[str, PositiveInt] | None = None,
    array: str | None = None,
    white: Positive | None = None,
) -> Dataset:
    """The images, (channels, height, width) float32 in [0, 1]; all for testing unless split.

    Args:
        path: a .npz file with `images`, (n, h, w), (n, h, w, c) or (n, c, h, w), in 8 or 16 bits
            or as numbers in [0, 1], and `labels` (n,); or a folder of `class/image.png`, the
            classes numbered by name, or in the order of their names where those are no numbers.
            Folders without images are no classes; hidden files are passed over.
        class_count: the number of classes of the model that is to be attacked.
        training_share: of each class, the share that is trained on, drawn in the same way every
            time; half of the others are validation examples, half test examples. With 0 there is
            nothing to train on: for a model that brings its weights.
        limit: largest number of examples of each split, stratified.
        array: the name of the images in a .npz file; None for `images`. In the file that
            `advx attack` writes `images` are the clean ones and `adversarial` the attacked ones.
        white: the number that is white; None for 255 in 8 bits, 65,535 in 16, 1 otherwise.

    Raises:
        ConfigError: there is no such file or folder, or it holds clean and attacked images.
        DataError: what is wrong with its content, and where.
    """
    where = Path(path)
    if where.is_dir():
        if array is not None:
            raise ConfigError(f"dataset.array={array}: {path} is a folder; valid: null")
        images, labels, remarks = _from_folder(where, white)
    elif where.suffix.lower() == ".npz" and where.is_file():
        images, labels, remarks = _from_archive(where, array, white)
    else:
        found = (
            "neither a folder nor a .npz file" if where.exists() else "no such folder or .npz file"
        )
        raise ConfigError(f"dataset.path={path}: {found}")
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
    whole = Dataset("images", class_count, train, validation, test, remarks=remarks)
    return limited(whole, limit)


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


def _from_archive(
    path: Path, array: str | None, white: float | None
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Images and labels of a .npz file, and what must be said of them."""
    where = f"dataset.path={path}"
    pixels, labels = arrays_of(path, array)
    if pixels.size == 0:
        raise DataError(f"{where}: no images in it")
    pixels = channels_first(pixels, where)
    try:
        images = scaled(pixels, where, white)
    except DataError as error:
        if array not in ATTACKED:
            raise
        raise DataError(f"{error}; attack.clip=[0,1] keeps attacked images in it") from error
    remarks = remarks_on(images, full_range(pixels), where) if white is None else ()
    return images, torch.from_numpy(labels), remarks


def _from_folder(path: Path, white: float | None) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Images and labels of `path/class/image`, by class and name, and what must be said of them."""
    where = f"dataset.path={path}"
    found = classes_in(path)
    images: list[np.ndarray] = []
    for file in (file for files in found.files for file in files):
        pixels = read_image(file, f"{where}: {file}")
        _refuse_unlike(pixels, images[:1], f"{where}: {file}")
        if pixels.dtype != np.uint8:
            scaled(pixels[None], f"{where}: {file}", white)  # so that an error names the file
        images.append(pixels)
    if len({pixels.dtype for pixels in images}) == 1:
        stacked = scaled(np.stack(images), where, white)
    else:
        stacked = torch.stack([scaled(pixels, where, white) for pixels in images])
    stacked = stacked[:, None] if stacked.dim() == 3 else stacked.permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor(found.labels, dtype=torch.int64).repeat_interleave(
        torch.tensor([len(files) for files in found.files])
    )
    top = max(full_range(pixels) for pixels in images)
    remarks = remarks_on(stacked, top, where) if white is None else ()
    return stacked, labels, found.remarks + remarks


def _refuse_unlike(pixels: np.ndarray, first: list[np.ndarray], where: str) -> None:
    """Refuse an image of another size, or gray among images in color.

    Raises:
        DataError: it is unlike the first one, if there is one yet.
    """
    for other in first:
        if pixels.shape[:2] != other.shape[:2]:
            raise DataError(
                f"{where} has shape {pixels.shape}, the ones before {other.shape}; all alike are "
                "needed"
            )
        if pixels.ndim != other.ndim:
            kinds = {2: "gray", 3: "in color"}
            raise DataError(
                f"{where} is {kinds[pixels.ndim]}, the ones before are {kinds[other.ndim]}; all "
                "alike are needed"
            )
