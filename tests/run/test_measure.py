"""Measurements are taken once, and read back as what they were."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advx.errors import Diverged
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


def test_numpy_numbers_become_plain_ones() -> None:
    plain, arrays = packed({"a": np.float64(0.5), "b": np.int64(2)})
    assert plain == {"a": 0.5, "b": 2}
    assert arrays == []
    assert unpacked(plain, arrays, dict[str, float]) == plain
