"""A variational autoencoder whose error a discriminator measures (section 1.4.5).

    x                    a minibatch of data
    z   = Enc(x)         drawn from q(z | x)
    L_prior              KL(q(z | x) ‖ p(z))
    x̃   = Dec(z)
    L_llike              −log N(D_l(x); D_l(x̃), I): squared error in D's hidden layer l, halved
    z_p                  drawn from p(z) = N(0, I)
    x_p = Dec(z_p)
    L_GAN                −log D(x) − log(1 − D(x̃)) − log(1 − D(x_p))
    Enc descends  L_prior + L_llike
    Dec descends  γ L_llike + its own loss on D(x̃), D(x_p)
    D   descends  L_GAN

All three gradients are taken before anyone moves. The two kinds of generated images count half
each, so that a D that cannot tell them from data answers 1/2. Source: Larsen et al. (2015),
algorithm 1.
"""

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from advx.data.minibatches import Minibatch
from advx.errors import nearest
from advx.games.dcgan import begin, downward
from advx.games.diagnostics import LIMITS, Limit
from advx.games.losses import (
    GeneratorLossName,
    discriminator_loss,
    generator_loss,
    non_saturating,
)
from advx.games.players import Players
from advx.games.vae import VAE
from advx.types import NonNegative, Positive, PositiveInt, Probability, Shape

EQUILIBRIUM = math.log(2)
"""D's mean loss on data and on generated images where it answers 1/2."""


class Moves(NamedTuple):
    """Who moves in an update; the encoder always does.

    Attributes:
        decoder, discriminator: whether it does.
    """

    decoder: bool
    discriminator: bool


class VAEGAN(VAE):
    """The autoencoder, and the discriminator of the convolutional game.

    Args:
        input_shape: shape of one image, (channels, side, side), the side 28, 32 or 64.
        latent: components of z.
        filters: of the layer next to the pixels; twice as many in every layer further away.
        slope: of the encoder's and of D's leaky ReLUs.
        deviation: of the initial weights.
        layer: l, one of D's: `convolution1` next to the pixels, and so on.
        reconstruction_weight: γ, of the error in D's layer against the loss on D's answers, in what
            the decoder descends.
        adversarial_gradient_to_encoder: true adds that loss to what the encoder descends; the
            authors keep it out.
        equilibrium_margin: how far D's mean loss on data, or on generated images, may lie from
            log 2, where D answers 1/2: with a loss further below, D does not move; with one further
            above, the decoder does not. Both move where neither would. None for no such gate.
        loss: what the decoder descends on D's answers.
        blend: the minimax loss's share in `loss=blended`.

    Attributes:
        encoder, decoder, discriminator: the three networks.

    Raises:
        ValueError: another side, or no such layer.
    """

    players: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "discriminator")
    limits: ClassVar[Mapping[str, Limit]] = LIMITS

    def __init__(
        self,
        *,
        input_shape: Shape,
        latent: PositiveInt = 64,
        filters: PositiveInt = 64,
        slope: NonNegative = 0.2,
        deviation: Positive = 0.02,
        layer: str = "convolution2",
        reconstruction_weight: NonNegative = 1e-2,
        adversarial_gradient_to_encoder: bool = False,
        equilibrium_margin: Positive | None = 0.35,
        loss: GeneratorLossName = "non_saturating",
        blend: Probability = 0.5,
    ) -> None:
        super().__init__(
            input_shape=input_shape,
            latent=latent,
            filters=filters,
            slope=slope,
            deviation=deviation,
            variance=1.0,
        )
        blocks = downward(input_shape, 1, filters=filters, slope=slope)
        hidden = [name for name in blocks if name != "output"]
        if layer not in hidden:
            raise ValueError(f"layer={layer}: D has no such hidden layer; {nearest(layer, hidden)}")
        self.layer = layer
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_gradient_to_encoder = adversarial_gradient_to_encoder
        self.equilibrium_margin = equilibrium_margin
        self.loss: GeneratorLossName = loss
        self.blend = blend
        self.discriminator = nn.ModuleDict({k: nn.Sequential(*b) for k, b in blocks.items()})
        for module in self.discriminator.modules():
            begin(module, deviation)

    def examine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """D_l, (n, *features), and D's logits (n,) of images (n, *shape)."""
        here, hidden = 2 * x - 1, x
        for name, block in self.discriminator.items():
            here = block(here)
            if name == self.layer:
                hidden = here
        return hidden, here.squeeze(1)

    def discriminate(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits (n,) of the probability that images (n, *shape) come from the data."""
        return self.examine(x)[1]

    def answers(self, x: Tensor, condition: Tensor | None = None) -> Tensor | None:
        return self.discriminate(x, condition)

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        x, _ = next(data)
        q = self.encode(x)
        prior = q.divergence().mean()
        reconstructed = self.generate(q.sample(self.draw(len(x), x.device)))
        generated = self.generate(self.draw(len(x), x.device))
        features, real = self.examine(x)
        of_reconstructed, of_code = self.examine(reconstructed)
        fake = torch.cat([of_code, self.discriminate(generated)])
        error = self.error_in_features(features, of_reconstructed)
        adversarial = generator_loss(fake, self.loss, blend=self.blend)

        encoder_loss = prior + error
        if self.adversarial_gradient_to_encoder:
            encoder_loss = encoder_loss + adversarial
        losses = {
            "encoder": encoder_loss,
            "decoder": self.reconstruction_weight * error + adversarial,
            "discriminator": discriminator_loss(real, fake),
        }
        moves = self.gate(real, fake)
        players.descend(**{k: v for k, v in losses.items() if getattr(moves, k, True)})
        return {
            **{f"{name}_loss": loss.detach() for name, loss in losses.items()},
            "divergence": prior.detach(),
            "feature_error": error.detach(),
            "answer_real": real.detach().sigmoid().mean(),
            "answer_fake": fake.detach().sigmoid().mean(),
            "decoder_moves": torch.tensor(float(moves.decoder), device=x.device),
            "discriminator_moves": torch.tensor(float(moves.discriminator), device=x.device),
        }

    def error_in_features(self, features: Tensor, of_reconstructed: Tensor) -> Tensor:
        """−log N(D_l(x); D_l(x̃), I) of (n, *features), without its constant: a scalar, in nats."""
        return (features - of_reconstructed).flatten(1).square().sum(1).mean() / 2

    def gate(self, real: Tensor, fake: Tensor) -> Moves:
        """Who moves, from D's logits of data and of generated images.

        D alone is held where it is too far ahead, the decoder alone where D is too far behind.
        """
        if self.equilibrium_margin is None:
            return Moves(decoder=True, discriminator=True)
        with torch.no_grad():
            losses = (non_saturating(real).item(), non_saturating(-fake).item())
        ahead = min(losses) < EQUILIBRIUM - self.equilibrium_margin
        behind = max(losses) > EQUILIBRIUM + self.equilibrium_margin
        both = ahead == behind
        return Moves(decoder=both or not behind, discriminator=both or not ahead)

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        with torch.no_grad():
            self.discriminate(images)
        return super().misfit(images, labels)
