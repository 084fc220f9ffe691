"""`name` labels a part in rows, and is an argument too where a user's own code asks for it."""

import pytest

from advx.config.compose import composed
from advx.config.config import Config
from advx.config.identity import identity
from advx.errors import ConfigError
from advx.run import Run, check
from tests.own_files import imported_anew

MODULE = """
import torch
from torch import nn

from advx.attacks.base import Attack
from advx.data.dataset import Dataset, Split
from advx.training.trainer import Trainer


class Net(nn.Module):
    def __init__(self, name="small"):
        super().__init__()
        self.called = name


class Named(Net):
    def __init__(self, name):
        super().__init__(name)


class Anything(nn.Module):
    def __init__(self, **others):
        super().__init__()
        self.called = others.get("name", "nothing")


class Shift(Attack):
    def __init__(self, *, name: str = "left"):
        self.called = name


class Loss:
    def __init__(self, name="mine"):
        self.called = name


class Slow(Trainer):
    def __init__(self, *, name: str = "slow"):
        super().__init__()
        self.called = name


def net(name="small"):
    return Net(name)


def load(name="mine", classes=2):
    part = Split(torch.rand(9, 1, 4, 4), torch.arange(9) % classes)
    return Dataset(name, classes, part, part, part)
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    yield from imported_anew(tmp_path, monkeypatch, "named_parts", MODULE)


PARTS = ["Net", "Named", "net", "Shift", "Loss", "Slow"]


@pytest.mark.parametrize("part", PARTS)
def test_a_parameter_called_name_is_given_the_name(part) -> None:
    config = Config({"_target_": f"named_parts.{part}", "name": "big"}, "part")
    assert config.build().called == "big"
    assert config.name == "big"
    assert identity(config, "part") != identity(config.with_(name="other"), "part")


def test_a_name_stays_a_label_where_nobody_asks_for_it() -> None:
    anything = Config({"_target_": "named_parts.Anything", "name": "big"}, "crafting")
    assert anything.build().called == "nothing"
    assert identity(anything, "c") == identity(anything.with_(name="other"), "c")
    fgsm = {"_target_": "advx.attacks.fgsm.FGSM", "epsilon": 0.1}
    assert Config(fgsm | {"name": "mine"}).arguments == {"epsilon": 0.1}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("label", ["custom", "mnist", "budget", "game_adam"])
def test_a_name_that_came_with_a_choice_is_not_taken_for_an_argument(part, label) -> None:
    node = {"_target_": f"named_parts.{part}", "name": label}
    with pytest.raises(
        ConfigError,
        match=rf"^part\.name={label}: .* argument of named_parts\.{part} too; valid: any",
    ) as caught:
        identity(node, "part")
    assert "\n" not in str(caught.value)


def test_a_missing_name_is_said_to_be_missing_and_a_given_one_is_not() -> None:
    with pytest.raises(
        ConfigError, match=r"^crafting\.name: not given, and .* has no default for it$"
    ):
        identity({"_target_": "named_parts.Named"}, "crafting")
    assert identity({"_target_": "named_parts.Named", "name": "big"}, "crafting")


def test_a_loader_is_given_the_name_and_the_classes_that_it_asks_for(module, monkeypatch) -> None:
    monkeypatch.chdir(module)
    node = "+dataset={{name: {}, _target_: named_parts.load, classes: 3, input_shape: [1, 4, 4]}}"
    words = ["experiment=transfer", "~dataset"]
    config, main = composed([*words, node.format("own")])
    check(config, main)
    data = Run(config, module, "").data
    assert (data.name, data.classes) == ("own", 3)
    with pytest.raises(
        ConfigError, match=r"^dataset\.name=mnist: .* argument of named_parts\.load"
    ):
        check(*composed([*words, node.format("mnist")]))
