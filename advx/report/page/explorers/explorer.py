"""What an explorer hands to the page."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from advx.report.page.figures import uri
from advx.report.page.runs import RunRead
from advx.report.selection import scale_place


@dataclass(frozen=True)
class Explorer:
    """One explorer.

    Attributes:
        name: of its template and its script, and its place on the page.
        title: its heading.
        runs: the runs that it is made of, for the reader to know.
        shown: what its template shows.
        data: what its script reads, as JSON holds it.
    """

    name: str
    title: str
    runs: Sequence[RunRead]
    shown: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)


def run_of(runs: Sequence[RunRead], experiment: str) -> RunRead | None:
    """The run of an experiment at the largest scale; None where there is none."""
    some = [run for run in runs if run.experiment == experiment]
    return min(some, key=lambda run: scale_place(run.group), default=None)


def sheet(images: np.ndarray, columns: int, gap: int = 0, ground: int = 255) -> Image.Image:
    """Images side by side, row after row.

    Args:
        images: (n, channels, h, w) uint8, of one channel or three.
        columns: in a row.
        gap: pixels between two.
        ground: gray level between them.
    """
    count, channels, h, w = images.shape
    rows = -(-count // columns)
    size = rows * (h + gap) - gap, columns * (w + gap) - gap
    made = np.full((*size, channels), ground, np.uint8)
    for at, image in enumerate(images):
        top, left = at // columns * (h + gap), at % columns * (w + gap)
        made[top : top + h, left : left + w] = image.transpose(1, 2, 0)
    return Image.fromarray(made[..., 0] if channels == 1 else made)


def webp(image: Image.Image, quality: int | None = None) -> str:
    """An image as a data URI: WebP, without losses unless a quality is given."""
    stream = io.BytesIO()
    options = {"lossless": True, "quality": 80} if quality is None else {"quality": quality}
    image.convert("RGB").save(stream, "WEBP", method=4, exact=True, **options)
    return uri("image/webp", stream.getvalue())


def png(indices: np.ndarray) -> str:
    """Small whole numbers (h, w) as a data URI: a gray PNG, whose levels are the numbers."""
    stream = io.BytesIO()
    Image.fromarray(indices.astype(np.uint8)).save(stream, "PNG", optimize=True)
    return uri("image/png", stream.getvalue())
