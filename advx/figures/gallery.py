"""The same images under several treatments, one row each, with a table of numbers beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from advx.figures import pyplot as plt
from advx.figures.kept import keep, save_figure
from advx.figures.style import ADVERSARIAL, DPI, PAGE_WIDTH, SMALL, TEXT, called, width_of
from advx.figures.tiles import FRAME, Sheet, bare, confidence, named

GAP, NUMBER = 0.05, 0.52
"""Between images, and the width of a column of numbers, in inches."""

LARGEST = 1.0
"""Side of an image, at most, in inches."""

MANY = 8
"""From so many rows on, an image's class stands in its corner instead of below it."""

NARROW = 2
"""Letters of a class's name; of images with longer ones only `WIDE` stand in a row."""

WIDE = 6


def gallery(
    folder: Path,
    name: str,
    images: dict[str, Tensor],
    said: dict[str, Tensor],
    labels: Tensor | dict[str, Tensor],
    *,
    sure: Mapping[str, Tensor] | None = None,
    **options: Any,
) -> None:
    """Write `name.png`, `name.pdf` and `arrays.npz` into `folder`.

    Args:
        folder: where.
        name: of the files.
        images: images (n, channels, h, w) of every row.
        said: the class that the model gives each of them, (n,) int64.
        labels: (n,) int64, of all rows or by row.
        sure: the probability of that class, (n,), of the rows that show it.
        options: the others of `draw`.
    """
    arrays = {f"images_{row}": x for row, x in images.items()}
    arrays |= {f"prediction_{row}": x for row, x in said.items()}
    arrays |= {f"confidence_{row}": x for row, x in (sure or {}).items()}
    if isinstance(labels, dict):
        arrays |= {f"labels_{row}": x for row, x in labels.items()}
    else:
        arrays["labels"] = labels
    kept = {key: x.cpu().numpy() for key, x in arrays.items()}
    options |= {"name": name, "rows": list(images)}
    keep(folder, "gallery", kept, options)
    draw(folder, kept, **options)


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
    sure = any(f"confidence_{row}" in arrays for row in rows)
    inside = len(rows) >= MANY
    under = 0 if inside else 0.29 if sure else 0.16
    above = 0.36 if heads else 0.04
    sheet = Sheet(
        above + len(rows) * (side + under + GAP), finding=finding, provenance=provenance, note=note
    )
    for place, head in enumerate(heads):
        sheet.text(
            PAGE_WIDTH - 0.06 - NUMBER * (len(heads) - 1 - place),
            above - 0.06,
            head,
            ha="right",
            va="bottom",
        )
    for line, row in enumerate(rows):
        top = above + line * (side + under + GAP)
        sheet.text(left - 0.1, top + side / 2, words[row], ha="right", va="center", fontsize=TEXT)
        for place, number in enumerate((numbers or {}).get(row, ())):
            sheet.text(
                PAGE_WIDTH - 0.06 - NUMBER * (len(heads) - 1 - place),
                top + side / 2,
                number,
                ha="right",
                va="center",
                fontsize=TEXT,
            )
        labels = arrays["labels"] if "labels" in arrays else arrays[f"labels_{row}"]
        for k in range(n):
            said = int(arrays[f"prediction_{row}"][k])
            wrong = said != labels[k] and row not in plain
            how: dict[str, Any] = {
                "color": ADVERSARIAL if wrong else FRAME,
                "fontweight": "bold" if wrong else "normal",
            }
            word = named(class_names, said)
            if f"confidence_{row}" in arrays:
                word += f"\n{confidence(float(arrays[f'confidence_{row}'][k]))}"
            start = left + k * (side + GAP)
            axis = sheet.image(start, top, side, arrays[f"images_{row}"][k])
            if inside:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
                axis.text(
                    0.96,
                    0.05,
                    word,
                    transform=axis.transAxes,
                    ha="right",
                    va="bottom",
                    fontsize=SMALL,
                    bbox=box,
                    **how,
                )
                bare(axis, how["color"], 1.2 if wrong else 0.5)
            else:
                sheet.text(start + side / 2, top + side + 0.03, word, ha="center", **how)
    save_figure(sheet.figure, folder, name, dpi=DPI)
    plt.close(sheet.figure)
