"""Predicted frames beside the real ones: those of a trained network, and two that need none.

squared error       mean over frames and pixels of (predicted − real)²
gradient energy     Σ |∇ predicted|² / Σ |∇ real|², over some pixels, in percent: what blur
                    takes away; noise adds to it
last frame          nothing moves
linear extrapolation  2 · last − second to last, kept in [0, 1]: every pixel goes on as it did
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import BATCH
from advx.games.predictive_gan import PredictiveGAN
from advx.training.load_or_train import TrainedGame


@dataclass(frozen=True)
class FrameMeasures:
    """How near predicted frames are to the real ones.

    Attributes:
        squared_error: per pixel, mean over all frames.
        sharpness: gradient energy of all pixels, over that of the real frames.
    """

    squared_error: float
    sharpness: float


@measurement(version=1)
@torch.no_grad()
def predicted_frames(trained: TrainedGame, clips: Tensor) -> Tensor:
    """The frames (n, channels, side, side) that a game predicts for clips' last ones.

    Args:
        trained: a predictive game.
        clips: (n, frames, channels, side, side); the last frame is not looked at.
    """
    game = cast(PredictiveGAN, trained.game)
    return torch.cat([game.predict(game.parted(part)[0]) for part in clips.split(BATCH)])


def last_frame(clips: Tensor) -> Tensor:
    """The frame before the last of clips (n, frames, ...): (n, ...)."""
    return refuse_short(clips, 2)[:, -2]


def linear_extrapolation(clips: Tensor) -> Tensor:
    """Where every pixel of clips (n, frames, ...) goes if it changes as before: (n, ...)."""
    before, last = refuse_short(clips, 3)[:, -3], clips[:, -2]
    return (2 * last - before).clamp(0, 1)


def refuse_short(clips: Tensor, fewest: int) -> Tensor:
    """The clips, (n, frames, ...), if they have so many frames.

    Raises:
        ConfigError: they have fewer.
    """
    if clips.shape[1] < fewest:
        raise ConfigError(f"clips of {clips.shape[1]} frames; valid: from {fewest} frames")
    return clips


@measurement(version=1)
def frame_measures(predicted: Tensor, real: Tensor) -> FrameMeasures:
    """The measures of predicted frames (n, channels, height, width) beside real ones."""
    return FrameMeasures(
        squared_error=mse_loss(predicted.double(), real.double()).item(),
        sharpness=(energy(predicted).sum() / energy(real).sum()).item(),
    )


def energy(images: Tensor) -> Tensor:
    """|∇x|² of images (n, channels, height, width), by central differences: (n, height, width).

    Summed over the channels; float64. One-sided at the edges.
    """
    down, right = torch.gradient(images.double(), dim=(-2, -1))
    return (down.square() + right.square()).sum(1)
