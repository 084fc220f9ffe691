"""Examples that a game's generator makes."""

from typing import cast

import torch
from torch import Tensor

from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import BATCH
from advx.games.diagnostics import LIMITS
from advx.games.generative import GenerativeGame, LatentGame
from advx.randomness import seeded
from advx.training.load_or_train import TrainedGame


def generative(trained: TrainedGame) -> LatentGame:
    """The game, which is one that makes examples of z."""
    return cast(LatentGame, trained.game)


def adversarial(trained: TrainedGame) -> GenerativeGame:
    """The game, which is one with a generator and a discriminator."""
    return cast(GenerativeGame, trained.game)


@measurement(version=1)
@torch.no_grad()
def generated_examples(
    trained: TrainedGame, count: int, conditions: Tensor | None = None, seed: int = 0
) -> Tensor:
    """`count` examples (count, *shape) of a game's generator, always the same for a seed.

    Args:
        trained: the game.
        count: how many.
        conditions: (count, ...), what each is generated for; None for a game without conditions.
        seed: of z.
    """
    game = generative(trained)
    device = next(game.parameters()).device
    made = []
    with seeded(seed):
        z = game.draw(count)  # on the CPU, so that a GPU sees the same
    for first in range(0, count, BATCH):
        part = None if conditions is None else conditions[first : first + BATCH].to(device)
        made.append(game.generate(z[first : first + BATCH].to(device), part))
    return torch.cat(made)


WARNED = [f"warned_{name}" for name in LIMITS]
"""Metrics of the warnings that there may be."""

AT_THE_END = "warnings_at_the_end"


@measurement(version=2)
def warning_rates(trained: TrainedGame) -> dict[str, float]:
    """What went wrong while a game was trained.

    Returns:
        by metric: percent of the epochs with each warning that was looked for; and
        `warnings_at_the_end`, how many stood after the last epoch.
    """
    return trained.diagnostics()
