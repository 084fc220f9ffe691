"""Weights of the user's own: wrapped ones are loaded, others are refused with the reason."""

import copy
import json
import logging
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advx.config.compose import composed
from advx.errors import ConfigError
from advx.run import Run


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.fixture(scope="module")
def attack_config() -> dict[str, Any]:
    """The configuration of `advx attack` on a network of one's own."""
    words = ["experiment=attack", "model@crafting=custom", "dataset=images", "dataset.path=x.npz",
             "crafting._target_=tests.test_weights.Net", "dataset.classes=3"]  # fmt: skip
    return composed(words)[0]


@pytest.fixture
def loaded(tmp_path, attack_config) -> Callable[[Path], nn.Module]:
    """The network that a run attacks, given the file of its weights."""
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(6) % 3)
    config = copy.deepcopy(attack_config)
    config["dataset"]["path"] = str(tmp_path / "x.npz")
    config["store"] = str(tmp_path / "store")

    def load(weights: Path) -> nn.Module:
        config["crafting"]["weights"] = str(weights)
        run = Run(config, tmp_path, "advx attack")
        run.check_models()
        return run.trained(run.recipe(config["crafting"], 0, path="crafting")).module

    return load


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(
    ("wrapped", "said"),
    [
        (lambda s: s, None),
        (lambda s: prefixed(s, "module."), "'module.'"),
        (lambda s: prefixed(s, "_orig_mod.module."), "'_orig_mod.module.'"),
        (lambda s: {n.replace("layers.", "layers._orig_mod."): v for n, v in s.items()}, "names"),
        (lambda s: {"state_dict": s, "epoch": 3}, "'state_dict'"),
        (lambda s: {"model": prefixed(s, "module."), "loss": torch.tensor(1.0)}, "'model'"),
        (lambda s: {"model_state_dict": s, "optimizer": {"state": {}, "lr": 0.1}}, "state_dict"),
        (lambda s: {"state_dict": prefixed(s, "net."), "model": s}, "without 'net.'"),
        (lambda s: {"mine": s, "step": 1}, "'mine'"),
    ],
)  # fmt: skip
def test_wrapped_weights_are_loaded_and_it_is_said(tmp_path, loaded, caplog, wrapped, said) -> None:
    state = Net().state_dict()
    torch.save(wrapped(state), tmp_path / "w.pt")
    with caplog.at_level(logging.INFO):
        module = loaded(tmp_path / "w.pt")
    for name, value in module.state_dict().items():
        assert torch.equal(value.cpu(), state[name])
    notes = [r.getMessage() for r in caplog.records if "w.pt" in r.getMessage()]
    assert len(notes) == (said is not None)
    assert said is None or said in notes[0]


def safetensors(path: Path) -> None:
    header = json.dumps({"layers.1.bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"\0\0\0\0")


def cut(path: Path) -> None:
    torch.save(Net().state_dict(), path)
    path.write_bytes(path.read_bytes()[:400])


BIAS = "layers.3.bias"
STATE = Net().state_dict()


def saving(content: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(content, path)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda p: p.write_bytes(b""), "the file is empty"),
        (lambda p: p.write_text("version 1\n", encoding="utf-8"), "no file of torch.save's"),
        (lambda p: p.mkdir(), "directory"),
        (lambda p: None, "No such file"),
        (cut, "damaged"),
        (safetensors, "a safetensors file"),
        (saving(Net()), "whole module"),
        (saving({"state_dict": STATE, "arguments": SimpleNamespace(a=1)}), "SimpleNamespace"),
        (saving(torch.zeros(3)), "it holds a Tensor"),
        (saving({"epoch": 3, "lr": 0.1}), "no state_dict among what it holds (epoch, lr)"),
        (saving({"a": STATE, "b": STATE}), "2 states among what it holds (a, b)"),
        (saving({k: v for k, v in STATE.items() if k != BIAS}), f"missing: {BIAS} (3,)"),
        (saving(STATE | {"more": torch.zeros(2)}), "unexpected: more (2,)"),
        (saving(STATE | {BIAS: torch.zeros(4)}), f"{BIAS} is (4,), (3,) is needed"),
        (saving({f"l{i}": torch.zeros(1) for i in range(20)}), "and 17 more"),
    ],
)  # fmt: skip
def test_why_weights_do_not_load_is_one_line(tmp_path, loaded, make, expected) -> None:
    make(tmp_path / "w.pt")
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path / "w.pt")
    message = str(caught.value)
    assert message.startswith(f"crafting.weights={tmp_path / 'w.pt'}: ")
    assert expected in message
    assert "\n" not in message
    assert "\x1b" not in message
    assert "weights_only" not in message
    assert len(message) < 500


def test_what_is_in_a_file_is_not_executed(tmp_path, loaded) -> None:
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    torch.save({"state_dict": STATE, "extra": Harmful()}, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match="executing code"):
        loaded(tmp_path / "w.pt")
    assert not (tmp_path / "executed").exists()
