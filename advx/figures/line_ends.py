"""Names of lines, written where the lines end."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from advx.figures.style import LINE_HEIGHT, SMALL, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEADER = {"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2, "relpos": (0, 0.5)}
"""How the line looks that joins a name to what it names."""


def label_ends(
    axis: "Axes",
    ends: Sequence[tuple[float, float, str, str]],
    *,
    size: float = SMALL,
    joined: bool = False,
) -> None:
    """Write each line's name to the right of where it ends, moved apart where they would overlap.

    Args:
        axis: with its limits set, and laid out (`figure.draw_without_rendering()`).
        ends: x and y of a line's last point in data coordinates, its name (of one line or several),
            its color.
        size: of the letters, in points.
        joined: whether a thin line joins a name that had to move to the end of its line.
    """
    if not ends:
        return
    low, high = axis.get_ylim()
    tall = axis.get_window_extent().height / axis.figure.dpi * 72  # in points
    bottom = axis.transData.transform((0, low))[1] if low != high else 0.0
    per_point = axis.figure.dpi / 72
    wanted = sorted(
        ((axis.transData.transform((x, y))[1] - bottom) / per_point, x, y, name, color)
        for x, y, name, color in ends
    )
    sizes = [(name.count("\n") + 1) * size * LINE_HEIGHT for *_, name, _ in wanted]
    heights = _apart([place for place, *_ in wanted], sizes, tall)
    moved = [
        joined and abs(height - place) > size / 2
        for height, (place, *_) in zip(heights, wanted, strict=True)
    ]
    for height, (place, x, y, name, color), far in zip(heights, wanted, moved, strict=True):
        line = LEADER | {"color": color}
        axis.annotate(
            name,
            (x, y),
            (14 if any(moved) else 5, height - place),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=size,
            color=ink(color),
            annotation_clip=False,
            linespacing=1.0,
            arrowprops=line if far else None,
            bbox={"pad": 0.5, "facecolor": "none", "edgecolor": "none"} if far else None,
        )


def _apart(wanted: Sequence[float], sizes: Sequence[float], top: float) -> list[float]:
    """Sorted places moved as little as pooling allows until nothing that stands there overlaps.

    Args:
        wanted: centers, ascending.
        sizes: of what stands there.
        top: where the highest center may be; the lowest may be at 0.
    """
    gaps = [(below + above) / 2 for below, above in pairwise(sizes)]

    def placed(members: list[int]) -> list[float]:
        """Centers of what touches: the nearest to what is wanted."""
        shifts = [sum(gaps[members[0] : k]) for k in members]
        start = sum(wanted[k] - shift for k, shift in zip(members, shifts, strict=True))
        return [start / len(members) + shift for shift in shifts]

    groups: list[list[int]] = []
    for index in range(len(wanted)):
        groups.append([index])
        while len(groups) > 1 and (
            placed(groups[-1])[0] - placed(groups[-2])[-1] < gaps[groups[-1][0] - 1]
        ):
            groups[-2:] = [groups[-2] + groups[-1]]
    made = [place for members in groups for place in placed(members)]
    for k in reversed(range(len(made))):
        made[k] = min(made[k], top if k == len(made) - 1 else made[k + 1] - gaps[k])
    for k in range(len(made)):  # nothing below the axis, where its ticks have their names
        made[k] = max(made[k], made[k - 1] + gaps[k - 1] if k else 0.0)
    return made
