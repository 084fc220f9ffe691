"""What other libraries' attacks find that `strongest` misses: examples, not rates."""

import math

import pytest
import torch
from torch import Tensor, nn

from advx.attacks.fgsm import FGSM
from advx.config.compose import composed
from advx.experiments import independent_attacks
from advx.experiments.independent_attacks import Fallen, fallen, missed, percent
from advx.run import Run, check
from tests.running import ran


@pytest.fixture
def run(tmp_path) -> Run:
    words = ["experiment=independent_attacks", "scale=smoke", "device.threads=1",
             "trainer.max_epochs=30", f"store={tmp_path / 'store'}"]  # fmt: skip
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
    network, examples = run.recipe("maxout", 0), 40
    attacks = {"ours": on_odd_classes, "a": on_even_classes, "b": FGSM(epsilon=0.1)}
    found = {
        name: fallen(run, network, attack, 0.3, examples, {"library": name})
        for name, attack in attacks.items()
    }
    module, clean = run.trained(network).module.eval(), run.tested(examples)
    falls = {name: [] for name in attacks}
    for x, y in zip(clean.images, clean.labels, strict=True):
        for name, attack in attacks.items():
            falls[name].append(bool(module(attack(module, x[None], y[None])).argmax() != y))
    count = sum(
        (a or b) and not ours
        for ours, a, b in zip(falls["ours"], falls["a"], falls["b"], strict=True)
    )
    assert 0 < count < examples
    assert missed(found["ours"], found["a"], found["b"]) == 100 * count / examples
    for name, broken in falls.items():
        assert percent(found[name]) == 100 * sum(broken) / examples
    most = max(sum(falls["a"]), sum(falls["b"]))
    assert count > most - sum(falls["ours"])  # the difference of rates hides some


def test_examples_that_fall_are_kept_without_the_model(run, monkeypatch) -> None:
    network = run.recipe("maxout", 0)
    found = fallen(run, network, FGSM(epsilon=0.3), 0.3, 40, {"library": "a"})
    monkeypatch.setattr(run, "trained", lambda *_: pytest.fail("what is kept needs no model"))
    assert fallen(run, network, FGSM(epsilon=0.3), 0.3, 40, {"library": "a"}) == found


def test_a_point_outside_of_the_ball_proves_nothing(run) -> None:
    network = run.recipe("maxout", 0)
    found = fallen(run, network, FGSM(epsilon=0.3), 0.2, 40, {"library": "too far"})
    assert found == {"places": [], "of": 0}
    assert math.isnan(percent(found))
    assert math.isnan(missed({"places": [], "of": 40}, found))
    assert math.isnan(missed(found, {"places": [3], "of": 40}))


def test_the_rows_are_those_of_the_examples(tmp_path, monkeypatch) -> None:
    def canned(*arguments: object) -> Fallen:
        ours = "attack" in arguments[-1]  # type: ignore[operator]
        return {"places": [0, 1, 2, 3] if ours else [2, 3, 4], "of": 50}

    monkeypatch.setattr(independent_attacks, "fallen", canned)
    words = ["experiment=independent_attacks", "scale=smoke", "seeds=[0]", "device.threads=1"]
    made = ran(tmp_path, [*words, f"store={tmp_path / 'store'}"])
    found = [row for row in made.results.rows if row.row == "distillation"]
    assert {row.epsilon for row in found} == {0.1}
    rows = {row.metric: (row.value, row.unit) for row in found}
    assert rows == {
        "strongest_error_rate": (8, "percent"),
        "foolbox_pgd_error_rate": (6, "percent"),
        "theirs_minus_ours": (-2, "points"),
        "missed": (2, "percent"),
    }
