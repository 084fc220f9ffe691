"""What is wrong with a figure on the page: its width, small letters, words on words or cut off."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

WIDTH, SMALLEST = 6.5, 7.0
"""Inches; points."""

SLACK = 1.2
"""Points by which boxes of words may overlap: they are a little larger than their letters."""


@dataclass
class Seen:
    """Every figure that was saved: the words on it, and what is wrong with it."""

    words: list[list[str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@contextmanager
def recorded() -> Iterator[Seen]:
    """Look at every figure that is saved inside, as it is drawn."""
    seen = Seen()
    drawn: list[tuple[Text, Bbox]] = []
    saving = False
    save, draw, write = Figure.savefig, Figure.draw, Text.draw

    def written(self: Text, renderer: Any) -> None:
        write(self, renderer)
        if self.get_visible() and self.get_text().strip():
            drawn.append((self, Text.get_window_extent(self, renderer)))

    def painted(self: Figure, renderer: Any) -> Any:
        drawn.clear()
        outcome = draw(self, renderer)
        if saving:
            seen.words.append([text.get_text() for text, _ in drawn])
            seen.faults += faults(self, drawn)
        return outcome

    def saved(self: Figure, *arguments: Any, **others: Any) -> None:
        nonlocal saving
        saving = True
        save(self, *arguments, **others)
        saving = False

    with (
        mock.patch.object(Text, "draw", written),
        mock.patch.object(Figure, "draw", painted),
        mock.patch.object(Figure, "savefig", saved),
    ):
        yield seen


def faults(figure: Figure, drawn: list[tuple[Text, Bbox]]) -> list[str]:
    """What is wrong with a drawn figure, a line each."""
    found = []
    if abs(figure.get_figwidth() - WIDTH) > 1e-9:
        found.append(f"{figure.get_figwidth()} inches wide")
    slack = SLACK * figure.dpi / 72
    page = Bbox.from_bounds(
        -slack, -slack, figure.bbox.width + 2 * slack, figure.bbox.height + 2 * slack
    )
    for text, box in drawn:
        said = text.get_text()
        if text.get_fontsize() < SMALLEST:
            found.append(f"{text.get_fontsize()} points: {said}")
        if "$" in said and ("^" in said or "_" in said):
            found.append(f"small letters above or below the line: {said}")
        if not (page.contains(*box.min) and page.contains(*box.max)):
            found.append(f"leaves the page: {said}")
    for (one, a), (other, b) in itertools.combinations(drawn, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > slack and along > slack:
            found.append(f"one on the other: {one.get_text()!r}, {other.get_text()!r}")
    return found
