"""Noise-contrastive estimation of a density, against the density."""

import math

import pytest
import torch

from advx.evaluation.divergence import Mixture, jensen_shannon
from advx.evaluation.explicit_density import ExplicitUpdates, explicit_density, log_model

DATA = Mixture((-1.0, 2.0), 0.5)


def test_the_data_are_among_the_models_and_a_stationary_one() -> None:
    at = -math.log(2 * 0.5 * math.sqrt(2 * math.pi))
    theta = torch.tensor([[at, at], [-1.0, 2.0], [math.log(0.5)] * 2]).double().requires_grad_()
    x = torch.linspace(-6, 6, 40_001).double()
    torch.testing.assert_close(
        log_model(x, theta).detach(), DATA.log_density(x), rtol=1e-5, atol=1e-5
    )
    noise = Mixture((0.0,), 3.0)
    logits = log_model(x, theta) - noise.log_density(x)
    weights = torch.stack([DATA.density(x), noise.density(x)])
    each = torch.stack(
        [torch.nn.functional.softplus(-logits), torch.nn.functional.softplus(logits)]
    )
    (slope,) = torch.autograd.grad((weights * each).sum() * 12 / 40_000, theta)
    assert slope.abs().max() < 1e-5


def test_a_density_and_its_integral_are_learned() -> None:
    training = ExplicitUpdates(modes=3, noise_deviation=3.0, updates=250, batch=200, rate=0.05)
    found = explicit_density(DATA, 0, training)
    assert found.metrics.divergence < 0.01
    assert found.metrics.integral == pytest.approx(1, abs=0.1)
    x, learned = found.curves["x"], found.curves["learned"]
    width = float(x[1] - x[0])
    assert learned.sum() * width == pytest.approx(found.metrics.integral, rel=1e-4)
    assert found.curves["data"].sum() * width == pytest.approx(1, abs=1e-4)
    assert found.curves["noise"].sum() * width == pytest.approx(1, abs=1e-4)


def test_a_density_is_compared_as_if_it_integrated_to_one() -> None:
    training = ExplicitUpdates(modes=3, noise_deviation=3.0, updates=1, batch=10, rate=0.05)
    found = explicit_density(DATA, 0, training)
    x, learned, data = (
        torch.from_numpy(found.curves[k]).double() for k in ("x", "learned", "data")
    )
    width = (x[1] - x[0]).item()
    assert found.metrics.integral > 2
    by_hand = jensen_shannon(data * width, learned * width / found.metrics.integral)
    assert found.metrics.divergence == pytest.approx(by_hand, abs=1e-3)
