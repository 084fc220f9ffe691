"""Steps along a window's directions, in bytes."""

import numpy as np

from advx.figures.moved_images import packed


def test_packed_steps_are_off_by_half_a_scale() -> None:
    sizes = np.array([0.01, 3.0, 0.0]).reshape(3, 1, 1, 1, 1)
    steps = np.random.default_rng(0).normal(size=(3, 2, 1, 5, 5)) * sizes
    levels, scales = packed(steps)
    assert levels.dtype == np.int8
    assert (scales > 0).all()
    assert (np.abs(levels[:2]).max(axis=(2, 3, 4)) == 127).all()
    made = levels * scales[:, :, None, None, None].astype(float)
    most = np.abs(steps).max(axis=(2, 3, 4), keepdims=True)
    assert (np.abs(made - steps) <= most / 253).all()
