"""Four changes of an image, each of the same mean squared error (section 1.4.3).

    blur            luminance convolved with a Gaussian of width t; chroma stays
    chroma          t times one direction of color without luminance, on all pixels alike
    noise           t times Gaussian noise, independent for every pixel
    shift           the image moved by t pixels in a direction that is drawn for it

For every image t is found by bisection, in float64 and with the clipping to [0, 1] inside: the
error that is reached is that of the clipped image. A squared error cannot tell the four apart. An
image that one of them cannot change so much, as a blur a constant one, is left out of all.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from advx.errors import ConfigError

LUMA = (0.299, 0.587, 0.114)
"""Luminance of red, green and blue (ITU-R BT.601)."""

FIRST, DOUBLINGS, HALVINGS = 1 / 64, 14, 50
"""The smallest t that is tried, how often it is doubled at most; halvings of what lies between."""

AT_ONCE = 500
"""Images; only memory depends on it."""

Change = Callable[[Tensor, Tensor], Tensor]
"""Images (n, *shape) and sizes (n,) to changed images, unclipped; of size 0 it leaves them."""


class Changed(NamedTuple):
    """Images after a change.

    Attributes:
        images: (n, *shape), clipped.
        size: t of each, (n,); NaN where none is large enough.
    """

    images: Tensor
    size: Tensor


def squared_errors(x: Tensor, changed: Tensor) -> Tensor:
    """Mean over pixels of the squared difference of images (n, *shape), (n,)."""
    return (changed - x).flatten(1).square().mean(1)


def changed_by(change: Change, x: Tensor, error: float) -> Changed:
    """Images (n, *shape) changed so that each has this mean squared error after clipping.

    Args:
        change: what is done to them.
        x: float64, in [0, 1].
        error: that every changed image has.
    """

    def clipped(size: Tensor) -> Tensor:
        return change(x, size).clamp(0, 1)

    low = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    high = torch.full_like(low, FIRST)
    for _ in range(DOUBLINGS):
        small = squared_errors(x, clipped(high)) < error
        low, high = low.where(~small, high), high.where(~small, 2 * high)
    reached = squared_errors(x, clipped(high)) >= error
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        small = squared_errors(x, clipped(middle)) < error
        low, high = middle.where(small, low), high.where(small, middle)
    return Changed(clipped(high), high.where(reached, math.nan))


def luminance(x: Tensor) -> Tensor:
    """Of images (n, channels, h, w) of one or three channels, (n, 1, h, w)."""
    if x.shape[1] == 1:
        return x
    weights = torch.tensor(LUMA, dtype=x.dtype, device=x.device)
    return (x * weights[:, None, None]).sum(1, keepdim=True)


def blur(x: Tensor, size: Tensor) -> Tensor:
    """Luminance blurred by Gaussians of these widths in pixels; at the edges they are cut off."""
    y = luminance(x)
    rows, columns = (gaussians(length, size) for length in y.shape[-2:])
    softened = rows[:, None] @ y @ columns[:, None].mT
    return x + softened - y


def gaussians(length: int, size: Tensor) -> Tensor:
    """Weights of Gaussians of widths (n,) about every place of a line, (n, length, length)."""
    place = torch.arange(length, dtype=size.dtype, device=size.device)
    squared = (place[:, None] - place).square()
    width = size.clamp(min=1e-9)[:, None, None]
    return (-squared / (2 * width.square())).softmax(-1)


def chroma(angle: Tensor) -> Change:
    """A shift of color by one vector of length t on all pixels, without a change of luminance.

    Args:
        angle: of each image's direction within the plane of no luminance, (n,).
    """
    luma = F.normalize(torch.tensor(LUMA, dtype=angle.dtype, device=angle.device), dim=0)
    red = torch.zeros_like(luma)
    red[0] = 1
    first = F.normalize(red - red.dot(luma) * luma, dim=0)
    second = torch.linalg.cross(luma, first)
    along = angle.cos()[:, None] * first + angle.sin()[:, None] * second

    def change(x: Tensor, size: Tensor) -> Tensor:
        return x + (size[:, None] * along)[:, :, None, None]

    return change


def noise(drawn: Tensor) -> Change:
    """t times Gaussian noise.

    Args:
        drawn: of variance 1, (n, *shape).
    """

    def change(x: Tensor, size: Tensor) -> Tensor:
        return x + size[:, None, None, None] * drawn

    return change


def shift(angle: Tensor) -> Change:
    """A move by t pixels, read off the image by cubic interpolation; edges are continued.

    Args:
        angle: of each image's direction, (n,).
    """

    def change(x: Tensor, size: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        move = torch.stack([2 * angle.cos() / width, 2 * angle.sin() / height], 1) * size[:, None]
        still = torch.eye(2, 3, dtype=x.dtype, device=x.device).expand(len(x), 2, 3).clone()
        still[:, :, 2] = move
        grid = F.affine_grid(still, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, "bicubic", "border", align_corners=False)

    return change


def changes(shape: tuple[int, ...], count: int, generator: torch.Generator) -> dict[str, Change]:
    """The four for so many images, by name; gray ones have no chroma.

    Args:
        shape: of one image, (channels, height, width).
        count: n.
        generator: draws directions and noise, on the CPU.
    """
    turns = 2 * math.pi * torch.rand(2, count, generator=generator, dtype=torch.float64)
    drawn = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
    four: dict[str, Change] = {
        "blur": blur,
        "chroma": chroma(turns[0]),
        "noise": noise(drawn),
        "shift": shift(turns[1]),
    }
    return {k: v for k, v in four.items() if k != "chroma" or shape[0] == 3}


class EqualErrors(NamedTuple):
    """Images, and the same after each change.

    Attributes:
        images: those that every change can bring to the error, (m, *shape).
        changed: by change, the same images after it, all of one mean squared error.
        places: (m,), which of the images that were given these are.
    """

    images: Tensor
    changed: dict[str, Changed]
    places: Tensor


def equal_errors(images: Tensor, error: float, seed: int = 0) -> EqualErrors:
    """Images (n, *shape) under the four changes, each with the same mean squared error.

    Args:
        images: in [0, 1].
        error: mean squared error of every changed image.
        seed: of directions and noise.

    Raises:
        ConfigError: no image can be changed so much by every one.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: list[dict[str, Changed]] = []
    for x in images.cpu().double().split(AT_ONCE):
        four = changes(tuple(x.shape[1:]), len(x), generator)
        parts.append({name: changed_by(change, x, error) for name, change in four.items()})
    whole = {
        name: Changed(
            *(torch.cat(each) for each in zip(*(part[name] for part in parts), strict=True))
        )
        for name in parts[0]
    }
    reached = torch.stack([each.size.isfinite() for each in whole.values()]).all(0)
    places = reached.nonzero().squeeze(1)
    if not len(places):
        raise ConfigError(
            f"squared_error={error:g}: none of {len(images):,} images can be changed so much by "
            f"each of {', '.join(whole)}; valid: a smaller one"
        )
    return EqualErrors(
        images[places.to(images.device)],
        {
            name: Changed(each.images[places].to(images), each.size[places])
            for name, each in whole.items()
        },
        places,
    )
