"""A game of two small ReLU networks for points of the plane, or any vector, and stacked digits.

Batch normalization can be put into either network: the subject of `gan_collapse`. As in Radford et
al. (2015), real and generated examples are normalized apart from each other, and D's first layer is
not: if it were, D could see neither where a batch lies nor how large it is.
"""

from itertools import pairwise

from torch import nn

from advx.games.generative import GenerativeGame, NoiseName, UpdatesName
from advx.games.losses import GeneratorLossName
from advx.games.noise import GaussianNoise
from advx.models.base import features
from advx.types import NonNegative, PositiveInt, Probability, Shape


class MultilayerGame(GenerativeGame):
    """ReLU layers in both networks, a linear layer on top of each.

    Args:
        input_shape: shape of one example.
        latent: components of z.
        noise: p(z).
        generator_units: of each hidden layer of G.
        discriminator_units: of each hidden layer of D.
        batch_norm_generator: normalize the hidden layers of G over the minibatch.
        batch_norm_discriminator: those of D but the first.
        batch_norm_first: that one too, where those of D are normalized.
        slope: of D's units where they are negative; 0 makes them ReLUs.
        spread: factor of G's first weights; at 0 it begins as a single point.
        offset: added to the first biases of G's output: how far from 0 it begins.
        discriminator_steps: k, updates of D for one of G.
        updates: whether G's update answers that of D or goes along with it.
        loss: what G minimizes.
        blend: the minimax loss's share in `loss=blended`.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        latent: PositiveInt = 16,
        noise: NoiseName = "gaussian",
        generator_units: tuple[PositiveInt, ...] = (128, 128),
        discriminator_units: tuple[PositiveInt, ...] = (128, 128),
        batch_norm_generator: bool = False,
        batch_norm_discriminator: bool = False,
        batch_norm_first: bool = False,
        slope: NonNegative = 0.0,
        spread: Probability = 1.0,
        offset: float = 0.0,
        discriminator_steps: PositiveInt = 1,
        updates: UpdatesName = "alternating",
        loss: GeneratorLossName = "non_saturating",
        blend: Probability = 0.5,
    ) -> None:
        super().__init__(latent, noise, discriminator_steps, updates, loss, blend)
        n = features(input_shape)
        top = nn.Linear((latent, *generator_units)[-1], n)
        top.bias.data.add_(offset)
        self.generator = nn.Sequential(
            *hidden_layers(
                (latent, *generator_units), 0.0, batch_norm_generator, batch_norm_generator
            ),
            top,
            nn.Unflatten(1, tuple(input_shape)),
        )
        self.discriminator = nn.Sequential(
            nn.Flatten(),
            *hidden_layers(
                (n, *discriminator_units),
                slope,
                batch_norm_discriminator,
                batch_norm_discriminator and batch_norm_first,
            ),
            nn.Linear((n, *discriminator_units)[-1], 1),
        )
        if spread < 1:
            first = self.generator[0]
            assert isinstance(first, nn.Linear)
            first.weight.data.mul_(spread)


def hidden_layers(
    widths: tuple[int, ...],
    slope: float = 0.0,
    batch_norm: bool = False,
    batch_norm_first: bool = False,
    noise: float = 0.0,
) -> list[nn.Module]:
    """Linear layers from `widths[0]` components to `widths[-1]`, with a ReLU on each.

    Args:
        widths: components of the input, and units of each layer.
        slope: of the units where they are negative; 0 makes them ReLUs.
        batch_norm: normalize every layer but the first over the minibatch.
        batch_norm_first: normalize the first one.
        noise: standard deviation of Gaussian noise that training adds before each ReLU.
    """
    layers: list[nn.Module] = []
    for depth, (before, after) in enumerate(pairwise(widths)):
        layers.append(nn.Linear(before, after))
        if batch_norm if depth else batch_norm_first:
            layers.append(nn.BatchNorm1d(after))
        if noise:
            layers.append(GaussianNoise(noise))
        layers.append(nn.LeakyReLU(slope) if slope else nn.ReLU())
    return layers


def perceptron(widths: tuple[int, ...], batch_norm: bool = False) -> nn.Sequential:
    """ReLU layers under an affine one: (n, widths[0]) to (n, widths[-1])."""
    hidden = hidden_layers(widths[:-1], 0.0, batch_norm, batch_norm)
    return nn.Sequential(*hidden, nn.Linear(widths[-2], widths[-1]))


def encoder_and_decoder(
    input_shape: Shape, latent: int, codes: int, units: tuple[int, ...], batch_norm: bool = False
) -> tuple[nn.Sequential, nn.Sequential]:
    """Two networks of ReLU layers, for an autoencoder.

    Args:
        input_shape: shape of one example; decoded ones lie in [0, 1] where it is an image.
        latent: components that the decoder takes.
        codes: components that the encoder gives.
        units: of each hidden layer of the encoder; the decoder has them in the opposite order.
        batch_norm: normalize the encoder's hidden layers over the minibatch.
    """
    n, shape = features(input_shape), tuple(input_shape)
    down, up = (n, *units), (latent, *reversed(units))
    encoder = nn.Sequential(
        nn.Flatten(),
        *hidden_layers(down, 0.0, batch_norm, batch_norm),
        nn.Linear(down[-1], codes),
    )
    decoder = nn.Sequential(
        *hidden_layers(up, 0.0, False, False),
        nn.Linear(up[-1], n),
        nn.Sigmoid() if len(shape) == 3 else nn.Identity(),
        nn.Unflatten(1, shape),
    )
    return encoder, decoder
