"""One look for every figure: drawn for a page 6.5 inches wide, where no text is below 7 points.

A figure's title says in one sentence what was found, computed from what is drawn; what ran stands
small at its foot. Colors have a meaning, and nothing is told by color alone: lines differ in dash
and marker, areas in hatch or letter.
"""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

LINE_HEIGHT = 1.25
"""Of a line of text, in sizes of its letters."""

PLAIN, BOLD = 0.55, 0.64
"""Mean width of a letter, in sizes of it; wide enough that no line leaves the page."""

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
    head = _wrapped(finding, TITLE, BOLD)
    foot = _wrapped(provenance, SMALL, PLAIN)
    notes = _wrapped(note, SMALL, PLAIN) if note else []
    above = _inches(head, TITLE) + 0.08
    lowest = _inches(foot, SMALL) + 0.06
    below = lowest + (_inches(notes, SMALL) + 0.06 if notes else 0)
    whole = height + above + below
    figure = plt.figure(figsize=(PAGE_WIDTH, whole), layout="none" if free else "constrained")
    if free:
        figure.subplots_adjust(bottom=below / whole, top=(below + height) / whole)
    else:
        figure.get_layout_engine().set(rect=(0, below / whole, 1, height / whole))
    figure.text(0.01, 1 - 0.04 / whole, "\n".join(head), ha="left", va="top", fontsize=TITLE,
                fontweight="bold", linespacing=LINE_HEIGHT)  # fmt: skip
    for y, lines, color in ((lowest, notes, "black"), (0.03, foot, "#606060")):
        if lines:
            figure.text(0.01, y / whole, "\n".join(lines), ha="left", va="bottom",
                        fontsize=SMALL, color=color, linespacing=LINE_HEIGHT)  # fmt: skip
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


def label_ends(
    axis: "Axes", ends: Sequence[tuple[float, float, str, str]], *, size: float = SMALL
) -> None:
    """Write each line's name to the right of where it ends, moved apart where they would overlap.

    Args:
        axis: with its limits set, and laid out (`figure.draw_without_rendering()`).
        ends: x and y of a line's last point in data coordinates, its name, its color.
        size: of the letters, in points.
    """
    if not ends:
        return
    low, high = axis.get_ylim()
    tall = axis.get_window_extent().height / axis.figure.dpi * 72  # in points
    gap = size * LINE_HEIGHT
    places = [
        (axis.transData.transform((x, y))[1], x, y, name, color) for x, y, name, color in ends
    ]
    bottom = axis.transData.transform((0, low))[1] if low != high else 0.0
    per_point = axis.figure.dpi / 72
    wanted = sorted((((place - bottom) / per_point), x, y, name, color)
                    for place, x, y, name, color in places)  # fmt: skip
    heights = _apart([place for place, *_ in wanted], gap, tall)
    for height, (place, x, y, name, color) in zip(heights, wanted, strict=True):
        axis.annotate(
            name, (x, y), (5, height - place), textcoords="offset points", ha="left", va="center",
            fontsize=size, color=ink(color), annotation_clip=False,
        )  # fmt: skip


def _apart(wanted: Sequence[float], gap: float, top: float) -> list[float]:
    """Sorted places moved as little as pooling allows until each is `gap` from the next."""
    groups: list[list[float]] = []  # center and count
    for place in wanted:
        groups.append([place, 1])
        while (
            len(groups) > 1
            and groups[-1][0] - groups[-2][0] < gap * (groups[-1][1] + groups[-2][1]) / 2
        ):
            (b, m), (a, n) = groups.pop(), groups.pop()
            groups.append([(a * n + b * m) / (n + m), n + m])
    made = [center + gap * (k - (count - 1) / 2) for center, count in groups
            for k in range(int(count))]  # fmt: skip
    for k in reversed(range(len(made))):
        made[k] = min(made[k], top if k == len(made) - 1 else made[k + 1] - gap)
    for k in range(len(made)):  # nothing below the axis, where its ticks have their names
        made[k] = max(made[k], made[k - 1] + gap if k else 0.0)
    return made


def _wrapped(text: str, size: float, wide: float) -> list[str]:
    """Lines as wide as the page; `wide` is a letter's mean width in sizes of the letter."""
    return textwrap.wrap(text, int(PAGE_WIDTH * 72 / (wide * size))) or [""]


def _inches(lines: Sequence[str], size: float) -> float:
    return len(lines) * LINE_HEIGHT * size / 72


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
