"""What several tests share: a small linear model with known weights, tiny data, seeds."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from advx.cli import main
from advx.data.dataset import Dataset, Split


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


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
def advx(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process, in a folder with the experiment `conf/…/mine`.

    Returns its exit status, what it printed, and what it printed to the error stream.
    """
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(MINE)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["advx", *words])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    return run
