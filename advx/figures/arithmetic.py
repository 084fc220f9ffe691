"""Arithmetic on z: the faces, and how often the sums succeed."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advx.figures import pyplot as plt
from advx.figures import samples
from advx.figures.curves import COLOURS
from advx.figures.kept import save_figure


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    panels: Sequence[Sequence[str | int]],
    games: dict[str, str],
    sums: Sequence[str],
    target: str,
    title: str,
) -> None:
    """Write `latent_arithmetic.png`, where there are faces, and `success.png`; both as `.pdf` too.

    Args:
        folder: where.
        arrays: the faces of `panels`; `averaged` (counts,); for every sum and suffix
            "SUM SUFFIX": (seeds, counts) percent.
        panels: of the faces, see `advx.figures.samples`.
        games: what the suffixes of `arrays` mean, a panel each.
        sums: the rows, a curve each.
        target: the class that the sums should be of.
        title: over the figures.
    """
    if panels:
        samples.draw(folder, arrays, name="latent_arithmetic", panels=panels, title=title)
    figure, axes = plt.subplots(
        1, len(games), figsize=(3.3 * len(games) + 0.4, 3.1), layout="constrained", squeeze=False,
        sharey=True,
    )  # fmt: skip
    for axis, (suffix, game) in zip(axes.flat, games.items(), strict=True):
        for name, colour in zip(sums, COLOURS, strict=False):
            found = arrays.get(f"{name}{suffix}")
            if found is not None:
                axis.plot(arrays["averaged"], found.mean(0), color=colour, label=name, marker="o",
                          markersize=3.5, linewidth=1.4)  # fmt: skip
                axis.fill_between(arrays["averaged"], found.min(0), found.max(0), color=colour,
                                  alpha=0.15, linewidth=0)  # fmt: skip
        axis.set(xscale="log", xlabel="z averaged for each of a, b and c", ylim=(-3, 103))
        axis.set_title(game, fontsize=8)
        axis.set_xticks(arrays["averaged"], [f"{count:g}" for count in arrays["averaged"]])
        axis.minorticks_off()
        axis.grid(alpha=0.3, linewidth=0.5)
        axis.tick_params(labelsize=7)
        axis.xaxis.label.set_fontsize(8)
    axes[0, 0].set_ylabel(f"{target} (%)", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(sums), frameon=False,
                      fontsize=8)  # fmt: skip
    heading = textwrap.wrap(title, round(15 * figure.get_figwidth()))
    figure.suptitle("\n".join(heading), fontsize=8)
    save_figure(figure, folder, "success", dpi=200)
    plt.close(figure)
