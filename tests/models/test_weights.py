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
from safetensors.torch import save_file
from torch import Tensor, nn

from advx.config.compose import composed
from advx.config.config import Config
from advx.errors import ConfigError
from advx.models.weights import load_weights
from advx.run import Run, check_models
from advx.store.store import Store


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.fixture(scope="module")
def attack_config() -> dict[str, Any]:
    """The configuration of `advx attack` on a network of one's own."""
    words = [
        "experiment=attack",
        "model@crafting=custom",
        "dataset=images",
        "dataset.path=x.npz",
        "crafting._target_=tests.models.test_weights.Net",
        "dataset.classes=3",
    ]
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
        check_models(run)
        return run.model(Config(config["crafting"], "crafting"), 0).value

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
        (lambda s: {"state_dict": prefixed(s, "net."), "model": s}, "but for 'net.'"),
        (lambda s: {"mine": s, "step": 1}, "'mine'"),
        (lambda s: {"state_dict": s, "mean": torch.rand(3), "epoch": 3}, "'state_dict'"),
    ],
)
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


class Wrapped(nn.Module):
    """As `DataParallel` names its weights, or a compiled part."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.add_module(name, Net())


@pytest.mark.parametrize("name", ["module", "_orig_mod"])
def test_a_wrapped_network_takes_the_plain_ones_weights(tmp_path, name) -> None:
    state = Net().state_dict()
    torch.save(state, tmp_path / "w.pt")
    wrapped = Wrapped(name)
    load_weights(wrapped, tmp_path / "w.pt", "weights")
    for key, value in getattr(wrapped, name).state_dict().items():
        assert torch.equal(value, state[key])


def safetensors(path: Path) -> None:
    header = json.dumps({"layers.1.bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"\0\0\0\0")


def cut_short(path: Path, end: int) -> None:
    save_file(Net().state_dict(), path)
    path.write_bytes(path.read_bytes()[:end])


def test_safetensors_are_loaded_also_in_half_precision(tmp_path, loaded) -> None:
    state = Net().state_dict()
    save_file(state, tmp_path / "w.safetensors")
    for name, value in loaded(tmp_path / "w.safetensors").state_dict().items():
        assert torch.equal(value.cpu(), state[name])
    halves = {name: value.half() for name, value in state.items()}
    save_file(halves, tmp_path / "named.otherwise")
    for name, value in loaded(tmp_path / "named.otherwise").state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value.cpu(), halves[name].float())


def cut(path: Path) -> None:
    torch.save(Net().state_dict(), path)
    path.write_bytes(path.read_bytes()[:400])


BIAS = "layers.3.bias"
COUNT = "layers.2.num_batches_tracked"
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
        (safetensors, "missing: layers.1.weight"),
        (lambda p: cut_short(p, 60), "no safetensors file"),
        (lambda p: cut_short(p, -4), "no safetensors file"),
        (lambda p: save_file({"other": torch.zeros(2)}, p), "missing: layers.1.weight"),
        (saving(Net()), "whole module"),
        (saving({"state_dict": STATE, "arguments": SimpleNamespace(a=1)}), "SimpleNamespace"),
        (saving(torch.zeros(3)), "it holds a Tensor"),
        (saving({"epoch": 3, "lr": 0.1}), "no state_dict among what it holds (epoch, lr)"),
        (saving({"a": STATE, "b": STATE}), "2 states among what it holds (a, b)"),
        (saving({k: v for k, v in STATE.items() if k != BIAS}), f"missing: {BIAS} (3,)"),
        (saving(STATE | {"more": torch.zeros(2)}), "unexpected: more (2,)"),
        (saving(STATE | {BIAS: torch.zeros(4)}), f"{BIAS} is (4,), (3,) is needed"),
        (saving({f"l{i}": torch.zeros(1) for i in range(20)}), "and 17 more"),
        (saving({1: torch.zeros(2)}), "no state_dict among what it holds (1)"),
        (saving(STATE | {BIAS: STATE[BIAS].long()}), f"{BIAS} is int64, float32 is needed"),
        (saving(STATE | {BIAS: STATE[BIAS] > 0}), f"{BIAS} is bool, float32 is needed"),
        (saving(STATE | {BIAS: STATE[BIAS].cfloat()}), f"{BIAS} is complex64, float32 is needed"),
        (saving(STATE | {BIAS: STATE[BIAS].to("meta")}), f"{BIAS} has no values (meta)"),
        (saving(STATE | {BIAS: STATE[BIAS].to_sparse()}), f"{BIAS} is sparse_coo"),
    ],
)
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


class Normed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.layers.insert(2, nn.BatchNorm1d(8))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: {name: value.double() for name, value in s.items()}, None),
        (lambda s: {n: v.half() if v.is_floating_point() else v.int() for n, v in s.items()}, None),
        (lambda s: s | {COUNT: torch.tensor(2.5)}, f"{COUNT} is float32, int64 is needed"),
    ],
)
def test_numbers_of_another_width_are_taken_and_of_another_kind_are_not(
    tmp_path, change, said
) -> None:
    torch.save(change(Normed().state_dict()), tmp_path / "w.pt")
    module = Normed()
    if said is None:
        load_weights(module, tmp_path / "w.pt", "weights=w.pt")
        return
    with pytest.raises(ConfigError, match=said):
        load_weights(module, tmp_path / "w.pt", "weights=w.pt")


def flipped(path: Path, stored: Tensor) -> None:
    """One bit of what the file holds of a tensor is another."""
    content, part = path.read_bytes(), stored.numpy().tobytes()
    assert content.count(part) == 1
    place = content.index(part) + 3
    path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])


def test_one_bit_that_has_changed_is_told(tmp_path, loaded) -> None:
    torch.save(STATE, tmp_path / "w.pt")
    loaded(tmp_path / "w.pt")
    flipped(tmp_path / "w.pt", STATE[BIAS])
    with pytest.raises(ConfigError, match=r"w\.pt: damaged \(.* does not match its checksum\)$"):
        loaded(tmp_path / "w.pt")


def test_files_without_checksums_stay_readable(tmp_path) -> None:
    torch.save(STATE, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(STATE, tmp_path / "quick.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    for name in ("old.pt", "quick.pt"):
        module = Net()
        load_weights(module, tmp_path / name, f"weights={name}")
        assert torch.equal(module.state_dict()[BIAS], STATE[BIAS])


def test_a_checkpoint_with_a_changed_bit_is_started_over(tmp_path, caplog) -> None:
    store = Store(tmp_path)
    store.save_checkpoint("a", {BIAS: STATE[BIAS]})
    assert store.checkpoint("a") is not None
    flipped(tmp_path / "models" / "a" / "checkpoint.pt", STATE[BIAS])
    assert store.checkpoint("a") is None
    assert "does not match its checksum" in caplog.text
