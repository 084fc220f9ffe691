"""What a trained discriminator makes of images that were changed."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advx.evaluation.measurement import measurement
from advx.evaluation.samples import adversarial
from advx.models.batch_statistics import minibatch_statistics
from advx.training.load_or_train import TrainedGame

TOGETHER = 100
"""Images that are normalized together, at most."""


@dataclass(frozen=True)
class Answers:
    """A discriminator's logits of changed images beside those of the same images before.

    Attributes:
        logit_change: mean of the first minus the second.
        logit_lowered: percent of the images whose logit has fallen.
    """

    logit_change: float
    logit_lowered: float


@measurement(version=2)
@torch.no_grad()
def answers_to_change(trained: TrainedGame, images: Tensor, changed: Tensor) -> Answers:
    """How far a change moves a game's discriminator.

    A discriminator with batch normalization sees minibatches of one kind in its game, data or
    generated images, and normalizes either by itself; it is asked in the same way here. By running
    averages over both kinds its answers, even the sign of a change, are others.

    Args:
        trained: a game with a discriminator.
        images: (n, *shape).
        changed: the same images after a change.
    """
    game = adversarial(trained)
    parts = math.ceil(len(images) / TOGETHER)
    with minibatch_statistics(game):
        before, after = (
            torch.cat([game.discriminate(part) for part in x.tensor_split(parts)])
            for x in (images, changed)
        )
    change = (after - before).double()
    return Answers(change.mean().item(), 100 * (change < 0).double().mean().item())
