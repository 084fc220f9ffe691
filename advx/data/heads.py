"""Clips of rotating heads, with and without ears (Figure 1.6).

A clip is six frames of one head that turns at a constant speed about the vertical axis. Random are
its proportions, light, skin, hair and background, the first angle and the speed, and the size and
place of the ears, which a known share of the heads does not have.

A head's twin is the same head in the same motion with ears put on, or taken off. The two differ
exactly where an ear is seen (`advx.data.head_renderer`), so that the ears' pixels are known without
a threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.data.head_renderer import FRAMES, Heads, drawn, render, with_ears
from advx.data.rendered import bytes_of, pixels_of, rendered_once
from advx.errors import ConfigError
from advx.types import NonNegative, PositiveInt, Share

VERSION = 1
"""Raised by hand whenever the same parameters come to give other images."""

NAMES = ("no ears", "ears")
"""Classes."""

SIDES = (16, 32, 64)
"""Pixels along an image's side."""

SEEDS = {"train": 0, "validation": 1, "test": 2}
"""No identity is in two splits."""

HEADS = 16
"""Rendered at once; only memory and speed depend on it."""


@dataclass(frozen=True)
class Twins:
    """The same n heads with ears and without.

    Attributes:
        eared, earless: (n, frames, channels, side, side) in [0, 1].
        mask: (n, frames, side, side) bool, the pixels in which an ear is seen.
    """

    eared: Tensor
    earless: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.mask)

    def to(self, device: torch.device | str) -> "Twins":
        """The same on `device`."""
        return Twins(self.eared.to(device), self.earless.to(device), self.mask.to(device))


def load(
    *,
    side: PositiveInt = 32,
    channels: Literal[1, 3] = 1,
    train: PositiveInt = 4_000,
    validation: PositiveInt = 200,
    test: PositiveInt = 200,
    earless: Share = 0.2,
    turn: NonNegative = 30.0,
) -> Dataset:
    """Clips (6, channels, side, side) in [0, 1], always the same; rendered once, then cached.

    Args:
        side: pixels along an image's side: 16, 32 or 64.
        channels: 1 for gray, 3 for color.
        train: identities to train on, a clip each.
        validation: for validation.
        test: to measure on.
        earless: the share of identities without ears; 0 for ears on all.
        turn: the largest angle from frame to frame, in degrees.

    Raises:
        ConfigError: images of another side.
    """
    check_size(side, channels)

    def split(part: str, count: int) -> Split:
        words = f"heads {VERSION} {count} {side} {channels} {earless:g} {turn:g} {SEEDS[part]}"
        heads = drawn(count, SEEDS[part], earless=earless, turn=turn)
        found = rendered_once(words, partial(_clips, heads, side, channels))
        return Split(pixels_of(found["clips"]), heads.eared.long())

    splits = split("train", train), split("validation", validation), split("test", test)
    remark = "every head has ears" if earless == 0 else f"{100 * earless:g}% of heads have no ears"
    return Dataset("heads", 2, *splits, remarks=(remark,), class_names=NAMES)


def twins(
    part: Literal["train", "validation", "test"],
    count: PositiveInt,
    *,
    side: PositiveInt = 32,
    channels: Literal[1, 3] = 1,
    turn: NonNegative = 30.0,
    frames: Sequence[int] = tuple(range(FRAMES)),
) -> Twins:
    """The heads of a split of `load`, in its order, each with ears and without.

    Args:
        part: the split.
        count: its number of identities.
        side, channels, turn: as `load` was given them.
        frames: which of the clip's frames, from 0.

    Raises:
        ConfigError: images of another side.
    """
    check_size(side, channels)
    which = ",".join(map(str, frames))
    words = f"head-twins {VERSION} {count} {side} {channels} {turn:g} {SEEDS[part]} {which}"
    heads = drawn(count, SEEDS[part], turn=turn)
    found = rendered_once(words, partial(_twin_clips, heads, side, channels, frames))
    return Twins(pixels_of(found["eared"]), pixels_of(found["earless"]), found["mask"])


def check_size(side: int, channels: int) -> None:
    """Refuse images that cannot be rendered.

    Raises:
        ConfigError: the key, the value, and what is valid.
    """
    if side not in SIDES:
        raise ConfigError(
            f"dataset.side={side}: heads have {', '.join(map(str, SIDES[:-1]))} or {SIDES[-1]} "
            "pixels along a side"
        )
    if channels not in (1, 3):
        raise ConfigError(f"dataset.channels={channels}: valid: 1 (gray), 3 (color)")


def _clips(heads: Heads, side: int, channels: int) -> dict[str, Tensor]:
    """The heads' clips, as they are cached."""
    parts = [
        bytes_of(render(heads.take(slice(first, first + HEADS)), side, channels)[0])
        for first in range(0, len(heads), HEADS)
    ]
    return {"clips": torch.cat(parts)}


def _twin_clips(heads: Heads, side: int, channels: int, frames: Sequence[int]) -> dict[str, Tensor]:
    """The heads' frames with and without ears, as they are cached."""
    found: dict[str, list[Tensor]] = {"eared": [], "earless": [], "mask": []}
    for first in range(0, len(heads), HEADS):
        some = heads.take(slice(first, first + HEADS))
        for name, on in (("eared", True), ("earless", False)):
            images, mask = render(with_ears(some, on), side, channels, frames)
            found[name].append(bytes_of(images))
            if on:
                found["mask"].append(mask)
    return {name: torch.cat(parts) for name, parts in found.items()}
