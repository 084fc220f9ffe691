"""Small games on a ring of eight Gaussians."""

import torch
from torch import nn

from advx.config.config import Config
from advx.data import mixtures
from advx.games.generative import GenerativeGame
from advx.games.multilayer import MultilayerGame
from advx.training.recipe import Recipe

RING = mixtures.ring(train=1_000, test=200)


def small(**options) -> MultilayerGame:
    torch.manual_seed(1)
    return MultilayerGame(
        input_shape=(2,), latent=4, generator_units=(16,), discriminator_units=(16,), **options
    )


def recipe(*, game: dict | None = None, **trainer) -> Recipe:
    node = {
        "name": "multilayer",
        "_target_": "advx.games.multilayer.MultilayerGame",
        "input_shape": [2],
        "latent": 4,
        "generator_units": [16],
        "discriminator_units": [16],
        "batch_norm_generator": True,
    } | (game or {})
    rule = {
        "_target_": "advx.training.game_trainer.GameTrainer",
        "max_epochs": 4,
        "batch_size": 50,
        "snapshots": 2,
        "shown": 30,
    }
    none = Config({"_target_": "advx.defenses.none.NoDefense"})
    return Recipe(Config(node), Config(rule | trainer), none, 0, "game")


class Killed(Exception):
    pass


class Mute(GenerativeGame):
    """Networks that raise without a word, or that get their weights in the first pass."""

    def __init__(self, mute: bool = True) -> None:
        super().__init__(latent=2)
        self.mute = mute
        self.generator, self.discriminator = nn.LazyLinear(2), nn.LazyLinear(1)

    def generate(self, z, condition=None):
        if self.mute:
            raise NotImplementedError
        return self.generator(z)
