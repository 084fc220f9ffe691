"""Heads of ellipsoids: what is random about them, and their images (Figure 1.6).

A head is a union of ellipsoids: skull, jaw, nose, neck, hair, two eyes, and two ears, each with a
dark hollow. They are intersected exactly, 2 × 2 rays a pixel, and only the nearest surface of a ray
is shaded. No surface casts a shadow, so that a head with ears and the same head without differ
exactly where an ear is seen.

The motion is that of Lotter et al. (2015), as far as recalled: a first angle within a quarter of a
turn, up to 30 degrees from frame to frame.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, normalize

from advx.data.ellipsoids import depths, normals

FRAMES = 6
"""Of a clip; the last one is what is predicted."""

FINER = 2
"""Rays along a pixel's side."""

CAMERA = 3.6
"""Distance of the eye from the middle of the head, whose height is about 1.6."""

FIELD = 0.28
"""Half of the image's side at distance 1."""

PARTS = ("skull", "jaw", "nose", "neck", "hair", "left eye", "right eye")
"""Ellipsoids before the ears."""

EARS = slice(len(PARTS), len(PARTS) + 4)
"""The ellipsoids that a head without ears lacks: two ears and their two hollows."""

LUMINANCE = torch.tensor([0.299, 0.587, 0.114])
"""Of red, green and blue (ITU-R BT.601)."""


@dataclass(frozen=True)
class Heads:
    """What each of n heads looks like and how it turns.

    Attributes:
        eared: (n,) bool, whether it has ears.
        ear_size: (n,), of both ears, 1 on average.
        ear_height, ear_depth: (n,), how far up and forward they sit, 0 on average.
        proportions: (n, 6), factors: width, height and depth of the skull, width of the jaw, length
            of the nose, distance of the eyes.
        light: (n, 3), unit vectors toward the light.
        skin, hair, background: (n, 3), red, green and blue.
        angle: (n,), radians, in the first frame; 0 faces the camera.
        speed: (n,), radians from frame to frame.
    """

    eared: Tensor
    ear_size: Tensor
    ear_height: Tensor
    ear_depth: Tensor
    proportions: Tensor
    light: Tensor
    skin: Tensor
    hair: Tensor
    background: Tensor
    angle: Tensor
    speed: Tensor

    def __len__(self) -> int:
        return len(self.eared)

    def take(self, rows: Tensor | slice) -> "Heads":
        """Some of the heads."""
        return Heads(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def with_ears(heads: Heads, on: bool) -> Heads:
    """The same heads, all with ears or all without."""
    values = {f.name: getattr(heads, f.name) for f in fields(heads)}
    return Heads(**values | {"eared": torch.full_like(heads.eared, on)})


def drawn(count: int, seed: int, *, earless: float = 0.2, turn: float = 30.0) -> Heads:
    """`count` heads, all that is random independent of each other.

    Heads of the same count and seed are the same whatever `earless`, but for their ears.
    """
    draw = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=draw)

    pale, dark = torch.tensor([0.96, 0.78, 0.66]), torch.tensor([0.42, 0.26, 0.17])
    blond, black = torch.tensor([0.62, 0.45, 0.22]), torch.tensor([0.08, 0.06, 0.05])
    light = torch.cat([uniform(-1, 1, 1), uniform(-0.2, 1, 1), torch.ones(count, 1)], 1)
    return Heads(
        ear_size=uniform(0.75, 1.35),
        ear_height=uniform(-0.1, 0.1),
        ear_depth=uniform(-0.1, 0.1),
        proportions=uniform(0.88, 1.12, 6),
        light=normalize(light, dim=1),
        skin=dark + uniform(0, 1, 1) * (pale - dark),
        hair=black + uniform(0, 1, 1) * (blond - black),
        background=0.4 * uniform(0.2, 0.95, 3) + 0.6 * uniform(0.2, 0.95, 1),
        angle=uniform(-math.pi / 2, math.pi / 2),
        speed=math.radians(turn) * uniform(-1, 1),
        eared=torch.rand(count, generator=draw) >= earless,
    )


def render(
    heads: Heads, side: int, channels: int, frames: Sequence[int] = tuple(range(FRAMES))
) -> tuple[Tensor, Tensor]:
    """Frames (n, frames, channels, side, side) in [0, 1], and where an ear is seen in them.

    Returns:
        the images, of the number format of the angles, and (n, frames, side, side) bool.
    """
    n, dtype = len(heads), heads.angle.dtype
    angle = heads.angle[:, None] + heads.speed[:, None] * torch.tensor(frames, dtype=dtype)
    each = heads.take(torch.arange(n).repeat_interleave(len(frames)))
    rays = directions(side * FINER, dtype)
    world = angle.flatten()
    seen = turned(rays, world)
    eye = turned(torch.tensor([[0.0, 0.0, CAMERA]], dtype=dtype), world)[:, 0]
    centers, radii = shapes(each)
    depth = depths(eye, seen, centers, radii)
    depth[..., EARS].masked_fill_(~each.eared[:, None, None], torch.inf)
    nearest, surface = depth.min(-1)
    sky = each.background[:, None] * (1 - 0.25 * rays[:, 1:2].abs() / FIELD)
    colors = sky if channels == 3 else sky @ LUMINANCE.to(dtype)[:, None]
    who, where = nearest.isfinite().nonzero(as_tuple=True)
    part = surface[who, where]
    points = eye[who] + nearest[who, where, None] * seen[who, where]
    normal = normals(points, centers[who, part], radii[who, part])
    light = turned(each.light[:, None], world)[:, 0]
    paint = paints(each, channels)
    colors[who, where] = paint[who, part] * brightness(normal, light[who])[:, None]
    ear = nearest.isfinite() & (surface >= EARS.start)
    flat = colors.mT.reshape(-1, channels, side * FINER, side * FINER)
    images = avg_pool2d(flat, FINER).view(n, len(frames), channels, side, side)
    fine = ear.view(-1, 1, side * FINER, side * FINER).to(dtype)
    return images, max_pool2d(fine, FINER).view(n, len(frames), side, side) > 0


def directions(side: int, dtype: torch.dtype) -> Tensor:
    """Of the rays through side × side points of the image, (side², 3), row by row from the top."""
    axis = (torch.arange(side, dtype=dtype) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    return torch.stack([x * FIELD, y * FIELD, -torch.ones_like(x)], -1).view(-1, 3)


def turned(vectors: Tensor, angle: Tensor) -> Tensor:
    """Vectors of the world, (p, 3) or (n, p, 3), as heads that turned by `angle` (n,) see them."""
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    x, y, z = vectors.unbind(-1)
    return torch.stack([cos * x - sin * z, y.expand(len(angle), -1), sin * x + cos * z], -1)


def shapes(heads: Heads) -> tuple[Tensor, Tensor]:
    """Centers and half-axes (n, 11, 3) of the ellipsoids, in the head's own coordinates.

    The first axis points to the side, the second up, the third forward.
    """
    wide, high, deep, jaw, nose, apart = heads.proportions.unbind(1)
    size, up, forward = heads.ear_size, heads.ear_height, heads.ear_depth
    one = torch.ones_like(wide)
    skull = (0.56 * wide, 0.62 * high, 0.68 * deep)
    eye_x, eye_y = 0.22 * apart, 0.08
    flat = (eye_x / skull[0]).square() + ((eye_y - 0.16) / skull[1]).square()
    eye_z = -0.04 + skull[2] * (1 - flat).sqrt()
    eye = (0.1 * one, 0.06 * one, 0.07 * one)
    ear, hollow = (0.11 * size, 0.2 * size, 0.14 * size), (0.075 * size, 0.11 * size, 0.07 * size)
    out, ear_y, ear_z = 0.57 * wide, up - 0.03, forward - 0.06
    further = out + 0.05 * size  # the hollow comes out of the ear's outer side
    parts = [
        ((0 * one, 0.16 * one, -0.04 * one), skull),
        ((0 * one, -0.28 * one, 0.11 * one), (0.44 * jaw, 0.51 * one, 0.48 * one)),
        ((0 * one, -0.1 * one, 0.64 * deep), (0.09 * one, 0.17 * one, 0.17 * nose)),
        ((0 * one, -1.1 * one, -0.1 * one), (0.28 * one, 0.75 * one, 0.28 * one)),
        ((0 * one, 0.28 * one, -0.12 * one), (0.6 * wide, 0.6 * high, 0.7 * deep)),
        ((-eye_x, eye_y * one, eye_z), eye),
        ((eye_x, eye_y * one, eye_z), eye),
        ((-out, ear_y, ear_z), ear),
        ((out, ear_y, ear_z), ear),
        ((-further, ear_y, ear_z + 0.02), hollow),
        ((further, ear_y, ear_z + 0.02), hollow),
    ]
    centers, radii = (torch.stack([torch.stack(p[k], 1) for p in parts], 1) for k in (0, 1))
    return centers, radii


def paints(heads: Heads, channels: int) -> Tensor:
    """The ellipsoids' own colors (n, 11, channels)."""
    skin, hair = heads.skin, heads.hair
    eye, hollow = 0.15 * skin, 0.35 * skin
    colors = torch.stack([skin, skin, skin, skin, hair, eye, eye, skin, skin, hollow, hollow], 1)
    return colors if channels == 3 else colors @ LUMINANCE.to(skin.dtype)[:, None]


def brightness(normal: Tensor, light: Tensor) -> Tensor:
    """Of surfaces with normals (m, 3) under lights (m, 3): at most 1, so that nothing is clipped.

    The sky's share depends on the normal everywhere, so that no two surfaces are equally dark.
    """
    return 0.35 + 0.1 * normal[:, 1] + 0.55 * (normal * light).sum(1).clamp(min=0)
