"""Figures come back from their arrays alone."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.figures import linearity, windows
from advx.figures.curves import Strip, curve_figure
from advx.figures.digits import transfer_figure
from advx.figures.dots import Dots, dot_figure
from advx.figures.gallery import gallery
from advx.figures.kept import keep, redraw
from advx.figures.panels import Curve, Mark, Panel
from advx.models.softmax_regression import SoftmaxRegression


def drawn_curves(folder: Path) -> str:
    panels = [
        Panel("a", [Curve("x", [0.1, 0.2], [[3.0, 4.0], [5.0, 9.0]], dash=1)],
              [Mark("m", 0.1, 50.0)], basis="seeds", x="queries", logarithmic="x"),
        Panel("b", distributions={"one": np.linspace(0, 1, 50), "two": np.linspace(-1, 1, 50)}),
    ]  # fmt: skip
    strips = [Strip(panels), Strip([Panel("c", [Curve("y", [0, 1], [7.0, np.nan])])], 1.0)]
    curve_figure(folder, "curves", strips, finding="f", provenance="p")
    return "curves"


def drawn_dots(folder: Path) -> str:
    dots = [Dots("one step", "#0072b2", "o", filled=False), Dots("strongest", "#d55e00", "D")]
    rates = {"left": np.array([[[1.0, 2.0], [30.0, np.nan]]] * 2)}
    dot_figure(folder, "dots", ["none", "some"], dots, rates, finding="f", provenance="p",
               reference="none")  # fmt: skip
    return "dots"


def drawn_logits(folder: Path) -> str:
    sizes = np.linspace(-0.5, 0.5, 21)
    logits = np.outer(sizes, [-30.0, 20.0, 5.0]) + np.array([9.0, 0.0, 1.0])
    arrays = {
        "sizes": sizes, "logits": logits, "tangents": logits + 1, "image": np.eye(6)[None],
        "sign": np.ones((1, 6, 6)), "epsilons": np.array([0.1, 0.2]),
        "errors_maxout": np.full((2, 3, 2), 50.0), "pixels": np.array([1, 9]),
        "sums_sign": np.array([[1.0, 9.0]]), "sums_random": np.array([[1.0, 3.0]]),
    }  # fmt: skip
    options = {"label": 0, "class_names": ["0", "1", "2"], "model": "maxout",
               "bases_of": ["a", "b", "c"], "finding": "f", "provenance": "p"}  # fmt: skip
    keep(folder, "linearity", arrays, options)
    linearity.draw(folder, arrays, **options)
    return "linearity"


def drawn_gallery(folder: Path) -> str:
    images, said = torch.rand(3, 1, 5, 5), torch.tensor([0, 1, 2])
    gallery(folder, "rows", {"clean": images, "moved": images}, {"clean": said, "moved": said},
            {"clean": said, "moved": said.flip(0)}, title="t")  # fmt: skip
    return "rows"


def drawn_digits(folder: Path) -> str:
    torch.manual_seed(0)
    split = Split(torch.rand(4, 1, 6, 6), torch.arange(4))
    model = SoftmaxRegression(input_shape=(1, 6, 6), classes=4)
    transfer_figure(folder, split, Split(1 - split.images, split.labels), {"m": model}, title="t")
    return "transfer"


def drawn_windows(folder: Path) -> str:
    maps = np.arange(2 * 9 * 9).reshape(2, 9, 9) % 3
    arrays = {"maps_w": maps.astype(np.int8), "labels": np.array([0, 2])}
    options = {"epsilon": 0.25, "class_names": ["a", "b", "c"], "axes": {"w": ["h", "v"]},
               "title": "t", "columns": 2}  # fmt: skip
    keep(folder, "windows", arrays, options)
    windows.draw(folder, arrays, **options)
    return "w"


@pytest.mark.parametrize(
    "draw",
    [drawn_curves, drawn_dots, drawn_logits, drawn_gallery, drawn_digits, drawn_windows],
)
def test_a_figure_is_drawn_again_to_the_same_bytes(draw, tmp_path) -> None:
    name = draw(tmp_path)
    files = [tmp_path / f"{name}.{kind}" for kind in ("png", "pdf")]
    before = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    time.sleep(1.1)  # a time of writing has seconds
    redraw(tmp_path)
    assert [file.read_bytes() for file in files] == before


def test_redrawing_needs_a_run(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"no arrays\.npz there"):
        redraw(tmp_path)
    np.savez(tmp_path / "arrays.npz", x=np.zeros(3))
    with pytest.raises(ConfigError, match="drawn_by"):
        redraw(tmp_path)
    words = ["report", "--redraw", str(tmp_path)]
    command = [sys.executable, "-c", "from advx.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    drawn_windows(tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "w.png" in done.stdout


def test_contours_lie_where_the_class_changes() -> None:
    torch.manual_seed(0)
    classes = torch.randint(0, 4, (4, 4)).repeat_interleave(5, 0).repeat_interleave(5, 1).numpy()
    lines = windows.contours(classes)
    points = np.concatenate(lines)
    assert len(points) > 0
    for column, row in points:  # each lies halfway between two neighbours of different classes
        low = (int(np.floor(row)), int(np.floor(column)))
        high = (int(np.ceil(row)), int(np.ceil(column)))
        assert abs(high[0] - low[0]) + abs(high[1] - low[1]) == 1
        assert classes[low] != classes[high]
    touched = {(float(r), float(c)) for c, r in points}
    for row in range(20):  # and no change is without one
        for column in range(19):
            if classes[row, column] != classes[row, column + 1]:
                assert (float(row), column + 0.5) in touched
    assert windows.contours(np.zeros((5, 5))) == []


def test_no_colour_is_white_and_none_stands_twice() -> None:
    for style in windows.STYLES:
        shades = windows.shades(10, style)
        assert len({tuple(s) for s in shades.round(3)}) == 10
        assert shades.max(1).min() < 0.95
        assert (shades.sum(1) < 2.8).all()
