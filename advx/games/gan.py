"""The original generative adversarial network: fully connected, a maxout discriminator.

    G: z → ReLU 1200 → ReLU 1200 → sigmoid 784      D: x → maxout 240×5 → maxout 240×5 → sigmoid

G's weights start in U(±.05), D's in U(±.005); the output's biases start at the logits of the
data's mean image; D has dropout (.8 of the inputs, .5 of the units, kept ones rescaled), and, if
asked for, a bound on its filters' norms. Source: Goodfellow et al. (2014a), section 5.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from advx.games.generative import GenerativeGame, NoiseName, UpdatesName
from advx.games.losses import GeneratorLossName
from advx.models.base import features
from advx.models.layers import Dropout, Linear, Maxout
from advx.types import KeepProbability, Positive, PositiveInt, Probability, Shape

DARKEST = 1e-3
"""The mean image is kept this far from 0 and 1: a pixel that is always black has no logit."""


class GAN(GenerativeGame):
    """The fully connected game.

    Args:
        input_shape: shape of one image, (channels, height, width).
        latent: components of z.
        noise: p(z).
        generator_units: of each hidden layer of G.
        discriminator_units: of each hidden layer of D.
        pieces: affine functions under each maximum of D.
        generator_init: G's weights start in U(-generator_init, generator_init).
        discriminator_init: the same for D.
        keep_input: probability of keeping a component of D's input.
        keep_hidden: probability of keeping one of D's hidden units.
        max_column_norm: bound on the norm of each of D's filters; None for no bound.
        batch_norm: normalize G's hidden layers over the minibatch; the authors did not.
        discriminator_steps: k, updates of D for one of G.
        updates: whether G's update answers that of D or goes along with it.
        loss: what G minimizes.
        blend: the minimax loss's share in `loss=blended`.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        latent: PositiveInt = 100,
        noise: NoiseName = "wide_uniform",
        generator_units: tuple[PositiveInt, ...] = (1200, 1200),
        discriminator_units: tuple[PositiveInt, ...] = (240, 240),
        pieces: PositiveInt = 5,
        generator_init: Positive = 0.05,
        discriminator_init: Positive = 0.005,
        keep_input: KeepProbability = 0.8,
        keep_hidden: KeepProbability = 0.5,
        max_column_norm: Positive | None = None,
        batch_norm: bool = False,
        discriminator_steps: PositiveInt = 1,
        updates: UpdatesName = "simultaneous",
        loss: GeneratorLossName = "non_saturating",
        blend: Probability = 0.5,
    ) -> None:
        super().__init__(latent, noise, discriminator_steps, updates, loss, blend)
        n = features(input_shape)
        affine = partial(Linear, init_range=generator_init, max_column_norm=None)
        layers: list[nn.Module] = []
        for before, after in pairwise((latent, *generator_units)):
            layers += [affine(before, after), *rectified(after, batch_norm)]
        self.pixels = affine((latent, *generator_units)[-1], n)
        self.generator = nn.Sequential(*layers, *squashed(self.pixels, input_shape))

        maxout = partial(Maxout, init_range=discriminator_init, max_column_norm=max_column_norm)
        linear = partial(Linear, init_range=discriminator_init, max_column_norm=max_column_norm)
        layers = [nn.Flatten(), dropout(keep_input)]
        for before, after in pairwise((n, *discriminator_units)):
            layers += [maxout(before, after, pieces), dropout(keep_hidden)]
        layers.append(linear((n, *discriminator_units)[-1], 1))
        self.discriminator = nn.Sequential(*layers)

    def adapt(self, images: Tensor) -> None:
        begin_at_the_mean(self.pixels, images)


def rectified(units: int, batch_norm: bool) -> list[nn.Module]:
    """What stands above a hidden layer of G."""
    return [nn.BatchNorm1d(units), nn.ReLU()] if batch_norm else [nn.ReLU()]


def squashed(pixels: Linear, shape: Shape) -> list[nn.Module]:
    """G's output: from the pixels' logits to images of this shape in [0, 1]."""
    return [pixels, nn.Sigmoid(), nn.Unflatten(1, tuple(shape))]


def dropout(keep: float) -> Dropout:
    """Dropout whose survivors are multiplied by 1 / `keep`."""
    return Dropout(keep, scale=1 / keep)


def begin_at_the_mean(pixels: Linear, images: Tensor) -> None:
    """Set the biases of G's output to the logits of the mean of images (n, *shape)."""
    mean = images.flatten(1).mean(0).clamp(DARKEST, 1 - DARKEST)
    with torch.no_grad():
        pixels.bias.copy_(mean.logit())
