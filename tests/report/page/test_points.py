"""Explorers that need what runs of before did not keep: every point's image, heads at every weight.

They are driven on a page of runs at the smoke scale.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from advx.figures.saved import load, save
from advx.report.page.render import page
from advx.report.pages import SUMMARY
from advx.report.selection import select
from tests.report.page.opened import BROWSER, NO_BROWSER, Opened, opening, pixels, slide

pytestmark = pytest.mark.skipif(not BROWSER, reason=NO_BROWSER)

EXPERIMENTS = ("church_windows", "predictive_gan")

MOVES = [(-1, 0), (-0.5, 0), (0, 0), (0.5, 0), (1, 0), (0, -1), (0, 1)]
"""Of the figure's columns, h and v in units of ε."""


@pytest.fixture(scope="module", params=[EXPERIMENTS])
def folders(request, reproduced) -> dict[str, Path]:
    return {name: reproduced / name for name in request.param}


@pytest.fixture
def opened(browser, folders, tmp_path) -> Iterator[Opened]:
    path = tmp_path / "points.html"
    path.write_text(page(select([*folders.values()], SUMMARY)), encoding="utf-8")
    with opening(browser, path) as made:
        yield made


def test_every_point_of_a_window_has_its_image(opened, folders) -> None:
    """By the page's own arithmetic; the figure's images were made by undoing the preprocessing."""
    _, arrays, _ = load(folders["church_windows"])
    opened.see("#windows")
    opened.page.wait_for_selector("#windows[data-pair=fgsm_random]")
    side = arrays["maps_fgsm_random"].shape[1]
    one = opened.page.locator(".windows-one > canvas").first
    one.scroll_into_view_if_needed()
    for h, v in MOVES:
        row, column = (round((at + 1) / 2 * (side - 1)) for at in (v, h))
        point(one, side, row, column)
        shown = pixels(opened.page, ".at-point canvas").transpose(2, 0, 1)
        expected = arrays["images"][0, MOVES.index((h, v))].astype(int)
        assert np.abs(shown - expected).max() <= 1, (h, v)
        assert np.ptp(shown) > 0
    for pair in ("random_random", "fgsm_gradient"):
        opened.page.check(f"input[name=window-pair][value={pair}]", force=True)
        opened.page.wait_for_selector(f"#windows[data-pair={pair}]")
        point(one, side, 1, side - 2)
        h, v = 2 * (side - 2) / (side - 1) - 1, 2 / (side - 1) - 1
        steps = arrays[f"directions_{pair}"][0] * arrays[f"scales_{pair}"][0, :, None, None, None]
        expected = np.clip(arrays["examples"][0] + 255 * (h * steps[0] + v * steps[1]), 0, 255)
        shown = pixels(opened.page, ".at-point canvas").transpose(2, 0, 1)
        assert np.abs(shown - expected).max() <= 0.51


def test_a_window_without_directions_has_no_image(browser, folders, tmp_path) -> None:
    drawn_by, arrays, options = load(folders["church_windows"])
    less = {k: v[:1] if k.startswith(("directions", "scales")) else v for k, v in arrays.items()}
    changed = tmp_path / "church_windows"
    shutil.copytree(folders["church_windows"], changed)
    save(changed, drawn_by, less, options)
    path = tmp_path / "less.html"
    path.write_text(page(select([changed], SUMMARY)), encoding="utf-8")
    with opening(browser, path) as made:
        made.see("#windows")
        made.page.wait_for_selector("#windows[data-pair]")
        assert made.page.locator(".at-point").is_visible()
        made.page.locator(".windows-all > canvas").first.focus()
        made.page.keyboard.press("ArrowRight")
        assert not made.page.locator(".at-point").is_visible()


def test_the_weight_shows_its_heads_and_no_other(opened, folders) -> None:
    _, arrays, _ = load(folders["predictive_gan"])
    opened.see("#weights")
    for at, weight in enumerate(arrays["weights"].tolist()):
        slide(opened.page, "#weights input[type=range]", at)
        rows = opened.page.locator("#weights .heads li:visible")
        names = [row.get_attribute("data-row") for row in rows.all()]
        assert names == ["before", "target", f"w = {weight:g}"]


def point(canvas, side: int, row: int, column: int) -> None:
    """Move the pointer to a point of the window."""
    box = canvas.bounding_box()
    canvas.hover(
        position={
            "x": (column + 0.5) / side * box["width"],
            "y": (row + 0.5) / side * box["height"],
        }
    )
