"""What other libraries' attacks find that `strongest` misses: examples, not rates."""

import importlib.metadata
import json
import math

import pytest
import torch
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.attacks.fgsm import FGSM
from advx.attacks.strongest import Strongest
from advx.config.compose import composed
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.experiments import independent_attacks
from advx.experiments.independent_attacks import Misclassified, misclassified, missed, percent
from advx.run import Run, check
from advx.store.values import undefined
from tests.running import ran


@pytest.fixture
def run(tmp_path) -> Run:
    words = [
        "experiment=independent_attacks",
        "scale=smoke",
        "device.threads=1",
        "trainer.max_epochs=30",
        f"store={tmp_path / 'store'}",
    ]
    config, main = composed(words)
    check(config, main)
    (tmp_path / "out").mkdir()
    return Run(config, tmp_path / "out", "advx run")


def on_even_classes(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """A step for the examples of even classes alone."""
    return torch.where((y % 2 == 0)[:, None, None, None], FGSM(epsilon=0.3)(model, x, y), x)


def on_odd_classes(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """A step for the others alone."""
    return torch.where((y % 2 == 0)[:, None, None, None], x, FGSM(epsilon=0.3)(model, x, y))


def test_missed_examples_are_those_of_a_count_one_by_one(run) -> None:
    module, clean = run.model("maxout", 0).value, run.test(40)
    attacks = {"ours": on_odd_classes, "a": on_even_classes, "b": FGSM(epsilon=0.1)}
    found = {
        name: misclassified(module, attack, clean, epsilon=0.3) for name, attack in attacks.items()
    }
    falls: dict[str, list[bool]] = {name: [] for name in attacks}
    for x, y in zip(clean.images, clean.labels, strict=True):
        for name, attack in attacks.items():
            falls[name].append(bool(module(attack(module, x[None], y[None])).argmax() != y))
    count = sum(
        (a or b) and not ours
        for ours, a, b in zip(falls["ours"], falls["a"], falls["b"], strict=True)
    )
    assert 0 < count < 40
    assert missed(found["ours"], found["a"], found["b"]) == 100 * count / 40
    for name, broken in falls.items():
        assert percent(found[name]) == 100 * sum(broken) / 40
    most = max(sum(falls["a"]), sum(falls["b"]))
    assert count > most - sum(falls["ours"])  # the difference of rates hides some


def test_a_point_outside_of_the_ball_proves_nothing(run) -> None:
    network = run.model("maxout", 0)
    found = misclassified(network.value, FGSM(epsilon=0.3), run.test(40), epsilon=0.2)
    assert found == Misclassified([], 0)
    assert math.isnan(percent(found))
    assert math.isnan(missed(Misclassified([], 40), found))
    assert math.isnan(missed(found, Misclassified([3], 40)))
    assert math.isnan(percent(undefined(Misclassified)))


@measurement(version=1)
def canned(model: nn.Module, attack: Attack, clean: Split, *, epsilon: float) -> Misclassified:
    return Misclassified([0, 1, 2, 3] if isinstance(attack, Strongest) else [2, 3, 4], 50)


def test_the_rows_are_those_of_the_examples(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(independent_attacks, "misclassified", canned)
    words = ["experiment=independent_attacks", "scale=smoke", "seeds=[0]", "device.threads=1"]
    made = ran(tmp_path, [*words, f"store={tmp_path / 'store'}"])
    found = [row for row in made.table.results.rows if row.row == "distillation"]
    assert {row.epsilon for row in found} == {0.1}
    rows = {row.metric: (row.value, row.unit) for row in found}
    assert rows == {
        "strongest_error_rate": (8, "percent"),
        "foolbox_pgd_error_rate": (6, "percent"),
        "theirs_minus_ours": (-2, "points"),
        "missed": (2, "percent"),
    }
    versions = json.loads((made.folder / "manifest.json").read_text(encoding="utf-8"))["versions"]
    assert versions["foolbox"] == importlib.metadata.version("foolbox")
