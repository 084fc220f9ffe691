"""Figures of curves: as wide as the page, readable, nothing over anything, titles from numbers."""

import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

from advx.config.cells import Cell
from advx.experiments import cross_dataset, defenses, label_smoothing
from advx.figures import style
from advx.figures.black_box import black_box_figure
from advx.figures.curves import Strip, curve_figure, drawn
from advx.figures.labels import Names
from advx.figures.line_ends import label_ends
from advx.figures.panels import Curve, Mark, Panel
from advx.figures.pyplot import close, figure
from advx.figures.saved import redraw
from advx.report.over_seeds import Numbers
from advx.report.results import Row
from tests.pages import recorded
from tests.paths import REFERENCE

REDRAWN = (
    "label_smoothing",
    "adversarial_training",
    "virtual_adversarial_training",
    "same_mistake",
    "defenses",
    "black_box",
    "cross_dataset",
    "linearity",
)


@pytest.mark.parametrize("name", REDRAWN)
def test_a_kept_figure_can_be_read_on_a_page(name, tmp_path) -> None:
    (tmp_path / "arrays.npz").write_bytes((REFERENCE / name / "arrays.npz").read_bytes())
    with recorded() as seen:
        redraw(tmp_path)
    assert seen.faults == []
    assert len(seen.words) >= 2  # for the screen and for print
    words = " ".join(" ".join(seen.words[0]).split())
    assert options(REFERENCE / name)["provenance"] in words


def test_a_curve_is_the_mean_and_its_band_the_range_over_seeds() -> None:
    values = [[10.0, 20.0, np.nan], [30.0, 60.0, np.nan]]
    with style.styled():
        made = drawn(
            [Strip([Panel("t", [Curve("c", [0, 1, 2], values)])])], finding="f", provenance="p"
        )
        (axis,) = made.axes
        line, band = axis.lines[0].get_ydata(), axis.collections[0].get_paths()[0].vertices
        close(made)
    assert line[:2].tolist() == [20.0, 40.0]
    assert np.isnan(line[2])
    assert {(x, y) for x, y in band.tolist() if x < 2} == {(0, 10), (0, 30), (1, 20), (1, 60)}


def test_figures_keep_the_numbers_that_they_draw(tmp_path) -> None:
    curve = Curve("model", [0.0, 0.1], [[1.0, 50.0], [3.0, 70.0]])
    panels = [
        Panel("left", [curve], [Mark("chapter 40%", 0.1, 40.0)], basis="two seeds"),
        Panel("right", distributions={"model": np.arange(10.0)}),
    ]
    curve_figure(tmp_path, "name", [Strip(panels)], finding="Found", provenance="Ran")
    arrays = np.load(tmp_path / "arrays.npz")
    assert arrays["left: model"].tolist() == [[0.0, 0.1], [1.0, 50.0], [3.0, 70.0]]
    assert arrays["right: model"].tolist() == list(range(10))
    assert (tmp_path / "name.png").stat().st_size > 5_000
    assert (tmp_path / "name.pdf").stat().st_size > 1_000


def test_the_foot_says_what_each_panel_was_measured_on(tmp_path) -> None:
    bases = ("seed 0", "seed 0", "seeds 0, 1")
    panels = [
        Panel(basis, [Curve(f"{k}", [0, 1], [1, 2])], basis=basis) for k, basis in enumerate(bases)
    ]
    with recorded() as seen:
        curve_figure(tmp_path, "name", [Strip(panels)], finding="Found", provenance="Ran")
    assert "Ran. a, b: seed 0; c: seeds 0, 1" in seen.words[0]
    assert "Found" in seen.words[0]


def rows(cells: dict[tuple[Any, ...], list[float]], n: int = 1000) -> Numbers:
    """Numbers of these cells, one a seed."""
    return Numbers(
        Row.of("x", Cell(*cell), seed, value, "percent", n, {})
        for cell, values in cells.items()
        for seed, value in enumerate(values)
    )


def over(folder: Path, cells: dict[tuple[Any, ...], list[float]]) -> SimpleNamespace:
    """What a figure asks of a run that is over: where, of which numbers, and what ran."""
    return SimpleNamespace(
        folder=folder, numbers=lambda: rows(cells), heading=lambda: "Ran", seeds=[0, 1]
    )


def test_numbers_leave_out_what_diverged() -> None:
    found = rows({("a", "m"): [1.0, float("nan"), 5.0], ("b", "m"): [7.0]})
    assert found.mean("a", "m") == 3.0
    assert np.isnan(found.mean("c", "m"))
    np.testing.assert_array_equal(
        found.over_seeds([("a", "m"), ("b", "m")]), [[1, 7], [np.nan, np.nan], [5, np.nan]]
    )
    assert found.basis([("b", "m")]) == "seed 0, 1,000 test examples"
    assert found.basis([("a", "m")], seen="mean") == "mean of seeds 0, 1, 2, 1,000 test examples"


def options(folder: Path) -> dict:
    return json.loads(str(np.load(folder / "arrays.npz")["options"]))


@pytest.mark.parametrize("step", [12.0, 61.0])
def test_titles_say_what_was_measured(step, tmp_path) -> None:
    cells = {
        ("hard", "fgsm_error_rate"): [90.0, 94.0],
        ("hard", "strongest_error_rate"): [100.0],
        ("soft", "fgsm_error_rate"): [step, step],
        ("soft", "strongest_error_rate"): [99.5],
    }
    label_smoothing.draw(over(tmp_path, cells), ["hard", "soft"], {}, [0.1], 0.25)
    assert options(tmp_path)["finding"] == (
        f"One step of ε = .25 gives 92% error with hard, {step:.0f}% with soft; the strongest "
        "attack gives 100% and 99.5%"
    )


def test_defenses_are_ordered_by_what_the_strongest_attack_leaves(tmp_path) -> None:
    cells = {}
    for row, naive, strongest in (("none", 40, 80), ("weight_decay 0.01", 30, 90), ("b", 5, 60)):
        cells |= {
            (row, "clean_error_rate"): [1.0],
            (row, "fgsm_error_rate", 0.1): [50.0],
            (row, "fgsm_error_rate", 0.1, "objective=cross_entropy"): [naive],
            (row, "strongest_error_rate", 0.1): [strongest],
        }
    defenses.draw(over(tmp_path, cells), ["none", "weight_decay 0.01", "b"], [0.1])
    kept = options(tmp_path)
    assert kept["lines"] == ["b", "no defense", "weight decay .01"]
    assert "B leaves the least error of all defenses at ε = .1, 60% (none: 80%)" in kept["finding"]
    assert "of weight decay .01's 90% a naive step finds 30%" in kept["finding"]
    rates = np.load(tmp_path / "arrays.npz")["ε = .1"]
    assert rates[0, :, 0].tolist() == [1, 5, 50, 60]


def test_another_kind_of_substitute_is_a_curve_of_its_own(tmp_path) -> None:
    cells = {("t", "noise_error_rate", 0.2): [3.0], ("t", "clean_error_rate"): [1.0]}
    for row, error in (("t", 20.0), ("t, other", 70.0), ("t, longer", 25.0)):
        for under, queries in (("queries=10", 10), ("", 20)):
            cells |= {
                (row, "queries", None, under): [queries],
                (row, "disagreement", None, under): [9.0],
                (row, "error_rate", 0.2, under): [error + queries],
            }
    kinds = {"": "fully connected", "other": "convolutional", "longer": ""}
    black_box_figure(
        tmp_path, rows(cells), ["t"], varied_target="t", kinds=kinds, epsilon=0.2, provenance="Ran"
    )
    arrays = np.load(tmp_path / "arrays.npz")
    assert arrays["t: convolutional\nsubstitute"].tolist() == [[10, 20], [80, 90]]
    assert arrays["t: clean (ε = 0)"].tolist() == [[10, 20], [1, 1]]
    assert (
        "40% when crafted on a fully connected substitute, 90% on a convolutional one"
        in (options(tmp_path)["finding"])
    )


def test_curves_against_the_size_begin_with_the_clean_error(tmp_path) -> None:
    cells = {}
    for half in ("first half", "second half"):
        row = f"m -> m, {half}"
        cells |= {(row, "clean_error_rate"): [2.0], (row, "error_rate", 0.1): [40.0]}
    cross_dataset.draw(over(tmp_path, cells), ["m"], "m", [0.1])
    arrays = np.load(tmp_path / "arrays.npz")
    assert arrays["m: other half"].tolist() == [[0, 0.1], [2, 40]]
    assert np.isnan(arrays["m: itself"][1]).all()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0%"),
        (0.04, "0.04%"),
        (1.17, "1.2%"),
        (28.28, "28%"),
        (98.6, "98.6%"),
        (99.81, "99.8%"),
        (99.97, "99.97%"),
        (99.9967, "over 99.99%"),
        (100, "100%"),
        (128.1, "128%"),
        (0.001, "under .01%"),
        (float("nan"), "no number"),
    ],
)
def test_a_rate_is_not_rounded_to_nothing_or_to_all(value, shown) -> None:
    assert style.percentage(value) == shown


def test_titles_are_broken_evenly_and_sizes_stay_whole() -> None:
    lines = style.wrapped("word " * 30 + "of ε = .25", style.TITLE, bold=True)
    assert len(lines) > 1
    assert len(set(map(len, lines))) <= 3
    assert max(map(len, lines)) - min(map(len, lines)) < 25
    assert any("ε\u00a0=\u00a0.25" in line for line in lines)
    assert style.wrapped("", style.TITLE) == [""]
    full = style.wrapped("some words " * 40, style.SMALL)
    assert len(style.wrapped(" ".join(full[:2]), style.SMALL)) == 2
    *_, last = style.wrapped(" ".join(full[:2]) + " more", style.SMALL)  # and no word alone
    assert len(last) > len(full[0]) / 6


@pytest.mark.parametrize("heights", [[99.0] * 4, [0.0] * 4, [50, 51, 52, 90], [10.0]])
def test_names_at_the_ends_do_not_overlap(heights) -> None:
    made = figure(figsize=(3, 2), dpi=100)
    axis = made.add_axes((0.1, 0.1, 0.4, 0.8))
    axis.set(xlim=(0, 1), ylim=(0, 100))
    label_ends(axis, [(1, h, f"line {k}\nof two", "black") for k, h in enumerate(heights)])
    made.canvas.draw()
    boxes = sorted(Text.get_window_extent(text).extents[[1, 3]].tolist() for text in axis.texts)
    close(made)
    assert all(low[1] <= high[0] + 0.5 for low, high in pairwise(boxes))
    assert boxes[-1][1] <= 200


def test_a_name_covers_neither_lines_nor_other_names() -> None:
    made = figure(figsize=(4, 3), dpi=100)
    axis = made.add_axes((0.1, 0.1, 0.8, 0.8))
    axis.set(xlim=(0, 1), ylim=(0, 100))
    names, x = Names(axis), np.linspace(0, 1, 200)
    turn = np.linspace(0, 2 * np.pi, 200)
    around = 0.3 + 0.05 * np.cos(turn), 20 + 7 * np.sin(turn)
    beside = [(x, 90 * x), (x, 20 + 60 * x), around]
    numbers = [names.avoid(*line) for line in beside]
    for number in numbers[:2]:
        names.name(f"name {number}", "black", number)
    names.mark("enclosed", "black", 0.3, 20.0, 4.5, numbers[2])
    for place in ((0.7, 10.0), (0.7, 12.0), (0.72, 11.0)):
        names.mark("one of three", "black", *place, 4.5, numbers[0])
    made.canvas.draw()
    boxes = [text.get_window_extent().extents for text in axis.texts]
    close(made)
    assert len(boxes) == 6
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        for line in beside:
            pixels = axis.transData.transform(np.column_stack(line))
            assert not ((pixels > (x0, y0)) & (pixels < (x1, y1))).all(1).any()
        for left, bottom, right, top in boxes[:index]:
            assert min(x1, right) <= max(x0, left) or min(y1, top) <= max(y0, bottom)
