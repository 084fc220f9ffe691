"""Small multiples: panels in strips, each strip as wide as the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advx.figures import pyplot as plt
from advx.figures import style
from advx.figures.panels import Curve, Mark, Panel, bases, fill
from advx.figures.saved import save_and_draw, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class Strip:
    """Panels side by side.

    Attributes:
        panels: from left to right.
        height: in inches.
    """

    panels: list[Panel]
    height: float = 2.0


def curve_figure(
    folder: Path, name: str, strips: list[Strip], *, finding: str, provenance: str
) -> None:
    """Write `name.png`, `name.pdf` and `arrays.npz` into `folder`.

    Args:
        folder: the run's.
        name: the files'.
        strips: from top to bottom.
        finding: the figure's title: what the numbers say, in one sentence.
        provenance: what ran; what the panels were measured on is added.
    """
    described = [{"panels": curve_looks(strip.panels), "height": strip.height} for strip in strips]
    arrays = curve_arrays([panel for strip in strips for panel in strip.panels])
    save_and_draw(
        folder,
        draw,
        arrays,
        name=name,
        strips=described,
        finding=finding,
        provenance=provenance,
    )


def curve_arrays(panels: Sequence[Panel]) -> dict[str, np.ndarray]:
    """The numbers of panels, to be saved."""
    arrays: dict[str, np.ndarray] = {}
    for panel in panels:
        for curve in panel.curves:
            arrays[f"{panel.title}: {curve.label}"] = np.vstack([curve.places, curve.values])
        arrays |= {f"{panel.title}: {key}": v for key, v in panel.distributions.items()}
    return arrays


def curve_looks(panels: Sequence[Panel]) -> list[Mapping[str, Any]]:
    """How panels look, without their numbers."""
    return [
        vars(panel)
        | {
            "curves": [_look(curve) for curve in panel.curves],
            "marks": [vars(mark) for mark in panel.marks],
            "distributions": list(panel.distributions),
        }
        for panel in panels
    ]


def draw(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str,
    strips: Sequence[Mapping[str, Any]],
    finding: str,
    provenance: str,
) -> None:
    """The figure from its arrays and from how each panel looks."""
    made = [
        Strip([saved_panel(arrays, each) for each in strip["panels"]], strip["height"])
        for strip in strips
    ]
    with style.styled():
        figure = drawn(made, finding=finding, provenance=provenance)
        save_figure(figure, folder, name, dpi=style.DPI)
        plt.close(figure)


def _look(curve: Curve) -> Mapping[str, Any]:
    """A curve without its numbers."""
    return {key: v for key, v in vars(curve).items() if key not in ("places", "values")}


def saved_panel(arrays: dict[str, np.ndarray], described: Mapping[str, Any]) -> Panel:
    """A panel as it was before it was kept."""
    head = described["title"]
    curves = []
    for look in described["curves"]:
        places, *values = arrays[f"{head}: {look['label']}"]
        curves.append(Curve(places=places.tolist(), values=np.array(values), **look))
    distributions = {key: arrays[f"{head}: {key}"] for key in described["distributions"]}
    made = {
        "curves": curves,
        "marks": [Mark(**mark) for mark in described["marks"]],
        "distributions": distributions,
    }
    return Panel(**{**described, **made})


def drawn(strips: list[Strip], *, finding: str, provenance: str) -> "Figure":
    """The figure, to be saved; inside `style.styled()`."""
    panels = [panel for strip in strips for panel in strip.panels]
    figure = style.page(
        sum(strip.height for strip in strips),
        finding=finding,
        provenance=". ".join(filter(None, [provenance, bases(panels)])),
    )
    grid = figure.add_gridspec(len(strips), 1, height_ratios=[strip.height for strip in strips])
    axes = []
    for row, strip in enumerate(strips):
        columns = grid[row].subgridspec(1, len(strip.panels))
        axes += [figure.add_subplot(columns[k]) for k in range(len(strip.panels))]
    fill(figure, axes, panels, [len(strip.panels) for strip in strips for _ in strip.panels])
    return figure
