"""Draw a digit, slide ε: four networks that compute in the reader's browser."""

from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from advx.config.cells import Cell
from advx.report.page.explorers.explorer import Explorer, run_of
from advx.report.page.networks import KINDS, Networks, dense, text_of
from advx.report.page.runs import Number, RunRead

SHEET = "test_digits.png"
"""The first ten test digits of each class of MNIST, a class in each row."""

SIDE, EACH = 28, 10

TITLE = "Draw a digit, slide ε"

EPSILON, LARGEST, STEPS = 0.25, 0.3, 40
"""Where the slider of ε begins, its end, and the most steps of an attack."""

BEGINS = "smoothed"
"""The network that is attacked first."""

REFERENCE: Mapping[str, tuple[str, Sequence[Cell]]] = {
    "plain": (
        "label_smoothing",
        [
            Cell("hard targets", "clean_error_rate"),
            Cell("hard targets", "fgsm_error_rate"),
            Cell("hard targets", "strongest_error_rate"),
        ],
    ),
    "smoothed": (
        "label_smoothing",
        [
            Cell("smoothed targets", "clean_error_rate"),
            Cell("smoothed targets", "fgsm_error_rate"),
            Cell("smoothed targets", "strongest_error_rate"),
        ],
    ),
    "adversarial": (
        "adversarial_training",
        [
            Cell("adversarially trained", "clean_error_rate"),
            Cell("adversarially trained", "fgsm_error_rate", EPSILON),
            Cell("adversarially trained", "strongest_error_rate", EPSILON),
        ],
    ),
}
"""Where a network's errors stand: without an attack, under one step, under the strongest attack."""


def explorer(runs: Sequence[RunRead], networks: Networks) -> Explorer | None:
    """The networks, test digits, and the runs' errors beside; None where a network is missing."""
    if networks.missing:
        return None
    images = digits_of_sheet()
    rows, used = _reference(runs)
    order = np.arange(len(images)).reshape(-1, EACH).T.ravel()  # one of each class after the other
    shown = {
        "kinds": {kind: name for kind, (name, _, _) in KINDS.items()},
        "begins": BEGINS,
        "epsilon": EPSILON,
        "largest": LARGEST,
        "steps": STEPS,
        "picks": EACH,
        "count": len(images),
        "reference": rows,
        "told": {kind: networks.found[kind].told for kind in KINDS},
        "packed": {kind: Markup(dense(networks.found[kind].deflated)) for kind in KINDS},
    }
    data: dict[str, Any] = {
        "networks": {kind: networks.found[kind].data for kind in KINDS},
        "digits": text_of(images[order]),
        "labels": (order // EACH).tolist(),
        "side": SIDE,
    }
    return Explorer("digits", TITLE, used, shown, data)


def digits_of_sheet() -> np.ndarray:
    """The digits of the sheet, (100, 28, 28) uint8, ten of each class after the other."""
    with as_file(files("advx.report.page") / "assets" / SHEET) as path, Image.open(path) as file:
        sheet = np.array(file.convert("L"))
    rows, columns = (length // SIDE for length in sheet.shape)
    tiles = sheet.reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3)
    return tiles.reshape(rows * columns, SIDE, SIDE)


def _reference(
    runs: Sequence[RunRead],
) -> tuple[list[tuple[str, list[Number | None]]], list[RunRead]]:
    """Of each network its errors in the runs, where there are any; and the runs."""
    rows, used = [], {}
    for kind, (experiment, cells) in REFERENCE.items():
        run = run_of(runs, experiment)
        found = [run.by_cell.get(cell) if run else None for cell in cells]
        if run is not None and any(found):
            rows.append((KINDS[kind][0], found))
            used[run.id] = run
    return rows, list(used.values())
