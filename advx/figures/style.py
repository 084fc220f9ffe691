"""One look for every figure: drawn for a page 6.5 inches wide, where no text is below 7 points.

A figure's title says in one sentence what was found, computed from what is drawn; what ran stands
small at its foot. Colors have a meaning, and nothing is told by color alone: lines differ in dash
and marker, areas in hatch or letter.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any

from advx.figures import pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_WIDTH = 6.5
"""Inches; every figure is as wide."""

TITLE, TEXT, SMALL = 9.5, 8.0, 7.0
"""Sizes of letters, in points: the finding, labels, and the smallest there is."""

CHAPTER = "#000000"
OURS = "#0072b2"
CLEAN = "#009e73"
ADVERSARIAL = "#d55e00"
NEUTRAL = "#7f7f7f"
"""Colors by meaning: the chapter's number, ours, clean and adversarial inputs, all the rest."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""For what has no color of its own; distinguishable with any color vision (Okabe and Ito 2008)."""

DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++", "oo", "||||", "**")
"""Beside the colors, for print in gray."""

DPI = 200
"""Of the bitmaps: 1,300 dots across the page."""

BAND = 0.18
"""Opacity of what reaches from a curve's smallest value over the seeds to its largest."""

LINE_HEIGHT = 1.25
"""Of a line of text, in sizes of its letters."""

SHORT = 0.2
"""Part of the width that the last of several lines should have."""

PLAIN = 0.55
"""Mean width of a letter, in sizes of it, and somewhat more."""

_RC = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#404040",
    "axes.linewidth": 0.7,
    "xtick.color": "#404040",
    "ytick.color": "#404040",
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
}


@contextmanager
def styled() -> Iterator[None]:
    """Everything drawn inside has the sizes and lines of this style."""
    with plt.rc_context(_RC):
        yield


def page(
    height: float, *, finding: str, provenance: str, note: str = "", free: bool = False
) -> "Figure":
    """An empty figure of the page's width, with its title and foot.

    Axes added to it are laid out between the two by matplotlib's constrained layout.

    Args:
        height: of what lies between the title and the foot, in inches.
        finding: one sentence, wrapped, at the top left.
        provenance: what ran and on what, wrapped, gray, at the foot.
        note: how to read the figure, wrapped, black, above the provenance.
        free: axes and words are placed by `spot` and `place` instead.
    """
    head = wrapped(finding, TITLE, bold=True)
    foot = wrapped(provenance, SMALL)
    notes = wrapped(note, SMALL) if note else []
    above = _inches(head, TITLE) + 0.08
    lowest = _inches(foot, SMALL) + 0.06
    below = lowest + (_inches(notes, SMALL) + 0.06 if notes else 0)
    whole = height + above + below
    figure = plt.figure(figsize=(PAGE_WIDTH, whole), layout="none" if free else "constrained")
    if free:
        figure.subplots_adjust(bottom=below / whole, top=(below + height) / whole)
    else:
        figure.get_layout_engine().set(rect=(0, below / whole, 1, height / whole))
    figure.text(
        0.01,
        1 - 0.04 / whole,
        "\n".join(head),
        ha="left",
        va="top",
        fontsize=TITLE,
        fontweight="bold",
        linespacing=LINE_HEIGHT,
    )
    for y, lines, color in ((lowest, notes, "black"), (0.03, foot, "#606060")):
        if lines:
            figure.text(
                0.01,
                y / whole,
                "\n".join(lines),
                ha="left",
                va="bottom",
                fontsize=SMALL,
                color=color,
                linespacing=LINE_HEIGHT,
            )
    return figure


def spot(figure: "Figure", left: float, top: float) -> tuple[float, float]:
    """Figure coordinates of a place on a `free` page.

    Args:
        figure: the page.
        left: inches from the page's left edge.
        top: inches below the title.
    """
    return left / PAGE_WIDTH, figure.subplotpars.top - top / figure.get_figheight()


def place(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """Axes without lines or ticks on a `free` page, in inches as `spot` has them."""
    x, y = spot(figure, left, top + height)
    axis = figure.add_axes((x, y, width / PAGE_WIDTH, height / figure.get_figheight()))
    axis.axis("off")
    return axis


def words_width(lines: Sequence[str], size: float = SMALL) -> float:
    """Inches that the longest of these lines takes at most."""
    longest = max((len(part) for line in lines for part in line.split("\n")), default=0)
    return longest * PLAIN * size / 72


def write(
    figure: "Figure",
    left: float,
    top: float,
    text: str,
    *,
    size: float = SMALL,
    ha: str = "center",
    va: str = "center",
    **others: Any,
) -> None:
    """Words on a `free` page, in inches as `spot` has them."""
    figure.text(*spot(figure, left, top), text, fontsize=size, ha=ha, va=va, **others)


def wrapped(
    text: str, size: float, *, bold: bool = False, width: float = PAGE_WIDTH - 0.14
) -> list[str]:
    """Lines no wider than the page, as few as possible.

    Bold lines are as even as possible, and the last of others is no single word.

    Args:
        text: without line breaks.
        size: of the letters, in points.
        bold: whether they are.
        width: that there is, in inches.
    """

    def wide(line: str) -> float:
        return 72 * width_of(line, size, bold=bold)

    words = text.replace("ε = ", "ε\u00a0=\u00a0").split(" ")  # sizes stay on one line
    lengths, space = [wide(word) for word in words], wide("a a") - wide("aa")

    def broken(limit: float) -> list[list[int]]:
        """The words of each line, by number."""
        lines: list[list[int]] = [[]]
        for k, length in enumerate(lengths):
            if lines[-1] and sum(lengths[j] + space for j in lines[-1]) + length > limit:
                lines.append([])
            lines[-1].append(k)
        return lines

    limit = width * 72
    lines = broken(limit)
    while bold or sum(lengths[k] for k in lines[-1]) < SHORT * limit:
        limit *= 0.98
        closer = broken(limit)
        if len(closer) > len(lines) or limit < width:
            break
        lines = closer
    return [" ".join(words[k] for k in line) for line in lines]


def width_of(line: str, size: float, *, bold: bool = False) -> float:
    """Of a line in letters of `size` points, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] / 72


def _inches(lines: Sequence[str], size: float) -> float:
    return len(lines) * LINE_HEIGHT * size / 72


def percentage(value: float) -> str:
    """A rate for a sentence: two digits, more where they would round it to nothing or to all."""
    if not isfinite(value):
        return "no number"
    if value in (0, 100) or 10 <= value < 98.5 or value > 100:
        return f"{value:.0f}%"
    for digits in (1, 2):
        if 0 < (rounded := round(value, digits)) < 100:
            return f"{rounded:.{digits}f}".removesuffix(".0") + "%"
    return "over 99.99%" if value > 50 else "under .01%"


def size(epsilon: float) -> str:
    """The size of a perturbation as the chapter prints it: .25."""
    return f"{epsilon:g}".removeprefix("0") or "0"


NAMES = {
    "convolutional": "convolutional network",
    "gaussian": "Gaussian",
    "k_nearest_neighbors": "k nearest neighbors",
    "maxout": "maxout network",
    "none": "no defense",
    "relu": "ReLU network",
    "relu_batch_norm": "ReLU network with batch normalization",
    "tanh": "tanh network",
    "virtual_adversarial": "virtual adversarial training",
}
"""What is called otherwise than the configuration names it."""


def called(name: str) -> str:
    """What a reader calls a model or a defense: words, not an identifier."""
    return NAMES.get(name, re.sub(r"\b0\.", ".", name.replace("_", " ")))


def letter(index: int) -> str:
    """a, b, c, …: what stands in a panel or a region beside its color."""
    return chr(ord("a") + index)


def mark(right: bool) -> str:
    """A tick or a cross."""
    return "✓" if right else "✗"


def ink(color: Any) -> tuple[float, float, float]:
    """A color made dark enough for small letters on white, where it is not."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    share = min(1.0, 0.42 / max(0.299 * red + 0.587 * green + 0.114 * blue, 1e-9))
    return (share * red, share * green, share * blue)


def text_on(color: Any) -> str:
    """Black or white, whichever reads better on a color."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"
