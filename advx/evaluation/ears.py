"""Does a predicted head have its ears? Measures on twins: every head with ears and without.

A network predicts the same head twice, from a history with ears and from one without.

    hits, false ears    how often a probe sees ears in the two predictions
    AUC                 how often the probe's logit is larger for a prediction of a head with ears
                        than for one without (ties count half): whether ears are where they belong,
                        whatever the probe's threshold
    error in ears       share of the squared error that lies in the pixels in which ears are seen
    ear energy          gradient energy in these pixels, over that of the real frames

Hits alone would praise a network that gives everyone ears, and energy alone one that makes noise.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from advx.data.heads import Twins
from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.predicted_frames import energy, last_frame, predicted_frames
from advx.evaluation.transfer import BATCH
from advx.games.predictive_gan import PredictiveGAN
from advx.training.load_or_train import TrainedGame


@dataclass(frozen=True)
class Frames:
    """One frame of every head, with ears in its history and without.

    Attributes:
        eared, earless: (n, channels, side, side).
    """

    eared: Tensor
    earless: Tensor


@dataclass(frozen=True)
class EarMeasures:
    """What predictions make of ears.

    Attributes:
        hits: percent of the heads with ears in whose frame the probe sees them.
        predicted_ears: percent of the same where, besides, the frame is a prediction: its squared
            error is below the mean one of the last frame that is given. Noise can look like ears.
        false_ears: percent of the heads without in whose frame it sees some.
        auc: area under the probe's curve of the two, 0.5 for guesses.
        ear_energy: gradient energy where ears are, over that of the real frames.
        error_in_ears: percent of the squared error that lies where ears are; NaN without error.
    """

    hits: float
    predicted_ears: float
    false_ears: float
    auc: float
    ear_energy: float
    error_in_ears: float


UNITS = {
    "squared_error": "squared error",
    "sharpness": "ratio",
    "auc": "area",
    "ear_energy": "ratio",
    "error_in_ears": "percent of the squared error",
    "pixels_in_ears": "percent of pixels",
}
"""The others are percent of the heads."""


def real_frames(twins: Twins) -> Frames:
    """The last frames of twins themselves: what is to be predicted."""
    return Frames(twins.eared[:, -1], twins.earless[:, -1])


def without_ears(twins: Twins) -> Frames:
    """Perfect predictions but for the ears: nobody has any."""
    return Frames(twins.earless[:, -1], twins.earless[:, -1])


@measurement(version=1)
def predicted_twins(trained: TrainedGame, twins: Twins) -> Frames:
    """What a game predicts for the last frames of twins."""
    return Frames(predicted_frames(trained, twins.eared), predicted_frames(trained, twins.earless))


@measurement(version=1)
def ear_measures(frames: Frames, twins: Twins, probe: nn.Module) -> EarMeasures:
    """The measures of predicted last frames of twins.

    Args:
        frames: the predictions.
        twins: the heads, of whose last frame they are.
        probe: images to logits (n,) that are positive for ears.

    Raises:
        ConfigError: no ear is seen anywhere.
    """
    real, mask = real_frames(twins).eared, twins.mask[:, -1]
    if not mask.any():
        raise ConfigError("no ear is seen in any last frame; valid: heads with ears")
    with_ears, without = (logits(probe, x) for x in (frames.eared, frames.earless))
    error = (frames.eared.double() - real.double()).square().sum(1)
    still = mse_loss(last_frame(twins.eared).double(), real.double())
    near = error.flatten(1).mean(1) / real.shape[1] < still
    return EarMeasures(
        hits=100 * (with_ears > 0).double().mean().item(),
        predicted_ears=100 * ((with_ears > 0) & near).double().mean().item(),
        false_ears=100 * (without > 0).double().mean().item(),
        auc=area(with_ears, without),
        ear_energy=(energy(frames.eared)[mask].sum() / energy(real)[mask].sum()).item(),
        error_in_ears=100 * (error[mask].sum() / error.sum()).item(),
    )


@measurement(version=1)
@torch.no_grad()
def ears_preferred(trained: TrainedGame, twins: Twins) -> float:
    """How often D, after a history with ears, prefers the real frame to the same without ears.

    Args:
        trained: a predictive game.
        twins: the heads.

    Returns:
        Percent of the heads; 50 for a discriminator to which ears are nothing.
    """
    game = cast(PredictiveGAN, trained.game)
    x, real = game.parted(twins.eared)
    _, bare = game.parted(twins.earless)
    difference = game.discriminate(x, real) - game.discriminate(x, bare)
    return 100 * ((difference > 0).double() + 0.5 * (difference == 0).double()).mean().item()


@measurement(version=1)
def pixels_in_ears(twins: Twins) -> float:
    """Percent of the last frames' pixels in which ears are seen."""
    return 100 * twins.mask[:, -1].double().mean().item()


@torch.no_grad()
def logits(probe: nn.Module, images: Tensor) -> Tensor:
    """The probe's logits (n,) of images (n, channels, side, side)."""
    return torch.cat([probe(part) for part in images.split(BATCH)])


def area(positive: Tensor, negative: Tensor) -> float:
    """The share of pairs of which the positive one (n,) is larger than the negative one (m,).

    Ties count half. This is the area under the curve of hits over false alarms. By ranks, so that
    n + m numbers are sorted and no pairs are formed.
    """
    both = torch.cat([positive, negative]).double()
    _, place, count = both.unique(return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    rank = (last - (count.double() - 1) / 2)[place]  # mean rank of those that are tied
    n, m = len(positive), len(negative)
    return ((rank[:n].sum() - n * (n + 1) / 2) / (n * m)).item()
