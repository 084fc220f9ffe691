"""Images of a Laplacian pyramid, taken apart: thumbnail, detail, sum, detail, sum."""

import itertools

import torch
from torch import Tensor

from advx.data.resize import doubled
from advx.figures.samples import Panel

COLUMNS = 20
"""Images in a row of a panel."""

NOTE = "Detail: what a level adds; mid-gray where that is nothing."
"""Under the figure."""


def taken_apart(images: list[Tensor]) -> Tensor:
    """The rows of one panel, all of the finest level's size.

    Args:
        images: of every level (n, *shape), from coarse to fine.
    """
    rows = [images[0]]
    for before, after in itertools.pairwise(images):
        rows += [0.5 + after - doubled(before), after]
    return torch.cat([magnified(each, images[-1].shape[-1]) for each in rows])


def magnified(images: Tensor, side: int) -> Tensor:
    """Images with every pixel repeated, so that they are `side` wide."""
    times = side // images.shape[-1]
    return images.repeat_interleave(times, -1).repeat_interleave(times, -2)


def panel(array: str, caption: str, images: list[Tensor]) -> Panel:
    """What `taken_apart` makes of the same images, with the names of its rows.

    Args:
        array: the name of what it makes in the figure's arrays.
        caption: above the panel.
        images: of every level (n, *shape), from coarse to fine.
    """
    thumbnail, *finer = (f"{x.shape[-2]} × {x.shape[-1]}" for x in images)
    left = [thumbnail]
    for size in finer:
        left += ["+ detail", f"= {size}"]
    return {"array": array, "columns": COLUMNS, "caption": caption, "left": left}
