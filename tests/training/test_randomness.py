"""What code draws by default is decided by the seed, whoever it draws from."""

import random

import numpy as np
import pytest
import torch

from advx.config.config import Config
from advx.randomness import seeded
from advx.run.data import RunData
from advx.run.notices import Seconds
from advx.store.store import Store
from advx.training.load_or_train import load_or_train_model
from tests.own_files import imported_anew
from tests.recipes import recipe

SOURCE = """
import random

import numpy as np
import torch
from torch import nn

from advx.data.dataset import Dataset, Split


class Drawn(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        self.net[1].weight.data = torch.tensor(np.random.randn(3, 16), dtype=torch.float32)

    def forward(self, x):
        return self.net(x)


class Noisy:
    def __call__(self, model, images, labels):
        moved = images + 0.1 * torch.tensor(np.random.randn(*images.shape), dtype=images.dtype)
        return nn.functional.cross_entropy(model(moved + random.random()), labels)


def load():
    order = torch.randperm(40)
    images, labels = torch.arange(40.0).view(40, 1, 1, 1) / 40, torch.arange(40) % 2
    train, test = (Split(images[part], labels[part]) for part in (order[:30], order[30:]))
    return Dataset("drawn", 2, train, train.take(torch.arange(3)), test)
"""


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    yield from imported_anew(tmp_path, monkeypatch, "drawing_nets", SOURCE)


def drawn() -> tuple[float, float, float]:
    return torch.rand(()).item(), float(np.random.rand()), random.random()


def begin(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def test_inside_all_follow_the_seed_and_outside_all_go_on() -> None:
    with seeded(3):
        first = drawn()
    begin(5)
    expected = drawn(), drawn()
    begin(5)
    before = drawn()
    with seeded(3):
        assert drawn() == first
    assert (before, drawn()) == expected


def test_own_networks_and_defenses_repeat_their_numbers(mine, tiny) -> None:
    parts = {
        "model": {"_target_": "drawing_nets.Drawn", "name": "mine"},
        "defense": {"_target_": "drawing_nets.Noisy"},
    }
    states = [
        load_or_train_model(
            recipe(**parts, seed=seed), tiny, Store(mine / name)
        ).module.state_dict()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key])
        assert not torch.equal(value, states[2][key])


def test_an_own_loader_splits_the_same_way_every_time() -> None:
    config = Config({"_target_": "drawing_nets.load", "name": "drawn"}, "dataset")
    loaded = [RunData(config, torch.device("cpu"), Seconds()).all.fingerprint for _ in range(2)]
    assert loaded[0] == loaded[1]
