"""Self-contrastive estimation against gradients of the likelihood."""

import pytest
import torch

from advx.evaluation.divergence import Mixture
from advx.evaluation.estimation import (
    DATA,
    START,
    contrastive_gradients,
    gradients,
    likelihood_gradient,
    log_density,
)


def test_self_contrastive_estimation_is_half_of_the_likelihood() -> None:
    theta = START.tensor().requires_grad_()
    torch.manual_seed(0)
    data, model = torch.randn(200).double(), torch.randn(300).double()
    by_hand = []
    for x in (data, model):
        (slope,) = torch.autograd.grad(log_density(x, theta).mean(), theta)
        by_hand.append(slope.flatten())
    found = gradients(theta, data, model)
    torch.testing.assert_close(found, 0.5 * (by_hand[0] - by_hand[1]))
    few, _, many, other = contrastive_gradients([100, 300_000], seed=0)
    assert (few.method, few.samples) == ("self-contrastive", 100)
    assert (many.method, many.samples) == ("self-contrastive", 300_000)
    assert many.cosine > 0.999
    assert many.length == pytest.approx(0.5, abs=0.02)
    assert (other.method, other.samples) == ("noise-contrastive", 300_000)
    assert other.cosine < 0.99
    x = torch.linspace(-9, 9, 20_001).double()
    assert log_density(x, theta).exp().sum().item() * 18 / 20_000 == pytest.approx(1, abs=1e-3)


def test_the_likelihoods_gradient_is_that_of_many_samples() -> None:
    theta = START.tensor().requires_grad_()
    x = DATA.samples(400_000).flatten().double()
    (slope,) = torch.autograd.grad(log_density(x, theta).mean(), theta)
    exact = likelihood_gradient(theta.detach(), DATA)
    torch.testing.assert_close(slope.flatten(), exact, atol=0.02, rtol=0)
    itself = Mixture((0.0,), 1.0)  # the model is the data: no gradient
    model = torch.tensor([[0.0], [0.0], [0.0]]).double()
    assert likelihood_gradient(model, itself).abs().max() < 1e-9
