"""The variational autoencoder: its bound where the likelihood is known, its terms, its gradient."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from advx.config.compose import composed
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.games.adversarial_autoencoder import AdversarialAutoencoder
from advx.games.dcgan import DCGAN
from advx.games.players import Players
from advx.games.vae import LEAST_VARIANCE, VAE, Code, MultilayerVAE, gaussian_log_likelihood
from advx.run import check
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD


def test_the_divergence_is_that_of_two_gaussians() -> None:
    code = Code(torch.randn(20, 5).double(), torch.randn(20, 5).double())
    q = Normal(code.mean, (code.log_variance / 2).exp())
    expected = kl_divergence(q, Normal(torch.zeros(5).double(), 1.0)).sum(1)
    torch.testing.assert_close(code.divergence(), expected)
    zero = torch.zeros(3, 5)
    assert torch.equal(Code(zero, zero).divergence(), torch.zeros(3))


def test_the_likelihood_is_that_of_a_gaussian() -> None:
    x, mean = torch.rand(4, 2, 3, 3).double(), torch.rand(4, 2, 3, 3).double()
    expected = Normal(mean, math.sqrt(0.07)).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(gaussian_log_likelihood(x, mean, 0.07), expected)


W = torch.linalg.qr(torch.randn(9, 2, generator=torch.Generator().manual_seed(0)).double())[0]
W = W * torch.tensor([1.5, 0.5])
"""Of x = W z + b + noise: orthogonal columns, so that the posterior's covariance is diagonal."""

B = torch.linspace(0.2, 0.8, 9).double()

NOISE = 0.3
"""Variance of the noise."""


class Posterior(nn.Module):
    """p(z | x) of that model: N(P⁻¹ Wᵀ(x − b) / s², P⁻¹) with P = I + WᵀW / s²."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, pixels):
        x = (pixels.flatten(1) + 1) / 2
        precision = 1 + W.square().sum(0) / NOISE
        mean = (x - B) @ W / NOISE / precision
        return torch.cat([mean + self.shift, -precision.log().expand_as(mean)], 1)


class Affine(nn.Module):
    """W z + b as images in [−1, 1]."""

    def forward(self, z):
        return 2 * (z @ W.T + B).view(-1, 1, 3, 3) - 1


def linear_model(shift: float = 0.0) -> VAE:
    model = VAE(input_shape=(1, 28, 28), latent=2, filters=2, variance=NOISE).double()
    model.encoder, model.decoder = Posterior(shift), Affine()
    return model


def test_with_the_exact_posterior_the_bound_is_the_likelihood() -> None:
    x = (B + torch.randn(5, 9).double()).view(5, 1, 3, 3)
    covariance = W @ W.T + NOISE * torch.eye(9).double()
    exact = MultivariateNormal(B, covariance).log_prob(x.flatten(1))
    model, draws = linear_model(), 4_000
    noise = torch.randn(draws // 2, 2).double()
    noise = torch.cat([noise, -noise])
    noise = noise / noise.square().mean(0).sqrt()  # first and second moments without error
    found = torch.stack([model.bound(each.expand(draws, 1, 3, 3), noise).mean() for each in x])
    torch.testing.assert_close(found, exact, atol=2e-3, rtol=0)


@pytest.mark.parametrize("shift", [0.1, -0.7])
def test_with_another_one_the_bound_lies_below_by_the_divergence(shift) -> None:
    x = (B + torch.randn(5, 9).double()).view(5, 1, 3, 3)
    precision = 1 + W.square().sum(0) / NOISE
    noise = torch.randn(1, 2).double()
    # E over ±ε is exact in the terms that are odd; what is left is the same for both models
    best, other = (
        sum(model.bound(x, each.expand(5, 2)) for each in (noise, -noise)) / 2
        for model in (linear_model(), linear_model(shift))
    )
    gap = (shift**2 * precision).sum() / 2
    torch.testing.assert_close(best - other, gap.expand(5))


def small(**options) -> VAE:
    return VAE(input_shape=(1, 28, 28), latent=3, filters=2, **options)


@pytest.mark.parametrize("network", ["encoder", "decoder"])
def test_the_reparameterized_gradient_is_that_of_finite_differences(network) -> None:
    model = small(variance=0.1, deviation=0.2).double().train()
    x, noise = torch.rand(6, 1, 28, 28).double(), torch.randn(6, 3).double()
    weights = [p for p in getattr(model, network).parameters() if p.dim() > 1]
    gradients = torch.autograd.grad(model.bound(x, noise).mean(), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        along, step = torch.randn_like(weight), 1e-5
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight.add_(sign * step * along)
                values.append(model.bound(x, noise).mean())
                weight.sub_(sign * step * along)
        slope = (values[0] - values[1]) / (2 * step)
        torch.testing.assert_close(slope, (gradient * along).sum(), rtol=1e-4, atol=1e-6)


def data(images: torch.Tensor) -> Dataset:
    split = Split(images, torch.zeros(len(images), dtype=torch.int64))
    return Dataset("noise", 2, split, split, split)


def plain_players(model: VAE) -> Players:
    rule = SGD(learning_rate=1e-3, learning_rate_divisor=1, momentum=0, final_momentum=0)
    return Players({n: rule.attach(getattr(model, n), lambda: None) for n in model.players})


def test_an_update_ascends_the_bound_by_hand() -> None:
    model = small(variance=0.05).train()
    twin = small(variance=0.05).train()
    twin.load_state_dict(model.state_dict())
    x = torch.rand(8, 1, 28, 28)
    torch.manual_seed(3)
    found = model.update(iter([(x, torch.zeros(8))]), plain_players(model))
    torch.manual_seed(3)
    bound = twin.bound(x, torch.randn(8, 3)).mean()
    assert found["bound_loss"].item() == pytest.approx(-bound.item(), rel=1e-6)
    bound.backward()
    for (name, moved), still in zip(model.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(moved, still + 1e-3 * still.grad, msg=name)
    assert model.variance == twin.variance


def test_the_variance_that_maximizes_the_bound_is_followed() -> None:
    images = torch.rand(8, 1, 28, 28)
    model = small(variance_memory=0.5).train()
    model.adapt(images)
    start = images.var(0, unbiased=False).mean()
    torch.testing.assert_close(model.variance, start)
    found = model.update(iter([(images, torch.zeros(8))]), plain_players(model))
    torch.testing.assert_close(model.variance, (start + found["squared_error"]) / 2)
    error = found["squared_error"].item()
    likelihood = [
        -784 / 2 * (error / variance + math.log(2 * math.pi * variance))
        for variance in (0.9 * error, error, 1.1 * error)
    ]
    assert max(likelihood) == likelihood[1]
    fixed = small(variance=0.2)
    fixed.adapt(images)
    assert fixed.variance.item() == pytest.approx(0.2)
    constant = small()
    constant.adapt(torch.ones(4, 1, 28, 28))
    assert constant.variance.item() == pytest.approx(LEAST_VARIANCE)


@pytest.mark.parametrize("side", [28, 32, 64])
def test_the_decoder_is_the_generator_of_the_convolutional_game(side) -> None:
    model = VAE(input_shape=(3, side, side), latent=5, filters=4)
    game = DCGAN(input_shape=(3, side, side), latent=5, filters=4)
    model.decoder.load_state_dict(game.generator.state_dict())
    z, x = model.draw(4), torch.rand(4, 3, side, side)
    assert torch.equal(model.generate(z), game.generate(z))
    code = model.encode(x)
    assert code.mean.shape == code.log_variance.shape == (4, 5)
    model.eval()
    assert torch.equal(model.reconstruct(x), model.generate(model.encode(x).mean))


def test_it_learns_and_its_history_tells_what() -> None:
    torch.manual_seed(0)
    images = torch.rand(32, 1, 1, 1).expand(32, 1, 28, 28).contiguous()
    model = small()
    model.adapt(images)
    history = (
        GameTrainer(max_epochs=30, batch_size=16, snapshots=1, shown=4)
        .fit(model, data(images), seed=0)
        .history
    )
    assert {"diversity", "coverage", "contrast", "divergence"} <= history[0].keys()
    assert "confidence" not in history[0]
    assert history[-1]["bound_loss"] < history[0]["bound_loss"] - 50


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("game.latent=0", "game.latent=0: input should be greater than or equal to 1"),
        ("game.variance=-1", "game.variance=-1: input should be greater than 0"),
        ("game.variance_memory=1", "game.variance_memory=1: input should be less than 1"),
    ],
)
def test_what_no_autoencoder_can_be_is_refused(words, complaint) -> None:
    config, main = composed(["experiment=dcgan_samples", "game=vae", words])
    with pytest.raises(ConfigError, match=complaint):
        check(config, main)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="28, 32 or 64 pixels"):
        VAE(input_shape=(3, 30, 30))


def test_the_one_of_relu_layers_has_the_adversarial_autoencoders_networks() -> None:
    sizes = {"input_shape": (1, 3, 3), "units": (7, 6)}
    game, other = MultilayerVAE(**sizes), AdversarialAutoencoder(**sizes)
    shapes = [tuple(p.shape) for p in game.encoder.parameters()]
    theirs = [tuple(p.shape) for p in other.encoder.parameters()]
    assert shapes == [*theirs[:-2], (4, 6), (4,)]  # means and log variances
    assert str(game.decoder) == str(other.decoder)

    x, noise = torch.rand(5, 1, 3, 3), torch.randn(5, 2)
    mean, log_variance = game.encoder(x).chunk(2, dim=1)
    q, prior = Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(2), 1.0)
    image = Normal(game.decoder(mean + q.scale * noise), game.variance.sqrt())
    expected = image.log_prob(x).flatten(1).sum(1) - kl_divergence(q, prior).sum(1)
    torch.testing.assert_close(game.bound(x, noise), expected)
    torch.testing.assert_close(game.reconstruct(x), game.decoder(mean))
