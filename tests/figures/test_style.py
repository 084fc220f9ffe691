"""Letters and colors of every figure: readable, and apart."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from advx.figures import pyplot as plt
from advx.figures.line_ends import label_ends
from advx.figures.style import LINE_HEIGHT, SERIES, SMALL, ink, page, styled


def test_names_of_lines_keep_apart_and_above_the_axis(tmp_path) -> None:
    heights = [0.0, 0.0, 0.1, 0.1, 5.0, 10.0, 10.0]
    with styled():
        figure = page(2, finding="f", provenance="p")
        axis = figure.subplots()
        axis.set(ylim=(0, 10))
        figure.draw_without_rendering()
        label_ends(axis, [(1.0, y, f"line {k}", "#0072b2") for k, y in enumerate(heights)])
        figure.draw_without_rendering()
        boxes = sorted((text.get_window_extent() for text in axis.texts), key=lambda box: box.y0)
        low, high = axis.bbox.y0, axis.bbox.y1
        plt.close(figure)
    middles = [(box.y0 + box.y1) / 2 for box in boxes]
    assert len(middles) == 7
    assert np.diff(middles).min() > 0.99 * SMALL * LINE_HEIGHT / 72 * figure.dpi
    assert middles[0] > low - 1.5
    assert middles[-1] < high + 1.5
    assert middles[4] == pytest.approx((low + high) / 2, abs=1.5)  # where nothing is near


@pytest.mark.parametrize("color", SERIES)
def test_ink_is_dark_and_of_the_same_hue(color) -> None:
    made, given = np.array(ink(color)), np.array(to_rgb(color))
    assert np.array([0.299, 0.587, 0.114]) @ made < 0.421
    assert np.cross(made, given) == pytest.approx(0, abs=1e-9)
