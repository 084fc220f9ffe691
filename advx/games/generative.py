"""Generative adversarial games (section 1.4.1): the algorithm, whatever the two networks are.

    for k steps:
        x, c  a minibatch of data, and its condition
        z     noise
        D descends  −log D(x, c) − log(1 − D(G(z, c), c))
    G descends its loss on D(G(z, c), c), with new noise (alternating) or with the last step's,
    before D has moved (simultaneous)

Source: Goodfellow et al. (2014a), algorithm 1.
"""

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset
from advx.data.minibatches import Minibatch
from advx.games.base import Game, Observer
from advx.games.diagnostics import LIMITS, diagnosed
from advx.games.losses import GeneratorLossName, discriminator_loss, generator_loss
from advx.games.players import Players
from advx.models.batch_statistics import minibatch_statistics
from advx.types import PositiveInt, Probability

DIAGNOSED = 256
"""Generated examples, of always the same z, that are looked at after every epoch."""

NoiseName = Literal["uniform", "wide_uniform", "gaussian"]
"""p(z): uniform on [−1, 1]ᵈ, uniform on [−√3, √3]ᵈ (unit variance), or a standard Gaussian."""

UpdatesName = Literal["alternating", "simultaneous"]
"""Whether G answers D's new parameters or those that D had when it moved."""


class LatentGame(Game):
    """A game one of whose networks makes examples from noise.

    Examples are in the data's own units. A condition is what the networks are given of an example
    besides: by default its class label, (n,) int64, which a game that is not conditional ignores.

    Args:
        latent: d, components of z.
        noise: p(z).
    """

    def __init__(self, latent: PositiveInt = 100, noise: NoiseName = "uniform") -> None:
        super().__init__()
        self.latent = latent
        self.noise = noise

    def draw(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """z, (count, latent), from torch's own generator of random numbers."""
        if self.noise != "gaussian":
            reach = 1.0 if self.noise == "uniform" else math.sqrt(3)
            return (torch.rand(count, self.latent, device=device) * 2 - 1) * reach
        return torch.randn(count, self.latent, device=device)

    def condition(self, images: Tensor, labels: Tensor) -> Tensor:
        """What the networks are given of images (n, *shape) with labels (n,): (n, ...)."""
        return labels

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """z (n, latent) to examples (n, *shape)."""
        raise NotImplementedError

    def answers(self, x: Tensor, condition: Tensor | None = None) -> Tensor | None:
        """A discriminator's logits (n,) of examples (n, *shape); None where there is none."""
        return None

    def observer(self, data: Dataset, shown: int) -> Observer:
        return GeneratorObserver(self, data, shown)


class GenerativeGame(LatentGame):
    """A generator and a discriminator.

    Args:
        latent: d, components of z.
        noise: p(z).
        discriminator_steps: k, updates of D for one of G.
        updates: whether G's update answers that of D or goes along with it.
        loss: what G minimizes.
        blend: the minimax loss's share in `loss=blended`.

    Attributes:
        generator, discriminator: the two networks.
        conditional: whether the condition is the class, and heeded.
    """

    players = ("generator", "discriminator")
    averaged = ("generator",)
    limits = LIMITS
    conditional: ClassVar[bool] = False
    generator: nn.Module
    discriminator: nn.Module

    def __init__(
        self,
        latent: PositiveInt = 100,
        noise: NoiseName = "uniform",
        discriminator_steps: PositiveInt = 1,
        updates: UpdatesName = "alternating",
        loss: GeneratorLossName = "non_saturating",
        blend: Probability = 0.5,
    ) -> None:
        super().__init__(latent, noise)
        self.discriminator_steps = self.minibatches_per_update = discriminator_steps
        self.updates = updates
        self.loss: GeneratorLossName = loss
        self.blend = blend

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """G(z): (n, latent) to examples (n, *shape)."""
        return self.generator(z)

    def discriminate(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits (n,) of the probability that examples (n, *shape) come from the data."""
        return self.discriminator(x).squeeze(1)

    def answers(self, x: Tensor, condition: Tensor | None = None) -> Tensor | None:
        return self.discriminate(x, condition)

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        for _ in range(self.discriminator_steps - 1):
            x, c = self.real(next(data))
            with torch.no_grad():
                fake = self.generate(self.draw(len(x), x.device), c)
            d_loss = discriminator_loss(self.discriminate(x, c), self.discriminate(fake, c))
            players.discriminator.descend(d_loss)

        x, c = self.real(next(data))
        simultaneous = self.updates == "simultaneous"
        with torch.set_grad_enabled(simultaneous):
            fake = self.generate(self.draw(len(x), x.device), c)
        real_logits, fake_logits = self.discriminate(x, c), self.discriminate(fake.detach(), c)
        d_loss = discriminator_loss(real_logits, fake_logits)
        if simultaneous:
            g_loss = self.generator_loss(self.discriminate(fake, c))
            players.descend(discriminator=d_loss, generator=g_loss)
        else:
            players.discriminator.descend(d_loss)
            fake = self.generate(self.draw(len(x), x.device), c)
            g_loss = self.generator_loss(self.discriminate(fake, c))
            players.generator.descend(g_loss)
        return {
            "discriminator_loss": d_loss.detach(),
            "generator_loss": g_loss.detach(),
            "answer_real": real_logits.detach().sigmoid().mean(),
            "answer_fake": fake_logits.detach().sigmoid().mean(),
        }

    def real(self, minibatch: Minibatch) -> tuple[Tensor, Tensor]:
        """A minibatch's examples and their condition."""
        x, labels = minibatch
        return x, self.condition(x, labels)

    def generator_loss(self, logits: Tensor) -> Tensor:
        """What G minimizes, from the logits (n,) of generated examples: a scalar."""
        return generator_loss(logits, self.loss, blend=self.blend)

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        with torch.no_grad():
            condition = self.condition(images, labels)
            made = self.generate(self.draw(len(images)), condition)
            self.discriminate(made, condition)
            answers = tuple(self.discriminate(images, condition).shape)
        if answers != (len(images),):
            return (
                f"its discriminator gives {answers} for {len(images)} examples, "
                f"({len(images)},) is needed"
            )
        same = made.shape[1:] == images.shape[1:]
        return "" if same else f"it generates examples {tuple(made.shape[1:])}"


class GeneratorObserver(Observer):
    """Generates from always the same z.

    Args:
        game: in evaluation mode whenever it is looked at.
        data: what it is trained on.
        shown: examples in a snapshot, their classes in turn.
    """

    def __init__(self, game: LatentGame, data: Dataset, shown: int) -> None:
        device, train = data.train.images.device, data.train
        self.game = game
        self.shown = shown
        self.z = game.draw(max(shown, DIAGNOSED), device)
        self.real = train.take(torch.randperm(len(train))[:DIAGNOSED])
        places = torch.arange(shown, device=device)
        self.wanted = game.condition(train.images[places % len(train)], places % data.classes)

    @torch.no_grad()
    def samples(self) -> Tensor:
        return self.game.generate(self.z[: self.shown], self.wanted)

    @torch.no_grad()
    def diagnose(self) -> dict[str, float]:
        real = self.real.images
        condition = self.game.condition(real, self.real.labels)
        fake = self.game.generate(self.z[: len(real)], condition)
        with minibatch_statistics(self.game):  # D, as the game asks it
            logits = [self.game.answers(x, condition) for x in (real, fake)]
        return diagnosed(real, fake, *logits)
