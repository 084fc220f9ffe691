"""The conditional game: both networks are given the class (section 1.4.4).

    G: z → ReLU 200, y → ReLU 1000, both → ReLU 1200 → sigmoid 784
    D: x → maxout 240×5, y → maxout 50×5, both → maxout 240×4 → sigmoid

y is the class as a one-hot vector: the label of a real image, the wanted one of a generated one.
Source: Mirza and Osindero (2014), section 4.1.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from advx.games.gan import begin_at_the_mean, dropout, rectified, squashed
from advx.games.generative import GenerativeGame, NoiseName, UpdatesName
from advx.games.losses import GeneratorLossName
from advx.models.base import features
from advx.models.layers import Linear, Maxout
from advx.types import KeepProbability, Positive, PositiveInt, Probability, Shape


class ConditionalGAN(GenerativeGame):
    """The fully connected game with classes.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        latent: components of z.
        noise: p(z).
        noise_units: of G's layer above z.
        class_units: of G's layer above y.
        joint_units: of G's layer above both.
        image_units: of D's layer above x.
        label_units: of D's layer above y.
        top_units: of D's layer above both.
        pieces: affine functions under each maximum of D's lower layers.
        top_pieces: of its upper one.
        generator_init: G's weights start in U(-generator_init, generator_init).
        discriminator_init: the same for D.
        keep_input: probability of keeping a component of D's image.
        keep_hidden: probability of keeping one of D's hidden units.
        max_column_norm: bound on the norm of each of D's filters; None for no bound.
        batch_norm: normalize G's layers above z and above both over the minibatch; the authors did
            not.
        discriminator_steps: k, updates of D for one of G.
        updates: whether G's update answers that of D or goes along with it.
        loss: what G minimizes.
        blend: the minimax loss's share in `loss=blended`.
    """

    conditional = True

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        latent: PositiveInt = 100,
        noise: NoiseName = "wide_uniform",
        noise_units: PositiveInt = 200,
        class_units: PositiveInt = 1000,
        joint_units: PositiveInt = 1200,
        image_units: PositiveInt = 240,
        label_units: PositiveInt = 50,
        top_units: PositiveInt = 240,
        pieces: PositiveInt = 5,
        top_pieces: PositiveInt = 4,
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
        self.classes = classes
        n = features(input_shape)
        affine = partial(Linear, init_range=generator_init, max_column_norm=None)
        maxout = partial(Maxout, init_range=discriminator_init, max_column_norm=max_column_norm)
        linear = partial(Linear, init_range=discriminator_init, max_column_norm=max_column_norm)
        self.pixels = affine(joint_units, n)
        self.generator = nn.ModuleDict(
            {
                "z": nn.Sequential(
                    affine(latent, noise_units), *rectified(noise_units, batch_norm)
                ),
                "y": nn.Sequential(affine(classes, class_units), nn.ReLU()),
                "both": nn.Sequential(
                    affine(noise_units + class_units, joint_units),
                    *rectified(joint_units, batch_norm),
                    *squashed(self.pixels, input_shape),
                ),
            }
        )
        self.discriminator = nn.ModuleDict(
            {
                "x": nn.Sequential(
                    nn.Flatten(), dropout(keep_input), maxout(n, image_units, pieces)
                ),
                "y": maxout(classes, label_units, pieces),
                "both": nn.Sequential(
                    dropout(keep_hidden),
                    maxout(image_units + label_units, top_units, top_pieces),
                    dropout(keep_hidden),
                    linear(top_units, 1),
                ),
            }
        )

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        g = self.generator
        y = one_hot_vectors(condition, self.classes, z)
        return g["both"](torch.cat([g["z"](z), g["y"](y)], 1))  # type: ignore[index]

    def discriminate(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        d = self.discriminator
        y = one_hot_vectors(condition, self.classes, x)
        both = torch.cat([d["x"](x), d["y"](y)], 1)  # type: ignore[index]
        return d["both"](both).squeeze(1)  # type: ignore[index]

    def adapt(self, images: Tensor) -> None:
        begin_at_the_mean(self.pixels, images)


def one_hot_vectors(labels: Tensor | None, classes: int, like: Tensor) -> Tensor:
    """Classes (n,) as one-hot vectors (n, classes), in the type of another tensor.

    Raises:
        ValueError: no classes.
    """
    if labels is None:
        raise ValueError("a conditional game needs the classes of its examples")
    return one_hot(labels, classes).to(like)
