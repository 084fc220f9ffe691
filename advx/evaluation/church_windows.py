"""Church windows (section 1.2.3): two-dimensional cross sections of the classification function.

At (h, v) a window shows the class of x + h u⁽¹⁾ + v u⁽²⁾, for an example x and two orthogonal
directions. In the chapter's figures

    fgsm_random      u⁽¹⁾ = sign ∇J,  u⁽²⁾ random                                  (Figure 1.2)
    random_random    both random                                                  (Figure 1.3)
    fgsm_gradient    u⁽¹⁾ = sign ∇J,  u⁽²⁾ the part of ∇J orthogonal to it          (Figure 1.4)

Both directions have the same length: √n, that of sign ∇J, with which a step of ε moves every
component of the first by ε; or 1 ("unit vectors", as the chapter has it, which would show next to
nothing at ε = .25).
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks.gradient import evaluating
from advx.attacks.noise import gaussian
from advx.errors import ConfigError
from advx.models.call import UNDEFINED, logits_in, predicted

BasisName = Literal["fgsm_random", "random_random", "fgsm_gradient"]
"""What the two directions are."""

LengthName = Literal["sign", "unit"]
"""Length of both: that of the gradient's sign, √n, or 1."""

PARALLEL = 1e-6
"""A second direction that keeps less than this part of its length when made orthogonal is none."""

BATCH = 2_000
"""Points classified at once; only memory and speed depend on it."""

FLOATS = 2**25
"""Numbers in the first layer's output of one batch, at most."""

UNKNOWN, NO_CLASS = -1, -2
"""What stands in a map for a point not yet asked about, and for one whose logits are NaN."""

Classes = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From windows (m,) int64, coordinates h and v (m,) to the points' classes or `NO_CLASS` (m,)."""


def basis(
    kind: BasisName, images: Tensor, slope: Tensor, *, length: LengthName = "sign", draw: int = 0
) -> Tensor:
    """Two orthogonal directions of the same length for every image.

    Args:
        kind: see above.
        images: (n, *shape); each image has its own random directions.
        slope: ∇J at the images, (n, *shape).
        length: see above.
        draw: another number, other random directions.

    Returns:
        (n, 2, *shape), orthogonal to float32's rounding.

    Raises:
        ConfigError: an image has no such pair: its gradient vanished, or has no part orthogonal to
            its sign.
    """
    g = slope.flatten(1).double()
    if kind != "random_random":
        _require(~(g == 0).all(1), "the gradient vanished, so that it has no direction")
    randoms = [gaussian(images, 2 * draw + k).flatten(1).double() for k in (0, 1)]
    first = randoms[0] if kind == "random_random" else g.sign()
    second = g if kind == "fgsm_gradient" else randoms[1]
    first = first / first.norm(dim=1, keepdim=True)
    away = second - (second * first).sum(1, keepdim=True) * first
    away = away - (away * first).sum(1, keepdim=True) * first  # once more, for what rounding left
    left = away.norm(dim=1, keepdim=True)
    _require(
        left[:, 0] > PARALLEL * second.norm(dim=1),
        "the two directions are parallel: the gradient has no part orthogonal to its sign",
    )
    size = g.shape[1] ** 0.5 if length == "sign" else 1.0
    both = torch.stack([first, away / left], 1) * size
    return both.to(images.dtype).view(len(images), 2, *images.shape[1:])


def _require(fine: Tensor, complaint: str) -> None:
    if not fine.all():
        row = int((~fine).nonzero()[0])
        raise ConfigError(
            f"basis: of example {row} in the grid {complaint}; valid: another example "
            "(first_example), or basis random_random"
        )


def point_classes(model: nn.Module, images: Tensor, bases: Tensor, *, shortcut: bool) -> Classes:
    """What says the classes of any points of the windows, in full batches.

    Args:
        model: maps images to logits; in evaluation mode while it is asked.
        images: (n, *shape).
        bases: (n, 2, *shape).
        shortcut: apply the first affine layer to the images and directions only, and combine its
            values, where the model offers to (`split()`): a point then costs the rest.
    """
    ours = type(model).__module__.startswith("advx.")  # another's `split` may mean anything
    parts = getattr(model, "split", lambda: None)() if shortcut and ours else None
    origin, after = images, model
    first, second = bases.unbind(1)
    if parts is not None:
        affine, after = parts
        with torch.no_grad(), evaluating(model):
            nothing = affine(torch.zeros_like(images[:1]))
            origin = affine(images)
            first, second = affine(first) - nothing, affine(second) - nothing
    size = max(1, min(BATCH, FLOATS // origin[0].numel()))
    scalar = (-1, *[1] * (origin.dim() - 1))

    @torch.no_grad()
    def classes(windows: Tensor, h: Tensor, v: Tensor) -> Tensor:
        results = []
        with evaluating(model):
            for w, across, down in zip(
                windows.split(size), h.split(size), v.split(size), strict=True
            ):
                points = origin[w]
                points.addcmul_(first[w], across.view(scalar).to(points))
                points.addcmul_(second[w], down.view(scalar).to(points))
                results.append(predicted(logits_in(after(points), model)))
        predicted_classes = torch.cat(results)
        return predicted_classes.masked_fill(predicted_classes == UNDEFINED, NO_CLASS)

    return classes


def coordinates(epsilon: float, side: int, device: torch.device | str = "cpu") -> Tensor:
    """The coordinates of a window's columns, left to right, and rows, top to bottom: (side,)."""
    return torch.linspace(-epsilon, epsilon, side, dtype=torch.float64, device=device)


def dense_maps(classes: Classes, count: int, epsilon: float, side: int) -> Tensor:
    """The class of every point of `count` windows, (count, side, side) int16, v downward."""
    maps = torch.full((count, side, side), UNKNOWN, dtype=torch.int16)
    _ask(classes, maps, torch.ones_like(maps, dtype=torch.bool), epsilon)
    return maps


def adaptive_maps(
    classes: Classes, count: int, epsilon: float, side: int, *, stride: int = 8
) -> Tensor:
    """The same maps from fewer points: a coarse grid, refined where neighboring classes differ.

    A cell whose corners agree, and around which those of the eight others agree too, is filled with
    its class; the others are halved, until no point is left. A region that is smaller than
    `stride` may be missed.

    Args:
        classes: says the classes of points.
        count: windows.
        epsilon: half-width.
        side: points along each axis; `side` − 1 is divided by `stride`.
        stride: of the first grid, a power of two.

    Raises:
        ConfigError: the stride does not fit.
    """
    check_stride(side, stride)
    maps = torch.full((count, side, side), UNKNOWN, dtype=torch.int16)
    asked = torch.zeros_like(maps, dtype=torch.bool)
    asked[:, ::stride, ::stride] = True
    _ask(classes, maps, asked, epsilon)
    while stride > 1:
        coarse = maps[:, ::stride, ::stride]
        mixed = _mixed_cells(coarse)
        cells, stride = mixed.shape[1], stride // 2
        fine = maps[:, ::stride, ::stride]  # a view into `maps`
        wanted = torch.zeros_like(fine, dtype=torch.bool)
        for down in (0, 1, 2):  # the nine points in and around every mixed cell
            for across in (0, 1, 2):
                wanted[:, down : down + 2 * cells - 1 : 2, across : across + 2 * cells - 1 : 2] |= (
                    mixed
                )
        unknown = fine == UNKNOWN
        nearest = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :-1, :-1]
        fine.copy_(torch.where(unknown & ~wanted, nearest, fine))
        asked.zero_()
        asked[:, ::stride, ::stride] = unknown & wanted
        _ask(classes, maps, asked, epsilon)
    return maps


def check_stride(side: int, stride: int) -> None:
    """Refuse a coarse grid that does not end on a window's edges.

    Raises:
        ConfigError: the stride is no power of two, or does not divide `side` − 1.
    """
    if stride < 1 or stride & (stride - 1) or (side - 1) % stride:
        raise ConfigError(
            f"stride={stride}: a power of two that divides side − 1 = {side - 1} is needed"
        )


def _ask(classes: Classes, maps: Tensor, asked: Tensor, epsilon: float) -> None:
    """Write the classes of the points `asked` (count, side, side) bool into `maps`."""
    windows, rows, columns = asked.nonzero(as_tuple=True)
    at = coordinates(epsilon, maps.shape[1])
    maps[asked] = classes(windows, at[columns], at[rows]).to(maps)


def _mixed_cells(grid: Tensor) -> Tensor:
    """Which cells of a grid (count, m, m) have different corners or such a neighbor.

    Returns:
        (count, m − 1, m − 1) bool.
    """
    corners = [
        grid[:, down:, across:][:, : grid.shape[1] - 1, : grid.shape[2] - 1]
        for down in (0, 1)
        for across in (0, 1)
    ]
    differ = torch.stack([corner != corners[0] for corner in corners]).any(0)
    return F.max_pool2d(differ[:, None].float(), 3, stride=1, padding=1)[:, 0] > 0
