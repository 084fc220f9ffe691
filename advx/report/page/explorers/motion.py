"""Games in motion: what generators make, from their first epoch to their last."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from advx.report.page.explorers.explorer import Explorer, sheet, webp
from advx.report.page.runs import RunRead
from advx.report.selection import scale_place

SHOWN, COLUMNS, QUALITY = 64, 8, 72
"""Images of an epoch, how many in a row, and how well they are stored."""

POINTS, REACH, LEVELS = 500, 3.2, 254
"""Points of an epoch; the coordinate at the edge of their square; how finely they are stored."""

OUTSIDE = 255
"""The level of a point beyond the square."""


def explorer(runs: Sequence[RunRead]) -> Explorer | None:
    """The games of which the runs' arrays hold snapshots; of an experiment the largest scale's."""
    games: list[dict[str, Any]] = []
    used: list[RunRead] = []
    for run in sorted(runs, key=lambda run: scale_place(run.group)):
        if run.experiment in {one.experiment for one in used} or run.drawn is None:
            continue
        game = _images(run) or _points(run)
        if game is not None:
            games.append(game)
            used.append(run)
    if not games:
        return None
    order = {run.id: at for at, run in enumerate(runs)}
    pairs = sorted(zip(games, used, strict=True), key=lambda pair: order[pair[1].id])
    games, used = [game for game, _ in pairs], [run for _, run in pairs]
    shown = {
        "games": [
            {"id": game["id"], "title": run.title, "last": game["epochs"][-1]}
            for game, run in zip(games, used, strict=True)
        ]
    }
    return Explorer("motion", "Games in motion", used, shown, {"games": games})


def _images(run: RunRead) -> dict[str, Any] | None:
    """Samples (epochs, n, channels, h, w), an epoch below the other; the same z each time."""
    assert run.drawn is not None
    _, arrays, _ = run.drawn
    if not {"snapshots", "epochs"} <= arrays.keys():
        return None
    snapshots = arrays["snapshots"][:, :SHOWN]
    _, count, _, h, w = snapshots.shape
    columns = min(COLUMNS, count)
    frames = np.stack(
        [
            np.array(sheet(epoch, columns)).reshape(-(-count // columns) * h, columns * w, -1)
            for epoch in snapshots
        ]
    ).transpose(0, 3, 1, 2)  # (epochs, channels, height, width)
    return {
        "id": run.id,
        "kind": "images",
        "epochs": arrays["epochs"].tolist(),
        "image": webp(sheet(frames, 1), QUALITY),
        "width": int(frames.shape[3]),
        "height": int(frames.shape[2]),
        "shown": count,
    }


def _points(run: RunRead) -> dict[str, Any] | None:
    """Points (epochs, n, 2) of generators that have batch normalization in different places."""
    assert run.drawn is not None
    _, arrays, options = run.drawn
    places = [place for place in options.get("places", ()) if f"points_{place}" in arrays]
    if not places:
        return None
    panels = []
    for place in places:
        points = arrays[f"points_{place}"][:, :POINTS]
        modes = arrays.get(f"grown_{place}, {options['shown']}")
        panels.append(
            {
                "place": place,
                "count": int(points.shape[1]),
                "points": _levels(points),
                "outside": (~(np.abs(points) <= REACH).all(-1)).sum(1).tolist(),
                "modes": None if modes is None else np.nan_to_num(modes[0]).tolist(),
            }
        )
    return {
        "id": run.id,
        "kind": "points",
        "epochs": arrays["epochs"].tolist(),
        "panels": panels,
        "of": options["count"],
        "reach": REACH,
        "data": _levels(arrays["data"][None]),
    }


def _levels(points: np.ndarray) -> str:
    """Points (epochs, n, 2) as base64 of two bytes each, x and y, from −`REACH` to `REACH`."""
    inside = (np.abs(points) <= REACH).all(-1, keepdims=True)
    levels = np.round((np.clip(points, -REACH, REACH) + REACH) / (2 * REACH) * LEVELS)
    packed = np.where(inside, levels, OUTSIDE).astype(np.uint8)
    return base64.b64encode(packed.tobytes()).decode("ascii")
