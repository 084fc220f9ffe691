"""A training with state that no checkpoint holds starts over: the same bytes as without a break."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from advx.store.store import Store
from advx.training.load_or_train import load_or_train_game, load_or_train_model
from advx.training.plain_state import PlainState, is_own
from tests import toy_games
from tests.recipes import NONE, TRAINER, recipe

SOURCE = """
from collections import deque

import torch
from torch import nn

from advx.games.multilayer import MultilayerGame


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))
        self.parts, self.first = [self.net[1]], [self.net[1].weight]  # of the network itself

    def forward(self, x):
        return self.net(x)


class Annealed(Plain):
    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, x):
        if self.training:
            self.steps += 1
            x = nn.functional.dropout(x, 0.9 ** self.steps)
        return self.net(x)


class Recent(Plain):
    def __init__(self):
        super().__init__()
        self.recent = deque(maxlen=3)  # neither a number nor a list

    def forward(self, x):
        if self.training:
            self.recent.append(x.detach())
            x = x + 0.5 * torch.stack([each.mean() for each in self.recent]).mean()
        return self.net(x)


class Warmed:
    seen = 0

    def __call__(self, model, images, labels):
        self.seen += 1
        noise = 0.01 * self.seen * torch.randn_like(images)
        return nn.functional.cross_entropy(model(images + noise), labels)


class Pool(MultilayerGame):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.older = []

    def update(self, data, players):
        with torch.no_grad():
            self.older.append(self.generate(torch.randn(4, self.latent)).mean(0))
            self.generator[0].bias.add_(0.001 * len(self.older))
        return super().update(data, players)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch) -> Iterator[Path]:
    (tmp_path / "plain_nets.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SHARE", 1e9)
    sys.modules.pop("plain_nets", None)
    yield tmp_path
    sys.modules.pop("plain_nets", None)


OWN = {"_target_": "plain_nets.Plain", "name": "mine"}

KINDS = {
    "network": (
        {"model": OWN | {"_target_": "plain_nets.Annealed"}},
        "model (mine): changes steps",
    ),
    "deque": ({"model": OWN | {"_target_": "plain_nets.Recent"}}, "model (mine): changes recent"),
    "defense": (
        {"model": OWN, "defense": {"_target_": "plain_nets.Warmed"}},
        "defense=Warmed: changes seen",
    ),
    "none": ({"model": OWN, "trainer": TRAINER, "defense": NONE}, ""),
}


def killed(run, *arguments) -> None:
    def kill(progress) -> None:
        if progress.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(*arguments, kill)


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_training_ends_with_the_same_bytes(kind, mine, tiny, caplog) -> None:
    parts, remark = KINDS[kind]
    whole = load_or_train_model(recipe(**parts), tiny, Store(mine / "whole")).module.state_dict()
    store, epochs = Store(mine / "store"), []
    killed(load_or_train_model, recipe(**parts), tiny, store)
    assert len(list((mine / "store").rglob("checkpoint.pt"))) == (not remark)
    again = load_or_train_model(recipe(**parts), tiny, store, lambda p: epochs.append(p.epoch))
    assert all(torch.equal(value, again.module.state_dict()[key]) for key, value in whole.items())
    assert epochs == ([1, 2, 3, 4, 5, 6] if remark else [4, 5, 6])
    said = [r.message for r in caplog.records if "no checkpoint holds" in r.message]
    assert len(said) == (3 if remark else 0)  # once in each of the three trainings
    assert all(each.startswith(remark) for each in said)


def test_so_does_a_game(mine, caplog) -> None:
    game = toy_games.recipe(game={"_target_": "plain_nets.Pool", "name": "mine"})
    whole = load_or_train_game(game, toy_games.RING, Store(mine / "whole"))
    killed(load_or_train_game, game, toy_games.RING, Store(mine / "store"))
    again = load_or_train_game(game, toy_games.RING, Store(mine / "store"))
    assert again.history == whole.history
    assert "game (mine): changes older while it is trained" in caplog.text


def test_what_is_watched_and_what_counts_as_a_change() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 4))
    network.layers = [network[0]]
    network.rule, network.where = lambda x: x, [network[0].weight]
    nn.utils.spectral_norm(network[0])
    watched = PlainState({"it": network})
    network(torch.randn(3, 4))
    with torch.no_grad():
        network.train()(torch.randn(3, 4))
        network[1].weight_hh_l0.add_(1)
    assert watched.changed() == {}
    network.half = torch.zeros(2, dtype=torch.bfloat16)
    assert watched.changed() == {"it": ["half"]}
    watched = PlainState({"it": network})
    network.half[1] = 1
    network[0].note = {"seen": 1}
    del network.rule
    assert watched.changed() == {"it": ["0.note", "half", "rule"]}


def test_own_parts_are_found_inside_of_others() -> None:
    assert not is_own(
        {"_target_": "advx.training.trainer.Trainer", "optimizer": {"_target_": "advx.a"}}
    )
    assert is_own({"_target_": "advx.a", "optimizer": {"_target_": "mine.Warm"}})
    assert is_own({"_target_": "advx.a", "parts": [{"_target_": "advx.b"}, {"_target_": "mine.B"}]})
    assert not is_own({"_target_": "advx.a", "parts": [1, None, "mine.B"]})
