"""Examples drawn from a game's generator."""

import torch
from torch import Tensor

from advx.evaluation.transfer import BATCH
from advx.games.generative import GenerativeGame


@torch.no_grad()
def generated(game: GenerativeGame, count: int, conditions: Tensor | None = None, *, seed: int = 0,
              device: torch.device | str = "cpu") -> Tensor:  # fmt: skip
    """`count` examples (count, *shape) of a game's generator, always the same for a seed."""
    made = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        z = game.draw(count)  # on the CPU, so that a GPU sees the same
    for first in range(0, count, BATCH):
        part = None if conditions is None else conditions[first : first + BATCH].to(device)
        made.append(game.generate(z[first : first + BATCH].to(device), part))
    return torch.cat(made)
