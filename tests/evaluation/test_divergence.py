"""Densities on a line and their divergence, against closed forms."""

import math

import pytest
import torch

from advx.evaluation.divergence import (
    Mixture,
    cells,
    jensen_shannon,
    mixture_density,
    mixture_shares,
    optimal_discriminator,
    sample_shares,
)


def test_a_density_and_its_shares_agree() -> None:
    means = torch.tensor([-1.0, 2.0])
    edges, x = cells(-8, 9, 5_000)
    shares = mixture_shares(edges, means, 0.6)
    torch.testing.assert_close(
        shares[:-1], mixture_density(x, means, 0.6) * 17 / 5_000, atol=1e-8, rtol=1e-4
    )
    assert shares.sum().item() == pytest.approx(1, abs=1e-12)
    normal = torch.distributions.Normal(0.3, 0.6)
    torch.testing.assert_close(
        mixture_density(x, torch.tensor([0.3]), 0.6), normal.log_prob(x).exp()
    )


def test_the_divergence_in_closed_form() -> None:
    p = torch.tensor([0.5, 0.5, 0.0, 0.0]).double()
    q = torch.tensor([0.0, 0.0, 0.5, 0.5]).double()
    half = torch.tensor([0.5, 0.0, 0.5, 0.0]).double()
    assert jensen_shannon(p, p) == 0
    assert jensen_shannon(p, q) == pytest.approx(math.log(2))
    assert jensen_shannon(p, half) == pytest.approx(0.5 * math.log(2))
    one, even = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.5, 0.5]).double()
    other = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    expected = 0.5 * (math.log(1 / 0.75) + other)
    assert jensen_shannon(one, even) == pytest.approx(expected)
    assert jensen_shannon(even, one) == pytest.approx(expected)
    best = optimal_discriminator(p, half)
    torch.testing.assert_close(best, torch.tensor([0.5, 1.0, 0.0, 0.5]).double())
    # the value of the best discriminator is −log 4 + 2 JSD
    value = torch.zeros((), dtype=torch.float64)
    for density, answer in ((p, best), (half, 1 - best)):
        used = density > 0
        value = value + (density[used] * answer[used].log()).sum()
    assert value.item() == pytest.approx(-math.log(4) + 2 * jensen_shannon(p, half))


def test_samples_fall_into_their_cells() -> None:
    edges, _ = cells(0, 1, 4)
    samples = torch.tensor([0.1, 0.1, 0.3, 0.74, 0.76, -1.0, 2.0, 0.25])
    expected = torch.tensor([2, 2, 1, 1, 2]).double() / 8
    torch.testing.assert_close(sample_shares(samples, edges), expected)
    means = torch.tensor([0.2, 0.6])
    many = means[torch.randint(2, (400_000,))] + 0.1 * torch.randn(400_000)
    found, exact = sample_shares(many, edges), mixture_shares(edges, means, 0.1)
    torch.testing.assert_close(found, exact, atol=4e-3, rtol=0)


def test_a_mixture_is_its_density_its_shares_and_its_samples() -> None:
    mixture = Mixture((-1.0, 2.0), 0.6)
    edges, x = cells(-4, 5, 30)
    assert torch.equal(mixture.density(x), mixture_density(x, mixture.centers, 0.6))
    shares = mixture.shares(edges)
    assert torch.equal(shares, mixture_shares(edges, mixture.centers, 0.6))
    samples = mixture.samples(200_000)
    assert samples.shape == (200_000, 1)
    torch.testing.assert_close(sample_shares(samples.flatten(), edges), shares, atol=4e-3, rtol=0)
