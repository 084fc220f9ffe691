"""The adversarial autoencoder: an adversary gives the codes their distribution (section 1.4.5).

    x  a minibatch of data
    reconstruction    encoder and decoder descend the squared error of Dec(Enc(x))
    regularization    D descends  −log D(z) − log(1 − D(Enc(x))), z from the prior p(z)
                      the encoder descends its own loss on D(Enc(x))
    classification    the encoder descends the cross-entropy on examples whose label is known

The codes of data are the generated examples here: D learns to tell draws from the prior, which are
the real ones, from them. The first game has one code and no labels. In the second one the code is a
class, one of k, and a style; each has a discriminator of its own, and with few labels the encoder
is a classifier, with none it sorts images into k clusters. The autoencoder's error, the adversary's
loss and the cross-entropy move the encoder one after the other, through one optimizer.

An encoder that gives every image the same class cannot be led back: its probabilities have
saturated. Batch normalization in its hidden layers kept it from there in a first trial on digits,
and is an option of the second game. Source: Makhzani et al. (2015), sections 2, 5 and 6; the
encoder is their deterministic one.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, one_hot

from advx.data.dataset import Dataset, Split
from advx.data.minibatches import Minibatch
from advx.errors import ConfigError
from advx.games.base import Observer
from advx.games.diagnostics import LIMITS, Limit
from advx.games.generative import LatentGame
from advx.games.losses import discriminator_loss, generator_loss
from advx.games.multilayer import encoder_and_decoder, hidden_layers
from advx.games.noise import GaussianNoise
from advx.games.partly_labeled import Labeled, PartlyLabeled, PartlyLabeledGame
from advx.games.players import Player, Players
from advx.games.priors import PriorName, prior_samples, require_dimension
from advx.models.batch_statistics import ENOUGH, recompute_statistics
from advx.types import AtLeastTwo, NonNegative, PositiveInt, Shape

Units = tuple[PositiveInt, ...]
"""Of each hidden layer."""


class Autoencoder(LatentGame):
    """What both games share: an encoder, a decoder, and the three phases' losses.

    Args:
        input_shape: shape of one example; decoded ones lie in [0, 1] where it is an image.
        latent: components that the decoder takes.
        codes: components that the encoder gives.
        units: of each hidden layer of the encoder; the decoder has them in the opposite order.
        regularization_weight: of the adversary's part in what the encoder descends; 0 for a plain
            autoencoder beside which D learns in vain.
        batch_norm: normalize the encoder's hidden layers over the minibatch.

    Attributes:
        encoder, decoder: the two networks.
    """

    averaged = ()
    limits: ClassVar[Mapping[str, Limit]] = {
        name: limit for name, limit in LIMITS.items() if name != "confidence"
    }

    def __init__(
        self,
        input_shape: Shape,
        latent: int,
        codes: int,
        units: Units,
        regularization_weight: float,
        batch_norm: bool = False,
    ) -> None:
        super().__init__(latent, noise="gaussian")
        self.regularization_weight = regularization_weight
        self.encoder, self.decoder = encoder_and_decoder(
            input_shape, latent, codes, units, batch_norm
        )

    def encode(self, x: Tensor) -> Tensor:
        """Examples (n, *shape) to what the decoder takes, (n, latent)."""
        raise NotImplementedError

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Dec(z): (n, latent) to examples (n, *shape)."""
        return self.decoder(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Examples (n, *shape) as the decoder makes them of their codes."""
        return self.generate(self.encode(x))

    def reconstruction(self, x: Tensor, players: Players) -> dict[str, Tensor]:
        """The reconstruction phase; returns the mean squared error of a component."""
        error = mse_loss(self.reconstruct(x), x)
        return {"reconstruction_loss": players.descend(encoder=error, decoder=error)["encoder"]}

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        with torch.no_grad():
            made = self.reconstruct(images)
        same = made.shape == images.shape
        return "" if same else f"it reconstructs examples as {tuple(made.shape[1:])}"


def code_discriminator(codes: int, units: Units, noise: float) -> nn.Sequential:
    """D: codes (n, codes) to logits (n, 1), with Gaussian noise on them in training."""
    widths = (codes, *units)
    return nn.Sequential(
        GaussianNoise(noise), *hidden_layers(widths, 0.0, False, False), nn.Linear(widths[-1], 1)
    )


def discriminator_step(
    player: Player, discriminator: nn.Module, real: Tensor, fake: Tensor
) -> Tensor:
    """D's step of the regularization phase; returns its loss.

    Args:
        player: D, as a player.
        discriminator: D, as a network.
        real: draws (n, codes) from the prior.
        fake: codes (n, codes) of data, apart from the encoder.
    """
    answers = discriminator(real).squeeze(1), discriminator(fake).squeeze(1)
    return player.descend(discriminator_loss(*answers))


class AdversarialAutoencoder(Autoencoder):
    """An autoencoder whose codes follow a prior.

    Args:
        input_shape: shape of one example; decoded ones lie in [0, 1] where it is an image.
        latent: components of a code.
        prior: p(z).
        units: of each hidden layer of the encoder; the decoder has them in the opposite order.
        discriminator_units: of each hidden layer of D.
        code_noise: standard deviation of the Gaussian noise on D's input in training.
        regularization_weight: of the adversary's part in what the encoder descends; 0 for a plain
            autoencoder.

    Attributes:
        encoder, decoder, discriminator: the three networks.

    Raises:
        ValueError: a prior of another dimension than the code.
    """

    players: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "discriminator")

    def __init__(
        self,
        *,
        input_shape: Shape,
        latent: PositiveInt = 2,
        prior: PriorName = "gaussian",
        units: Units = (1000, 1000),
        discriminator_units: Units = (1000, 1000),
        code_noise: NonNegative = 0.3,
        regularization_weight: NonNegative = 1.0,
    ) -> None:
        require_dimension(prior, latent)
        super().__init__(input_shape, latent, latent, units, regularization_weight)
        self.prior: PriorName = prior
        self.discriminator = code_discriminator(latent, discriminator_units, code_noise)

    def draw(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """z, (count, latent), from the prior."""
        return prior_samples(self.prior, count, self.latent, device)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def discriminate(self, z: Tensor) -> Tensor:
        """Logits (n,) of the probability that codes (n, latent) come from the prior."""
        return self.discriminator(z).squeeze(1)

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        x, _ = next(data)
        return self.reconstruction(x, players) | self.regularization(x, players)

    def regularization(self, x: Tensor, players: Players) -> dict[str, Tensor]:
        """The regularization phase: D, then the encoder against the D that has moved."""
        fake = self.encode(x)
        real = self.draw(len(x), x.device)
        d_loss = discriminator_step(players.discriminator, self.discriminator, real, fake.detach())
        g_loss = generator_loss(self.discriminate(fake))
        players.encoder.descend(self.regularization_weight * g_loss)
        return {"discriminator_loss": d_loss, "encoder_loss": g_loss.detach()}


class CategoricalAutoencoder(PartlyLabeledGame, Autoencoder):
    """An autoencoder whose code is a class and a style: for few labels, or for clustering.

    Args:
        input_shape: shape of one example; decoded ones lie in [0, 1] where it is an image.
        classes: k, of the code; without labels any number of clusters.
        style: components of the style, whose prior is N(0, I).
        labeled: labels that may be used, as many of each class, or `all`; None for none.
        labeled_batch_size: labeled examples in a minibatch.
        units: of each hidden layer of the encoder; the decoder has them in the opposite order.
        discriminator_units: of each hidden layer of either discriminator.
        code_noise: standard deviation of the Gaussian noise on their inputs in training.
        regularization_weight: of the adversaries' part in what the encoder descends.
        batch_norm: normalize the encoder's hidden layers over the minibatch; the statistics of
            evaluation are computed again after every epoch, from training images.

    Attributes:
        encoder, decoder, class_discriminator, style_discriminator: the four networks.
    """

    players: ClassVar[tuple[str, ...]] = (
        "encoder",
        "decoder",
        "class_discriminator",
        "style_discriminator",
    )

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: AtLeastTwo = 10,
        style: PositiveInt = 10,
        labeled: Labeled = None,
        labeled_batch_size: AtLeastTwo = 100,
        units: Units = (1000, 1000),
        discriminator_units: Units = (1000, 1000),
        code_noise: NonNegative = 0.3,
        regularization_weight: NonNegative = 1.0,
        batch_norm: bool = True,
    ) -> None:
        codes = classes + style
        super().__init__(input_shape, codes, codes, units, regularization_weight, batch_norm)
        self.classes = classes
        self.labeled = labeled
        self.labeled_batch_size = labeled_batch_size
        self.class_discriminator = code_discriminator(classes, discriminator_units, code_noise)
        self.style_discriminator = code_discriminator(
            self.latent - classes, discriminator_units, code_noise
        )

    def draw(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """A class, all equally likely, as zeros and a one, and a style: (count, latent)."""
        drawn = torch.randint(self.classes, (count,), device=device)
        style = torch.randn(count, self.latent - self.classes, device=device)
        return torch.cat([one_hot(drawn, self.classes).to(style), style], 1)

    def classify(self, x: Tensor) -> Tensor:
        """Logits (n, k) of the classes of examples (n, *shape)."""
        return self.encoder(x)[:, : self.classes]

    def encode(self, x: Tensor) -> Tensor:
        """The classes' probabilities and the style, (n, latent)."""
        logits, style = self.parts(self.encoder(x))
        return torch.cat([logits.softmax(1), style], 1)

    def parts(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """What of codes (n, latent) is the class (n, k), and what the style."""
        return codes[:, : self.classes], codes[:, self.classes :]

    def update(self, data: Iterator[PartlyLabeled], players: Players) -> dict[str, Tensor]:
        x, labeled = next(data)
        return (
            self.reconstruction(x, players)
            | self.regularization(x, players)
            | self.classification(labeled, players)
        )

    def after_epoch(self, train: Split) -> None:
        recompute_statistics(self.encoder, train.images[train.spaced(ENOUGH)])

    def regularization(self, x: Tensor, players: Players) -> dict[str, Tensor]:
        """The regularization phase: both discriminators, then the encoder against the two."""
        fake = self.parts(self.encode(x))
        real = self.parts(self.draw(len(x), x.device))
        networks = self.class_discriminator, self.style_discriminator
        moving = players.class_discriminator, players.style_discriminator
        class_loss, style_loss = (
            discriminator_step(player, network, prior, code.detach())
            for player, network, prior, code in zip(moving, networks, real, fake, strict=True)
        )
        g_loss = torch.stack(
            [
                generator_loss(network(code).squeeze(1))
                for network, code in zip(networks, fake, strict=True)
            ]
        ).sum()
        players.encoder.descend(self.regularization_weight * g_loss)
        return {
            "class_discriminator_loss": class_loss,
            "style_discriminator_loss": style_loss,
            "encoder_loss": g_loss.detach(),
        }

    def classification(self, labeled: Minibatch | None, players: Players) -> dict[str, Tensor]:
        """The classification phase, where there are labels."""
        if labeled is None:
            return {}
        x, y = labeled
        return {"label_loss": players.encoder.descend(cross_entropy(self.classify(x), y))}


class LabelsOnly(CategoricalAutoencoder):
    """The baseline: the same encoder, which descends the cross-entropy on its labels and no more.

    Of one seed it begins with the same parameters as the game and is shown the same labels.

    Args:
        labeled: as above; there must be some.

    Raises:
        ConfigError: there are none.
    """

    players: ClassVar[tuple[str, ...]] = ("encoder",)
    limits: ClassVar[Mapping[str, Limit]] = {}

    def begin(self, data: Dataset) -> None:
        if self.labeled is None:
            raise ConfigError("game.labeled=null: it learns from labels alone; valid: from 1, all")
        super().begin(data)

    def observer(self, data: Dataset, shown: int) -> Observer:
        return Observer()  # what its decoder makes is of no interest

    def update(self, data: Iterator[PartlyLabeled], players: Players) -> dict[str, Tensor]:
        return self.classification(next(data)[1], players)
