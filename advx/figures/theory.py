"""The game on a line: D beside D*, the factors of both losses, and divergence over time."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.line_ends import label_ends
from advx.figures.saved import save_figure
from advx.figures.style import (
    DASHES,
    MARKERS,
    NEUTRAL,
    OURS,
    SERIES,
    SMALL,
    ink,
    letter,
    page,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENDS, APART = 1.05, 0.045
"""Where the first line's dots stand, the game itself going from 0 to 1, and how far the next's."""

NOTE = (
    "D*: the best discriminator there is, p/(p + q); areas: data p and generator q, not to scale. "
    "Factors: of the gradient that G receives, with respect to D (dashed, as the chapter prints "
    "them) and to D's logit (solid). Games: JSD, the Jensen–Shannon divergence of G to the data; "
    "lines are the first seed's, dots all seeds' at the end, from more samples."
)


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    generators: Sequence[str],
    games: dict[str, dict[str, str]],
    most: float,
    provenance: str,
) -> None:
    """Write `gan_theory.png` and `.pdf`.

    Args:
        folder: where.
        arrays: for every fixed generator `x_…`, the densities `p_…` and `q_…`, `output_…` and
            `best_…`, all (cells,); for every game `divergence_…` (times,) of the first seed and
            `ends_…` (seeds,).
        generators: the fixed ones.
        games: a panel each by title: what its lines are called, by the games' names.
        most: largest divergence there is, log 2.
        provenance: what ran.
    """
    rows = -(-(len(generators) + 1 + len(games)) // 2)
    with styled():
        figure = page(
            1.62 * rows,
            finding=finding(arrays, generators, games),
            provenance=provenance,
            note=NOTE,
        )
        axes = list(figure.subplots(rows, 2, squeeze=False).flat)
        for axis, name in zip(axes, generators, strict=False):
            beside(axis, arrays, name)
        factors(axes[len(generators)])
        game_axes = axes[len(generators) + 1 :]
        for axis, lines in zip(game_axes, games.values(), strict=False):
            over_time(axis, arrays, lines, most)
        titles = [
            *(f"D alone, G makes {name}" for name in generators),
            "what scales G's gradient",
            *games,
        ]
        for index, (axis, title) in enumerate(zip(axes, titles, strict=False)):
            axis.set_title(f"{letter(index)}  {title}", loc="left")
        for axis in axes[len(titles) :]:
            axis.axis("off")
        figure.draw_without_rendering()
        for axis, lines in zip(game_axes, games.values(), strict=False):
            label_ends(axis, ends(arrays, lines))
        save_figure(figure, folder, "gan_theory", dpi=200)
        plt.close(figure)


def finding(
    arrays: dict[str, np.ndarray], generators: Sequence[str], games: dict[str, dict[str, str]]
) -> str:
    """How near D comes to D*, and which game of the first panel ends nearest to the data."""
    farthest = 0.0
    for name in generators:
        x, p, q, output, best = (
            arrays[f"{kind}_{name}"] for kind in ("x", "p", "q", "output", "best")
        )
        error = (np.abs(output - best) * (p + q) / 2).sum() * (x[1] - x[0])
        farthest = max(farthest, float(error))
    parts = [f"D alone comes within {farthest:.2g} of D*"] * bool(generators)
    lines = next(iter(games.values()), {})
    results = {
        label: float(np.nanmean(arrays[f"ends_{name}"]))
        for name, label in lines.items()
        if np.isfinite(arrays.get(f"ends_{name}", np.nan)).any()
    }
    if len(results) > 1:
        first, last = next(iter(results)), next(reversed(results))
        more = "the more updates D gets for one of G, the nearer G comes to the data"
        if any(a <= b for a, b in itertools.pairwise(results.values())):
            first, last = (pick(results, key=lambda name: results[name]) for pick in (max, min))
            more = "G does not come the nearer to the data, the more updates D gets for one of G"
        parts.append(
            f"{more} ({letter(len(generators) + 1)}): {results[first]:.2g} nats with {first}, "
            f"{results[last]:.2g} with {last}"
        )
    whole = "; ".join(parts) or "A game on a line"
    return whole[0].upper() + whole[1:]


def findings(
    arrays: dict[str, np.ndarray],
    *,
    generators: Sequence[str],
    games: dict[str, dict[str, str]],
    **_: object,
) -> dict[str, str]:
    """What each figure shows, by its file's name; the arguments are those of `draw`."""
    return {"gan_theory": finding(arrays, generators, games)}


def beside(axis: "Axes", arrays: dict[str, np.ndarray], name: str) -> None:
    """D and D* over x, above the densities."""
    x, p, q = (arrays[f"{kind}_{name}"] for kind in ("x", "p", "q"))
    seen = x[np.maximum(p / p.max(), q / q.max()) > 1e-3]
    top = max(p.max(), q.max())
    p, q = 0.45 * p / top, 0.45 * q / top
    axis.fill_between(x, p, color="#c8c8c8", linewidth=0)
    axis.fill_between(x, q, facecolor="none", edgecolor="#8a8a8a", hatch="////", linewidth=0.6)
    axis.plot(x, arrays[f"best_{name}"], color=OURS, linewidth=3, alpha=0.45)
    axis.plot(x, arrays[f"output_{name}"], color="black", linewidth=0.9, linestyle="--")
    axis.set(
        xlabel="x", ylabel="probability of data", ylim=(0, 1.02), xlim=(seen.min(), seen.max())
    )
    axis.locator_params("x", integer=True)
    same = np.allclose(p, q, atol=0.01)
    words(axis, x[p.argmax()], 0.02, "p = q" if same else "p", "bottom")
    if not same:
        most = (q - p - arrays[f"best_{name}"]).argmax()  # off the curves too
        words(axis, x[most], q[most] + 0.02, "q", "bottom")
    shown = np.where((x >= seen.min()) & (x <= seen.max()), arrays[f"best_{name}"], -1)
    peak = shown.argmax() if np.ptp(shown[shown >= 0]) > 0.05 else len(x) // 2
    words(axis, x[peak], shown[peak] + 0.03, "D* (broad) and D (dashed)", "bottom", inside=True)


def words(
    axis: "Axes", x: float, y: float, text: str, vertical: str, *, inside: bool = False
) -> None:
    """Small words in a panel, on white; `inside` keeps long ones from its sides."""
    low, high = axis.get_xlim()
    share = (x - low) / (high - low)
    side = ("right" if share > 0.7 else "left" if share < 0.3 else "center") if inside else "center"
    axis.text(
        x,
        y,
        text,
        ha=side,
        va=vertical,
        fontsize=SMALL,
        bbox={"color": "white", "alpha": 0.8, "pad": 0.5, "linewidth": 0},
    )


def factors(axis: "Axes") -> None:
    """The four factors against D(G(z))."""
    d = np.linspace(0.001, 0.999, 999)
    minimax, other = SERIES[0], SERIES[1]
    for curve, color, style, x, y, side, name in (
        (1 / d, other, "--", 0.03, 250, "left", "non-saturating: 1/D"),
        (1 / (1 - d), minimax, "--", 0.95, 25, "right", "minimax: 1/(1 − D)"),
        (1 - d, other, "-", 0.95, 0.03, "right", "non-saturating: 1 − D"),
        (d, minimax, "-", 0.03, 0.003, "left", "minimax: D"),
    ):
        axis.plot(d, curve, color=color, linestyle=style)
        axis.text(x, y, name, ha=side, va="center", fontsize=SMALL, color=ink(color))
    axis.set(
        yscale="log",
        xlabel="D(G(z)), 0: certainly generated",
        ylabel="factor",
        ylim=(1e-3, 1e3),
    )
    plain(axis)


def plain(axis: "Axes") -> None:
    """Powers of ten without exponents, which would be too small to read."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def over_time(
    axis: "Axes", arrays: dict[str, np.ndarray], lines: dict[str, str], most: float
) -> None:
    """Divergence of the first seed's games, and at the end of all seeds'."""
    for index, name in enumerate(lines):
        color = SERIES[index % len(SERIES)]
        values = arrays.get(f"divergence_{name}")
        if values is not None:
            axis.plot(
                np.linspace(0, 1, len(values)),
                values,
                color=color,
                linewidth=1.1,
                linestyle=DASHES[index % len(DASHES)],
            )
        results = arrays.get(f"ends_{name}", np.array([]))
        axis.plot(
            np.full(len(results), ENDS + APART * index),
            results,
            color=color,
            linestyle="",
            marker=MARKERS[index % len(MARKERS)],
            markersize=3,
        )
    axis.axhline(most, color=NEUTRAL, linewidth=0.8)
    axis.text(
        0,
        1.08 * most,
        "log 2: nothing in common with the data",
        ha="left",
        va="bottom",
        fontsize=SMALL,
        color="#606060",
    )
    axis.set(yscale="log", xlabel="share of the updates of G", ylabel="JSD (nats)")
    low, _ = axis.get_ylim()
    axis.set_ylim(min(low, most / 5), 2 * most)
    axis.set_xticks([0, 0.5, 1])
    plain(axis)


def ends(
    arrays: dict[str, np.ndarray], lines: dict[str, str]
) -> list[tuple[float, float, str, str]]:
    """Where each line's name belongs: at the median of its seeds' ends."""
    results = []
    for index, (name, label) in enumerate(lines.items()):
        values = arrays.get(f"ends_{name}", np.array([]))
        values = values[np.isfinite(values)]
        if len(values):
            last = ENDS + APART * (len(lines) - 1)
            results.append((last, float(np.median(values)), label, SERIES[index % len(SERIES)]))
    return results
