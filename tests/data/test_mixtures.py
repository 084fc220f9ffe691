"""Mixtures of Gaussians on the plane."""

import math

import pytest
import torch

from advx.data import mixtures


@pytest.mark.parametrize("data", [mixtures.ring(train=4000), mixtures.grid(train=4000)])
def test_mixtures_have_their_means_and_deviations(data) -> None:
    assert data.classes in (8, 25)
    for mode in range(data.classes):
        points = data.train.images[data.train.labels == mode]
        spread = 0.02 if data.classes == 8 else 0.05
        angle = torch.tensor(2 * math.pi * mode / 8)
        mean = (
            2 * torch.stack([angle.cos(), angle.sin()])
            if data.classes == 8
            else torch.tensor([-4.0 + 2 * (mode // 5), -4.0 + 2 * (mode % 5)])
        )
        torch.testing.assert_close(points.mean(0), mean, atol=0.02, rtol=0)
        torch.testing.assert_close(points.std(0), torch.tensor([spread] * 2), rtol=0.25, atol=0)
    assert data.fingerprint != mixtures.ring(train=4000, deviation=0.03).fingerprint
    assert data.test.digest() != data.train.digest()
