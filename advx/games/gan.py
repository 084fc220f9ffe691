"""The original generative adversarial network: fully connected, a maxout discriminator.

    G: z → ReLU 1200 → ReLU 1200 → sigmoid 784      D: x → maxout 240×5 → maxout 240×5 → sigmoid

G's weights start in U(±.05), D's in U(±.005); the output's biases start at the logits of the
data's mean picture; D has dropout (.8 of the inputs, .5 of the units, kept ones rescaled) and a
bound on its filters' norms. Source: Goodfellow et al. (2014a), section 5.
"""

import torch
from torch import Tensor, nn

from advx.games.generative import GenerativeGame, NoiseName, UpdatesName
from advx.games.losses import GeneratorLossName
from advx.models.base import features
from advx.models.layers import Dropout, Linear, Maxout
from advx.types import KeepProbability, Positive, PositiveInt, Probability, Shape

DARKEST = 1e-3
"""The mean picture is kept this far from 0 and 1: a pixel that is always black has no logit."""


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
        super().__init__(
            latent=latent,
            noise=noise,
            discriminator_steps=discriminator_steps,
            updates=updates,
            loss=loss,
            blend=blend,
        )
        n = features(input_shape)
        layers: list[nn.Module] = []
        for before, after in zip((latent, *generator_units), generator_units, strict=False):
            layers.append(_linear(before, after, generator_init))
            layers += [nn.BatchNorm1d(after), nn.ReLU()] if batch_norm else [nn.ReLU()]
        self.pixels = _linear((latent, *generator_units)[-1], n, generator_init)
        self.generator = nn.Sequential(
            *layers, self.pixels, nn.Sigmoid(), nn.Unflatten(1, tuple(input_shape))
        )
        critic: list[nn.Module] = [nn.Flatten(), Dropout(keep_input, scale=1 / keep_input)]
        for before, after in zip((n, *discriminator_units), discriminator_units, strict=False):
            critic += [
                Maxout(
                    before,
                    after,
                    pieces,
                    init_range=discriminator_init,
                    max_column_norm=max_column_norm,
                ),
                Dropout(keep_hidden, scale=1 / keep_hidden),
            ]
        last = (n, *discriminator_units)[-1]
        critic.append(
            Linear(last, 1, init_range=discriminator_init, max_column_norm=max_column_norm)
        )
        self.discriminator = nn.Sequential(*critic)

    def adapt(self, images: Tensor) -> None:
        mean = images.flatten(1).mean(0).clamp(DARKEST, 1 - DARKEST)
        with torch.no_grad():
            self.pixels.bias.copy_(mean.logit())


def _linear(before: int, after: int, init_range: float) -> Linear:
    return Linear(before, after, init_range=init_range, max_column_norm=None)
