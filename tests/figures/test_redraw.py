"""Figures come back from their arrays alone."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.figures import imperceptible, linearity, norm_balls, windows
from advx.figures.curves import Strip, curve_figure
from advx.figures.digits import transfer_figure
from advx.figures.dots import Dots, dot_figure
from advx.figures.gallery import gallery
from advx.figures.moved_images import captions
from advx.figures.panels import Curve, Mark, Panel
from advx.figures.saved import redraw, save
from advx.figures.style import PAGE_WIDTH, SMALL
from advx.models.softmax_regression import SoftmaxRegression


def drawn_curves(folder: Path) -> str:
    panels = [
        Panel(
            "a",
            [Curve("x", [0.1, 0.2], [[3.0, 4.0], [5.0, 9.0]], dash=1)],
            [Mark("m", 0.1, 50.0)],
            basis="seeds",
            x="queries",
            logarithmic="x",
        ),
        Panel("b", distributions={"one": np.linspace(0, 1, 50), "two": np.linspace(-1, 1, 50)}),
    ]
    strips = [Strip(panels), Strip([Panel("c", [Curve("y", [0, 1], [7.0, np.nan])])], 1.0)]
    curve_figure(folder, "curves", strips, finding="f", provenance="p")
    return "curves"


def drawn_dots(folder: Path) -> str:
    dots = [Dots("one step", "#0072b2", "o", filled=False), Dots("strongest", "#d55e00", "D")]
    rates = {"left": np.array([[[1.0, 2.0], [30.0, np.nan]]] * 2)}
    dot_figure(
        folder, "dots", ["none", "some"], dots, rates, finding="f", provenance="p", reference="none"
    )
    return "dots"


def drawn_logits(folder: Path) -> str:
    sizes = np.linspace(-0.5, 0.5, 21)
    logits = np.outer(sizes, [-30.0, 20.0, 5.0]) + np.array([9.0, 0.0, 1.0])
    arrays = {
        "sizes": sizes,
        "logits": logits,
        "tangents": logits + 1,
        "image": np.eye(6)[None],
        "sign": np.ones((1, 6, 6)),
        "epsilons": np.array([0.1, 0.2]),
        "errors_maxout": np.full((2, 3, 2), 50.0),
        "pixels": np.array([1, 9]),
        "sums_sign": np.array([[1.0, 9.0]]),
        "sums_random": np.array([[1.0, 3.0]]),
    }
    options = {
        "label": 0,
        "class_names": ["0", "1", "2"],
        "model": "maxout",
        "bases_of": ["a", "b", "c"],
        "finding": "f",
        "provenance": "p",
    }
    save(folder, "linearity", arrays, options)
    linearity.draw(folder, arrays, **options)
    return "linearity"


def drawn_gallery(folder: Path) -> str:
    images, said = torch.rand(3, 1, 5, 5), torch.tensor([0, 1, 2])
    gallery(
        folder,
        "rows",
        {"clean": images, "moved": images},
        {"clean": said, "moved": said},
        {"clean": said, "moved": said.flip(0)},
        confidences={"moved": torch.rand(3)},
        class_names=list("abc"),
        finding="f",
        provenance="p",
        note="n",
        heads=["h"],
        numbers={"moved": ["1"]},
        plain=["clean"],
        words={"clean": "c"},
    )
    return "rows"


def drawn_many(folder: Path) -> str:
    images, said = torch.rand(9, 3, 5, 5), torch.arange(9)
    rows = [f"attack_{k}" for k in range(9)]
    gallery(
        folder,
        "many",
        dict.fromkeys(rows, images),
        dict.fromkeys(rows, said),
        said.flip(0),
        class_names=["automobile"] * 9,
        finding="f",
        provenance="p",
    )
    return "many"


def drawn_digits(folder: Path) -> str:
    torch.manual_seed(0)
    split = Split(torch.rand(4, 1, 6, 6), torch.arange(4))
    model = SoftmaxRegression(input_shape=(1, 6, 6), classes=4)
    transfer_figure(
        folder,
        split,
        Split(1 - split.images, split.labels),
        {"m": model},
        rates={"m": 12.5},
        finding="f",
        provenance="p",
    )
    return "transfer"


def drawn_windows(folder: Path) -> str:
    maps = np.zeros((2, 21, 21), np.int8)
    maps[0, :, 11:] = 1
    maps[1, 12:] = -2
    steps, said, labels = {"s": [0.0, 1.0], "r": [1.0]}, np.array([[0, 1, -1]]), np.array([0])
    arrays = {
        "maps_w": maps,
        "labels": np.array([0, 2]),
        "image_labels": labels,
        "predicted": said,
        "examples": np.full((2, 3, 8, 8), 200, np.uint8),
        "images": np.full((1, 3, 3, 8, 8), 99, np.uint8),
    }
    options = {
        "epsilon": 0.25,
        "class_names": ["cat", "dog", "c"],
        "axes": {"w": ["h", "v"]},
        "names": {"w": ["Figure 1.2", "both"]},
        "findings": {"w": "f"},
        "provenance": "p",
        "columns": 1,
        "moved": captions(steps, {"s": 4.0, "r": 1.0}, 0.25, said, labels),
    }
    save(folder, "windows", arrays, options)
    windows.draw(folder, arrays, **options)
    return "w"


def drawn_norm_balls(folder: Path) -> str:
    arrays = {
        "image": np.full((1, 6, 6), 0.5),
        "perturbations": np.full((6, 1, 6, 6), -0.25),
        "prediction_a_model": np.arange(7),
        "prediction_b": np.zeros(7, int),
    }
    options = {
        "contents": list("uvwxyz"),
        "class_names": list("0123456"),
        "finding": "f",
        "provenance": "p",
    }
    save(folder, "norm_balls", arrays, options)
    norm_balls.draw(folder, arrays, **options)
    return "norm_balls"


def drawn_imperceptible(folder: Path) -> str:
    images, classes = np.full((2, 3, 6, 6), 0.5), np.array([0, 1])
    arrays = {
        "images": images,
        "signs": np.sign(images),
        "perturbed": images,
        "labels": classes,
        "predicted_before": classes,
        "predicted_after": classes[::-1],
        "confidence_before": np.array([0.5, 1]),
        "confidence_after": np.array([0.5, 0.7]),
    }
    options = {
        "epsilon": 0.004,
        "class_names": ["cat", "dog"],
        "finding": "f",
        "provenance": "p",
        "note": "n",
    }
    save(folder, "imperceptible", arrays, options)
    imperceptible.draw(folder, arrays, **options)
    return "imperceptible"


def drawn_readme_image(folder: Path) -> str:
    drawn_windows(folder)
    windows.readme_image(folder, folder / "image.png")
    return "image"


IMAGES = [
    drawn_gallery,
    drawn_many,
    drawn_digits,
    drawn_windows,
    drawn_norm_balls,
    drawn_imperceptible,
]
"""Figures that are made of images, each in the way its experiment makes it."""


@pytest.mark.parametrize(
    "draw",
    [drawn_curves, drawn_dots, drawn_logits, *IMAGES],
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


BEFORE = {
    "images": "pictures",
    "predicted": "said",
    "image_labels": "pictured_labels",
    "predicted_before": "said_before",
    "predicted_after": "said_after",
}
"""What arrays were called before."""


@pytest.mark.parametrize(
    ("draw", "names"), [(drawn_windows, ["w", "images"]), (drawn_imperceptible, ["imperceptible"])]
)
def test_arrays_under_their_names_of_before_draw_the_same_figure(draw, names, tmp_path) -> None:
    draw(tmp_path)
    files = [tmp_path / f"{name}.png" for name in names]
    before = [file.read_bytes() for file in files]
    with np.load(tmp_path / "arrays.npz") as arrays:
        kind = str(arrays["drawn_by"])
        old = {k: v for k, v in BEFORE.items() if kind == "windows" or "_" in k}
        renamed = {old.get(name, name): array for name, array in arrays.items()}
    assert len(set(renamed) & set(old.values())) >= 2
    np.savez(tmp_path / "arrays.npz", **renamed)
    for file in files:
        file.unlink()
    redraw(tmp_path)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("draw", [*IMAGES, drawn_readme_image])
def test_figures_of_images_fill_the_page_with_letters_that_can_be_read(
    draw, tmp_path, monkeypatch
) -> None:
    seen: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: (seen.append(f), save(f, *a, **k)))
    draw(tmp_path)
    assert seen
    for figure in seen:
        assert figure.get_figwidth() == PAGE_WIDTH
        shown = words(figure)
        boxes = [text.get_window_extent() for text in shown]
        assert shown
        for text, box in zip(shown, boxes, strict=True):
            assert text.get_fontsize() >= SMALL, text.get_text()
            inside = Bbox.intersection(box, figure.bbox)
            assert inside is not None, text.get_text()
            assert np.allclose(inside.bounds, box.bounds, atol=1), text.get_text()
        images = [image for axis in figure.axes for image in axis.images]
        for k, box in enumerate(boxes):
            for other, text in zip(boxes[:k], shown, strict=False):
                assert apart(box, other), (shown[k].get_text(), text.get_text())
            if shown[k] in figure.texts:
                for image in images:
                    assert apart(box, image.get_window_extent()), shown[k].get_text()


def apart(one: Bbox, other: Bbox) -> bool:
    """Whether two boxes have no more than a line of dots in common."""
    common = Bbox.intersection(one, other)
    return common is None or min(common.width, common.height) < 1.5


def words(figure: Figure) -> list[Text]:
    """Everything that is written on a figure."""
    figure.draw_without_rendering()
    found = list(figure.texts)
    for axis in figure.axes:
        found += axis.texts
        if axis.axison:
            found += [axis.title, axis.xaxis.label, axis.yaxis.label]
            found += axis.get_xticklabels() + axis.get_yticklabels()
    return [text for text in found if text.get_text()]


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
