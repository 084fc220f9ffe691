"""How good samples are, against closed forms and brute force."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from advx.errors import ConfigError
from advx.evaluation.sample_quality import frechet_distance, manifolds, two_sample_accuracy


def test_the_frechet_distance_of_gaussians() -> None:
    torch.manual_seed(0)
    a = torch.randn(200_000, 3).double() * torch.tensor([1.0, 2.0, 0.5])
    b = torch.randn(200_000, 3).double() * torch.tensor([2.0, 1.0, 0.5]) + torch.tensor([1.0, 0, 2])
    # commuting covariances: Σ (σ_a − σ_b)² + ‖μ‖²
    assert frechet_distance(a, b) == pytest.approx(1 + 1 + 5, rel=0.02)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    mixing = torch.randn(3, 3).double()
    x, y = a[:500] @ mixing, b[:500]
    covariances = [np.cov(each.numpy().T) for each in (x, y)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    mean = ((x.mean(0) - y.mean(0)) ** 2).sum().item()
    expected = mean + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ConfigError, match=r"^3 first examples: .* over 3 features .* from 4"):
        frechet_distance(a[:3], b)


def test_manifolds_against_brute_force(monkeypatch) -> None:
    monkeypatch.setattr("advx.evaluation.sample_quality.CHUNK", 7)
    torch.manual_seed(0)
    real, fake, k = torch.randn(30, 2), torch.randn(40, 2) * 0.7 + 0.5, 3

    def radius(x, i):
        return sorted(math.dist(x[i].tolist(), p.tolist()) for p in x)[k]

    def inside(point, x):
        return [
            math.dist(point.tolist(), x[i].tolist()) <= radius(x, i) + 1e-6 for i in range(len(x))
        ]

    found = manifolds(real, fake, neighbors=k)
    hits = [inside(p, real) for p in fake]
    assert found.precision == pytest.approx(100 * np.mean([any(h) for h in hits]))
    assert found.recall == pytest.approx(100 * np.mean([any(inside(p, fake)) for p in real]))
    assert found.density == pytest.approx(np.sum(hits) / (k * len(fake)))
    assert found.coverage == pytest.approx(100 * np.mean(np.any(hits, 0)))
    floor = manifolds(torch.randn(2000, 2), torch.randn(2000, 2))
    assert floor.density == pytest.approx(1, abs=0.1)
    assert floor.coverage > 90


def test_the_two_sample_test_tells_what_can_be_told() -> None:
    torch.manual_seed(0)
    same, n = two_sample_accuracy(torch.randn(2000, 4), torch.randn(2000, 4))
    assert n == 2000
    assert abs(same - 50) < 100 * 3 * 0.5 / n**0.5
    apart, _ = two_sample_accuracy(torch.randn(2000, 4), torch.randn(2000, 4) + 1)
    # two Gaussians 2 apart in length: the best accuracy is Φ(1)
    assert apart == pytest.approx(84.1, abs=3)


@pytest.mark.parametrize("order", ["sorted", "cycled"])
def test_the_order_of_examples_is_no_difference(order) -> None:
    """Two samples of one mixture, one sorted by component or cycling through them."""
    torch.manual_seed(0)
    centers = 10 * torch.eye(10)
    mixed = centers[torch.randint(10, (2000,))] + torch.randn(2000, 10)
    component = torch.arange(4000) % 10
    component = component.sort().values if order == "sorted" else component
    other = centers[component] + torch.randn(4000, 10)
    for a, b in ((mixed, other), (other, mixed)):
        accuracy, n = two_sample_accuracy(a, b)
        assert abs(accuracy - 50) < 4 * 50 / n**0.5
