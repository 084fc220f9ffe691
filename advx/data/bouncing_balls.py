"""Clips of balls that bounce off walls and off each other, without friction.

The other data that predictive networks are tried on: no ears, and all that is to be predicted is
where things are. Balls of equal mass; between collisions they move in straight lines; two that
touch exchange the parts of their velocities along the line between them. Source: Sutskever et al.
(2008), whose balls Lotter et al. (2015) predict.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from advx.data.dataset import Dataset, Split
from advx.data.head_renderer import FRAMES
from advx.data.rendered import bytes_of, pixels_of, rendered_once
from advx.errors import ConfigError
from advx.types import PositiveInt

VERSION = 1
"""Raised by hand whenever the same parameters come to give other images."""

STEPS = 20
"""Of the motion, from one frame to the next."""

SPEED = 0.12
"""Of every ball at first: sides of the box from frame to frame."""

RADIUS = 0.11
"""Of every ball, in sides of the box."""

MOST = 4
"""Balls that the box has room for."""

FINER = 4
"""Points along a pixel's side."""

CLIPS = 64
"""Rendered at once; only memory depends on it."""


@dataclass(frozen=True)
class Balls:
    """Balls in boxes.

    Attributes:
        position: (n, balls, 2) of the centers, in sides of the box, 0 to 1.
        velocity: (n, balls, 2), sides of the box from frame to frame.
    """

    position: Tensor
    velocity: Tensor


def load(
    *,
    side: PositiveInt = 32,
    channels: Literal[1, 3] = 1,
    balls: PositiveInt = 3,
    train: PositiveInt = 4_000,
    validation: PositiveInt = 200,
    test: PositiveInt = 200,
) -> Dataset:
    """Clips (6, channels, side, side) in [0, 1], always the same; rendered once, then cached.

    Args:
        side: pixels along an image's side.
        channels: 1, or 3 for white balls in color images.
        balls: in each box, 4 at most.
        train, validation, test: clips in the splits.

    Raises:
        ConfigError: more balls than the box has room for.
    """
    if balls > MOST:
        raise ConfigError(f"dataset.balls={balls}: the box has no room for them; valid: 1 … {MOST}")

    def split(seed: int, count: int) -> Split:
        words = f"balls {VERSION} {count} {side} {balls} {seed}"
        found = rendered_once(words, partial(_clips, count, side, balls, seed))
        clips = pixels_of(found["clips"]).expand(-1, -1, channels, -1, -1).contiguous()
        return Split(clips, torch.zeros(count, dtype=torch.int64))

    splits = split(0, train), split(1, validation), split(2, test)
    return Dataset("bouncing_balls", 1, *splits, class_names=("balls",))


def thrown(count: int, balls: int, seed: int) -> Balls:
    """Balls at random places, none inside another, in random directions."""
    draw = torch.Generator().manual_seed(seed)
    position = torch.empty(count, balls, 2)
    waiting = torch.arange(count)
    while len(waiting):
        tried = RADIUS + (1 - 2 * RADIUS) * torch.rand(len(waiting), balls, 2, generator=draw)
        apart = torch.cdist(tried, tried) + 2 * torch.eye(balls)
        free = (apart > 2 * RADIUS).all(2).all(1)
        position[waiting[free]] = tried[free]
        waiting = waiting[~free]
    angle = 2 * torch.pi * torch.rand(count, balls, generator=draw)
    return Balls(position, SPEED * torch.stack([angle.cos(), angle.sin()], -1))


def moved(now: Balls, time: float) -> Balls:
    """The balls after a short time, in frames."""
    position = now.position + time * now.velocity
    inward = torch.where(position < RADIUS, 1.0, torch.where(position > 1 - RADIUS, -1.0, 0.0))
    velocity = torch.where(inward == 0, now.velocity, inward * now.velocity.abs())
    for i in range(position.shape[1]):
        for j in range(i):
            line = position[:, i] - position[:, j]
            distance = line.norm(dim=1, keepdim=True)
            line = line / distance.clamp(min=1e-9)
            closing = ((velocity[:, j] - velocity[:, i]) * line).sum(1, keepdim=True)
            push = torch.where((distance < 2 * RADIUS) & (closing > 0), closing, 0.0) * line
            velocity[:, i] += push
            velocity[:, j] -= push
    return Balls(position, velocity)


def render(position: Tensor, side: int) -> Tensor:
    """White balls (n, balls, 2) on black as images (n, 1, side, side) in [0, 1]."""
    axis = (torch.arange(side * FINER, dtype=position.dtype) + 0.5) / (side * FINER)
    x = axis - position[..., :1]  # (n, balls, side · FINER)
    y = axis.flip(0) - position[..., 1:]
    inside = x.square()[..., None, :] + y.square()[..., :, None] < RADIUS**2
    return avg_pool2d(inside.any(1, keepdim=True).to(position.dtype), FINER)


def _clips(count: int, side: int, balls: int, seed: int) -> dict[str, Tensor]:
    """The clips, as they are cached."""
    now, frames = thrown(count, balls, seed), []
    for _ in range(FRAMES):
        frames.append(torch.cat([bytes_of(render(p, side)) for p in now.position.split(CLIPS)]))
        for _ in range(STEPS):
            now = moved(now, 1 / STEPS)
    return {"clips": torch.stack(frames, 1)}
