"""One image of your own, brought to the shape that a network takes."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from advx.data.image_files import read_image
from advx.data.pixels import scaled
from advx.errors import ConfigError
from advx.types import Shape


def load_image(path: str, shape: Shape, resized: int | None = None) -> Tensor:
    """The middle of an image, (1, *shape) float32 in [0, 1] in steps of 1/255.

    Args:
        path: of any file that Pillow reads.
        shape: wanted, (channels, height, width), channels 1 or 3.
        resized: the shorter side is brought to this first; None for just enough.

    Raises:
        ConfigError: there is no such file.
        DataError: it is no image, or one that cannot be read as it was meant.
    """
    if not Path(path).is_file():
        raise ConfigError(f"image={path}: no such file; an image is needed, e.g. panda.jpg")
    channels, height, width = shape
    where = f"image={path}"
    whole = scaled(read_image(Path(path), f"{where}:")[None], where, key=None)[0]
    image = Image.fromarray(whole.mul(255).round().to(torch.uint8).numpy())
    image = image.convert("L" if channels == 1 else "RGB")
    factor = max(height / image.height, width / image.width)
    if resized is not None:
        factor = max(factor, resized / min(image.height, image.width))
    size = (max(width, round(image.width * factor)), max(height, round(image.height * factor)))
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    pixels = np.asarray(image.crop((left, top, left + width, top + height)))
    tensor = torch.from_numpy(pixels.copy()).float().div(255)
    return (tensor[None] if channels == 1 else tensor.permute(2, 0, 1))[None]
