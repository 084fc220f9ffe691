"""The variational autoencoder (sections 1.4.3 and 1.4.5): no adversary, a bound on the likelihood.

    encoder  q(z | x) = N(μ(x), diag σ²(x))      decoder  p(x | z) = N(G(z), s² I), p(z) = N(0, I)

    x          a minibatch of data
    ε          noise from N(0, I)
    z        = μ(x) + σ(x) ε
    both networks ascend  log p(x | z) − KL(q(z | x) ‖ p(z))  ≤ log p(x) on average

With a fixed s² the first term is minus the squared error over 2 s² and a constant: the mean squared
error of section 1.4.3. The convolutional one's decoder is the generator of the convolutional game;
its encoder mirrors it. Source: Kingma and Welling (2014), algorithm 1 and appendix B; s² as in
Rybkin et al. (2021).
"""

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from advx.data.minibatches import Minibatch
from advx.games.dcgan import begin, downward, upward
from advx.games.diagnostics import LIMITS, Limit
from advx.games.generative import LatentGame
from advx.games.multilayer import encoder_and_decoder
from advx.games.players import Players
from advx.types import NonNegative, Positive, PositiveInt, Shape, Share

LEAST_VARIANCE = 1e-6
"""s² falls no further: a quarter of a gray level."""


class Code(NamedTuple):
    """q(z | x), a Gaussian with a diagonal covariance.

    Attributes:
        mean: (n, latent).
        log_variance: (n, latent).
    """

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """z = μ + σ ε for noise ε (n, latent): gradients pass through μ and σ."""
        return self.mean + (self.log_variance / 2).exp() * noise

    def divergence(self) -> Tensor:
        """KL(q ‖ N(0, I)) in nats, (n,)."""
        excess = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return excess.sum(1) / 2


def gaussian_log_likelihood(x: Tensor, mean: Tensor, variance: Tensor | float) -> Tensor:
    """log N(x; mean, variance · I) in nats, (n,), of examples (n, *shape)."""
    variance = torch.as_tensor(variance, dtype=x.dtype, device=x.device)
    error = (x - mean).flatten(1).square()
    return -(error / variance + (2 * math.pi * variance).log()).sum(1) / 2


class VariationalAutoencoder(LatentGame):
    """An encoder and a decoder that ascend one bound together, whatever networks they are.

    Args:
        latent: components of z.
        variance: s², of a pixel about the decoder's image; None for the one that maximizes the
            bound, the decoder's mean squared error, as a moving average over minibatches.
        variance_memory: of that average, the share that a minibatch leaves as it is.

    Attributes:
        encoder: images to means and log variances, (n, 2 · latent).
        decoder: z (n, latent) to images.
    """

    players: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    averaged = ()
    limits: ClassVar[Mapping[str, Limit]] = {
        name: limit for name, limit in LIMITS.items() if name != "confidence"
    }
    variance: Tensor
    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, latent: int, variance: float | None, variance_memory: float) -> None:
        super().__init__(latent, noise="gaussian")
        self.variance_memory = variance_memory if variance is None else 1.0
        self.register_buffer("variance", torch.tensor(float(variance or 1)))

    def adapt(self, images: Tensor) -> None:
        """s² begins as that of the pixels about their mean image."""
        if self.variance_memory < 1:
            self.variance.copy_(images.var(0, unbiased=False).mean().clamp(min=LEAST_VARIANCE))

    def encode(self, x: Tensor) -> Code:
        """q(z | x) of images (n, *shape)."""
        return Code(*self.encoder(x).chunk(2, dim=1))

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """The mean of p(x | z): (n, latent) to images (n, *shape)."""
        return self.decoder(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Images (n, *shape) as the decoder makes them of their codes' means."""
        return self.generate(self.encode(x).mean)

    def bound(self, x: Tensor, noise: Tensor) -> Tensor:
        """An estimate of the bound on log p(x) of images (n, *shape), in nats, (n,).

        Its mean over the noise is the bound. Densities are of pixels whose range is 1.

        Args:
            x: images.
            noise: ε, (n, latent).
        """
        q = self.encode(x)
        likelihood = gaussian_log_likelihood(x, self.generate(q.sample(noise)), self.variance)
        return likelihood - q.divergence()

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        x, _ = next(data)
        noise = self.draw(len(x), x.device)
        q = self.encode(x)
        image = self.generate(q.sample(noise))
        likelihood = gaussian_log_likelihood(x, image, self.variance)
        divergence = q.divergence()
        loss = players.descend_jointly((divergence - likelihood).mean())
        error = (x - image.detach()).square().mean()
        if self.variance_memory < 1:
            self.variance.lerp_(error.clamp(min=LEAST_VARIANCE), 1 - self.variance_memory)
        return {
            "bound_loss": loss,
            "divergence": divergence.detach().mean(),
            "squared_error": error,
            "variance": self.variance.clone(),
        }

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        with torch.no_grad():
            made = self.reconstruct(images)
        same = made.shape == images.shape
        return "" if same else f"it reconstructs examples as {tuple(made.shape[1:])}"


class VAE(VariationalAutoencoder):
    """The convolutional one.

    Args:
        input_shape: shape of one image, (channels, side, side), the side 28, 32 or 64.
        latent: components of z.
        filters: of the layer next to the pixels; twice as many in every layer further away.
        slope: of the encoder's leaky ReLUs.
        deviation: of the initial weights.
        variance: s², of a pixel about the decoder's image; None for the one that maximizes the
            bound, the decoder's mean squared error, as a moving average over minibatches.
        variance_memory: of that average, the share that a minibatch leaves as it is.

    Attributes:
        encoder: images in [−1, 1] to means and log variances, (n, 2 · latent).
        decoder: z (n, latent) to images in [−1, 1].

    Raises:
        ValueError: another side.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        latent: PositiveInt = 64,
        filters: PositiveInt = 64,
        slope: NonNegative = 0.2,
        deviation: Positive = 0.02,
        variance: Positive | None = None,
        variance_memory: Share = 0.99,
    ) -> None:
        super().__init__(latent, variance, variance_memory)
        blocks = downward(input_shape, 2 * latent, filters=filters, slope=slope)
        self.encoder = nn.Sequential(*(layer for b in blocks.values() for layer in b))
        self.decoder = upward(input_shape, latent, filters=filters)
        for module in self.modules():
            begin(module, deviation)

    def encode(self, x: Tensor) -> Code:
        return super().encode(2 * x - 1)

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return (super().generate(z) + 1) / 2


class MultilayerVAE(VariationalAutoencoder):
    """One of ReLU layers: the networks are those of the adversarial autoencoder.

    Args:
        input_shape: shape of one example; decoded ones lie in [0, 1] where it is an image.
        latent: components of z.
        units: of each hidden layer of the encoder; the decoder has them in the opposite order.
        variance, variance_memory: as above.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        latent: PositiveInt = 2,
        units: tuple[PositiveInt, ...] = (1000, 1000),
        variance: Positive | None = None,
        variance_memory: Share = 0.99,
    ) -> None:
        super().__init__(latent, variance, variance_memory)
        self.encoder, self.decoder = encoder_and_decoder(input_shape, latent, 2 * latent, units)
