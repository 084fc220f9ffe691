"""The same images under several treatments, one row each, with a table of numbers beside them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict, Unpack

import numpy as np
from torch import Tensor

from advx.figures import pyplot as plt
from advx.figures.saved import save_and_draw, save_figure
from advx.figures.style import ADVERSARIAL, DPI, PAGE_WIDTH, SMALL, TEXT, called, width_of
from advx.figures.tiles import FRAME, Sheet, bare, confidence, drawable, named, undrawn

log = logging.getLogger(__name__)

GAP, NUMBER = 0.05, 0.52
"""Between images, and the width of a column of numbers, in inches."""

LARGEST = 1.0
"""Side of an image, at most, in inches."""

MANY = 8
"""From so many rows on, an image's class stands in its corner instead of below it."""

NARROW = 2
"""Letters of a class's name; of images with longer ones only `WIDE` stand in a row."""

WIDE = 6


class Captions(TypedDict):
    """What stands beside the images, as `draw` takes it."""

    finding: str
    note: NotRequired[str]
    words: NotRequired[Mapping[str, str]]
    plain: NotRequired[Sequence[str]]
    heads: NotRequired[Sequence[str]]
    numbers: NotRequired[Mapping[str, Sequence[str]]]


def gallery(
    folder: Path,
    name: str,
    images: dict[str, Tensor],
    predicted: dict[str, Tensor],
    labels: Tensor | dict[str, Tensor],
    *,
    class_names: Sequence[str],
    provenance: str,
    confidences: Mapping[str, Tensor] | None = None,
    **captions: Unpack[Captions],
) -> None:
    """Write `name.png`, `name.pdf` and `arrays.npz` into `folder`.

    Args:
        folder: where.
        name: of the files.
        images: images (n, channels, h, w) of every row.
        predicted: the class that the model gives each of them, (n,) int64.
        labels: (n,) int64, of all rows or by row.
        class_names: one a class.
        provenance: what ran.
        confidences: the probability of that class, (n,), of the rows that show it.
        captions: what stands beside the images.
    """
    first = next(iter(images.values()))
    if not drawable(first):
        log.warning("%s", undrawn(first))
        return
    arrays = {f"images_{row}": x for row, x in images.items()}
    arrays |= {f"prediction_{row}": x for row, x in predicted.items()}
    arrays |= {f"confidence_{row}": x for row, x in (confidences or {}).items()}
    if isinstance(labels, dict):
        arrays |= {f"labels_{row}": x for row, x in labels.items()}
    else:
        arrays["labels"] = labels
    saved = {key: x.cpu().numpy() for key, x in arrays.items()}
    save_and_draw(
        folder,
        draw,
        saved,
        class_names=class_names,
        provenance=provenance,
        **captions,
        name=name,
        rows=list(images),
    )


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str,
    rows: Sequence[str],
    finding: str,
    provenance: str,
    class_names: Sequence[str],
    note: str = "",
    words: Mapping[str, str] | None = None,
    plain: Sequence[str] = (),
    heads: Sequence[str] = (),
    numbers: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """The figure from its arrays.

    Args:
        folder: where.
        arrays: `images_ROW`, `prediction_ROW`, `labels` or `labels_ROW`, and perhaps
            `confidence_ROW`, as `gallery` keeps them.
        name: of the files.
        rows: from top to bottom.
        finding: what was measured, in one sentence.
        provenance: what ran.
        class_names: one a class.
        note: how to read the figure.
        words: what rows are called, where not by their own names.
        plain: rows in which a class other than the label is no mistake and does not stand out.
        heads: of the columns of numbers.
        numbers: by row, what stands in them.
    """
    words = {row: called(row) for row in rows} | dict(words or {})
    wide = max(map(len, class_names)) > NARROW
    n = min(len(arrays[f"images_{rows[0]}"]), WIDE if wide else len(arrays[f"images_{rows[0]}"]))
    left = 0.16 + max(width_of(line, TEXT) for text in words.values() for line in text.split("\n"))
    right = NUMBER * len(heads) + (0.1 if heads else 0)
    side = min(LARGEST, (PAGE_WIDTH - left - right - 0.06 - GAP * (n - 1)) / n)
    confidences = any(f"confidence_{row}" in arrays for row in rows)
    inside = len(rows) >= MANY
    under = 0 if inside else 0.29 if confidences else 0.16
    above = 0.36 if heads else 0.04
    height = above + len(rows) * (side + under + GAP)
    sheet = Sheet(height, finding=finding, provenance=provenance, note=note)
    _columns(sheet, above - 0.06, heads, va="bottom")
    for line, row in enumerate(rows):
        top = above + line * (side + under + GAP)
        sheet.text(left - 0.1, top + side / 2, words[row], ha="right", va="center", fontsize=TEXT)
        _columns(sheet, top + side / 2, (numbers or {}).get(row, ()), va="center", fontsize=TEXT)
        labels = arrays["labels"] if "labels" in arrays else arrays[f"labels_{row}"]
        for k in range(n):
            predicted = int(arrays[f"prediction_{row}"][k])
            shares = arrays.get(f"confidence_{row}")
            share_text = "" if shares is None else f"\n{confidence(float(shares[k]))}"
            word = named(class_names, predicted) + share_text
            wrong = predicted != labels[k] and row not in plain
            corner = (left + k * (side + GAP), top)
            _image(sheet, corner, side, arrays[f"images_{row}"][k], word, wrong, inside)
    save_figure(sheet.figure, folder, name, dpi=DPI)
    plt.close(sheet.figure)


def _columns(sheet: Sheet, top: float, texts: Sequence[str], **style: Any) -> None:
    """What stands in the columns of numbers, the last one at the page's right edge."""
    for place, text in enumerate(texts):
        right = PAGE_WIDTH - 0.06 - NUMBER * (len(texts) - 1 - place)
        sheet.text(right, top, text, ha="right", **style)


def _image(
    sheet: Sheet,
    corner: tuple[float, float],
    side: float,
    image: np.ndarray,
    word: str,
    wrong: bool,
    inside: bool,
) -> None:
    """One image with the model's class, in its corner (`inside`) or below it.

    Args:
        sheet: where.
        corner: its upper left one, in inches.
        side: of the image, in inches.
        image: (channels, h, w).
        word: what the model says.
        wrong: whether that stands out as a mistake.
        inside: whether it stands in the image.
    """
    left, top = corner
    color, weight = (ADVERSARIAL, "bold") if wrong else (FRAME, "normal")
    axis = sheet.image(left, top, side, image)
    if not inside:
        below = top + side + 0.03
        sheet.text(left + side / 2, below, word, ha="center", color=color, fontweight=weight)
        return
    axis.text(
        0.96,
        0.05,
        word,
        transform=axis.transAxes,
        ha="right",
        va="bottom",
        fontsize=SMALL,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        color=color,
        fontweight=weight,
    )
    bare(axis, color, 1.2 if wrong else 0.5)
