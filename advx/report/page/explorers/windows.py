"""Church windows: the class of every point, for three pairs of directions."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from advx.report.page.explorers.explorer import Explorer, png, run_of, sheet, webp
from advx.report.page.runs import RunRead

EXPERIMENT = "church_windows"

NO_CLASS = 255
"""The level of a point to which the network gives no class."""


def explorer(runs: Sequence[RunRead]) -> Explorer | None:
    """Every pair of directions of which the run's arrays hold the classes."""
    run = run_of(runs, EXPERIMENT)
    if run is None or run.drawn is None or run.drawn[0] != "windows":
        return None
    _, arrays, options = run.drawn
    pairs = [name for name in options["axes"] if f"maps_{name}" in arrays]
    if not pairs:
        return None
    labels = arrays["labels"]
    side = int(arrays[f"maps_{pairs[0]}"].shape[1])
    columns = math.isqrt(max(len(labels) - 1, 0)) + 1  # a square
    moved = options.get("moved") or {}
    shown = {
        "pairs": [
            {
                "name": name,
                "figure": options["names"][name][0],
                "what": options["names"][name][1],
                "finding": options["findings"][name],
            }
            for name in pairs
        ],
        "epsilon": options["epsilon"],
        "classes": options["class_names"],
        "count": len(labels),
        "moved": len(arrays["images"]) if "images" in arrays and moved else 0,
        "spanned": len(arrays[f"scales_{pairs[0]}"]) if _spanned(arrays, pairs) else 0,
    }
    data = {
        "epsilon": options["epsilon"],
        "classes": options["class_names"],
        "side": side,
        "columns": columns,
        "labels": labels.tolist(),
        "axes": {name: list(options["axes"][name]) for name in pairs},
        "maps": {name: png(_sheet_of_classes(arrays[f"maps_{name}"], columns)) for name in pairs},
        "examples": None,
        "moved": None,
        "directions": None,
    }
    if "examples" in arrays:
        data["examples"] = webp(sheet(_colored(arrays["examples"]), columns))
        data["pixels"] = int(arrays["examples"].shape[-1])
    if shown["moved"]:
        images = arrays["images"]
        count, steps = images.shape[:2]
        data["moved"] = {
            "image": webp(sheet(_colored(images.reshape(count * steps, *images.shape[2:])), steps)),
            "columns": list(moved["columns"]),
            "predicted": arrays["predicted"].tolist(),
        }
    if shown["spanned"]:
        data["directions"] = {
            name: {
                "levels": png(_sheet_of_directions(arrays[f"directions_{name}"])),
                "scales": arrays[f"scales_{name}"].astype(float).tolist(),
            }
            for name in pairs
        }
        data["channels"] = int(arrays["examples"].shape[1])
    return Explorer("windows", "Church windows", [run], shown, data)


def _spanned(arrays: Mapping[str, np.ndarray], pairs: Sequence[str]) -> bool:
    """Whether the image at a point can be made: image and directions, of one size."""
    names = [f"directions_{name}" for name in pairs]
    return "examples" in arrays and all(
        name in arrays and arrays[name].shape[2:] == arrays["examples"].shape[1:] for name in names
    )


def _sheet_of_directions(directions: np.ndarray) -> np.ndarray:
    """Directions (n, 2, channels, h, w) of int8, a row of pixels each; 0 is the level 128."""
    n, two = directions.shape[:2]
    return directions.reshape(n * two, -1).astype(np.int16) + 128


def _sheet_of_classes(maps: np.ndarray, columns: int) -> np.ndarray:
    """Windows (n, side, side) side by side; no class is `NO_CLASS`."""
    made = np.where(maps < 0, NO_CLASS, maps).astype(np.uint8)[:, None]
    return np.array(sheet(made, columns, ground=NO_CLASS))


def _colored(images: np.ndarray) -> np.ndarray:
    """Images (n, channels, h, w) with three channels."""
    return images if images.shape[1] == 3 else images.repeat(3, 1)
