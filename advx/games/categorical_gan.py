"""The categorical GAN: a discriminator that sorts its input into k classes (section 1.4.5).

    x        a minibatch of data, without labels
    z        noise
    D ascends    H[mean p(x)] − E H[p(x)] + E H[p(G(z))]
    D descends   λ · cross-entropy, on examples whose label is known, where there are any
    G ascends    H[mean p(G(z))] − E H[p(G(z))]

p(x) are D's probabilities (k,) of the classes. Of data D is to be certain, of generated examples
not, and all classes are to be used alike; G makes examples of which D is certain. Without G the
same network maximizes the mutual information of its input and its answer: regularized information
maximization (Krause et al. 2010), the control.

Batch normalization in D sees data, generated and labeled examples in turn. Each pass of training is
normalized by its own batch. For evaluation the statistics are computed again after every epoch,
from training images without their labels (`recompute_statistics`). Source: Springenberg (2016),
equations 7 to 11.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from advx.data.dataset import Dataset, Split
from advx.data.minibatches import Minibatch
from advx.errors import ConfigError
from advx.games.base import Observer
from advx.games.diagnostics import LIMITS, Limit
from advx.games.entropies import conditional_entropy, marginal_entropy
from advx.games.generative import LatentGame, NoiseName
from advx.games.multilayer import hidden_layers
from advx.games.noise import GaussianNoise
from advx.games.partly_labeled import Labeled, PartlyLabeled, PartlyLabeledGame
from advx.games.players import Players
from advx.models.base import features
from advx.models.batch_statistics import ENOUGH, recompute_statistics
from advx.types import AtLeastTwo, NonNegative, PositiveInt, Shape

SLOPE = 0.1
"""Of the leaky ReLUs."""


class CategoricalGAN(PartlyLabeledGame, LatentGame):
    """A generator and a discriminator of k classes, both of fully connected layers.

    Args:
        input_shape: shape of one example; what G makes lies in [0, 1] where it is an image.
        classes: k.
        labeled: labels that may be used, as many of each class, or `all`; None for none.
        labeled_batch_size: labeled examples in a minibatch.
        label_weight: λ, of the cross-entropy.
        latent: components of z.
        noise: p(z).
        generator_units: of each hidden layer of G.
        discriminator_units: of each hidden layer of D.
        batch_norm: normalize the hidden layers of both over the minibatch.
        input_noise: standard deviation of the Gaussian noise on D's input in training.
        hidden_noise: the same in each of D's hidden layers.

    Attributes:
        generator, discriminator: the two networks.
    """

    players: ClassVar[tuple[str, ...]] = ("generator", "discriminator")
    averaged = ()
    limits: ClassVar[Mapping[str, Limit]] = {
        name: limit for name, limit in LIMITS.items() if name != "confidence"
    }

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: AtLeastTwo = 10,
        labeled: Labeled = None,
        labeled_batch_size: AtLeastTwo = 100,
        label_weight: NonNegative = 1.0,
        latent: PositiveInt = 128,
        noise: NoiseName = "uniform",
        generator_units: tuple[PositiveInt, ...] = (500, 500, 1000),
        discriminator_units: tuple[PositiveInt, ...] = (1000, 500, 250, 250, 250),
        batch_norm: bool = True,
        input_noise: NonNegative = 0.3,
        hidden_noise: NonNegative = 0.5,
    ) -> None:
        super().__init__(latent, noise)
        self.classes = classes
        self.labeled = labeled
        self.labeled_batch_size = labeled_batch_size
        self.label_weight = label_weight
        n, shape = features(input_shape), tuple(input_shape)
        if "generator" in self.players:
            widths = (latent, *generator_units)
            self.generator = nn.Sequential(
                *hidden_layers(widths, 0.0, batch_norm, batch_norm),
                nn.Linear(widths[-1], n),
                nn.Sigmoid() if len(shape) == 3 else nn.Identity(),
                nn.Unflatten(1, shape),
            )
        widths = (n, *discriminator_units)
        self.discriminator = nn.Sequential(
            nn.Flatten(),
            GaussianNoise(input_noise),
            *hidden_layers(widths, SLOPE, batch_norm, batch_norm, hidden_noise),
            nn.Linear(widths[-1], classes),
        )

    def update(self, data: Iterator[PartlyLabeled], players: Players) -> dict[str, Tensor]:
        x, labels = next(data)
        fake = self.generate(self.draw(len(x), x.device))
        on_data, on_fake = self.discriminate(x), self.discriminate(fake.detach())
        marginal, certain = marginal_entropy(on_data), conditional_entropy(on_data)
        uncertain = conditional_entropy(on_fake)
        likelihood = self.label_loss(labels, x)
        d_loss = players.discriminator.descend(
            -marginal + certain - uncertain + self.label_weight * likelihood
        )

        on_fake = self.discriminate(self.generate(self.draw(len(x), x.device)))
        g_loss = players.generator.descend(
            -marginal_entropy(on_fake) + conditional_entropy(on_fake)
        )
        return {
            "discriminator_loss": d_loss,
            "generator_loss": g_loss,
            "label_loss": likelihood.detach(),
            "marginal_entropy": marginal.detach(),
            "data_entropy": certain.detach(),
            "generated_entropy": uncertain.detach(),
        }

    def label_loss(self, labeled: Minibatch | None, like: Tensor) -> Tensor:
        """The cross-entropy on labeled examples, a scalar on the device of `like`; 0 for none."""
        if labeled is None:
            return like.new_zeros(())
        x, y = labeled
        return cross_entropy(self.discriminate(x), y)

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """G(z): (n, latent) to examples (n, *shape)."""
        return self.generator(z)

    def discriminate(self, x: Tensor) -> Tensor:
        """Logits (n, k) of the classes of examples (n, *shape)."""
        return self.discriminator(x)

    def after_epoch(self, train: Split) -> None:
        recompute_statistics(self.discriminator, train.images[train.spaced(ENOUGH)])

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        with torch.no_grad():
            self.discriminate(images)
            made = self.generate(self.draw(len(images)))
            self.discriminate(made)
        same = made.shape[1:] == images.shape[1:]
        return "" if same else f"it generates examples {tuple(made.shape[1:])}"


class InformationMaximization(CategoricalGAN):
    """The same discriminator without a generator: regularized information maximization.

    Args:
        input_shape: shape of one example.
        classes: k.
        labeled: labels that may be used, as many of each class, or `all`; None for none.
        labeled_batch_size: labeled examples in a minibatch.
        label_weight: λ, of the cross-entropy.
        discriminator_units: of each hidden layer.
        batch_norm: normalize the hidden layers over the minibatch.
        input_noise: standard deviation of the Gaussian noise on the input in training.
        hidden_noise: the same in each hidden layer.
        penalty: R, times half the squared norm of all weight matrices, is descended besides.
        information_weight: of the mutual information; 0 leaves the labels alone, the baseline.

    Attributes:
        discriminator: the network.

    Raises:
        ConfigError: neither labels nor information to learn from.
    """

    players = ("discriminator",)
    limits: ClassVar[Mapping[str, Limit]] = {}

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: AtLeastTwo = 10,
        labeled: Labeled = None,
        labeled_batch_size: AtLeastTwo = 100,
        label_weight: NonNegative = 1.0,
        discriminator_units: tuple[PositiveInt, ...] = (1000, 500, 250, 250, 250),
        batch_norm: bool = True,
        input_noise: NonNegative = 0.3,
        hidden_noise: NonNegative = 0.5,
        penalty: NonNegative = 0.0,
        information_weight: NonNegative = 1.0,
    ) -> None:
        if labeled is None and not information_weight:
            raise ConfigError(
                "game.information_weight=0: with game.labeled=null there is nothing to learn from; "
                "valid: labels, or a larger weight"
            )
        super().__init__(
            input_shape=input_shape,
            classes=classes,
            labeled=labeled,
            labeled_batch_size=labeled_batch_size,
            label_weight=label_weight,
            discriminator_units=discriminator_units,
            batch_norm=batch_norm,
            input_noise=input_noise,
            hidden_noise=hidden_noise,
        )
        self.penalty = penalty
        self.information_weight = information_weight

    def update(self, data: Iterator[PartlyLabeled], players: Players) -> dict[str, Tensor]:
        x, labels = next(data)
        on_data = self.discriminate(x)
        marginal, certain = marginal_entropy(on_data), conditional_entropy(on_data)
        likelihood = self.label_loss(labels, x)
        d_loss = players.discriminator.descend(
            self.information_weight * (certain - marginal)
            + self.label_weight * likelihood
            + self.penalty * self.weights()
        )
        return {
            "discriminator_loss": d_loss,
            "label_loss": likelihood.detach(),
            "marginal_entropy": marginal.detach(),
            "data_entropy": certain.detach(),
        }

    def weights(self) -> Tensor:
        """Half the squared norm of all weight matrices, a scalar."""
        squares = [p.square().sum() for p in self.discriminator.parameters() if p.dim() > 1]
        return torch.stack(squares).sum() / 2

    def observer(self, data: Dataset, shown: int) -> Observer:
        return Observer()

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        with torch.no_grad():
            self.discriminate(images)
        return ""
