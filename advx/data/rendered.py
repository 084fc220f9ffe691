"""Examples that are made by a program: made once, then read from the cache."""

import hashlib
from collections.abc import Callable
from zipfile import BadZipFile

import torch
from torch import Tensor

from advx.data import files
from advx.text_files import damaged_part, replacing


def rendered_once(words: str, render: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What `render` makes, from the cache where it was made before.

    A file there that is damaged or of another kind is replaced. Where the cache cannot be written
    nothing is lost but time.

    Args:
        words: all that the result depends on, a version among them; the first names the file.
        render: makes tensors by name.
    """
    name = f"{words.split()[0]}-{hashlib.sha256(words.encode()).hexdigest()[:12]}.pt"
    path = files.cache_dir() / name
    try:
        if damaged_part(path) is None:
            stored = torch.load(path, weights_only=True)
            return {key: stored[key] for key in stored if isinstance(stored[key], Tensor)}
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, BadZipFile):
        pass  # not there yet, or damaged: render
    made = render()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            torch.save(made, stream)
    except OSError:
        pass  # the cache only saves time
    return made


def bytes_of(images: Tensor) -> Tensor:
    """Images in [0, 1] as whole gray levels, uint8."""
    return images.mul(255).round_().byte()


def pixels_of(levels: Tensor) -> Tensor:
    """Whole gray levels, uint8, as images in [0, 1]."""
    return levels.float().div_(255)
