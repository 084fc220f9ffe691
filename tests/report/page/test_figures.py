"""How the page packs figures: small, and near to what was drawn."""

import base64
import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from advx.report.page import figures


def decoded(uri: str) -> np.ndarray:
    kind, content = uri.split(",", 1)
    assert kind == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    return np.asarray(image, dtype=float)


def chart() -> Image.Image:
    """Thin lines of three colors at all angles, whose edges are shades."""
    figure = Figure((9, 9), dpi=130)
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    ends = np.random.default_rng(0).random((30, 4))
    for color, (a, b, c, d) in zip(["#0067a5", "#c2500a", "#00805c"] * 10, ends, strict=True):
        axes.plot([a, b], [c, d], color=color, linewidth=0.8)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def photograph() -> Image.Image:
    """Smooth shades of every color, and noise."""
    y, x = np.mgrid[0:900, 0:900] / 900
    shades = np.stack([x, y, (np.sin(9 * x) + np.cos(7 * y) + 2) / 4], 2) * 220
    noise = np.random.default_rng(0).normal(0, 6, shades.shape)
    return Image.fromarray(np.clip(shades + noise, 0, 255).astype(np.uint8))


def distance(found: np.ndarray, image: Image.Image) -> float:
    return float(np.sqrt(np.square(found - np.asarray(image, dtype=float)).mean()))


@pytest.mark.parametrize("image", [chart(), photograph()], ids=["chart", "photograph"])
def test_a_figure_is_as_near_as_by_webps_own_compression(image) -> None:
    packed = figures.packed(image)
    lossy = figures._webp(image, figures.LOSSY)
    assert len(packed) <= 1.34 * len(lossy) + 40  # base64
    loss = distance(decoded(figures.uri("image/webp", lossy)), image)
    assert distance(decoded(packed), image) <= loss


def test_a_chart_is_shown_in_few_colors_and_a_photograph_is_not() -> None:
    few = {tuple(color) for color in decoded(figures.packed(chart())).reshape(-1, 3).astype(int)}
    assert len(few) <= figures.COLORS
    many = decoded(figures.packed(photograph())).reshape(-1, 3).astype(int)
    assert len({tuple(color) for color in many}) > 10 * figures.COLORS


def test_a_small_figure_loses_nothing() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8))
    np.testing.assert_array_equal(decoded(figures.packed(image)), np.asarray(image))


def test_small_words_keep_their_color() -> None:
    """A few pixels of a color of their own, beside many shades of others."""
    rng = np.random.default_rng(0)
    image = np.full((600, 600, 3), 255)
    image[:200] = rng.integers(0, 256, (200, 600, 1))  # images in gray
    for k, color in enumerate([(0, 103, 165), (194, 80, 10), (0, 128, 92), (204, 121, 167)]):
        strength = np.linspace(0, 1, 300)[None, :, None] * np.ones((60, 1, 1))
        left = 255 - (255 - np.array(color)) * strength  # a band of many shades
        image[220 + 80 * k : 280 + 80 * k, 100:400] = left
    word = (141, 84, 120)
    image[560:566, 300:312] = word
    few = np.asarray(figures._of_few_colors(Image.fromarray(image.astype(np.uint8))), dtype=float)
    assert np.abs(few[560:566, 300:312] - word).max() < 10
