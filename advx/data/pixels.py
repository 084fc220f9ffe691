"""What the numbers in an image mean: which of them is white.

In unsigned whole numbers of 8 and 16 bits it is the largest, 255 or 65,535; in any other format it
is 1. Where that is not so, `dataset.white` says what is.
"""

import numpy as np
import torch
from torch import Tensor

from advx.errors import DataError

FULL_RANGE = {"uint8": 255, "uint16": 65_535}
"""White, by number format; 1 for all others."""

NEARLY_BLACK = 1 / 255
"""A data set no brighter than this was hardly meant so: a mask of 0 and 1 kept in 8 bits."""

DARK = 0.25
"""A data set no brighter than this may be scaled otherwise than it seems: that is said."""

ROUNDING = 1e-6
"""How far beyond [0, 1] a pixel may lie."""


def full_range(pixels: np.ndarray) -> int:
    """The number that is white unless said otherwise."""
    return FULL_RANGE.get(pixels.dtype.newbyteorder("=").name, 1)


def channels_first(pixels: np.ndarray, where: str) -> np.ndarray:
    """Images (n, channels, h, w) from (n, h, w), (n, h, w, c) or (n, c, h, w).

    Raises:
        DataError: any other shape.
    """
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim == 4 and pixels.shape[1] in (1, 3):
        return pixels
    if pixels.ndim == 4 and pixels.shape[3] in (1, 3):
        return pixels.transpose(0, 3, 1, 2)
    raise DataError(
        f"{where}: images of shape {pixels.shape}; valid: (n, h, w), (n, h, w, c) or "
        "(n, c, h, w) with 1 or 3 channels"
    )


def scaled(
    pixels: np.ndarray, where: str, white: float | None = None, key: str | None = "dataset.white"
) -> Tensor:
    """Images (n, ...) of any real number format as float32 in [0, 1].

    Args:
        pixels: as they were stored.
        where: begins the message of an error.
        white: the number that is white; None for that of the number format.
        key: the setting that says what is white, if there is one.

    Raises:
        DataError: no numbers, or some beyond black and white.
    """
    if pixels.dtype.kind not in "buif":
        raise DataError(
            f"{where}: images of type {pixels.dtype}; valid: whole numbers, floats, or bool"
        )
    if pixels.dtype.kind == "f":
        odd = np.flatnonzero(~np.isfinite(pixels).all(tuple(range(1, pixels.ndim))))
        if len(odd):
            which = f"image {odd[0]} has " if len(pixels) > 1 else ""
            raise DataError(f"{where}: {which}pixels that are no numbers")
    top = full_range(pixels) if white is None else white
    low, high = float(pixels.min()), float(pixels.max())
    if low < -ROUNDING * top or high > top * (1 + ROUNDING):
        raise DataError(f"{where}: {_beyond(low, high, white, key)}")
    exact = pixels.dtype.itemsize < 4 or top == 1  # float32 holds every number there is
    wide = torch.from_numpy(pixels.astype(np.float32 if exact else np.float64))
    return (wide if top == 1 else wide / top).float().clamp_(0, 1)


def _beyond(low: float, high: float, white: float | None, key: str | None) -> str:
    """What is wrong with pixels from `low` to `high`."""
    span, hint = f"pixels from {low:g} to {high:g}", ""
    if white is not None:
        return f"{span}, but {key}={white:g}; 0 … {white:g} is needed"
    if high > 2 and low >= 0 and high <= 65_535:
        largest = 255 if high <= 255 else 65_535
        hint = f"; store them in 8 bits or divide them by {largest}"
        hint += f" ({key}={largest})" if key else ""
    return f"{span}; [0, 1] is needed{hint}"


def remarks_on(images: Tensor, top: int, where: str) -> tuple[str, ...]:
    """What must be said of images in [0, 1] that are darker than whole numbers up to `top` are.

    Raises:
        DataError: so dark that 1, or 255 in 16 bits, was likely meant as white.
    """
    brightest = float(images.max())
    if top == 1 or brightest == 0 or brightest >= DARK:
        return ()
    level = round(brightest * top)
    if brightest <= NEARLY_BLACK * (1 + ROUNDING):
        meant = "1 for masks of 0 and 1" if level == 1 else "255 for 8 bits kept in 16"
        raise DataError(
            f"{where}: no pixel is brighter than {level} of {top}, nearly black; say what is white "
            f"with dataset.white={meant}, or dataset.white={top}"
        )
    return (f"no pixel is brighter than {level} of {top}: dataset.white says what is white",)
