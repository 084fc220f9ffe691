"""A user's own network or game that depends on more than its `state_dict` is never stored."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from advx.errors import ConfigError
from advx.store.store import Store
from advx.training import lost_state
from advx.training.load_or_train import load_or_train_game, load_or_train_model
from tests import toy_games
from tests.own_files import imported_anew
from tests.recipes import recipe

MODULE = """
import torch
from torch import nn


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x):
        return self.net(x)


class Mean(Plain):
    def __init__(self):
        super().__init__()
        self.mean, self.seen = 0.0, 0

    def forward(self, x):
        if self.training:
            self.seen += 1
            self.mean = self.mean + (x.mean(0) - self.mean) / self.seen
        return self.net((x - self.mean) / 0.1)


class Cooling(Plain):
    def __init__(self):
        super().__init__()
        self.temperature = 5.0

    def forward(self, x):
        if self.training:
            self.temperature *= 0.95
        return self.net(x) / self.temperature


class Adapted(Plain):
    mean = 0.0

    def adapt(self, images):
        self.mean = images.mean(0)

    def forward(self, x):
        return self.net((x - self.mean) / 0.1)


class Unsaved(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 4, 4), persistent=False)

    def adapt(self, images):
        self.mean.copy_(images.mean(0))

    def forward(self, x):
        return self.net((x - self.mean) / 0.1)


class Late(Plain):  # nothing of it shows after the first epoch
    def __init__(self):
        super().__init__()
        self.updates = 0

    def forward(self, x):
        self.updates += self.training
        return self.net(x) * (1 if self.updates < 20 else 2)


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Mean()

    def forward(self, x):
        return self.inner(x)


class Growing(Plain):
    def adapt(self, images):
        self.register_buffer("mean", images.mean(0))


class Extra(Plain):
    def get_extra_state(self):
        return {"note": 1}

    def set_extra_state(self, state):
        pass


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(),
            nn.Linear(8, 3),
        )

    def forward(self, x):
        return self.net(x)


class Saved(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 4, 4))

    def adapt(self, images):
        self.mean.copy_(images.mean(0))

    def forward(self, x):
        return self.net((x - self.mean) / 0.1)


class Counting(Plain):  # a count on which no answer depends
    updates = 0

    def forward(self, x):
        self.updates += self.training
        return self.net(x)


class Noisy(Plain):
    def forward(self, x):
        return self.net(x + 0.1 * torch.randn_like(x))


class Drawn(Plain):  # random by a generator of its own
    def forward(self, x):
        g = torch.Generator()
        g.seed()
        return self.net(x + 0.1 * torch.randn(x.shape, generator=g))


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))

    def forward(self, x):
        return self.net(x)


class Moving(Plain):  # a buffer that moves in evaluation mode too
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 4, 4))

    def forward(self, x):
        self.mean.mul_(0.9).add_(0.1 * x.detach().mean(0))
        return self.net(x - self.mean)


class Wrapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner, self.factor = inner, 1.0

    def forward(self, x):
        if self.training:
            self.factor = 2.0
        return self.factor * self.inner(x)


class Wrapping:
    def prepare(self, module, dependencies, input_shape):
        return Wrapped(module)

    def __call__(self, model, images, labels):
        return nn.functional.cross_entropy(model(images), labels)
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> Iterator[Path]:
    yield from imported_anew(tmp_path, monkeypatch, "state_nets", MODULE)


def own(name: str, **changes):
    return recipe(model={"_target_": f"state_nets.{name}", "name": "mine"}, **changes)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("Mean", r" \(mean, seen\)"),
        ("Cooling", r" \(temperature\)"),
        ("Adapted", r" \(mean\)"),
        ("Unsaved", r" \(mean\)"),
        ("Late", r" \(updates\)"),
        ("Inner", r" \(inner\.mean, inner\.seen\)"),
    ],
)
def test_state_that_the_store_would_lose_is_refused_by_name(module, tiny, name, named) -> None:
    store = Store(module / "store")
    text = rf"^model \(mine\): keeps state outside of its state_dict{named}, so .*register_buffer"
    for _ in range(2):  # the second command finds nothing that the first one left
        with pytest.raises(ConfigError, match=text) as caught:
            load_or_train_model(own(name), tiny, store)
        assert "\n" not in str(caught.value)
        assert all(store.meta(key) is None for key in store.entries())
        assert not list((module / "store").rglob("*.pt"))


def test_the_refusal_comes_after_one_epoch(module, tiny) -> None:
    seen: list[int] = []
    with pytest.raises(ConfigError, match="keeps state"):
        load_or_train_model(
            own("Mean"), tiny, Store(module / "store"), lambda p: seen.append(p.epoch)
        )
    assert seen == []


def test_a_killed_training_does_not_hide_it(module, tiny, monkeypatch) -> None:
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SECONDS", 0.0)
    store = Store(module / "store")

    def kill(progress) -> None:
        if progress.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_or_train_model(own("Late"), tiny, store, kill)
    with pytest.raises(ConfigError, match=r"keeps state .* \(updates\)"):
        load_or_train_model(own("Late"), tiny, store)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Growing", r"^model \(mine\): its state_dict does not fit a new network .*mean"),
        (
            "Extra",
            r"^model \(mine\): its state_dict holds a dict \(_extra_state\); needed",
        ),
    ],
)
def test_a_state_dict_that_cannot_be_read_again_is_refused(module, tiny, name, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_or_train_model(own(name), tiny, Store(module / "store"))
    assert "\n" not in str(caught.value)


def test_what_a_defense_of_ones_own_makes_is_held_to_it_too(module, tiny) -> None:
    with pytest.raises(
        ConfigError, match=r"^defense=Wrapping: what it makes of model .* \(factor\), so"
    ):
        load_or_train_model(
            recipe(defense={"_target_": "state_nets.Wrapping"}), tiny, Store(module / "store")
        )


@pytest.mark.parametrize(
    "name",
    ["Plain", "Normed", "Saved", "Counting", "Noisy", "Drawn", "Lazy", "Moving"],
)
def test_a_network_that_its_weights_hold_is_stored_and_read(module, tiny, name) -> None:
    store = Store(module / "store")
    first = load_or_train_model(own(name), tiny, store).module.state_dict()
    again = load_or_train_model(own(name), tiny, store, lambda _: pytest.fail("trained again"))
    assert all(torch.equal(first[key], v) for key, v in again.module.state_dict().items())


GAMES = """
import torch
from torch import nn

from advx.games.base import Observer
from advx.games.multilayer import MultilayerGame


class Whole(MultilayerGame):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.updates_seen, self.register = 0, None  # changes nothing that is made

    def update(self, data, players):
        self.updates_seen += 1
        return super().update(data, players)


class Growing(Whole):
    def generate(self, z, condition=None):
        return super().generate(z, condition) * (1 + self.updates_seen)


class Saved(MultilayerGame):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.register_buffer("factor", torch.ones(()))

    def update(self, data, players):
        self.factor += 0.1
        return super().update(data, players)

    def generate(self, z, condition=None):
        return super().generate(z, condition) * self.factor


class Blind(Growing):
    def observer(self, data, shown):
        return Observer()


class Prepared(Whole):
    def begin(self, data):
        self.shown = data.train.images[:3]

    def observer(self, data, shown):
        return super().observer(data, len(self.shown))


class Late(MultilayerGame):
    lately = 0.0

    def update(self, data, players):
        if players.epoch >= 2:
            self.lately = 1.0
        return super().update(data, players)

    def generate(self, z, condition=None):
        return super().generate(z, condition) + self.lately


class Counting(MultilayerGame):  # a buffer that moves when examples are made
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.register_buffer("made", torch.zeros(()))

    def generate(self, z, condition=None):
        self.made += len(z)
        return super().generate(z, condition)


class Drawing(MultilayerGame):  # other examples in each pass
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.passes = 0

    def generate(self, z, condition=None):
        self.passes += 1
        return super().generate(z, condition) + self.passes
"""


@pytest.fixture
def games(tmp_path, monkeypatch) -> Iterator[Path]:
    yield from imported_anew(tmp_path, monkeypatch, "state_games", GAMES)


def own_game(name: str):
    return toy_games.recipe(game={"_target_": f"state_games.{name}", "name": "mine"})


@pytest.mark.parametrize(("name", "lost"), [("Growing", "updates_seen"), ("Late", "lately")])
def test_a_game_whose_examples_the_store_would_change_is_refused(games, name, lost) -> None:
    store = Store(games / "store")
    for _ in range(2):
        with pytest.raises(
            ConfigError,
            match=rf"^game \(mine\): keeps state outside of its state_dict \({lost}\), so .* makes "
            "examples differently",
        ) as caught:
            load_or_train_game(own_game(name), toy_games.RING, store)
        assert "\n" not in str(caught.value)
        assert not list((games / "store").rglob("*.pt"))


@pytest.mark.parametrize("name", ["Whole", "Saved", "Blind", "Prepared", "Drawing"])
def test_a_game_that_its_weights_hold_is_stored_and_read(games, name) -> None:
    store = Store(games / "store")
    first = load_or_train_game(own_game(name), toy_games.RING, store)
    again = load_or_train_game(
        own_game(name), toy_games.RING, store, lambda _: pytest.fail("trained again")
    )
    for key, value in first.game.state_dict().items():
        assert torch.equal(value, again.game.state_dict()[key])
    if name in ("Whole", "Saved"):
        z = torch.randn(5, 4)
        assert torch.equal(first.game.generate(z), again.game.generate(z))


def test_a_games_own_training_is_not_changed_by_the_check(games, monkeypatch) -> None:
    checked = load_or_train_game(own_game("Counting"), toy_games.RING, Store(games / "checked"))
    monkeypatch.setattr(lost_state, "refuse_lost_state_of_a_game", lambda *_: None)
    alone = load_or_train_game(own_game("Counting"), toy_games.RING, Store(games / "alone"))
    assert checked.history == alone.history
    assert alone.game.made > 0
    for key, value in alone.game.state_dict().items():
        assert torch.equal(value, checked.game.state_dict()[key]), key


def test_the_games_that_come_along_are_not_tried(games, monkeypatch) -> None:
    def never(*_: object) -> None:
        pytest.fail("it takes time, and is known")

    monkeypatch.setattr(lost_state, "refuse_lost_state_of_a_game", never)
    load_or_train_game(toy_games.recipe(), toy_games.RING, Store(games / "store"))
