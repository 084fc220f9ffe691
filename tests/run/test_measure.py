"""Measurements are taken once, and read back as what they were."""

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advx.errors import ConfigError, Diverged, NetworkChanged
from advx.evaluation.measurement import measurement
from advx.evaluation.undefined import answered
from advx.models.call import UNDEFINED
from advx.notes import Note
from advx.run.measure import Measurements
from advx.run.notices import Remarks
from advx.store.store import Store
from advx.store.values import packed, unpacked
from tests.deferred import Late

CALLS: list[str] = []


@dataclass(frozen=True)
class Result:
    rate: float
    count: int
    curve: list[float]
    image: Tensor
    pair: tuple[float, float]
    inner: "Inner | None" = None


@dataclass(frozen=True)
class Inner:
    by_name: dict[str, float]


@measurement(version=1)
def measured(size: int) -> Result:
    CALLS.append("measured")
    inner = Inner({"a": 0.1, "b": math.inf})
    return Result(0.1 + 0.2, size, [1.0, math.nan], torch.arange(size), (1.0, 2.0), inner)


@measurement(version=1)
def mean_of(values: Tensor) -> float:
    CALLS.append("mean")
    return values.mean().item()


@measurement(version=1)
def of_a_model(model: str) -> Result:
    CALLS.append("model")
    raise AssertionError("never called")


@measurement(version=1)
def maps(side: int) -> np.ndarray | None:
    return np.arange(side**2, dtype=np.int16).reshape(side, side)


@pytest.fixture
def measurements(tmp_path: Path) -> Measurements:
    CALLS.clear()
    return Measurements(Store(tmp_path), Remarks())


def same(one: Result, other: Result) -> bool:
    return repr(one) == repr(other) and torch.equal(one.image, other.image)


def test_a_value_is_measured_once_and_read_back_unchanged(measurements: Measurements) -> None:
    first, second = measurements.measure(measured, 3), measurements.measure(measured, size=3)
    assert CALLS == ["measured"]
    assert same(first, second)
    assert isinstance(second.inner, Inner)
    assert second.rate == 0.1 + 0.2
    assert second.pair == (1.0, 2.0)
    assert second.image.dtype == torch.int64
    measurements.measure(measured, 4)
    assert CALLS == ["measured", "measured"]


def test_arrays_alone_are_stored_too(measurements: Measurements) -> None:
    for _ in range(2):
        found = measurements.measure(maps, 3)
        assert found is not None
        assert found.dtype == np.int16
        assert np.array_equal(found, np.arange(9).reshape(3, 3))


def test_what_is_deferred_is_not_made_for_a_stored_value(measurements: Measurements) -> None:
    values = Late("values", torch.tensor([1.0, 2.0]), CALLS)
    assert measurements.measure(mean_of, values) == 1.5
    assert CALLS == ["values", "mean"]
    assert measurements.measure(mean_of, values) == 1.5
    assert CALLS == ["values", "mean"]


def test_a_model_that_diverged_leaves_an_undefined_value_that_is_not_stored(
    measurements: Measurements, tmp_path: Path
) -> None:
    found = measurements.measure(of_a_model, Late("model", Diverged("loss became NaN")))
    assert math.isnan(found.rate)
    assert math.isnan(found.count)
    assert found.curve == []
    assert found.inner is None
    assert math.isnan(measurements.measure(mean_of, Late("model", Diverged("again"))))
    assert not list(tmp_path.glob("rows/*"))


def test_a_damaged_value_is_measured_again(measurements: Measurements, tmp_path: Path) -> None:
    measurements.measure(measured, 3)
    for damaged in (*tmp_path.glob("rows/*.npz"), *tmp_path.glob("rows/*.json")):
        content = damaged.read_bytes()
        damaged.write_bytes(content[: len(content) // 2])
        assert measurements.measure(measured, 3).rate == 0.1 + 0.2
    assert CALLS == ["measured"] * 3


@measurement(version=1)
def first_weight(weights: dict[str, Tensor]) -> float:
    CALLS.append("first weight")
    return weights["w"][0].item()


def save(store: Store, weight: float) -> None:
    """An entry of the key `network`, as one training or another leaves it."""
    store.save("network", {"w": torch.tensor([weight, 0.0])}, {})


class FromStore(Late):
    """Loaded from the store when it is asked for, or trained again there, to other weights."""

    def __init__(self, store: Store, trained: float) -> None:
        super().__init__("network", networks=["network"])
        self.store, self.trained = store, trained

    @property
    def value(self) -> Any:
        if self.store.load("network") is None:
            save(self.store, self.trained)
        stored = self.store.load("network")
        assert stored is not None
        return stored[0]


def test_a_network_that_was_trained_again_to_other_weights_is_measured_again(
    tmp_path: Path,
) -> None:
    CALLS.clear()

    def a_run() -> float:
        store = Store(tmp_path)
        return Measurements(store, Remarks()).measure(first_weight, FromStore(store, 5.0))

    save(Store(tmp_path), 1.0)
    assert [a_run(), a_run()] == [1.0, 1.0]
    assert CALLS == ["first weight"]
    save(Store(tmp_path), 1.0)  # the same weights: the value stands
    assert a_run() == 1.0
    assert CALLS == ["first weight"]
    save(Store(tmp_path), 2.0)
    assert [a_run(), a_run()] == [2.0, 2.0]
    assert CALLS == ["first weight"] * 2


def test_values_of_a_network_that_is_gone_are_read_and_never_mixed_with_those_of_another(
    tmp_path: Path,
) -> None:
    save(Store(tmp_path), 1.0)

    def a_run() -> tuple[float, float]:
        store = Store(tmp_path)
        network, taken = FromStore(store, 5.0), Measurements(store, Remarks())
        first = taken.measure(first_weight, network)
        return first, taken.measure(second_weight, network)

    store = Store(tmp_path)
    assert Measurements(store, Remarks()).measure(first_weight, FromStore(store, 5.0)) == 1.0
    shutil.rmtree(store.path("network"))
    store = Store(tmp_path)
    assert Measurements(store, Remarks()).measure(first_weight, FromStore(store, 5.0)) == 1.0
    assert store.meta("network") is None, "nothing was trained for a value that is kept"
    with pytest.raises(NetworkChanged, match="network was trained again"):
        a_run()
    assert a_run() == (5.0, 0.0)


def test_a_network_that_is_made_again_for_a_figure_alone_is_the_one_of_the_rows(tmp_path) -> None:
    """No measurement asks for it: its store does, when it is saved or loaded."""
    save(Store(tmp_path), 1.0)
    for _ in range(2):
        store = Store(tmp_path)
        taken = Measurements(store, Remarks())
        assert taken.measure(first_weight, FromStore(store, 5.0)) == 1.0
        shutil.rmtree(store.path("network"), ignore_errors=True)
        with pytest.raises(NetworkChanged, match="network was trained again"):
            _ = FromStore(store, 5.0).value
        assert store.meta("network") is not None, "what was trained is kept, for the next run"
        shutil.rmtree(store.path("network"))
        save(Store(tmp_path), 5.0)  # by another process
        with pytest.raises(NetworkChanged, match="network was trained again"):
            store.load("network")
        shutil.rmtree(store.path("network"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: [],
        lambda _: None,
        lambda row: row | {"digests": None},
        lambda row: row | {"digests": ["x"]},
        lambda row: row | {"notes": [[1]]},
        lambda row: row | {"notes": None},
        lambda row: row | {"of": row["of"] | {"evaluation_version": -1}},
        lambda row: {key: value for key, value in row.items() if key != "of"},
    ],
)
def test_a_value_in_a_file_of_another_form_is_measured_again(tmp_path, damage) -> None:
    """Among them a file that another measurement's was copied over."""
    store = Store(tmp_path)
    CALLS.clear()
    for _ in range(2):
        assert Measurements(store, Remarks()).measure(mean_of, Late("v", torch.ones(3))) == 1.0
    assert CALLS == ["mean"]
    (row,) = tmp_path.glob("rows/*.json")
    found = json.loads(row.read_text()) | {"value": 9.0}
    row.write_text(json.dumps(damage(found)))
    assert Measurements(store, Remarks()).measure(mean_of, Late("v", torch.ones(3))) == 1.0
    assert CALLS == ["mean"] * 2


def test_a_value_without_its_networks_digest_is_measured_again(tmp_path: Path) -> None:
    save(Store(tmp_path), 1.0)
    for _ in range(2):
        store = Store(tmp_path)
        assert Measurements(store, Remarks()).measure(first_weight, FromStore(store, 5.0)) == 1.0
        (row,) = tmp_path.glob("rows/*.json")
        old = json.loads(row.read_text()) | {"value": 9.0}  # as before it had digests
        del old["digests"]
        row.write_text(json.dumps(old))


@measurement(version=1)
def second_weight(weights: dict[str, Tensor]) -> float:
    return weights["w"][1].item()


@measurement(version=1)
def left_out(classes: Tensor) -> float:
    return answered(nn.Identity(), classes).double().mean().item()


def test_examples_left_out_are_remarked_again_from_the_store(tmp_path: Path) -> None:
    classes = torch.zeros(1000, dtype=torch.int64)
    classes[7] = UNDEFINED
    for _ in range(2):
        remarks = Remarks()
        assert Measurements(Store(tmp_path), remarks).measure(left_out, classes) == 0.999
        assert remarks.texts() == [str(Note("Identity", 1, 1000))]


def test_what_json_cannot_hold_is_refused() -> None:
    for value in ({1: 2.0}, {"a": object()}, {1, 2}):
        with pytest.raises(TypeError, match="cannot be stored"):
            packed(value)


@measurement(version=1)
def by_number(classes: torch.Tensor) -> dict[int, float]:
    return {0: 1.0}


def test_a_measurement_that_returns_what_no_store_holds_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"by_number: a dict with other keys than texts cannot"):
        Measurements(Store(tmp_path), Remarks()).measure(by_number, torch.zeros(1))


def test_numpy_numbers_become_plain_ones() -> None:
    plain, arrays = packed({"a": np.float64(0.5), "b": np.int64(2)})
    assert plain == {"a": 0.5, "b": 2}
    assert arrays == []
    assert unpacked(plain, arrays, dict[str, float]) == plain
