"""The panes of church windows: where classes meet, letters and colors."""

import numpy as np
import torch
from matplotlib.figure import Figure

from advx.figures import panes


def test_contours_lie_where_the_class_changes() -> None:
    torch.manual_seed(0)
    classes = torch.randint(0, 4, (4, 4)).repeat_interleave(5, 0).repeat_interleave(5, 1).numpy()
    lines = panes.contours(classes)
    points = np.concatenate(lines)
    assert len(points) > 0
    for column, row in points:  # each lies halfway between two neighbors of different classes
        low = (int(np.floor(row)), int(np.floor(column)))
        high = (int(np.ceil(row)), int(np.ceil(column)))
        assert abs(high[0] - low[0]) + abs(high[1] - low[1]) == 1
        assert classes[low] != classes[high]
    touched = {(float(r), float(c)) for c, r in points}
    for row in range(20):  # and no change is without one
        for column in range(19):
            if classes[row, column] != classes[row, column + 1]:
                assert (float(row), column + 0.5) in touched
    assert panes.contours(np.zeros((5, 5))) == []


def test_each_region_of_a_window_has_its_letter_where_there_is_room() -> None:
    classes = np.zeros((101, 101), int)
    classes[:, 60:] = 1
    classes[40:60, 60:] = 2
    classes[:3, :3] = 3  # too small
    glass = panes.Glass(panes.shades(4, ""), 1.0, panes.letters(4))
    axis = Figure().add_subplot()
    glass.draw(axis, 0, 0, classes, 0, None)
    found = sorted((text.get_text(), text.get_position()) for text in axis.texts)
    assert [letter for letter, _ in found] == ["b", "b", "c"]  # two parts, and one; white has none
    for letter, (x, y) in found:
        assert panes.letters(4)[classes[int(y * 101), int(x * 101)]] == letter


def test_no_color_is_white_and_none_stands_twice() -> None:
    for style in panes.STYLES:
        shades = panes.shades(10, style)
        assert len({tuple(s) for s in shades.round(3)}) == 10
        assert shades.max(1).min() < 0.95
        assert (shades.sum(1) < 2.8).all()
    grays = panes.shades(10, "_gray")[:, 0]
    assert np.abs(np.diff(grays)).min() > 0.15  # neighbors in number can be told apart
