"""A training with state that no checkpoint holds starts over: the same bytes as without a break."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from advx.store.store import Store
from advx.training.load_or_train import load_or_train_game, load_or_train_model
from advx.training.plain_state import PlainState, is_own
from tests import toy_games
from tests.own_files import imported_anew
from tests.recipes import NONE, TRAINER, recipe

SOURCE = """
import random
from collections import deque

import numpy as np
import torch
from torch import nn

from advx.games.multilayer import MultilayerGame
from advx.training.trainer import Trainer


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


class Buffered(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros(()), persistent=False)

    def forward(self, x):
        if self.training:
            self.steps += 1
            x = nn.functional.dropout(x, 0.9 ** self.steps.item())
        return self.net(x)


class Rule:
    total = 0

    def __init__(self):
        self.rate = lambda step: 0.9 ** step  # which cannot be pickled
        self.steps = 0

    def __call__(self, x):
        self.steps += 1
        return nn.functional.dropout(x, self.rate(self.steps))


class Ruled(Plain):
    def __init__(self):
        super().__init__()
        self.rule = Rule()

    def forward(self, x):
        return self.net(self.rule(x) if self.training else x)


class Drawing:
    def __call__(self, model, images, labels):
        moved = images + 0.1 * torch.tensor(np.random.randn(*images.shape), dtype=images.dtype)
        return nn.functional.cross_entropy(model(moved * (1 - 0.1 * random.random())), labels)


class Module(nn.Module):  # a defense with buffers, which are not the network's
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, model, images, labels):
        self.seen += 1
        noise = 0.01 * self.seen * torch.randn_like(images)
        return nn.functional.cross_entropy(model(images + noise), labels)


class Training(Trainer):  # of one's own, that keeps nothing else
    pass


class Slowing(Trainer):
    passes = 0

    def minibatches(self, train, seed):
        self.passes += 1
        for images, labels in super().minibatches(train, seed):
            yield images * (1 - 0.05 * self.passes), labels


class Holding:  # a defense that knows its network
    model = None

    def prepare(self, module, dependencies, input_shape):
        self.model = module
        return module

    def __call__(self, model, images, labels):
        return nn.functional.cross_entropy(self.model(images), labels)


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
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SHARE", 1e9)
    yield from imported_anew(tmp_path, monkeypatch, "plain_nets", SOURCE)


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
    "buffer": ({"model": OWN | {"_target_": "plain_nets.Buffered"}}, "model (mine): changes steps"),
    "lambda": ({"model": OWN | {"_target_": "plain_nets.Ruled"}}, "model (mine): changes rule"),
    "module": (
        {"model": OWN, "defense": {"_target_": "plain_nets.Module"}},
        "defense=Module: changes seen",
    ),
    "trainer": (
        {"model": OWN, "trainer": TRAINER | {"_target_": "plain_nets.Slowing"}},
        "trainer=Slowing: changes passes",
    ),
    "plain trainer": ({"trainer": TRAINER | {"_target_": "plain_nets.Training"}}, ""),
    "drawing": ({"model": OWN, "defense": {"_target_": "plain_nets.Drawing"}}, ""),
    "holding": ({"model": OWN, "defense": {"_target_": "plain_nets.Holding"}}, ""),
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
    histories = {path.read_text() for path in mine.rglob("metrics.csv")}
    assert len(histories) == 1
    assert all(each.startswith(remark) for each in said)


def test_so_does_a_game(mine, caplog) -> None:
    game = toy_games.recipe(game={"_target_": "plain_nets.Pool", "name": "mine"})
    whole = load_or_train_game(game, toy_games.RING, Store(mine / "whole"))
    killed(load_or_train_game, game, toy_games.RING, Store(mine / "store"))
    again = load_or_train_game(game, toy_games.RING, Store(mine / "store"))
    assert again.history == whole.history
    assert "game (mine): changes older while it is trained" in caplog.text


def test_what_is_watched_and_what_counts_as_a_change() -> None:
    network = nn.Sequential(
        nn.Linear(4, 4),
        nn.LSTM(4, 4),
        nn.utils.parametrizations.weight_norm(nn.LSTM(4, 4), "weight_hh_l0"),
    )
    network.layers = [network[0]]
    network.rule, network.where = lambda x: x, [network[0].weight, network[0].bias.data]
    network.flat = network[0].bias.view(-1)
    network.text, network.own = ["ab", "ab"], {3, "x", None}
    nn.utils.spectral_norm(network[0])
    watched = PlainState(network, {"it": network})
    for part in network:
        part(torch.randn(3, 4))
    with torch.no_grad():
        for part in network.train():
            part(torch.randn(3, 4))
        network[1].weight_hh_l0.add_(1)
        network[0].bias.add_(1)
    network.text = ["ab", "".join(["a", "b"])]
    network.own = {None, "x", 3}
    assert watched.changed() == {}
    network.half = torch.zeros(2, dtype=torch.bfloat16)
    assert watched.changed() == {"it": ["half"]}
    network.draw, network.coin, network.dice = (
        torch.Generator(),
        random.Random(0),
        np.random.default_rng(0),
    )
    watched = PlainState(network, {"it": network})
    network.half[1] = 1
    network[0].note = {"seen": 1}
    torch.rand(1, generator=network.draw)
    network.coin.random()
    network.dice.random()
    assert watched.changed() == {"it": ["0.note", "coin", "dice", "draw", "half"]}


def test_a_count_on_the_class_and_values_in_themselves_are_seen() -> None:
    class Counted:
        __slots__ = ("inner",)
        seen = 0

    thing = Counted()
    thing.inner = [1]
    thing.inner.append(thing.inner)
    watched = PlainState(nn.Linear(1, 1), {"it": thing})
    assert watched.changed() == {}
    Counted.seen += 1
    assert watched.changed() == {"it": ["seen"]}
    thing.inner[0] = 2
    assert watched.changed() == {"it": ["inner", "seen"]}


def test_own_parts_are_found_inside_of_others() -> None:
    assert not is_own(
        {"_target_": "advx.training.trainer.Trainer", "optimizer": {"_target_": "advx.a"}}
    )
    assert is_own({"_target_": "advx.a", "optimizer": {"_target_": "mine.Warm"}})
    assert is_own({"_target_": "advx.a", "parts": [{"_target_": "advx.b"}, {"_target_": "mine.B"}]})
    assert not is_own({"_target_": "advx.a", "parts": [1, None, "mine.B"]})
