"""What each player alone does to an entropy, of players whose steps are known."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from advx.config.config import Config
from advx.data.mixtures import blobs
from advx.evaluation.competition import competition, moved_alone
from advx.games.categorical_gan import CategoricalGAN
from advx.games.players import Held, Players

TRAINER = Config(
    {
        "_target_": "advx.training.game_trainer.GameTrainer",
        "optimizer": {"_target_": "advx.training.optimizers.Adam", "learning_rate": 3e-3},
        "batch_size": 50,
    }
)
DATA = blobs(train=200, test=10)


class Tug(nn.Module):
    """An entropy of log 4 · (a + b): its discriminator ascends a, its generator descends b."""

    classes = 4
    players = ("discriminator", "generator")

    def __init__(self, generator_sign: float = 1.0) -> None:
        super().__init__()
        self.discriminator = nn.Linear(1, 1, bias=False)
        self.generator = nn.Linear(1, 1, bias=False)
        self.sign = generator_sign

    def minibatches(self, train, size):
        return iter([None] * 1000)

    def constrain(self, player):
        pass

    def update(self, data, players):
        next(data)
        a, b = self.discriminator.weight.squeeze(), self.generator.weight.squeeze()
        players.discriminator.descend(-a)
        players.generator.descend(self.sign * b)
        return {"generated_entropy": math.log(4) * (a + b).detach().clone()}


def sgd(rate: float) -> Config:
    optimizer = {
        "_target_": "advx.training.optimizers.SGD",
        "learning_rate": rate,
        "learning_rate_divisor": 1,
        "momentum": 0,
        "final_momentum": 0,
    }
    return TRAINER.with_(optimizer=optimizer)


@pytest.mark.parametrize("updates", [1, 7])
def test_each_player_moves_the_entropy_by_its_own_steps(updates) -> None:
    found = competition(SimpleNamespace(game=Tug()), DATA, sgd(0.01), updates)
    assert found.raised_by_discriminator == pytest.approx(updates, rel=1e-4)
    assert found.lowered_by_generator == pytest.approx(updates, rel=1e-4)


def test_a_generator_that_helps_or_stands_still_does_not_compete() -> None:
    helping = competition(SimpleNamespace(game=Tug(-1.0)), DATA, sgd(0.01), 5)
    assert helping.lowered_by_generator == pytest.approx(-5, rel=1e-4)
    still = competition(SimpleNamespace(game=Tug(0.0)), DATA, sgd(0.01), 5)
    assert still.lowered_by_generator == 0


def small() -> CategoricalGAN:
    torch.manual_seed(0)
    return CategoricalGAN(
        input_shape=(2,),
        classes=3,
        latent=4,
        generator_units=(16,),
        discriminator_units=(16,),
        input_noise=0.0,
        hidden_noise=0.0,
    )


def test_the_players_of_a_categorical_gan_compete_and_it_stays_as_it_was() -> None:
    game = small()  # at first D becomes certain of whatever there is
    TRAINER.with_(epoch_updates=400, max_epochs=1, shown=5).build().fit(game, DATA, seed=0)
    before = {name: value.clone() for name, value in game.state_dict().items()}
    found = competition(SimpleNamespace(game=game), DATA, TRAINER, 100)
    assert found.raised_by_discriminator > 1
    assert found.lowered_by_generator > 1
    for name, value in game.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_the_other_player_is_held(player) -> None:
    game, other = small(), {"discriminator": "generator", "generator": "discriminator"}[player]
    before = [[p.clone() for p in getattr(game, n).parameters()] for n in (player, other)]
    moved_alone(game.train(), DATA, TRAINER.build(), player, 3)
    after = [[*getattr(game, n).parameters()] for n in (player, other)]
    assert not all(map(torch.equal, before[0], after[0]))
    assert all(map(torch.equal, before[1], after[1]))


def test_a_held_player_takes_gradients_and_no_steps() -> None:
    network = nn.Linear(1, 1)
    held = Held(network)
    players = Players({"one": held})
    value = network.weight.clone()
    players.one.descend(network.weight.sum())
    assert network.weight.grad.item() == 1
    assert torch.equal(network.weight, value)
    held.zero_grad()
    assert network.weight.grad is None
