"""Do two players compete for one number? Each is trained alone for a while, the other held.

Source: ours.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch

from advx.config.config import Config
from advx.data.dataset import Dataset
from advx.evaluation.measurement import measurement
from advx.games.categorical_gan import CategoricalGAN
from advx.games.players import Held, Mover, Players
from advx.randomness import seeded
from advx.training.game_trainer import GameTrainer
from advx.training.load_or_train import TrainedGame

LOOKED_AT = 10
"""Minibatches whose entropies are averaged before and after."""


@dataclass(frozen=True)
class Competition:
    """What each player does to the entropy of D's answers on generated examples.

    Attributes:
        raised_by_discriminator: by how much D raises it while G is held, in percent of log k.
        lowered_by_generator: by how much G lowers it while D is held.
    """

    raised_by_discriminator: float
    lowered_by_generator: float


@measurement(version=1)
def competition(
    trained: TrainedGame, data: Dataset, trainer: Config, updates: int = 50, seed: int = 0
) -> Competition:
    """Train each player of a game that has been trained some updates more, the other held.

    Args:
        trained: a categorical GAN without labels; it stays as it is.
        data: what it was trained on.
        trainer: with the optimizers, which begin anew.
        updates: of each player.
        seed: of minibatches and noise.
    """
    moved = {}
    for player in ("discriminator", "generator"):
        with seeded(seed):
            game = copy.deepcopy(cast(CategoricalGAN, trained.game)).train()
            moved[player] = moved_alone(game, data, trainer.build(), player, updates)
    return Competition(moved["discriminator"], -moved["generator"])


def moved_alone(
    game: CategoricalGAN, data: Dataset, trainer: GameTrainer, player: str, updates: int
) -> float:
    """How far one player moves the entropy on generated examples, in percent of log k.

    Args:
        game: in training mode; its player is moved.
        data: whose training examples are shown.
        trainer: with the player's optimizer.
        player: its name.
        updates: of the player.
    """
    held: dict[str, Mover] = {name: Held(getattr(game, name)) for name in game.players}
    network = getattr(game, player)
    moving = trainer.optimizer_of(player).attach(network, lambda: game.constrain(network))
    minibatches = game.minibatches(data.train, trainer.batch_size)
    before = generated_entropy(game, minibatches, Players(held), LOOKED_AT)
    generated_entropy(game, minibatches, Players(held | {player: moving}), updates)
    after = generated_entropy(game, minibatches, Players(held), LOOKED_AT)
    return 100 * (after - before) / math.log(game.classes)


def generated_entropy(
    game: CategoricalGAN, minibatches: Iterator[Any], players: Players, updates: int
) -> float:
    """The mean over some updates, as each reports it, in nats."""
    found = []
    for players.update in range(updates):
        found.append(game.update(minibatches, players)["generated_entropy"])
    return torch.stack(found).mean().item()
