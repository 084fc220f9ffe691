"""Clusters of the plane: circles, two moons and blobs."""

import pytest
import torch

from advx.data.mixtures import blobs, ring
from advx.data.plane import circles, two_moons


def test_without_noise_points_lie_on_their_circle() -> None:
    data = circles(ratio=0.3, deviation=0.0)
    radius = data.train.images.norm(dim=1)
    torch.testing.assert_close(radius, torch.tensor([1.0, 0.3])[data.train.labels])


def test_without_noise_points_lie_on_their_moon() -> None:
    """Each a half circle; the one is the other, turned by half a turn."""
    data = two_moons(deviation=0.0)
    points, labels = data.train.images, data.train.labels
    upper, lower = points[labels == 0], points[labels == 1]
    torch.testing.assert_close(upper.norm(dim=1), torch.ones(len(upper)))
    torch.testing.assert_close(
        (lower - torch.tensor([1.0, 0.5])).norm(dim=1), torch.ones(len(lower))
    )
    assert upper[:, 1].min() >= -1e-6
    assert lower[:, 1].max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("make", "classes"), [(circles, 2), (two_moons, 2), (blobs, 3)], ids=lambda x: str(x)[:20]
)
def test_classes_are_about_equally_likely_and_points_always_the_same(make, classes) -> None:
    data, again = make(), make()
    assert data.classes == classes
    assert data.input_shape == (2,)
    counts = torch.bincount(data.train.labels) / len(data.train)
    torch.testing.assert_close(counts, torch.full((classes,), 1 / classes), atol=0.04, rtol=0)
    assert data.train.digest() == again.train.digest()
    assert data.train.digest() != data.test.digest()
    assert make(deviation=0.2).fingerprint != data.fingerprint


def test_noise_has_its_deviation() -> None:
    for make in (circles, two_moons):
        exact, noisy = (make(deviation=d).train.images for d in (0.0, 0.1))
        assert (noisy - exact).std().item() == pytest.approx(0.1, rel=0.05)


def test_blobs_lie_around_the_means_of_a_ring() -> None:
    data, means = blobs(), ring(modes=3, deviation=1e-6, train=100).train
    for mode in range(3):
        mean = data.train.images[data.train.labels == mode].mean(0)
        torch.testing.assert_close(mean, means.images[means.labels == mode][0], atol=0.06, rtol=0)
