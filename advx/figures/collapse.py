"""Modes that generators have: over time, at the end, and the points or images themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures import samples
from advx.figures.line_ends import label_ends
from advx.figures.points import strip
from advx.figures.saved import save_figure
from advx.figures.style import (
    BAND,
    DASHES,
    MARKERS,
    NEUTRAL,
    SERIES,
    SMALL,
    ink,
    page,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arrays = dict[str, np.ndarray]

STRAY = 1.0
"""Percent of the points in modes, below which a game has none of them."""

ACROSS = 16
"""Images in a row."""

BLACK = 64
"""Gray levels of 255 that look black."""

TOO_MANY_DIGITS = 100
"""Modes from which on a mean has no decimals."""

ALIKE = 0.01
"""Variety, in that of the data, below which images look the same."""


def draw(
    folder: Path,
    arrays: Arrays,
    *,
    places: Sequence[str],
    columns: Sequence[str],
    count: int,
    counted: Sequence[int],
    inside: str,
    provenance: str,
    shown: str,
) -> None:
    """Write `gan_collapse.png` and `points.png` or `images.png`; both as `.pdf` too.

    Args:
        folder: where.
        arrays: for every "PLACE, COLUMN": `grown_…` (seeds, times) and `ends_…` (seeds,) numbers of
            modes, `inside_…` (seeds,) percent of the examples in any; `epochs` (times,); for
            `points.png` `points_PLACE` (times, n, 2) and `data` (m, 2), for `images.png`
            `images_PLACE` and `data` (n, channels, h, w), bytes.
        places: where batch normalization stands: in no network first, in both last.
        columns: the other choices.
        count: the modes that the data have.
        counted: examples in which modes were looked for: over time, and at the end.
        inside: which examples `inside_…` counts, in words.
        provenance: what ran.
        shown: the column whose points or images are shown.
    """
    seed = {
        "finding": seed_finding(arrays, places, shown, count),
        "provenance": f"{shown.capitalize()}, first seed. {provenance}",
    }
    with styled():
        figures = {
            "gan_collapse": modes(arrays, places, columns, count, counted, inside, provenance)
        }
        if any(f"points_{place}" in arrays for place in places):
            figures["points"] = strip(arrays, places, **seed)
        for name, figure in figures.items():
            save_figure(figure, folder, name, dpi=200)
            plt.close(figure)
    if panels := image_panels(arrays, places, shown, count):
        samples.draw(folder, arrays, name="images", panels=panels, **seed)


def image_panels(
    arrays: Arrays, places: Sequence[str], shown: str, count: int
) -> list[samples.Panel]:
    """A panel a place, and the data; none where the examples are points."""
    drawn = [place for place in places if f"images_{place}" in arrays]
    if not drawn:
        return []
    variety = arrays["data"].std(0).mean() or 1.0
    panels: list[samples.Panel] = []
    for place in drawn:
        images, ends = arrays[f"images_{place}"], arrays.get(f"ends_{place}, {shown}")
        caption = f"Batch normalization {place if place.startswith('in ') else f'in {place}'}"
        caption += "" if ends is None else f": {ends[0]:,.0f} of {count:,} modes"
        varied = images.std(0).mean() / variety
        caption += (
            f"; the images vary {100 * varied:.0f}% as much as the data"
            if varied > ALIKE
            else "; all images are alike"
        )
        caption += ", black" if images.max() < BLACK else ""
        panels.append({"array": f"images_{place}", "columns": ACROSS, "caption": caption})
    return [*panels, {"array": "data", "columns": ACROSS, "caption": "Data"}]


def finding(arrays: Arrays, places: Sequence[str], columns: Sequence[str], count: int) -> str:
    """In how many of the games there are more modes with normalization everywhere than nowhere.

    A game whose points lie in no mode either way, but for stray ones, is counted apart.
    """
    ends, stray = {}, 0
    for column in columns:
        rows = [f"{place}, {column}" for place in (places[-1], places[0])]
        if all(f"ends_{row}" in arrays for row in rows):
            if all(arrays[f"inside_{row}"].mean() < STRAY for row in rows):
                stray += 1
            else:
                ends[column] = (arrays[f"ends_{rows[0]}"], arrays[f"ends_{rows[1]}"])
    if not ends:
        return f"Modes that generators have, of {count:,}"
    gains = {column: float(a.mean() - b.mean()) for column, (a, b) in ends.items()}
    best, worst = (pick(gains, key=lambda c: gains[c]) for pick in (max, min))
    if len(ends) == 1:
        a, b = map(number, ends[best])
        return (
            f"With batch normalization in both networks G ends with {a} of {count:,} modes, "
            f"without it with {b}"
        )
    more, fewer = sum(g > 0 for g in gains.values()), sum(g < 0 for g in gains.values())
    parts = [
        f"{number(ends[c][0])} instead of {number(ends[c][1])} ({c})"
        for c in dict.fromkeys((best, worst))
    ]
    return (
        f"Batch normalization in both networks leaves G more of the {count:,} modes in {more} of "
        f"{len(ends)} games and fewer in {fewer}: {'; '.join(parts)}"
        + (f". In {stray} more hardly a point lies in a mode" if stray else "")
    )


def findings(
    arrays: Arrays,
    *,
    places: Sequence[str],
    columns: Sequence[str],
    count: int,
    shown: str,
    **_: object,
) -> dict[str, str]:
    """What each figure shows, by its file's name; the arguments are those of `draw`."""
    said = seed_finding(arrays, places, shown, count)
    return {
        "gan_collapse": finding(arrays, places, columns, count),
        "points": said,
        "images": said,
    }


def seed_finding(arrays: Arrays, places: Sequence[str], shown: str, count: int) -> str:
    """The modes that the first seed's generators have at the end."""
    results = {
        place: f"{arrays[f'ends_{place}, {shown}'][0]:,.0f}"
        for place in places
        if f"ends_{place}, {shown}" in arrays
    }
    without = results.pop(places[0], "")
    parts = [f"Without batch normalization G ends with {without} of {count:,} modes"] * bool(
        without
    )
    parts += [f"with it {place} {modes}" for place, modes in results.items()]
    return ", ".join(parts) or "Examples that generators make"


def number(values: np.ndarray) -> str:
    """The mean of modes (seeds,), with a decimal where there are several seeds and few modes."""
    mean = values.mean()
    return f"{mean:,.0f}" if len(values) == 1 or mean >= TOO_MANY_DIGITS else f"{mean:,.1f}"


def modes(
    arrays: Arrays,
    places: Sequence[str],
    columns: Sequence[str],
    count: int,
    counted: Sequence[int],
    inside: str,
    provenance: str,
) -> "Figure":
    """For every column the modes over time, and below (beside, if it is the only one) the ends."""
    one = len(columns) == 1
    seeds = max((len(arrays[key]) for key in arrays if key.startswith("ends_")), default=1)
    note = (
        f"{'Left' if one else 'Top'}: modes among {counted[0]:,} generated examples while the "
        f"networks train{f', mean and range of {seeds} seeds' if seeds > 1 else ''}. "
        f"{'Right' if one else 'Bottom'}: modes among {counted[1]:,} at the end"
        f"{', a mark for each seed' if seeds > 1 else ''}. Inside: examples {inside}. "
        "Names: the networks with batch normalization"
        + ("." if one else "; k: updates of D for one of G.")
    )
    figure = page(
        2.0 if one else 3.1,
        finding=finding(arrays, places, columns, count),
        provenance=provenance,
        note=note,
    )
    shape = (1, 2) if one else (2, len(columns))
    axes = figure.subplots(*shape, squeeze=False, height_ratios=None if one else (1.2, 1))
    above, below = (axes[:, :1], axes[:, 1:]) if one else (axes[:1], axes[1:])
    for index, name in enumerate(columns):
        over_time(above[0, index], arrays, places, name, count, counted[0])
        at_the_end(below[0, index], arrays, places, name, count, first=index == 0)
        above[0, index].set_title(name)
        below[0, index].set_xlabel(f"modes in {counted[1]:,}")
        if index:
            above[0, index].tick_params(labelleft=False)
    above[0, 0].set_ylabel(f"modes in {counted[0]:,}")
    figure.draw_without_rendering()
    for index, name in enumerate(columns):
        ends = [
            (
                above[0, index].get_xlim()[1],
                arrays[f"grown_{place}, {name}"].mean(0)[-1],
                place,
                color,
            )
            for place, color in zip(places, SERIES, strict=False)
            if f"grown_{place}, {name}" in arrays
        ]
        label_ends(above[0, index], ends)
    return figure


def over_time(
    axis: "Axes",
    arrays: Arrays,
    places: Sequence[str],
    name: str,
    count: int,
    examples: int,
) -> None:
    """A line a place, the mean of the seeds, with a band from the smallest to the largest."""
    top = 0.0
    for index, place in enumerate(places):
        results = arrays.get(f"grown_{place}, {name}")
        if results is not None:
            color, epochs = SERIES[index], arrays["epochs"]
            low, high = results.min(0), results.max(0)
            top = max(top, high.max())
            axis.plot(epochs, results.mean(0), color=color, linestyle=DASHES[index % len(DASHES)])
            if len(results) > 1:
                faint = BAND / 2  # many overlap
                axis.fill_between(epochs, low, high, color=color, alpha=faint, linewidth=0)
    most = count * (1 - (1 - 1 / count) ** examples)  # expected of as many of the data
    if most < count - 0.5:
        axis.axhline(most, color=NEUTRAL, linewidth=0.8)
        axis.text(
            0,
            most,
            f"{examples:,} of the data: about {most:.0f}",
            ha="left",
            va="bottom",
            fontsize=SMALL,
            color="#606060",
        )
    most = max(top, most)
    axis.set(xlabel="epoch", ylim=(-0.05 * most, 1.12 * most))
    axis.locator_params("x", integer=True, nbins=4)
    axis.locator_params("y", integer=True)
    axis.grid(axis="y")


def at_the_end(
    axis: "Axes", arrays: Arrays, places: Sequence[str], name: str, count: int, *, first: bool
) -> None:
    """A row a place, a dot a seed, and in words the mean and the share inside."""
    for row, place in enumerate(places):
        results = arrays.get(f"ends_{place}, {name}", np.array([]))
        seen: dict[float, int] = {}
        for value in sorted(results):
            k = seen[value] = seen.get(value, 0) + 1
            lift = 0.19 * (k // 2) * (-1) ** k  # equal ones above and below each other
            axis.plot(
                value,
                row + lift,
                color=SERIES[row],
                markersize=3,
                linestyle="",
                marker=MARKERS[row % len(MARKERS)],
                clip_on=False,
            )
        if len(results) > 1:
            axis.plot(
                [results.mean()] * 2, [row - 0.42, row + 0.42], color="#404040", linewidth=0.9
            )
        share = arrays.get(f"inside_{place}, {name}", np.array([np.nan])).mean()
        if len(results):
            beside(axis, row, number(results), f"{share:.{0 if share >= 1 else 1}f}%")
    beside(axis, -0.9, "modes", "inside")
    axis.set(xlim=(-0.06 * count, 1.06 * count), ylim=(len(places) - 0.4, -0.6))
    axis.set_yticks(range(len(places)), places if first else [""] * len(places))
    axis.set_xticks(np.linspace(0, count, 3))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.grid(axis="x")
    for row, tick in enumerate(axis.get_yticklabels()):
        tick.set_color(ink(SERIES[row]))


def beside(axis: "Axes", row: float, *columns: str) -> None:
    """Words in two columns to the right of a row, each flush right."""
    for place, text in zip((19, 43), columns, strict=True):
        axis.annotate(
            text,
            (1, row),
            (place, 0),
            xycoords=("axes fraction", "data"),
            va="center",
            textcoords="offset points",
            ha="right",
            fontsize=SMALL,
        )
