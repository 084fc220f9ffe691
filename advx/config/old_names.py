"""Names of numbers as experiments gave them before sizes and settings had columns of their own.

For the time in which experiments still pass `fgsm_error_rate@0.25@clipped` or "maxout after 300
queries"; this file goes when the last of them passes `epsilon=` and `setting=`.
"""

import re

from advx.config.cells import Cell, parts_of, setting

CHANGED = {
    "hard_label_cost": "objective=log_odds",
    "float32_cross_entropy": "objective=cross_entropy",
}
"""Names after `@` that are another setting now; the others kept theirs."""

KEYS = {
    "target_class": "averaged",
    "asked_for": "class",
    "confident_rate": "noise",
    "mean_confidence": "noise",
}
"""What stands after `@` in metrics where it is neither a size nor the name of a protocol."""

NAIVE, ROUNDED = "float32_", "_rounded"
"""Began a metric whose attack ascends the cross-entropy; ended one of images after storage."""

ROWS = {
    r"(.+) after (\d+) queries": "queries={}",
    r"(.+), (\d+) steps": "steps={}",
    r"(.+), (\d+) starts": "starts={}",
    r"(.+), (\d+) pixels": "pixels={}",
    r"(.+), (\d+) images": "images={}",
    r"(.+), (\d+|all) labels": "labels={}",
}
"""Rows whose names held a number: the setting that holds it now."""

CURVE = re.compile(r"(.+), epsilon (\d[\d.e-]*)")
SHARE = re.compile(r"(.+), (?:class (.+)|every class), (\d[\d.]*)% of the pixels")


def split_metric(name: str) -> tuple[str, float | None, str]:
    """The metric, epsilon and setting of an old metric: "error_rate@0.25@clipped"."""
    metric, *parts = name.split("@")
    epsilon, names = None, []
    for part in parts:
        if metric not in KEYS and re.fullmatch(r"\d+(\.\d+)?(e-?\d+)?", part):
            epsilon = float(part)
        else:
            names.append(_part(metric, part))
    if metric.startswith(NAIVE):
        metric = metric.removeprefix(NAIVE)
        names.append("objective=cross_entropy")
    if metric.endswith(ROUNDED):
        metric = metric.removesuffix(ROUNDED)
        names.append("rounded")
    return metric, epsilon, setting(*names)


def _part(metric: str, part: str) -> str:
    """A part of a setting as it is called now."""
    if metric in KEYS and "=" not in part:
        return f"{KEYS[metric]}={part}"
    return CHANGED.get(part, part)


def cell_of(row: str, metric: str, epsilon: float | None = None, given: str = "") -> Cell:
    """The cell that a row and a metric mean, whether they are old names or not.

    Args:
        row, metric: as an experiment passes them.
        epsilon, given: the size and the setting, where it passes those.
    """
    metric, size, found = split_metric(metric)
    size = size if epsilon is None else epsilon
    if curve := CURVE.fullmatch(row):
        row, size, found = curve[1], float(curve[2]), setting(found, "curve")
    elif share := SHARE.fullmatch(row):
        row, found = share[1], setting(share=float(share[3]) / 100, **{"class": share[2] or "all"})
    for pattern, kind in ROWS.items():
        if match := re.fullmatch(pattern, row):
            row, found = match[1], setting(found, kind.format(match[2]))
            break
    return Cell(
        row, metric, size, setting(found, *(_part(metric, part) for part in parts_of(given)))
    )
