"""Rendered faces with known attributes: glasses and hair, under nuisances that nobody labels.

A head is a signed distance function of a few ellipsoids, capsules and tori, drawn by sphere
tracing: every ray steps as far as the nearest surface is away, until it is there. Attributes are
exact, which those of photographs are not: whether a generated face wears glasses can be asked of a
classifier that is right on (nearly) every render. Nuisances: pose, light, skin, hair color, width
of the head, background.

Distances to ellipsoids are the usual bound (Quilez 2008), good enough for tracing.
"""

import hashlib
from zipfile import BadZipFile

import torch
from torch import Tensor
from torch.nn.functional import normalize

from advx.data import files
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.text_files import damaged_part, replacing
from advx.types import PositiveInt

NAMES = ("short hair", "long hair", "short hair, glasses", "long hair, glasses")
"""Class 2 · glasses + long hair."""

VERSION = 1
"""Raised by hand whenever the same parameters come to give other images."""

STEPS = 24
"""Of sphere tracing, at most."""

RAYS = 2**17
"""Traced at once; only memory and speed depend on it."""

CAMERA = 3.6
"""Distance of the eye from the middle of the head, whose height is 1.6."""

FIELD = 0.31
"""Half of the image's side at distance 1."""

NEAR, FAR = 2.2, 5.4
"""Where rays begin and end."""

SKIN, HAIR, FRAME = 0, 1, 2
"""Materials."""


def load(
    *,
    side: PositiveInt = 32,
    train: PositiveInt = 10_000,
    validation: PositiveInt = 1_000,
    test: PositiveInt = 2_000,
    withheld: int | None = None,
) -> Dataset:
    """Faces (3, side, side) in [0, 1], always the same; rendered once and kept in the cache.

    Args:
        side: pixels along the image's side.
        train: faces to train on.
        validation: faces for validation.
        test: faces to compare with.
        withheld: a class (see `NAMES`) that is left out of training and validation; None for none.

    Raises:
        ConfigError: there is no such class.
    """
    if withheld is not None and not 0 <= withheld < len(NAMES):
        raise ConfigError(f"dataset.withheld={withheld}: no such class; valid: null, 0 … 3")
    seen, valid, unseen = (rendered(n, side, k) for k, n in enumerate((train, validation, test)))
    if withheld is not None:
        seen, valid = (s.take((s.labels != withheld).nonzero().squeeze(1)) for s in (seen, valid))
    remarks = () if withheld is None else (f"no {NAMES[withheld]} among the training faces",)
    return Dataset("faces", 4, seen, valid, unseen, remarks=remarks, class_names=NAMES)


def rendered(count: int, side: int, seed: int) -> Split:
    """`count` faces of a seed, from the cache or rendered now."""
    words = f"faces {VERSION} {count} {side} {seed}"
    name = f"faces-{hashlib.sha256(words.encode()).hexdigest()[:12]}.pt"
    path = files.cache_dir() / name
    try:
        if damaged_part(path) is None:
            cached = torch.load(path, weights_only=True)
            return Split(cached["images"].float().div_(255), cached["labels"])
    except (OSError, RuntimeError, KeyError, BadZipFile):
        pass  # not there yet, or damaged: render
    traits = drawn_traits(count, seed)
    images = torch.cat(
        [render(_rows(traits, first, first + 256), side) for first in range(0, count, 256)]
    )
    gray = images.mul(255).round_().byte()
    labels = 2 * traits["glasses"].long() + traits["long"].long()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            torch.save({"images": gray, "labels": labels}, stream)
    except OSError:
        pass  # the cache only saves time
    return Split(gray.float().div_(255), labels)


def drawn_traits(count: int, seed: int) -> dict[str, Tensor]:
    """Attributes and nuisances of `count` faces, independent of each other.

    Returns:
        glasses, long (count,) bool; yaw, pitch in radians, width, tone, shade (count,); light
        (count, 3) toward the light; hair_color, background (count, 3).
    """
    draw = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=draw)

    light = torch.cat([uniform(-1, 1, 1), uniform(-0.2, 1, 1), torch.ones(count, 1)], 1)
    hair = torch.tensor(
        [[0.08, 0.06, 0.05], [0.25, 0.13, 0.06], [0.55, 0.38, 0.16], [0.45, 0.18, 0.08]]
    )
    return {
        "glasses": torch.rand(count, generator=draw) < 0.5,
        "long": torch.rand(count, generator=draw) < 0.5,
        "yaw": uniform(-0.5, 0.5),
        "pitch": uniform(-0.15, 0.15),
        "width": uniform(0.88, 1.08),
        "tone": uniform(0.0, 1.0),
        "light": normalize(light, dim=1),
        "hair_color": hair[torch.randint(len(hair), (count,), generator=draw)]
        * uniform(0.8, 1.2, 1),
        "background": uniform(0.35, 0.9, 3) * 0.4 + uniform(0.35, 0.9, 1) * 0.6,
    }


def render(traits: dict[str, Tensor], side: int) -> Tensor:
    """Faces with these traits as images (n, 3, side, side) in [0, 1], typed like the yaw."""
    n, dtype = len(traits["yaw"]), traits["yaw"].dtype
    axis = (torch.arange(side, dtype=dtype) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    ray = normalize(torch.stack([x * FIELD, y * FIELD, -torch.ones_like(x)], -1).view(-1, 3), dim=1)
    turn = rotation(traits["yaw"], traits["pitch"])  # from the world to the head
    eye = (turn @ torch.tensor([0.0, 0.0, CAMERA], dtype=dtype)).repeat_interleave(side**2, 0)
    direction = torch.einsum("nij,pj->npi", turn, ray).reshape(-1, 3)
    owner = torch.arange(n).repeat_interleave(side**2)
    sunlight = torch.einsum("nij,nj->ni", turn, traits["light"])
    colors = [
        shaded(eye[part], direction[part], owner[part], traits, sunlight)
        for part in torch.arange(len(owner)).split(RAYS)
    ]
    return torch.cat(colors).view(n, side, side, 3).permute(0, 3, 1, 2).contiguous()


def rotation(yaw: Tensor, pitch: Tensor) -> Tensor:
    """Rotations (n, 3, 3) about the vertical axis, then the horizontal one."""
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    about_y = [yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos()]
    about_x = [one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos()]
    first, second = (torch.stack(m, 1).view(-1, 3, 3) for m in (about_y, about_x))
    return first @ second


def shaded(
    eye: Tensor, direction: Tensor, owner: Tensor, traits: dict[str, Tensor], sunlight: Tensor
) -> Tensor:
    """The colors (m, 3) that rays (m, 3) see, each of the face that `owner` (m,) names."""
    reached, hit = traced(eye, direction, owner, traits)
    color = traits["background"][owner] * (1 - 0.25 * direction[:, 1:2].abs())
    at = hit.nonzero().squeeze(1)
    p, who = reached[at], owner[at]
    material = distances(p, who, traits).argmin(0)
    normal = normals(p, who, traits)
    diffuse = (normal * sunlight[who]).sum(1, keepdim=True).clamp(min=0)
    color[at] = (painted(p, who, material, traits) * (0.42 + 0.68 * diffuse)).clamp(0, 1)
    return color


def traced(
    eye: Tensor, direction: Tensor, owner: Tensor, traits: dict[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Where rays (m, 3) end, and whether on a surface (m,); those that are done step no further."""
    depth = torch.full((len(owner),), NEAR, dtype=eye.dtype)
    hit = torch.zeros(len(owner), dtype=torch.bool)
    going = torch.arange(len(owner))
    for _ in range(STEPS):
        p = eye[going] + depth[going, None] * direction[going]
        step = distances(p, owner[going], traits).amin(0)
        depth[going] += step
        near = step < 2e-3 * depth[going]
        hit[going[near]] = True
        going = going[~near & (depth[going] < FAR)]
        if not len(going):
            break
    hit[going] = True  # along a surface: too near to get away
    return eye + depth[:, None] * direction, hit


def distances(p: Tensor, owner: Tensor, traits: dict[str, Tensor]) -> Tensor:
    """Bounds on the distance from points (m, 3) to skin, hair and glasses: (3, m)."""
    w = traits["width"][owner]
    x = p / torch.stack([w, torch.ones_like(w), torch.ones_like(w)], 1)  # of a head of width 1
    mirrored = torch.stack([x[:, 0].abs(), x[:, 1], x[:, 2]], 1)
    head = ellipsoid(x, (0, 0, 0), (0.6, 0.8, 0.68))
    nose = ellipsoid(x, (0, -0.08, 0.68), (0.09, 0.17, 0.15))
    ear = ellipsoid(mirrored, (0.6, -0.02, -0.02), (0.09, 0.17, 0.11))
    neck = capsule(x, (0, -0.5, -0.08), (0, -1.5, -0.16), 0.26)
    skin = torch.minimum(smooth_union(head, nose, 0.06), torch.minimum(ear, neck))
    scalp = ellipsoid(x, (0, 0.04, -0.03), (0.66, 0.84, 0.74))
    fringe = 0.30 - (0.80 * x[:, 1] - 0.60 * x[:, 2])  # the cap lies above and behind this plane
    cap = torch.maximum(scalp, fringe)
    mane = ellipsoid(x, (0, -0.28, -0.22), (0.86, 1.02, 0.56))
    mane = torch.maximum(mane, x[:, 2] - 0.06)  # behind the ears only
    hair = torch.where(traits["long"][owner], torch.minimum(cap, mane), cap)
    ring = torus(mirrored, (0.26, 0.12, 0.70), 0.19, 0.035)
    bridge = capsule(x, (-0.07, 0.15, 0.74), (0.07, 0.15, 0.74), 0.03)
    temple = capsule(mirrored, (0.45, 0.14, 0.66), (0.66, 0.1, 0.0), 0.028)
    frame = torch.minimum(torch.minimum(ring, bridge), temple)
    frame = torch.where(traits["glasses"][owner], frame, 10.0)
    return torch.stack([skin, hair, frame]) * 0.85  # stretched space: a bound on the distance


def normals(p: Tensor, owner: Tensor, traits: dict[str, Tensor]) -> Tensor:
    """Unit normals (m, 3) by finite differences along the corners of a tetrahedron."""
    total = torch.zeros_like(p)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        e = torch.tensor(corner, dtype=p.dtype)
        total += e * distances(p + 1e-3 * e, owner, traits).amin(0)[:, None]
    return normalize(total, dim=1)


def painted(p: Tensor, owner: Tensor, material: Tensor, traits: dict[str, Tensor]) -> Tensor:
    """The surface's own color at points (m, 3): skin with eyes, brows and mouth; hair; glasses."""
    tone = traits["tone"][owner][:, None]
    light, dark = torch.tensor([0.96, 0.78, 0.66]), torch.tensor([0.42, 0.26, 0.17])
    skin = light + tone * (dark - light)
    hair = traits["hair_color"][owner]
    x, y = p[:, 0].abs() / traits["width"][owner], p[:, 1]
    front = p[:, 2] > 0.2

    def inside(cx: float, cy: float, rx: float, ry: float) -> Tensor:
        return (((x - cx) / rx).square() + ((y - cy) / ry).square() < 1) & front

    color = skin.clone()
    for where, paint in (
        (inside(0.26, 0.29, 0.14, 0.035), hair * 0.8),
        (inside(0.26, 0.12, 0.115, 0.065), torch.tensor([0.95, 0.95, 0.93]).expand_as(hair)),
        (inside(0.26, 0.12, 0.05, 0.055), torch.tensor([0.10, 0.08, 0.07]).expand_as(hair)),
        (inside(0.0, -0.40, 0.2, 0.055), skin * torch.tensor([0.80, 0.42, 0.42])),
    ):
        color = torch.where(where[:, None], paint, color)
    color = torch.where((material == HAIR)[:, None], hair, color)
    return torch.where((material == FRAME)[:, None], torch.tensor([0.05, 0.05, 0.07]), color)


def ellipsoid(p: Tensor, center: tuple[float, ...], radii: tuple[float, ...]) -> Tensor:
    """Bound on the signed distance (m,) of points (m, 3) to an ellipsoid."""
    r = torch.tensor(radii, dtype=p.dtype)
    q = p - torch.tensor(center, dtype=p.dtype)
    k0, k1 = (q / r).norm(dim=1), (q / r.square()).norm(dim=1)
    return k0 * (k0 - 1) / k1.clamp(min=1e-6)


def capsule(p: Tensor, a: tuple[float, ...], b: tuple[float, ...], radius: float) -> Tensor:
    """Signed distance (m,) of points (m, 3) to a segment with a radius."""
    start, end = (torch.tensor(v, dtype=p.dtype) for v in (a, b))
    along = end - start
    share = ((p - start) @ along / along.dot(along)).clamp(0, 1)
    return (p - start - share[:, None] * along).norm(dim=1) - radius


def torus(p: Tensor, center: tuple[float, ...], major: float, minor: float) -> Tensor:
    """Signed distance (m,) of points (m, 3) to a ring that faces the third axis."""
    q = p - torch.tensor(center, dtype=p.dtype)
    flat = q[:, :2].norm(dim=1) - major
    return torch.stack([flat, q[:, 2]], 1).norm(dim=1) - minor


def smooth_union(a: Tensor, b: Tensor, width: float) -> Tensor:
    """The union of two distances (m,) with a rounded seam."""
    share = (0.5 + 0.5 * (b - a) / width).clamp(0, 1)
    return b + share * (a - b) - width * share * (1 - share)


def _rows(traits: dict[str, Tensor], first: int, last: int) -> dict[str, Tensor]:
    return {name: values[first:last] for name, values in traits.items()}
