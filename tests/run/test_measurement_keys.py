"""The key of a measurement: each argument of each measurement changes it."""

import importlib
import pkgutil
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch
from torch import Tensor

import advx.evaluation
import advx.experiments
import advx.run
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.evaluation.measurement import measurement
from advx.run.named import content_of
from advx.store.store import key_of
from tests.deferred import Late


def measurements() -> dict[str, Callable[..., Any]]:
    """Every measurement of advx, by dotted name."""
    found = {}
    for package in (advx.evaluation, advx.experiments, advx.run):
        for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            module = importlib.import_module(info.name)
            for name, made in vars(module).items():
                own = getattr(made, "__module__", None) == info.name
                if own and isinstance(made, types.FunctionType) and hasattr(made, "version"):
                    found[f"{info.name}.{name}"] = made
    return found


def split(shift: float) -> Split:
    return Split(torch.full((2, 1, 1, 2), shift), torch.tensor([0, 1]))


def dataset(shift: float) -> Dataset:
    return Dataset("made up", 2, split(shift), split(0.5), split(0.75))


def pair(kind: Any) -> tuple[Any, Any]:
    """Two values of a type that a key must tell apart."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return pair(next(part for part in parts if part is not type(None)))
    if origin is Literal:
        return (parts[0], parts[1]) if len(parts) > 1 else (parts[0], "another")
    if hasattr(kind, "__metadata__"):  # Annotated
        return pair(parts[0])
    if kind is bool:
        return False, True
    if kind in (int, float):
        return kind(1), kind(2)
    if kind is str:
        return "a", "b"
    if kind is Split:
        return split(0.0), split(0.25)
    if kind is Dataset:
        return dataset(0.0), dataset(0.25)
    if kind is Tensor:
        return torch.zeros(3), torch.ones(3)
    if kind is np.ndarray:
        return np.zeros(3), np.ones(3)
    if kind is Config:
        fgsm = Config({"_target_": "advx.attacks.fgsm.FGSM", "epsilon": 0.1})
        return fgsm, fgsm.with_(epsilon=0.2)
    if origin in (list, tuple) or kind in (list, tuple):
        one, other = pair(parts[0]) if parts else (1, 2)
        return [one], [other]
    if origin in (dict, Mapping) or kind is dict:
        one, other = pair(parts[1]) if parts else (1, 2)
        return {"key": one}, {"key": other}
    return Late("one"), Late("another")  # modules, attacks, games


def arguments(function: Callable[..., Any]) -> Iterator[tuple[str, Any, Any]]:
    """For every parameter two values."""
    hints = get_type_hints(function)
    for name in hints:
        if name != "return":
            yield name, *pair(hints[name])


@pytest.mark.parametrize(("name", "function"), measurements().items(), ids=measurements())
def test_each_argument_of_each_measurement_changes_its_key(
    name: str, function: Callable[..., Any]
) -> None:
    parameters = list(arguments(function))
    assert "return" in get_type_hints(function)
    usual = {parameter: one for parameter, one, _ in parameters}
    before = key_of(content_of(function, usual))
    assert key_of(content_of(function, dict(reversed(usual.items())))) == before
    for parameter, _, other in parameters:
        after = key_of(content_of(function, usual | {parameter: other}))
        assert after != before, f"{name}: {parameter}"


@measurement(version=1)
def doubled(x: float, *, factor: float = 2.0, names: list[str] | None = None) -> float:
    return factor * x


@measurement(version=2)
def doubled_again(x: float, *, factor: float = 2.0, names: list[str] | None = None) -> float:
    return factor * x


def test_defaults_are_part_of_the_key() -> None:
    assert content_of(doubled, {"x": 1.0}) == content_of(doubled, {"x": 1.0, "factor": 2.0})
    assert content_of(doubled, {"x": 1.0})["arguments"] == {"x": 1.0, "factor": 2.0, "names": None}


def test_name_and_version_are_part_of_the_key() -> None:
    one, other = content_of(doubled, {"x": 1.0}), content_of(doubled_again, {"x": 1.0})
    assert (one["version"], other["version"]) == (1, 2)
    assert one["measurement"] != other["measurement"]


def test_a_function_of_a_users_own_brings_its_source_along() -> None:
    assert content_of(doubled, {"x": 1.0})["code"]["source"]  # these tests are outside advx


def test_what_has_no_name_is_refused() -> None:
    with pytest.raises(TypeError, match=r"doubled\(names\).*function.*no name in a key"):
        content_of(doubled, {"x": 1.0, "names": lambda: None})


def test_a_function_with_hidden_values_is_no_measurement() -> None:
    hidden = 3.0
    with pytest.raises(TypeError, match="top level"):

        @measurement(version=1)
        def inner(x: float) -> float:
            return hidden * x

    with pytest.raises(TypeError, match="cannot be part of a key"):
        measurement(version=1)(_open_ended)


def _open_ended(x: float, **others: float) -> float:
    return x


def test_arrays_are_named_by_shape_format_and_content() -> None:
    base = torch.arange(6.0)
    different = [base.view(2, 3), base.double(), base + 1, base.flip(0)]
    keys = {key_of(content_of(doubled, {"x": x})) for x in (base, *different)}
    assert len(keys) == 5
    assert content_of(doubled, {"x": base}) == content_of(doubled, {"x": base.clone()})
    assert content_of(doubled, {"x": base}) == content_of(doubled, {"x": base.numpy()})


def test_data_whose_classes_have_other_names_are_other_data() -> None:
    """What is measured of attributes reads them off the names of the classes."""
    base, parts = dataset(0.0), (split(0.0), split(0.5), split(0.75))
    numbered, one, other = (
        Dataset("made up", 2, *parts, class_names=names)
        for names in (("0", "1"), ("plain", "glasses"), ("glasses", "plain"))
    )
    keys = [key_of(content_of(of_data, {"data": data})) for data in (base, numbered, one, other)]
    assert keys[0] == keys[1]
    assert len({*keys}) == 3


@measurement(version=1)
def of_data(data: Dataset) -> float:
    return float(len(data.train))
