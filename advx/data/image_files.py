"""One image file as it was meant: all its levels, its right way up, nothing dropped in silence."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from advx.errors import DataError, reason

KINDS = {
    ".png",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".bmp",
    ".dib",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
}
"""What image files are called, in small letters."""

SIXTEEN_BITS = {"PNG", "PPM"}
"""Formats whose whole numbers of more than 8 bits have 16: white is 65,535."""

PREVIEWS = {"MPO"}
"""Formats whose further frames are previews or depth maps: the photographs of many telephones."""

PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
"""A TIFF file's tag for what its numbers mean, and the value that means a negative."""


def read_image(file: Path, where: str) -> np.ndarray:
    """Pixels (h, w) or (h, w, 3), turned as the file's EXIF data say.

    Args:
        file: any that Pillow reads.
        where: begins the message of an error.

    Returns:
        uint8; uint16 of 16-bit files; float32 or int32 of files of such numbers, as they are.

    Raises:
        DataError: damaged or no image, or one whose content would not be read as it was meant:
            several frames, transparent pixels, 16 bits a color.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, and of tags that are not needed
            # not by its name: Pillow would map a TIFF file into memory, and garble a turned one
            with file.open("rb") as stream, Image.open(stream) as opened:
                return _pixels(opened, where)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{where} cannot be read (not an image, or cut off)") from error
    except Exception as error:  # whatever a decoder raises
        raise DataError(f"{where} cannot be read ({reason(error)})") from error


def _pixels(opened: Image.Image, where: str) -> np.ndarray:
    frames = getattr(opened, "n_frames", 1)
    if frames > 1 and opened.format not in PREVIEWS:
        raise DataError(f"{where} has {frames} frames; save each as an image of its own")
    deep = any(";16" in str(tile[3]) for tile in getattr(opened, "tile", ()))
    negative = getattr(opened, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO
    image = ImageOps.exif_transpose(opened)
    whole = image.mode == "I" or image.mode.startswith("I;")
    if deep and not whole:
        raise DataError(f"{where} has 16 bits a color, of which 8 could be read; save it in 8 bits")
    if (whole or image.mode == "F") and (negative or "transparency" in image.info):
        kind = "white as 0" if negative else "a transparent color"
        raise DataError(f"{where} has {kind} and more than 8 bits; save it in 8 bits")
    if image.mode == "F":
        return np.asarray(image)
    if whole:
        sixteen = image.mode != "I" or opened.format in SIXTEEN_BITS
        return np.asarray(image).astype(np.uint16 if sixteen else np.int32)
    palette = image.palette.mode if image.mode == "P" and image.palette else ""
    if "transparency" in image.info or (image.mode + palette).endswith(("A", "a")):
        _refuse_transparent(image, where)
    return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB"))


def _refuse_transparent(image: Image.Image, where: str) -> None:
    """Let an opaque image pass: the color behind a transparent one is nobody's choice here."""
    if np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
        raise DataError(f"{where} has transparent pixels; save it on a background, without alpha")
