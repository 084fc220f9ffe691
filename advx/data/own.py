"""What a loader of a user's own must make: checked once, before anything is trained on it."""

from typing import Any

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.errors import DataError


def usable(data: Any, target: str) -> Dataset:
    """The data set that a loader made, with tensors as the rest of advx expects them.

    Args:
        data: what it made.
        target: the loader's dotted name, for error messages.

    Raises:
        DataError: it is no data set, or what is wrong with its tensors.
    """
    where = f"dataset._target_={target}"
    if not isinstance(data, Dataset):
        raise DataError(
            f"{where}: makes a {type(data).__name__}, an advx.data.dataset.Dataset is needed"
        )
    for name in ("train", "validation", "test"):
        problem = _problem(getattr(data, name), data.classes, data.input_shape)
        if problem:
            raise DataError(f"{where}: its {name} examples have {problem}")
    if len(data.test) == 0:
        raise DataError(f"{where}: it has no test examples; nothing could be measured")
    return data


def _problem(split: Split, classes: int, shape: tuple[int, ...]) -> str:
    """What is wrong with one part of a data set, or nothing."""
    images, labels = split.images, split.labels
    if not isinstance(images, Tensor) or images.dtype != torch.float32 or images.dim() < 2:
        return f"images {_kind(images)}; valid: a float32 tensor (n, channels, height, width)"
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        return f"labels {_kind(labels)}; valid: an int64 tensor (n,)"
    if labels.shape != (len(images),):
        return f"labels of shape {tuple(labels.shape)} for {len(images):,} images"
    if tuple(images.shape[1:]) != shape:
        return f"images of shape {tuple(images.shape[1:])}, the training examples {shape}"
    if not images.isfinite().all():
        return "pixels that are no numbers"
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        return (
            f"labels from {int(labels.min())} to {int(labels.max())}; valid: 0 … {classes - 1} "
            f"(its classes are {classes})"
        )
    groups = split.groups
    if groups is not None and (groups.dtype != torch.int64 or groups.shape != labels.shape):
        return f"groups {_kind(groups)}; valid: None, or an int64 tensor {tuple(labels.shape)}"
    return ""


def _kind(value: Any) -> str:
    """Type and shape of what should have been a tensor."""
    if isinstance(value, Tensor):
        return f"of type {str(value.dtype).removeprefix('torch.')} and shape {tuple(value.shape)}"
    return f"in a {type(value).__name__}"
