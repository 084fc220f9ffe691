"""Output distribution matching: a reader is trained without one pair (section 1.4.5).

    x  sequences of digit images             y  sequences of labels, of other digits
    D  sees windows of consecutive symbols: labels, softened, and the reader's probabilities
    D descends its loss with labels as the real ones
    the reader descends its own on D's answers to what it reads

What the reader has to match is the distribution of label sequences. Where that looks the same under
a permutation of the symbols, as it does where all labels are equally likely and independent, the
labeling cannot be found. Probabilities are easily told from labels by being less certain: labels
are softened, and noise that vanishes as training goes on lies on both. Source of the task:
Sutskever et al. (2015); of the Wasserstein loss: Arjovsky et al. (2017), Gulrajani et al. (2017).
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from advx.data.dataset import Split
from advx.data.minibatches import Minibatch, endless
from advx.games.base import Game
from advx.games.losses import discriminator_loss, generator_loss
from advx.games.multilayer import hidden_layers
from advx.games.players import Players
from advx.models.principal_components import PrincipalComponents
from advx.types import AtLeastTwo, NonNegative, PositiveInt, Shape, Share

AdversaryName = Literal["non_saturating", "wasserstein"]
"""D as a classifier, or as a function whose slope is held near 1 and whose difference counts."""

FITTED = 10_000
"""Images, at most, from which the reader's principal components are computed."""

SLOPE = 0.2
"""Of D's leaky ReLUs."""


class DistributionMatching(Game):
    """A reader of images, and a discriminator of sequences of symbols.

    Args:
        input_shape: shape of one example, (length, *shape of an image).
        classes: k, symbols.
        window: consecutive symbols that D sees at once.
        adversary: what D and the reader descend.
        penalty: of D's slope, in `adversary=wasserstein`.
        softness: s, of a label, whose probability is 1 − s and the rest spread over all symbols.
        noise: standard deviation at first of the Gaussian noise on what D sees; it falls to 0 in
            proportion to the training that is left.
        components: principal components of an image that the reader sees.
        reader_units: of each hidden layer of the reader.
        discriminator_units: of each hidden layer of D.
        discriminator_steps: updates of D for one of the reader.

    Attributes:
        reader, discriminator: the two networks.

    Raises:
        ValueError: sequences that are shorter than the window, or of a single image.
    """

    players: ClassVar[tuple[str, ...]] = ("reader", "discriminator")

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: AtLeastTwo = 10,
        window: AtLeastTwo = 5,
        adversary: AdversaryName = "non_saturating",
        penalty: NonNegative = 10.0,
        softness: Share = 0.1,
        noise: NonNegative = 0.3,
        components: PositiveInt = 50,
        reader_units: tuple[PositiveInt, ...] = (200,),
        discriminator_units: tuple[PositiveInt, ...] = (200, 200),
        discriminator_steps: PositiveInt = 1,
    ) -> None:
        super().__init__()
        length, *shape = input_shape
        require_sequences(length, window)
        self.classes = classes
        self.window = window
        self.adversary: AdversaryName = adversary
        self.penalty = penalty
        self.softness = softness
        self.noise = noise
        self.discriminator_steps = self.minibatches_per_update = discriminator_steps
        widths = (components, *reader_units)
        self.reader = nn.Sequential(
            PrincipalComponents(tuple(shape), components),
            *hidden_layers(widths, 0.0, False, False),
            nn.Linear(widths[-1], classes),
        )
        widths = (window * classes, *discriminator_units)
        self.discriminator = nn.Sequential(
            nn.Flatten(), *hidden_layers(widths, SLOPE, False, False), nn.Linear(widths[-1], 1)
        )

    def adapt(self, images: Tensor) -> None:
        rows = torch.arange(min(FITTED, len(images) * images.shape[1]), device=images.device)
        components = self.reader[0]
        assert isinstance(components, PrincipalComponents)
        components.fit(images.flatten(0, 1)[rows])

    def minibatches(self, train: Split, size: int) -> Iterator[Minibatch]:
        """Images and labels in orders of their own: what stands side by side is no pair."""
        size = min(size, len(train))
        everything = torch.arange(len(train), device=train.labels.device)
        images, labels = endless(everything, size), endless(everything, size)
        while True:
            yield (
                train.images.index_select(0, next(images)),
                train.labels.index_select(0, next(labels)),
            )

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        deviation = self.noise * (1 - players.progress)
        for _ in range(self.discriminator_steps):
            x, labels = next(data)
            real = self.windows(noisy(self.soft(labels), deviation))
            with torch.no_grad():
                fake = self.windows(noisy(self.read(x).softmax(2), deviation))
            d_loss = players.discriminator.descend(self.discriminator_loss(real, fake))

        p = self.read(x).softmax(2)
        answers = self.discriminate(self.windows(noisy(p, deviation)))
        reader_loss = (
            -answers.mean() if self.adversary == "wasserstein" else generator_loss(answers)
        )
        players.reader.descend(reader_loss)
        return {
            "discriminator_loss": d_loss,
            "reader_loss": reader_loss.detach(),
            "certainty": p.detach().amax(2).mean(),
        }

    def read(self, x: Tensor) -> Tensor:
        """Sequences of images (n, length, *shape) to logits (n, length, k) of their labels."""
        return self.reader(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def soft(self, labels: Tensor) -> Tensor:
        """Labels (n, length) to probabilities (n, length, k) as the softness has them."""
        certain = one_hot(labels, self.classes).float()
        return (1 - self.softness) * certain + self.softness / self.classes

    def windows(self, p: Tensor) -> Tensor:
        """Symbols (n, length, k) to all windows of them, (m, window, k)."""
        return p.unfold(1, self.window, 1).permute(0, 1, 3, 2).flatten(0, 1)

    def discriminate(self, p: Tensor) -> Tensor:
        """D's answers (m,) to windows (m, window, k): larger for labels."""
        return self.discriminator(p).squeeze(1)

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What D descends, from windows (m, window, k) of labels and of what was read."""
        if self.adversary == "non_saturating":
            return discriminator_loss(self.discriminate(real), self.discriminate(fake))
        difference = self.discriminate(fake).mean() - self.discriminate(real).mean()
        return difference + self.penalty * self.steepness(real, fake)

    def steepness(self, real: Tensor, fake: Tensor) -> Tensor:
        """E (‖∇D‖ − 1)², a scalar, at random points between windows (m, window, k) of each."""
        share = torch.rand(len(real), 1, 1, device=real.device)
        between = torch.lerp(real, fake, share).requires_grad_()
        answers = self.discriminate(between).sum()
        (slope,) = torch.autograd.grad(answers, between, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        if images.dim() < 3:
            return "it is for sequences of images"
        with torch.no_grad():
            self.discriminate(self.windows(self.read(images).softmax(2)))
        return ""


def noisy(p: Tensor, deviation: float) -> Tensor:
    """Symbols (n, length, k) with Gaussian noise on every component."""
    return p + deviation * torch.randn_like(p)


def require_sequences(length: int, window: int) -> None:
    """Refuse sequences that have no structure, or fewer symbols than D is to see.

    Raises:
        ValueError: their length.
    """
    if length < 2:
        raise ValueError(
            f"input_shape: sequences of {length} image have no structure to match; valid: from 2"
        )
    if window > length:
        raise ValueError(f"window={window}: sequences have {length} images; valid: 2 … {length}")
