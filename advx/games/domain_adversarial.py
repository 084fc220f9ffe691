"""Domain-adversarial training: features that hide which domain an image is from (section 1.4.6).

    features f   conv5-32, pool, conv5-48, pool
    predictor y  100-100-classes on f(x)
    critic d     100-2 on f(x)

    x, c     a minibatch of source images and their classes, x' as many target images
    L_y      cross-entropy of y(f(x)) and c: of source images alone
    L_d      cross-entropy of d(f(·)) and the domain, of both
    λ      = strength · (2 / (1 + exp(−10 p)) − 1), p the share of the training that is over
    y descends L_y, d descends L_d, f descends L_y − λ L_d

in one of three ways: by gradient reversal, all in one backward pass of L_y + L_d; simultaneously,
each down its own loss; or alternating, d first, and f against what d has become. The first two are
the same steps. Source: Ganin and Lempitsky (2015), sections 3 and 4.
"""

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from advx.data.dataset import Dataset, Split
from advx.data.domains import SOURCE, TARGET
from advx.data.minibatches import chosen, endless
from advx.errors import ConfigError
from advx.games.base import Game, Observer
from advx.games.diagnostics import Limit, percent_wrong
from advx.games.multilayer import perceptron
from advx.games.players import Players
from advx.games.reversal import reversed_gradient
from advx.types import Positive, PositiveInt, Shape

WayName = Literal["reversal", "alternating", "simultaneous"]
"""How the three players move; see the head of this file."""

NetworkName = Literal["plain", "bn"]
"""The published layers, or these with batch normalization before every ReLU."""

KERNEL = 5
"""Side of the filters; no margin is added to an image."""

DIAGNOSED = 512
"""Training images, always the same, half of them of either domain, that are looked at."""

AT_ONCE = 1_000
"""Images in evaluation; only memory depends on it."""

LIMITS = {"source_error": Limit(high=80.0, meaning="the predictor guesses on the source as well")}
"""Chosen before the first run; what lies beyond is stored with the result."""


class DomainAdversarial(Game):
    """Features, a predictor of classes, and a critic of domains.

    Called on images (n, *input_shape), it is the classifier: logits (n, classes).

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        way: how the players move.
        network: without or with batch normalization; a minibatch of both domains is normalized
            together.
        strength: λ at the end; 0 for source only, where the critic still learns; negative for a
            critic that the features help.
        steepness: of λ's way from 0; None for a constant λ.
        channels: of the two convolutions.
        units: of the predictor's two hidden layers.
        critic_units: of the critic's hidden layer.
        stop_on_source: whether the epoch with the smallest error on source validation images is
            the one that is left, and early stopping goes by it; otherwise the last one is.

    Attributes:
        features: images less their mean to (n, d).
        predictor: (n, d) to logits (n, classes).
        critic: (n, d) to logits (n, 2) of source and target.
        mean: of the training images of both domains, input_shape.

    Raises:
        ValueError: images too small for two convolutions and poolings.
    """

    players = ("features", "predictor", "critic")
    limits = LIMITS
    mean: Tensor

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt = 10,
        way: WayName = "reversal",
        network: NetworkName = "plain",
        strength: float = 1.0,
        steepness: Positive | None = 10.0,
        channels: tuple[PositiveInt, PositiveInt] = (32, 48),
        units: tuple[PositiveInt, ...] = (100, 100),
        critic_units: PositiveInt = 100,
        stop_on_source: bool = False,
    ) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.way = way
        self.strength = strength
        self.steepness = steepness
        self.stop_on_source = stop_on_source
        normalized = network == "bn"
        self.register_buffer("mean", torch.zeros(self.input_shape))
        self.features, width = convolutions(self.input_shape, channels, normalized)
        self.predictor = perceptron((width, *units, classes), normalized)
        self.critic = perceptron((width, critic_units, 2), normalized)

    def adapt(self, images: Tensor) -> None:
        self.mean.copy_(images.mean(0))

    def represent(self, x: Tensor) -> Tensor:
        """f(x) of images (n, *input_shape): (n, d)."""
        return self.features(x - self.mean)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of images (n, *input_shape)."""
        return self.predictor(self.represent(x))

    def strength_at(self, progress: float) -> float:
        """λ, `progress` of the training being over."""
        if self.steepness is None:
            return self.strength
        return self.strength * (2 / (1 + math.exp(-self.steepness * progress)) - 1)

    def update(
        self, data: Iterator[tuple[Tensor, Tensor, Tensor]], players: Players
    ) -> dict[str, Tensor]:
        source, classes, target = next(data)
        strength = self.strength_at(players.progress)
        codes = self.represent(torch.cat([source, target]))
        label_loss = cross_entropy(self.predictor(codes[: len(source)]), classes)

        def domain_loss(of: Tensor) -> Tensor:
            domains = torch.full((len(of),), TARGET, device=of.device)
            domains[: len(source)] = SOURCE
            return cross_entropy(self.critic(of), domains)

        if self.way == "reversal":
            d_loss = domain_loss(reversed_gradient(codes, strength))
            players.descend_jointly(label_loss + d_loss)
        elif self.way == "simultaneous":
            d_loss = domain_loss(codes)
            against = label_loss - strength * d_loss
            players.descend(features=against, predictor=label_loss, critic=d_loss)
        else:
            players.critic.descend(domain_loss(codes.detach()))
            d_loss = domain_loss(codes)
            players.descend_jointly(label_loss - strength * d_loss, "features", "predictor")
        return {
            "label_loss": label_loss.detach(),
            "domain_loss": d_loss.detach(),
            "strength": torch.full_like(d_loss, strength),
        }

    def begin(self, data: Dataset) -> None:
        domains_of(data.train)

    def minibatches(self, train: Split, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Half a minibatch of source images with their classes, and of target images without."""
        source, target = domains_of(train)
        half = max(1, size // 2)
        draws = (endless(rows, min(half, len(source), len(target))) for rows in (source, target))
        for here, there in zip(*draws, strict=True):
            yield (*chosen(train, here), train.images.index_select(0, there))

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        if tuple(images.shape[1:]) != self.input_shape:
            return f"it is for images {self.input_shape}"
        with torch.no_grad():
            self(images)
        return ""

    def observer(self, data: Dataset, shown: int) -> Observer:
        return DomainObserver(self, data)

    def validation_error(self, validation: Split) -> float:
        if not self.stop_on_source or not len(validation):
            return float("nan")
        return error_rate(self, validation)


def convolutions(
    input_shape: Shape, channels: tuple[int, int], batch_norm: bool
) -> tuple[nn.Sequential, int]:
    """Two convolutions, each followed by 2 × 2 max pooling, and the number of features.

    Raises:
        ValueError: the images are too small.
    """
    layers: list[nn.Module] = []
    width, *size = input_shape
    for count in channels:
        norm = [nn.BatchNorm2d(count)] if batch_norm else []
        layers += [nn.Conv2d(width, count, KERNEL), *norm, nn.MaxPool2d(2), nn.ReLU()]
        width, size = count, [(side - KERNEL + 1) // 2 for side in size]
    if min(size) < 1:
        raise ValueError(
            f"domain_adversarial: two convolutions and poolings leave nothing of images "
            f"{tuple(input_shape)}; valid: sides from 16"
        )
    return nn.Sequential(*layers, nn.Flatten()), width * size[0] * size[1]


def domains_of(train: Split) -> tuple[Tensor, Tensor]:
    """Indices of the source's and of the target's examples.

    Raises:
        ConfigError: one of the two has none.
    """
    if train.groups is not None:
        source, target = ((train.groups == each).nonzero().squeeze(1) for each in (SOURCE, TARGET))
        if len(source) and len(target):
            return source, target
    raise ConfigError(
        "dataset: domain_adversarial needs training examples of two domains; "
        "advx.data.domains.pair makes a source and a target into one data set"
    )


@torch.no_grad()
def error_rate(model: nn.Module, split: Split) -> float:
    """Percent of the examples that a classifier is wrong about."""
    logits = torch.cat([model(x) for x in split.images.split(AT_ONCE)])
    return percent_wrong(logits, split.labels)


class DomainObserver(Observer):
    """What the critic and the predictor say of always the same training images.

    Args:
        game: in evaluation mode whenever it is looked at.
        data: what it is trained on; no label of the target is looked at.
    """

    def __init__(self, game: DomainAdversarial, data: Dataset) -> None:
        half = DIAGNOSED // 2
        rows = [each[torch.randperm(len(each))[:half]] for each in domains_of(data.train)]
        self.game = game
        self.source, self.target = (data.train.take(each) for each in rows)

    @torch.no_grad()
    def diagnose(self) -> dict[str, float]:
        """Error of the predictor on the source, and of the critic on both domains, in percent."""
        wrong = []
        for split, domain in ((self.source, SOURCE), (self.target, TARGET)):
            guess = self.game.critic(self.game.represent(split.images)).argmax(1)
            wrong.append((guess != domain).double().mean().item())
        return {
            "source_error": error_rate(self.game, self.source),
            "critic_error": 100 * sum(wrong) / 2,
        }
