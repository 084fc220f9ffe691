"""What a stored value depends on, argument by argument, as JSON that is made into a key."""

import dataclasses
import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from advx.config.build import settings_restored
from advx.config.config import Config
from advx.config.identity import identified, sources_of
from advx.data.dataset import Dataset, Split
from advx.evaluation.measurement import version_of

T = TypeVar("T")


class Deferred(ABC, Generic[T]):
    """Something that has a name before it is made, and that is made when it is first asked for.

    A measurement is given what it stands for; its name stands in the measurement's key.
    """

    @property
    @abstractmethod
    def key(self) -> Any:
        """What it is made of, as JSON can hold it."""

    @property
    @abstractmethod
    def networks(self) -> frozenset[str]:
        """Keys in the store of the networks and games on whose weights it rests."""

    @property
    @abstractmethod
    def value(self) -> T:
        """The thing itself, made now or remembered.

        Raises:
            Diverged: a training that it needs failed.
        """


class Derived(Deferred[T]):
    """What a plain function makes of other things of a run: named like a measurement, not stored.

    It is made once in a run, when a measurement first needs it.

    Args:
        function: marked as a measurement.
        arguments: of the call, by name.
    """

    def __init__(self, function: Callable[..., T], arguments: Mapping[str, Any]) -> None:
        self._function = function
        self._arguments = arguments

    @cached_property
    def key(self) -> Any:
        return content_of(self._function, self._arguments)

    @cached_property
    def networks(self) -> frozenset[str]:
        return networks_of(self._arguments)

    @cached_property
    def value(self) -> T:
        return self._function(**{key: made(each) for key, each in self._arguments.items()})


def content_of(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a measurement's value depends on.

    Args:
        function: a measurement.
        arguments: of the call, by name; those at their defaults are filled in.

    Raises:
        TypeError: an argument that has no name in a key, such as a function.
    """
    bound = inspect.signature(function).bind(**arguments)
    bound.apply_defaults()
    name = f"{function.__module__}.{function.__qualname__}"
    content: dict[str, Any] = {
        "measurement": name,
        "version": version_of(function),
        "arguments": {
            key: named(value, f"{name}({key})") for key, value in bound.arguments.items()
        },
    }
    if function.__module__.partition(".")[0] != "advx":
        content["code"] = sources_of(function)
    return content


def named(value: Any, where: str) -> Any:
    """An argument as it enters a key.

    Raises:
        TypeError: it has no name.
    """
    if isinstance(value, Deferred):
        return value.key
    if isinstance(value, Config):
        return identified(value.plain())
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Dataset):
        parts = {part: getattr(value, part).fingerprint for part in ("train", "validation", "test")}
        numbered = list(map(str, range(value.classes)))
        names = {} if [*value.class_names] == numbered else {"class_names": [*value.class_names]}
        return {"dataset": value.name, "classes": value.classes} | names | parts
    if isinstance(value, Split):
        return {"examples": value.fingerprint}
    if isinstance(value, Tensor | np.ndarray):
        return {"array": digest(value)}
    if isinstance(value, Mapping):
        return {str(key): named(each, f"{where}.{key}") for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [named(each, f"{where}[{i}]") for i, each in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {type(value).__qualname__: named(fields, where)}
    if isinstance(value, Path):
        return str(value)
    raise TypeError(
        f"{where}: a {type(value).__name__} has no name in a key; give numbers, texts, arrays, "
        "configurations, models, data, or lists and dictionaries of them"
    )


def networks_of(value: Any) -> frozenset[str]:
    """Keys in the store of the networks and games on whose weights an argument rests."""
    if isinstance(value, Deferred):
        return value.networks
    if isinstance(value, Mapping):
        return networks_of(list(value.values()))
    if isinstance(value, list | tuple):
        return frozenset().union(*(networks_of(each) for each in value))
    return frozenset()


def made(value: Any) -> Any:
    """An argument as the measurement is given it: what was deferred is made.

    Raises:
        Diverged: a training that it needs failed.
    """
    if isinstance(value, Deferred):
        with settings_restored():
            return value.value
    if isinstance(value, dict):
        return {key: made(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([made(each) for each in value])
    return value


def digest(values: Tensor | np.ndarray) -> str:
    """Sixteen hexadecimal digits that identify an array: its shape, number format and content."""
    array = values.detach().cpu().contiguous() if isinstance(values, Tensor) else values
    kind = f"{tuple(array.shape)} {str(array.dtype).removeprefix('torch.')}"
    raw = (
        array.reshape(-1).view(torch.uint8).numpy()
        if isinstance(array, Tensor)
        else np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    )
    return hashlib.sha256(kind.encode() + raw.tobytes()).hexdigest()[:16]
