"""Weights out of the store: the same numbers, what made them, and a model that loads them."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from advx.cli.store import write_weights
from advx.errors import ConfigError
from advx.models.softmax_regression import SoftmaxRegression
from advx.models.weights import load_weights
from advx.store.export import export
from advx.store.store import Store

MODEL = {"_target_": "advx.models.softmax_regression.SoftmaxRegression", "classes": 3}
META = {"name": "softmax_regression", "dataset": "mnist", "seed": 0, "epochs": 7}
META |= {"best_epoch": 5, "validation_error_rate": None, "model": MODEL, "defense": {"a": "b|c"}}


@pytest.fixture
def module() -> SoftmaxRegression:
    torch.manual_seed(0)
    return SoftmaxRegression(input_shape=(1, 4, 4), classes=3)


@pytest.fixture
def store(tmp_path, module) -> Store:
    made = Store(tmp_path / "store")
    state = module.state_dict() | {"count": torch.tensor(3)}
    made.save("0123456789abcdef", state, META)
    made.save("0fff456789abcdef", {"a": torch.tensor([7e4])}, META)
    return made


def text_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["advx"])


@pytest.mark.parametrize("half", [False, True])
def test_the_file_holds_the_weights_and_what_made_them(store, module, tmp_path, half) -> None:
    path = tmp_path / "new" / "net.safetensors"
    export(store, "01", path, half=half)
    held = load_file(path)
    for name, value in module.state_dict().items():
        expected = value.half() if half else value
        assert held[name].dtype == expected.dtype
        assert torch.equal(held[name], expected)
    assert held["count"] == 3
    assert held["count"].dtype == torch.int64
    told = text_of(path)
    assert told["key"] == "0123456789abcdef"
    assert told["precision"] == ("float16" if half else "float32")
    assert json.loads(told["model"]) == MODEL
    assert (told["seed"], told["best_epoch"]) == ("0", "5")
    assert "validation_error_rate" not in told
    again = path.read_bytes()
    export(store, "01", path, half=half)
    assert path.read_bytes() == again


def test_a_model_loads_what_was_written(tmp_path, module) -> None:
    store = Store(tmp_path / "store")
    store.save("ab", module.state_dict(), META)
    export(store, "ab", tmp_path / "net.safetensors")
    other = SoftmaxRegression(input_shape=(1, 4, 4), classes=3)
    load_weights(other, tmp_path / "net.safetensors", "target.weights=net.safetensors")
    x = torch.rand(5, 1, 4, 4)
    assert torch.equal(other.eval()(x), module.eval()(x))


@pytest.mark.parametrize(
    ("key", "name", "half", "complaint"),
    [
        ("0", "a.safetensors", False, "0: 2 entries begin so"),
        ("ffff", "a.safetensors", False, "ffff: no such model in"),
        ("01", "a.pt", False, "a.pt: weights are written as safetensors"),
        ("0f", "a.safetensors", True, "--half: a has numbers beyond 65,504"),
    ],
)
def test_what_cannot_be_written_is_one_line(store, tmp_path, key, name, half, complaint) -> None:
    with pytest.raises(ConfigError) as caught:
        export(store, key, tmp_path / name, half=half)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / name).exists()


def test_damaged_weights_are_not_written(store, tmp_path, caplog) -> None:
    weights = store.path("0123456789abcdef") / "weights.pt"
    weights.write_bytes(weights.read_bytes()[:-3])
    with pytest.raises(ConfigError, match="does not match its digest"):
        export(store, "01", tmp_path / "a.safetensors")
    assert "training it again" not in caplog.text, "nothing is trained here"


def test_the_card_says_how_to_load_them(store, tmp_path, capsys) -> None:
    path = tmp_path / "net.safetensors"
    assert write_weights(store.folder, ["01", str(path)], half=True, card=True) == 0
    shown = capsys.readouterr().out
    assert f"softmax_regression, float16: {path}" in shown
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert card.startswith("# softmax_regression\n")
    assert "| best epoch | 5 |" in card
    assert "`advx.models.softmax_regression.SoftmaxRegression`" in card
    assert "b\\|c" in card
    for names in ([], ["01"], ["01", "a", "b"]):
        with pytest.raises(ConfigError, match="valid: advx store export KEY FILE"):
            write_weights(store.folder, names)
    with pytest.raises(ConfigError, match="there is none"):
        write_weights(tmp_path / "nowhere", ["01", str(path)])


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4"])
def test_weights_that_torch_cannot_read_are_one_line(store, tmp_path, content) -> None:
    """Their digest is right all the same: whoever wrote them wrote something else."""
    folder = store.path("0123456789abcdef")
    (folder / "weights.pt").write_bytes(content)
    meta = json.loads((folder / "meta.json").read_text())
    meta["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "meta.json").write_text(json.dumps(meta))
    assert store.load("0123456789abcdef") is None
    with pytest.raises(ConfigError, match="0123456789abcdef: its weights cannot be read"):
        export(store, "01", tmp_path / "a.safetensors")
