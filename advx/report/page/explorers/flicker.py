"""Flicker: an image and its perturbed version in the same place, one after the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from advx.report.page.explorers.explorer import Explorer, run_of, sheet, webp
from advx.report.page.networks import text_of
from advx.report.page.runs import RunRead

EXPERIMENT = "imperceptible"

GRAY = 255
"""Levels from black to white."""

NEEDED = {
    "images",
    "perturbed",
    "labels",
    "predicted_before",
    "predicted_after",
    "confidence_before",
    "confidence_after",
}

SMALL_ENOUGH = 64
"""Pixels of the side of an image whose levels stand in the page."""


def explorer(runs: Sequence[RunRead]) -> Explorer | None:
    """The images of the run's figure; None where its arrays lack one, or they are photographs."""
    run = run_of(runs, EXPERIMENT)
    if run is None or run.drawn is None:
        return None
    _, arrays, options = run.drawn
    if not arrays.keys() >= NEEDED:
        return None
    images, perturbed = arrays["images"], arrays["perturbed"]
    count, channels, height, width = images.shape
    if channels not in (1, 3) or max(height, width) > SMALL_ENOUGH:
        return None
    names = list(options["class_names"])
    examples = [
        {
            "label": names[arrays["labels"][at]],
            "before": names[arrays["predicted_before"][at]],
            "after": names[arrays["predicted_after"][at]],
            "sure_before": round(float(arrays["confidence_before"][at]), 4),
            "sure_after": round(float(arrays["confidence_after"][at]), 4),
        }
        for at in range(count)
    ]
    shown = {
        "examples": examples,
        "changed": sum(example["before"] != example["after"] for example in examples),
        "levels": round(GRAY * float(options["epsilon"]), 4),
        "sheet": webp(sheet(_whole(images), count, gap=2)),
    }
    data: dict[str, Any] = {
        "examples": examples,
        "channels": channels,
        "height": height,
        "width": width,
        "images": text_of(_whole(images)),
        "perturbations": text_of((GRAY * (perturbed - images)).astype("<f4")),
    }
    return Explorer("flicker", "Flicker: can you see it?", [run], shown, data)


def _whole(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] as gray levels."""
    return np.rint(GRAY * images).clip(0, GRAY).astype(np.uint8)
