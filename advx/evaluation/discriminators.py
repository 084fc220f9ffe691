"""What a trained discriminator makes of images that were changed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from advx.evaluation.measurement import measurement
from advx.evaluation.samples import adversarial
from advx.evaluation.transfer import BATCH
from advx.training.load_or_train import TrainedGame


@dataclass(frozen=True)
class Answers:
    """A discriminator's logits of changed images beside those of the same images before.

    Attributes:
        logit_change: mean of the first minus the second.
        logit_lowered: percent of the images whose logit has fallen.
    """

    logit_change: float
    logit_lowered: float


@measurement(version=1)
@torch.no_grad()
def answers_to_change(trained: TrainedGame, images: Tensor, changed: Tensor) -> Answers:
    """How far a change moves a game's discriminator.

    Args:
        trained: a game with a discriminator.
        images: (n, *shape).
        changed: the same images after a change.
    """
    game = adversarial(trained)
    before, after = (
        torch.cat([game.discriminate(part) for part in x.split(BATCH)]) for x in (images, changed)
    )
    change = (after - before).double()
    return Answers(change.mean().item(), 100 * (change < 0).double().mean().item())
