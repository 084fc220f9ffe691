"""Codes beside a prior: what is drawn, what an affine map takes away, what the measures see."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from advx.errors import Diverged
from advx.evaluation.code_spaces import codes_of, prior_draws, prior_match, whitened
from advx.games.adversarial_autoencoder import AdversarialAutoencoder
from advx.games.priors import prior_samples
from advx.games.vae import MultilayerVAE


class Known(nn.Module):
    """Means (x, 2 x) of a pixel x, and variances ¼ and 4."""

    def forward(self, x):
        pixel = x.flatten(1)[:, :1]
        deviations = torch.tensor([0.5, 2.0]).square().log()
        return torch.cat([pixel, 2 * pixel, deviations.expand(len(x), 2)], 1)


def test_codes_of_a_random_encoder_are_draws_and_not_means() -> None:
    game = MultilayerVAE(input_shape=(1, 1, 1), units=(3,))
    game.encoder = Known()
    images = torch.rand(40_000, 1, 1, 1)
    state = torch.get_rng_state()
    codes = codes_of(SimpleNamespace(game=game), images, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    off = codes - torch.cat([images.flatten(1), 2 * images.flatten(1)], 1)
    assert off.mean(0).tolist() == pytest.approx([0, 0], abs=0.05)
    assert off.std(0).tolist() == pytest.approx([0.5, 2.0], rel=0.03)
    assert torch.equal(codes, codes_of(SimpleNamespace(game=game), images, seed=3))
    assert not torch.equal(codes, codes_of(SimpleNamespace(game=game), images, seed=4))


def test_codes_of_a_deterministic_encoder_are_what_it_gives() -> None:
    game = AdversarialAutoencoder(input_shape=(1, 3, 3), units=(5,), discriminator_units=(4,))
    images = torch.rand(9, 1, 3, 3)
    torch.testing.assert_close(codes_of(SimpleNamespace(game=game), images), game.encoder(images))


def test_whitened_codes_have_the_mean_and_covariance_of_others_whatever_the_affine_map() -> None:
    codes = torch.randn(300, 2).exp().double()
    others = prior_draws("swiss_roll", 500, 2, 0).double()
    found = whitened(codes, others)
    torch.testing.assert_close(found.mean(0), others.mean(0))
    torch.testing.assert_close(found.T.cov(), others.T.cov())
    back = torch.linalg.lstsq(
        torch.cat([found, torch.ones(300, 1).double()], 1), codes
    )  # an affine map leads back
    remade = torch.cat([found, torch.ones(300, 1).double()], 1) @ back.solution
    torch.testing.assert_close(remade, codes)


def test_draws_from_a_prior_are_the_same_for_a_seed() -> None:
    state = torch.get_rng_state()
    first = prior_draws("mixture", 50, 2, 7)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, prior_draws("mixture", 50, 2, 7))
    assert not torch.equal(first, prior_draws("mixture", 50, 2, 8))
    with torch.random.fork_rng():
        torch.manual_seed(7)
        assert torch.equal(first, prior_samples("mixture", 50, 2))


@pytest.mark.parametrize("prior", ["gaussian", "mixture", "swiss_roll"])
def test_draws_match_their_prior_and_others_do_not(prior) -> None:
    first, second = (prior_draws(prior, 3_000, 2, seed) for seed in (0, 1))
    same = prior_match(second, first, permutations=199)
    assert same.two_sample_accuracy == pytest.approx(50, abs=4)
    assert same.energy_over_floor < 4
    assert same.p_value > 1
    assert same.energy_distance < 0.02
    moved = prior_match(second + 0.3, first, permutations=199)
    assert moved.p_value == pytest.approx(100 / 200)
    assert moved.energy_over_floor > 4
    assert moved.two_sample_accuracy > same.two_sample_accuracy + 2
    # one moment after the other agrees, and still no prior is the other
    shaped = whitened(prior_draws("gaussian", 3_000, 2, 2), first)
    if prior != "gaussian":
        assert prior_match(shaped, first, permutations=199).two_sample_accuracy > 65


def test_the_ratio_is_over_the_floor_of_as_many_examples() -> None:
    first, second = (prior_draws("gaussian", 400, 2, seed) for seed in (0, 1))
    found = prior_match(second + 1, first, examples=100, permutations=9)
    floor = found.energy_distance / found.energy_over_floor
    assert floor == pytest.approx(2 / 100 * math.sqrt(math.pi), rel=0.1)


def test_codes_that_are_no_numbers_have_diverged() -> None:
    codes = torch.zeros(20, 2).index_fill(0, torch.tensor([3]), math.nan)
    with pytest.raises(Diverged, match="codes hold NaN"):
        prior_match(codes, torch.zeros(20, 2))
