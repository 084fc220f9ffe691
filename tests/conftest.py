"""What several tests share: a small linear model with known weights, tiny data, seeds, `advx`."""

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from advx.cli import main
from advx.data.dataset import Dataset, Split
from tests.reproduced import runs


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """A run sets its number of threads: the tests after it in this process keep theirs."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One process of the tests waits for `reproduced`; the others go on with what needs it not."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if "reproduced" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group("reproduced"))


@pytest.fixture(scope="session")
def reproduced(request, tmp_path_factory) -> Path:
    """A folder with a run of every experiment that the chosen tests read, by `advx reproduce`."""
    return runs(request.session, tmp_path_factory)


@pytest.fixture
def linear() -> nn.Module:
    """Float64 linear classifier of 4 classes on (1, 5, 5) images."""
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double()


@pytest.fixture
def tiny() -> Dataset:
    """60 / 20 / 20 separable images of 3 classes, (1, 4, 4)."""
    labels = torch.arange(100) % 3
    images = torch.rand(100, 1, 4, 4) * 0.3
    images[torch.arange(100), 0, labels, :] += 0.7
    images = images.mul(255).round().div(255)
    parts = [Split(images[a:b], labels[a:b]) for a, b in ((0, 60), (60, 80), (80, 100))]
    return Dataset("tiny", 3, *parts)


class Done(NamedTuple):
    """What a command left: its exit status, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(tmp_path, monkeypatch, capsys) -> Iterator[Callable[..., Done]]:
    """`advx …` in this process, in an empty folder: what a process of its own takes seconds for."""

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["advx", *words])
        importlib.invalidate_caches()  # a module may just have been written
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    yield run
    for handler in set(root.handlers) - set(before[0]):
        handler.close()
    root.handlers, root.level, logging.raiseExceptions = before
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


NETWORK = """
from torch import nn

class MyNet(nn.Module):
    def __init__(self, hidden=100):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10)
        )

    def forward(self, x):
        return self.layers(x)
"""


@pytest.fixture
def readers_files(tmp_path) -> Path:
    """What the pages' reader has: a module, its weights, images, a table."""
    (tmp_path / "my_module.py").write_text(NETWORK, encoding="utf-8")
    layers = {"1": (100, 784), "3": (10, 100)}
    state = {f"layers.{k}.weight": 0.1 * torch.randn(*shape) for k, shape in layers.items()}
    state |= {f"layers.{k}.bias": torch.zeros(shape[0]) for k, shape in layers.items()}
    torch.save(state, tmp_path / "my_weights.pt")
    images = np.random.default_rng(0).integers(0, 256, (400, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "my_images.npz", images=images, labels=np.arange(400) % 10)
    np.savez(tmp_path / "my_other_images.npz", images=images // 2, labels=np.arange(400) % 10)
    people = [f"{k % 7},{'ab'[k % 2]},{'fm'[k % 3 % 2]},{k % 5 % 2}\n" for k in range(200)]
    (tmp_path / "people.csv").write_text("skill,hobby,gender,hired\n" + "".join(people), "utf-8")
    return tmp_path


MINE = """\
# @package _global_
defaults:
  - /model@crafting: softmax_regression
  - /model@target: softmax_regression
  - /attack: fgsm
  - /defense: none
  - /defense@crafting_defense: none
  - override /dataset: mnist5k
  - override /trainer: quick
title: Mine
main: advx.experiments.transfer.main
figure_examples: 2
trainer: {max_epochs: 1}
attack: {epsilon: 0.25}
seeds: [0, 1]
rows:
  - {row: softmax_regression, metric: clean_error_rate, chapter: 20.0}
"""
"""An experiment of one's own whose `scale=chapter` trains for a second."""


@pytest.fixture
def advx(tmp_path, command) -> Callable[..., Done]:
    """The same in a folder with the experiment `conf/experiment/mine.yaml`."""
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(MINE, encoding="utf-8")
    return command
