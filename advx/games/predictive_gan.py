"""Predictive generative networks: the next frame of a clip, under a learned loss (Figure 1.6).

    G: every frame → strided convolutions → LSTM → its last state → transposed convolutions → the
       next frame
    D: the history and a candidate for the next frame, as channels → strided convolutions → one
       logit

    x, y  a minibatch of histories and of the frames that followed
    D descends  −log D(x, y) − log(1 − D(x, G(x)))
    G descends  mean (G(x) − y)² − w log D(x, G(x))

w is the weight of the adversarial loss beside the squared error per pixel; with w = 0 there is no
game: nothing asks D, and D does not move. Nor does it in the first epochs, where these are for the
squared error alone, without which D wins before G has learned to move a head. G is given no noise.
Source: Lotter et al. (2015), with
layers of our own where theirs are not known here.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from advx.data.dataset import Dataset
from advx.data.minibatches import Minibatch
from advx.games.base import Game, Observer
from advx.games.diagnostics import Limit, ratio
from advx.games.losses import discriminator_loss, generator_loss
from advx.games.players import Players
from advx.types import NonNegative, NonNegativeInt, PositiveInt, Shape

InitializationName = Literal["uniform", "he"]
"""Of the layers before and after the LSTM: as PyTorch has it, or with the variance that ReLUs keep
from layer to layer (He et al. 2015)."""

SMALLEST = 4
"""Side that images are halved to."""

DIAGNOSED = 128
"""Training clips, always the same, that are predicted after every epoch."""

LIMITS = {"plateau": Limit(high=0.9, meaning="predictions are hardly better than the mean image")}
"""Chosen before the first run; what lies beyond is stored with the result."""


class PredictiveGAN(Game):
    """A network that predicts a frame, and one that discriminates predicted from real frames.

    Args:
        input_shape: shape of one clip, (frames, channels, side, side); the last frame is predicted.
        history: frames before it that G and D are given.
        adversarial_weight: w, of the adversarial loss over the squared error per pixel; 0 for the
            squared error alone.
        squared_error_epochs: at first, in which G descends the squared error alone.
        filters: of G's layer next to the pixels; twice as many in every layer further away.
        units: of the LSTM.
        initialization: of G.
        discriminator_filters: of D's layer next to the pixels, doubled likewise.
        slope: of D's leaky ReLUs.

    Raises:
        ValueError: a clip without so many frames, or images whose side is not 4 doubled once or
            more often.
    """

    players = ("generator", "discriminator")
    averaged = ("generator",)
    limits = LIMITS

    def __init__(
        self,
        *,
        input_shape: Shape,
        history: PositiveInt = 5,
        adversarial_weight: NonNegative = 1e-3,
        squared_error_epochs: NonNegativeInt = 0,
        filters: PositiveInt = 16,
        units: PositiveInt = 256,
        initialization: InitializationName = "uniform",
        discriminator_filters: PositiveInt = 16,
        slope: NonNegative = 0.2,
    ) -> None:
        super().__init__()
        channels, side = checked(input_shape, history)
        self.input_shape = tuple(input_shape)
        self.history = history
        self.adversarial_weight = adversarial_weight
        self.squared_error_epochs = squared_error_epochs
        halvings = (side // SMALLEST).bit_length() - 1
        self.generator = Predictor(channels, halvings, filters, units)
        if initialization == "he":
            he_initialize(self.generator)
        self.discriminator = FrameDiscriminator(
            (history + 1) * channels, halvings, discriminator_filters, slope
        )

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        x, y = self.parted(next(data)[0])
        predicted = self.predict(x)
        squared_error = mse_loss(predicted, y)
        if self.adversarial_weight == 0 or players.epoch <= self.squared_error_epochs:
            players.generator.descend(squared_error)
            return {"squared_error_loss": squared_error.detach()}

        real_logits, fake_logits = self.discriminate(x, y), self.discriminate(x, predicted.detach())
        d_loss = discriminator_loss(real_logits, fake_logits)
        players.discriminator.descend(d_loss)

        adversarial = generator_loss(self.discriminate(x, predicted))
        players.generator.descend(squared_error + self.adversarial_weight * adversarial)
        return {
            "squared_error_loss": squared_error.detach(),
            "discriminator_loss": d_loss.detach(),
            "generator_loss": adversarial.detach(),
            "answer_real": real_logits.detach().sigmoid().mean(),
            "answer_fake": fake_logits.detach().sigmoid().mean(),
        }

    def parted(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """The history (n, history, channels, side, side) of clips, and their last frame."""
        return clips[:, -1 - self.history : -1], clips[:, -1]

    def predict(self, x: Tensor) -> Tensor:
        """G(x): the frame (n, channels, side, side), in [0, 1], that follows a history x."""
        return self.generator(x)

    def discriminate(self, x: Tensor, y: Tensor) -> Tensor:
        """Logits (n,) of the probability that frames y follow the histories x in the data."""
        return self.discriminator(torch.cat([x, y[:, None]], 1).flatten(1, 2)).squeeze(1)

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        if tuple(images.shape[1:]) != self.input_shape:
            return f"it is for clips {self.input_shape}"
        with torch.no_grad():
            x, _ = self.parted(images)
            self.discriminate(x, self.predict(x))
        return ""

    def observer(self, data: Dataset, shown: int) -> Observer:
        return PredictionObserver(self, data, shown)


class Predictor(nn.Module):
    """G: a history (n, frames, channels, side, side) to the next frame (n, channels, side, side).

    Args:
        channels: of a frame.
        halvings: of its side, down to 4.
        filters: of the layer next to the pixels.
        units: of the LSTM.
    """

    def __init__(self, channels: int, halvings: int, filters: int, units: int) -> None:
        super().__init__()
        widths = [channels, *(filters * 2**k for k in range(halvings))]
        down, up = list[nn.Module](), list[nn.Module]()
        for near, far in pairwise(widths):
            down += [nn.Conv2d(near, far, 4, 2, padding=1), nn.ReLU()]
            up = [nn.ConvTranspose2d(far, near, 4, 2, padding=1), nn.ReLU(), *up]
        size = widths[-1] * SMALLEST**2
        self.encoder = nn.Sequential(*down, nn.Flatten())
        self.memory = nn.LSTM(size, units, batch_first=True)
        self.decoder = nn.Sequential(
            nn.Linear(units, size),
            nn.ReLU(),
            nn.Unflatten(1, (widths[-1], SMALLEST, SMALLEST)),
            *up[:-1],
            nn.Sigmoid(),
        )

    def forward(self, history: Tensor) -> Tensor:
        codes = self.encoder(history.flatten(0, 1)).unflatten(0, history.shape[:2])
        states, _ = self.memory(codes)  # (n, frames, units)
        return self.decoder(states[:, -1])


def he_initialize(network: nn.Module) -> None:
    """Weights from N(0, 2 / n), n being the inputs of an output; biases 0. Recurrent layers stay.

    A transposed convolution of stride s spreads its inputs: an output has k² / s² of each channel.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            inputs = float(layer.in_features)
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            inputs = layer.in_channels * math.prod(layer.kernel_size)
            if isinstance(layer, nn.ConvTranspose2d):
                inputs /= math.prod(layer.stride)
        else:
            continue
        nn.init.normal_(layer.weight, std=math.sqrt(2 / inputs))
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)


class FrameDiscriminator(nn.Sequential):
    """D: frames one after the other as channels (n, channels, side, side) to logits (n, 1).

    Args:
        channels: of all frames together.
        halvings: of their side, down to 4.
        filters: of the layer next to the pixels.
        slope: of the leaky ReLUs.
    """

    def __init__(self, channels: int, halvings: int, filters: int, slope: float) -> None:
        widths = [channels, *(filters * 2**k for k in range(halvings))]
        layers: list[nn.Module] = []
        for near, far in pairwise(widths):
            layers += [nn.Conv2d(near, far, 4, 2, padding=1), nn.LeakyReLU(slope)]
        super().__init__(*layers, nn.Flatten(), nn.Linear(widths[-1] * SMALLEST**2, 1))


class PredictionObserver(Observer):
    """Predicts always the same training clips.

    Args:
        game: in evaluation mode whenever it is looked at.
        data: what it is trained on.
        shown: predictions in a snapshot, at most.
    """

    def __init__(self, game: PredictiveGAN, data: Dataset, shown: int) -> None:
        clips = data.train.images
        self.game = game
        self.shown = shown
        self.x, self.y = game.parted(clips[torch.randperm(len(clips))[:DIAGNOSED]])
        _, frames = game.parted(clips)
        self.of_the_mean = mse_loss(frames.mean(0, keepdim=True).expand_as(self.y), self.y)

    @torch.no_grad()
    def samples(self) -> Tensor:
        return self.game.predict(self.x[: self.shown])

    @torch.no_grad()
    def diagnose(self) -> dict[str, float]:
        """The squared error per pixel, and over that of the mean image: about 1 on the plateau."""
        error = mse_loss(self.game.predict(self.x), self.y)
        return {"squared_error": error.item(), "plateau": ratio(error, self.of_the_mean)}


def checked(input_shape: Shape, history: int) -> tuple[int, int]:
    """Channels and side of a clip's frames.

    Raises:
        ValueError: see `PredictiveGAN`.
    """
    frames, channels, height, width = input_shape if len(input_shape) == 4 else (0, 0, 0, 0)
    if not frames:
        raise ValueError(
            f"predictive_gan: clips (frames, channels, side, side) are needed, not "
            f"{tuple(input_shape)}; valid: dataset=heads, dataset=bouncing_balls"
        )
    if frames <= history:
        raise ValueError(
            f"history={history}: clips of {frames} frames have no frame left to predict; "
            f"valid: 1 … {frames - 1}"
        )
    doublings = height // SMALLEST
    if height != width or doublings < 2 or doublings & (doublings - 1) or height % SMALLEST:
        raise ValueError(
            f"predictive_gan: square images of 8, 16, 32, 64 … pixels are needed, not "
            f"{height} × {width}"
        )
    return channels, height
