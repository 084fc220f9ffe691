"""Sums of z: averages of a few codes, a − b + c, and the controls beside it. Section 1.4.4."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from advx.games.generative import LatentGame
from advx.randomness import seeded


def summed(
    game: LatentGame, pools: list[Tensor], usual: Tensor, count: int, trials: int, seed: int
) -> dict[str, Tensor]:
    """Images (trials, *shape) of the sums and of the controls, by name.

    Args:
        game: whose generator.
        pools: z of a, b, c and the target, each (m, latent).
        usual: the length that z usually has.
        count: z averaged for each of a, b and c.
        trials: how many of each.
        seed: of the choice among the z.
    """
    with seeded(seed):
        a, b, c = (chosen(pool, count, trials) for pool in pools[:3])
        noise = torch.randn(trials, c.shape[2]).to(c)
    plus, minus, other = (z.mean(1) for z in (a, b, c))
    step = plus - minus
    away = noise * (step.norm(dim=1) / noise.norm(dim=1))[:, None]
    whole = other + step
    pixels = mean_faces(game, a) - mean_faces(game, b) + mean_faces(game, c)
    return {
        "a − b + c": game.generate(whole),
        "rescaled": game.generate(usual * normalize(whole, dim=1)),
        "on pixels": pixels.clamp(0, 1),
        "c + random direction": game.generate(other + away),
        "c alone": game.generate(other),
    }


def chosen(pool: Tensor, count: int, trials: int) -> Tensor:
    """`count` random z of a pool for each trial, (trials, count, latent)."""
    return pool[torch.randint(len(pool), (trials, count)).to(pool.device)]


def mean_faces(game: LatentGame, z: Tensor) -> Tensor:
    """The mean face (trials, *shape) of z (trials, count, latent)."""
    made = [
        game.generate(part.flatten(0, 1)).unflatten(0, part.shape[:2]).mean(1)
        for part in z.split(max(1, 1000 // z.shape[1]))
    ]
    return torch.cat(made)
