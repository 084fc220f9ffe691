"""Arithmetic on z: the faces as equations, and how often the sums succeed."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.line_ends import label_ends
from advx.figures.samples import tiled
from advx.figures.saved import save_figure
from advx.figures.style import (
    DASHES,
    LINE_HEIGHT,
    MARKERS,
    PAGE_WIDTH,
    SERIES,
    SMALL,
    TEXT,
    TITLE,
    letter,
    mark,
    page,
    place,
    styled,
    write,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrays = dict[str, np.ndarray]

EDGE, SIGN, MARK, GAP, BETWEEN = 0.07, 0.14, 0.17, 0.03, 0.25
"""Inches: at the page's sides, of an operator, of a mark, between two equations, two blocks."""

NAME = 12
"""Letters in a line of a class's name."""

SIGNS = ("−", "+", "=")


def draw(
    folder: Path,
    arrays: Arrays,
    *,
    games: dict[str, str],
    sums: Sequence[str],
    names: Sequence[str],
    shown: int,
    provenance: str,
) -> None:
    """Write `latent_arithmetic.png`, where there are faces, and `success.png`; both as `.pdf` too.

    Args:
        folder: where.
        arrays: for every game's suffix the faces `faces…` (4 · trials, channels, h, w), bytes: all
            a, all b, all c and all a − b + c; `right…` (trials,) bool, whether the evaluator gives
            the last the class that it should be of; `averaged` (counts,); for every sum and suffix
            "SUM SUFFIX": (seeds, counts) percent.
        games: what the suffixes of `arrays` mean, a panel each.
        sums: the rows, a curve each, the plain sum first.
        names: of the classes a, b and c, and of the one that the sums should be of.
        shown: numbers of z averaged for a face.
        provenance: what ran.
    """
    drawn = {suffix: game for suffix, game in games.items() if f"faces{suffix}" in arrays}
    with styled():
        figures = {"success": success(arrays, games, sums, names[3], provenance)}
        if drawn:
            figures["latent_arithmetic"] = equations(
                arrays,
                drawn,
                names,
                finding=at_count(arrays, games, sums[0], names[3], shown),
                provenance=f"Faces of the first seed, not chosen. {provenance}",
            )
        for name, figure in figures.items():
            save_figure(figure, folder, name, dpi=200)
            plt.close(figure)


def at_count(arrays: Arrays, games: dict[str, str], plain: str, target: str, count: int) -> str:
    """How often the plain sum succeeds with so many z averaged, in every game."""
    if count not in arrays["averaged"]:
        return f"Is {plain} “{target}”?"
    column = arrays["averaged"].tolist().index(count)
    shares = {
        game: results[:, column].mean()
        for suffix, game in games.items()
        if len(results := measured(arrays, plain + suffix))
    }
    if not shares:
        return f"Is {plain} “{target}”?"
    of = f" of the sums {plain} ({count} averaged z each)"
    parts = [
        f"in {share:.0f}%{'' if k else of} if {game}"
        for k, (game, share) in enumerate(shares.items())
    ]
    return f"A classifier sees “{target}” {', '.join(parts)}"


def best(arrays: Arrays, games: dict[str, str], sums: Sequence[str], target: str) -> str:
    """The most that the first two sums reach, whatever the number of z averaged."""
    parts = []
    for suffix, game in games.items():
        most = {
            name: f"{results.mean(0).max():.0f}%"
            for name in sums[:2]
            if len(results := measured(arrays, name + suffix))
        }
        if most:
            first, *others = most
            also = "".join(f" ({name}: {most[name]})" for name in others)
            parts.append(f"in up to {most[first]}{also} if {game}")
    return (
        f"Sums of z give “{target}” {', '.join(parts)}" if parts else "No sum of z could be tried"
    )


def findings(
    arrays: Arrays,
    *,
    games: dict[str, str],
    sums: Sequence[str],
    names: Sequence[str],
    shown: int,
    **_: object,
) -> dict[str, str]:
    """What each figure shows, by its file's name; the arguments are those of `draw`."""
    return {
        "latent_arithmetic": at_count(arrays, games, sums[0], names[3], shown),
        "success": best(arrays, games, sums, names[3]),
    }


def measured(arrays: Arrays, row: str) -> np.ndarray:
    """The percentages of a row, (seeds, counts), of those seeds that have them."""
    results = arrays.get(row, np.zeros((0, len(arrays["averaged"]))))
    return results[np.isfinite(results).all(1)]


def equations(
    arrays: Arrays, drawn: dict[str, str], names: Sequence[str], *, finding: str, provenance: str
) -> "Figure":
    """Two blocks side by side, a row a trial: a − b + c = d, and whether the class is right."""
    blocks = _blocks(arrays, drawn)
    marks = any(right is not None for _, _, right in blocks)
    wide = (PAGE_WIDTH - 2 * EDGE - (len(blocks) - 1) * BETWEEN) / len(blocks)
    side = (wide - 3 * SIGN - MARK * marks) / 4
    headers = [textwrap.wrap(name, NAME) for name in (*names[:3], f"{names[3]}?")]
    head = 0.2 + max(map(len, headers)) * SMALL * LINE_HEIGHT / 72 + 0.04
    tallest = max(len(trials) for _, trials, _ in blocks)
    note = f"{mark(True)}, {mark(False)}: a classifier gives the sum this class, or another one."
    figure = page(
        head + tallest * (side + GAP),
        finding=finding,
        provenance=provenance,
        note=note if marks else "",
        free=True,
    )
    for block, (caption, trials, right) in enumerate(blocks):
        start = EDGE + block * (wide + BETWEEN)
        write(figure, start, 0.0, caption, size=TEXT, ha="left", va="top")
        for column, lines in enumerate(headers):
            middle = start + column * (side + SIGN) + side / 2
            text = "\n".join(lines)
            write(figure, middle, head - 0.04, text, va="bottom", linespacing=LINE_HEIGHT)
        for row, faces in enumerate(trials):
            top = head + row * (side + GAP)
            _equation(figure, faces, start, top, side)
            if right is not None:
                parts = mark(bool(right[row]))
                write(figure, start + wide - MARK / 2, top + side / 2, parts, size=TITLE)
    return figure


def _blocks(
    arrays: Arrays, drawn: dict[str, str]
) -> list[tuple[str, np.ndarray, np.ndarray | None]]:
    """Each block's caption, faces (trials, 4, channels, h, w) and, if known, success (trials,).

    One game's trials fill both blocks, every other one in the first.
    """
    blocks: list[tuple[str, np.ndarray, np.ndarray | None]] = []
    for index, (suffix, game) in enumerate(drawn.items()):
        faces, right = arrays[f"faces{suffix}"], arrays.get(f"right{suffix}")
        trials = faces.reshape(4, -1, *faces.shape[1:]).swapaxes(0, 1)
        caption = f"{letter(index)}  {game}" if len(drawn) > 1 else game
        parts = [slice(None)] if len(drawn) > 1 else [slice(0, None, 2), slice(1, None, 2)]
        blocks += [
            (caption if k == 0 else "", trials[part], None if right is None else right[part])
            for k, part in enumerate(parts)
        ]
    return blocks


def _equation(figure: "Figure", faces: np.ndarray, start: float, top: float, side: float) -> None:
    """Four faces (4, channels, h, w) in a row, with the signs between them."""
    for column, face in enumerate(faces):
        left = start + column * (side + SIGN)
        place(figure, left, top, side, side).imshow(
            tiled(face[None], 1),
            cmap="gray",
            vmin=0,
            vmax=1,
            interpolation="nearest",
            aspect="auto",
        )
        if column < len(SIGNS):
            write(figure, left + side + SIGN / 2, top + side / 2, SIGNS[column], size=TITLE)


def success(
    arrays: Arrays, games: dict[str, str], sums: Sequence[str], target: str, provenance: str
) -> "Figure":
    """Percent of the sums that succeed against the number of z averaged, a panel a game."""
    seeds = max((len(arrays[name]) for name in sums if name in arrays), default=1)
    note = (
        "Rescaled: the sum brought to the length that z usually has. On pixels: the same sum of "
        "images. Random direction: as long as a − b."
        + (" Lines: mean of the seeds; bars: their range." if seeds > 1 else "")
    )
    figure = page(2.3, finding=best(arrays, games, sums, target), provenance=provenance, note=note)
    axes = figure.subplots(1, len(games), squeeze=False, sharey=True)[0]
    counts = arrays["averaged"]
    ends: list[list[tuple[float, str, str]]] = []
    for index, (axis, (suffix, game)) in enumerate(zip(axes, games.items(), strict=True)):
        ends.append([])
        for k, name in enumerate(sums):
            results = measured(arrays, name + suffix)
            if not len(results):
                continue
            mean = results.mean(0)
            axis.plot(
                counts, mean, color=SERIES[k], linestyle=DASHES[k % len(DASHES)], marker=MARKERS[k]
            )
            if len(results) > 1:
                axis.vlines(counts, results.min(0), results.max(0), color=SERIES[k], linewidth=0.8)
            ends[-1].append((float(mean[-1]), name, SERIES[k]))
        if not ends[-1]:
            axis.text(0.5, 0.5, "no faces of a, b or c", ha="center", transform=axis.transAxes)
        axis.set(xscale="log", xlabel="z averaged for each of a, b and c", ylim=(-3, 103))
        axis.set_title(f"{letter(index)}  {game}", loc="left")
        axis.set_xticks(counts, [f"{count:g}" for count in counts])
        axis.minorticks_off()
        axis.grid(axis="y")
    axes[0].set_ylabel(f"“{target}” (%)")
    figure.draw_without_rendering()
    for axis, lines in zip(axes, ends, strict=True):
        label_ends(axis, [(axis.get_xlim()[1], *line) for line in lines])
    return figure
