"""The game on a line: D beside D*, the factors of both losses, and divergence over time."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.curves import COLOURS
from advx.figures.kept import save_figure


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    generators: Sequence[str],
    games: Sequence[str],
    title: str,
    most: float,
) -> None:
    """Write `gan_theory.png` and `.pdf`.

    Args:
        folder: where.
        arrays: for every fixed generator `x_…`, the densities `p_…` and `q_…`, `answer_…` and
            `best_…`, all (cells,); for every game `divergence_…` (times,).
        generators: the fixed ones.
        games: those that were played.
        title: over the figure.
        most: largest divergence there is.
    """
    from matplotlib.ticker import NullFormatter

    across = len(generators)
    figure = plt.figure(figsize=(7.4, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 1)
    above, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    for axis, name, letter in zip(above.subplots(1, across, sharey=True, squeeze=False)[0],
                                  generators, "abcdef", strict=False):  # fmt: skip
        x = arrays[f"x_{name}"]
        for density, label, colour in (("p", "data", "#404040"), ("q", "generator", "#bbbbbb")):
            values = arrays[f"{density}_{name}"]
            top = max(arrays[f"p_{name}"].max(), arrays[f"q_{name}"].max())
            axis.fill_between(x, 0.45 * values / top, color=colour, alpha=0.35, linewidth=0,
                              label=label)  # fmt: skip
        axis.plot(x, arrays[f"best_{name}"], color=COLOURS[0], linewidth=2.2, label="D*")
        axis.plot(x, arrays[f"answer_{name}"], color=COLOURS[1], linewidth=1, label="D")
        axis.set(xlabel="x", ylim=(0, 1.02))
        axis.set_title(f"{letter}  generator: {name}", fontsize=8, loc="left")
    above.axes[0].set_ylabel("probability of data", fontsize=8)
    above.axes[0].legend(fontsize=7, frameon=False, loc="upper right")
    factors, time = below.subplots(1, 2)
    d = np.linspace(0.001, 0.999, 999)
    for curve, label, colour, style in (
        (1 / (1 - d), "minimax, in D: 1/(1 − D), as printed", COLOURS[0], "--"),
        (1 / d, "non-saturating, in D: 1/D, as printed", COLOURS[1], "--"),
        (d, "minimax, in the logit: D", COLOURS[0], "-"),
        (1 - d, "non-saturating, in the logit: 1 − D", COLOURS[1], "-"),
    ):
        factors.plot(d, curve, color=colour, linestyle=style, linewidth=1.4, label=label)
    factors.set(yscale="log", xlabel="D(G(z))", ylabel="size of the gradient's factor",
                ylim=(1e-3, 1e3))  # fmt: skip
    factors.set_title(f"{'abcdefg'[across]}  what scales G's gradient", fontsize=8, loc="left")
    factors.legend(fontsize=6.5, frameon=False, loc="lower center")
    for index, name in enumerate(games):
        values = arrays[f"divergence_{name}"]
        style = {"k": "-", "D": ":"}.get(name[0], "--")
        time.plot(np.linspace(0, 1, len(values)), values, linestyle=style, linewidth=1.3,
                  color=COLOURS[index % len(COLOURS)], label=name)  # fmt: skip
    time.axhline(most, color="#808080", linewidth=0.6)
    time.set(yscale="log", xlabel="share of the updates of G", ylabel="JSD to the data (nats)")
    time.set_title(f"{'abcdefg'[across + 1]}  games, first seed", fontsize=8, loc="left")
    time.yaxis.set_minor_formatter(NullFormatter())
    if games:
        time.legend(fontsize=6.5, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    for axis in (*above.axes, *below.axes):
        axis.tick_params(labelsize=7)
        axis.xaxis.label.set_fontsize(8)
        axis.yaxis.label.set_fontsize(8)
    figure.suptitle("\n".join(textwrap.wrap(title, 120)), fontsize=8)
    save_figure(figure, folder, "gan_theory", dpi=200)
    plt.close(figure)
