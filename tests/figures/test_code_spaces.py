"""The figure of code spaces: where a grid's codes lie, what is shown, and that it is redrawn."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from advx.experiments import adversarial_autoencoder
from advx.figures.code_spaces import Space, code_figure, grid_of, square_around
from advx.figures.panels import Curve, Panel
from advx.figures.saved import redraw
from advx.report.over_seeds import Numbers
from advx.report.results import Row
from tests.pages import recorded


def test_a_grid_goes_by_rows_from_the_upper_left() -> None:
    found = grid_of(Space("", "", (10.0, 20.0), 3.0), 3)
    assert found[0].tolist() == [8, 22]
    assert found[1].tolist() == [10, 22]
    assert found[3].tolist() == [8, 20]
    assert found[4].tolist() == [10, 20]
    assert found[-1].tolist() == [12, 18]


def test_a_square_holds_nearly_all_points_and_no_outlier_widens_it() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (2_000, 2)) * [1, 3] + [5, 0]
    (x, y), reach = square_around(np.vstack([points, [[1e6, 0]]]))
    assert (x, y) == pytest.approx((5, 0), abs=0.1)
    assert reach == pytest.approx(3.36, rel=0.03)


def numbers(values: dict[tuple[str, str, str], float]) -> Numbers:
    return Numbers(
        Row("x", row, metric, None, setting, 0, value)
        for (row, metric, setting), value in values.items()
    )


def drawn(folder: Path) -> None:
    rng = np.random.default_rng(0)
    spaces = [Space(f"space {k}", "50% discriminated", (0.0, 0.0), 3.0) for k in range(3)]
    arrays = {"labels": np.arange(40) % 10}
    for k in range(3):
        arrays[f"codes {k}"] = rng.normal(size=(40, 2)).astype(np.float16)
        arrays[f"draws {k}"] = rng.normal(size=(50, 2)).astype(np.float16)
        arrays[f"decoded {k}"] = rng.integers(0, 255, (16, 1, 6, 6), dtype=np.uint8)
    curves = [Curve("few labels", [10, 100], np.array([[20.0, 10.0]]))]
    panels = [Panel(title, curves, names="inside", limits=None) for title in ("one", "another")]
    code_figure(
        folder, "codes", spaces, arrays, panels, finding="Codes.", provenance="Nothing ran."
    )


def test_the_figure_is_as_wide_as_the_page_and_redrawn_from_its_arrays(tmp_path) -> None:
    with recorded() as seen:
        drawn(tmp_path)
    assert not seen.faults
    assert {"space 2", "one"} <= {word.split("\n")[0].strip("cd ") for word in seen.words[0]}
    first = (tmp_path / "codes.png").read_bytes()
    assert Image.open(tmp_path / "codes.png").width == 1_300
    (tmp_path / "codes.png").unlink()
    redraw(tmp_path)
    assert (tmp_path / "codes.png").read_bytes() == first


def test_the_title_says_what_was_measured() -> None:
    values = {
        ("adversarial autoencoder, Gaussian", "two_sample_accuracy", ""): 53.6,
        ("VAE, Gaussian", "two_sample_accuracy", ""): 61.2,
        ("few labels", "clean_error_rate", "labels=100"): 4.04,
        ("labels only", "clean_error_rate", "labels=100"): 22.4,
    }
    found = adversarial_autoencoder.finding(numbers(values), [100, "all"])
    assert found == (
        "A fresh classifier discriminates codes from the Gaussian prior in 54% of the cases, a "
        "VAE’s in 61%; with 100 labels the error is 4%, with these alone 22%"
    )
