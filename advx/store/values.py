"""Measured values on disk: numbers as JSON, arrays beside them, named results by their types."""

import dataclasses
import types
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

ARRAY = "array in the file beside"
"""Stands in the JSON for an array, with its number."""


def packed(value: Any) -> tuple[Any, list[np.ndarray]]:
    """A value as JSON can hold it, and its arrays.

    Args:
        value: a number, text, None, array, tensor or dataclass, or lists, tuples and dictionaries
            (with texts as keys) of them.

    Raises:
        TypeError: something else is in it.
    """
    arrays: list[np.ndarray] = []

    def pack(part: Any) -> Any:
        if part is None or isinstance(part, bool | int | float | str):
            return part
        if isinstance(part, Tensor | np.ndarray):
            if isinstance(part, np.ndarray) and part.dtype.hasobject:
                raise TypeError("an array of Python objects cannot be stored")
            arrays.append(part.detach().cpu().numpy() if isinstance(part, Tensor) else part)
            return {ARRAY: len(arrays) - 1}
        if dataclasses.is_dataclass(part) and not isinstance(part, type):
            return {f.name: pack(getattr(part, f.name)) for f in dataclasses.fields(part)}
        if isinstance(part, list | tuple):
            return [pack(each) for each in part]
        if isinstance(part, Mapping) and all(isinstance(key, str) for key in part):
            return {key: pack(each) for key, each in part.items()}
        if isinstance(part, np.generic):
            return part.item()
        what = "with other keys than texts " if isinstance(part, Mapping) else ""
        raise TypeError(f"a {type(part).__name__} {what}cannot be stored: {part!r}")

    return pack(value), arrays


def unpacked(stored: Any, arrays: list[np.ndarray], kind: Any) -> Any:
    """The value again: dataclasses and tuples where the type says so.

    Args:
        stored: as `packed` made it.
        arrays: likewise.
        kind: the type, as a function's return annotation names it; `Any` for what JSON gives.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (kind, *others) = [part for part in parts if part is not type(None)]
        known = stored is None or others
        return stored if known else unpacked(stored, arrays, kind)
    if isinstance(stored, dict) and set(stored) == {ARRAY}:
        found = arrays[stored[ARRAY]]
        if kind is Tensor:
            return torch.from_numpy(found.copy())
        return found
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(stored, dict):
        hints = get_type_hints(kind)
        return kind(**{k: unpacked(v, arrays, hints[k]) for k, v in stored.items()})
    if isinstance(stored, list):
        if origin is tuple:
            kinds = parts if parts[1:] != (Ellipsis,) else parts[:1] * len(stored)
            return tuple(unpacked(v, arrays, k) for v, k in zip(stored, kinds, strict=True))
        made = [unpacked(v, arrays, parts[0] if parts else Any) for v in stored]
        return tuple(made) if kind is tuple else made
    if isinstance(stored, dict):
        inner = parts[1] if len(parts) == 2 else Any
        return {key: unpacked(value, arrays, inner) for key, value in stored.items()}
    return stored


def undefined(kind: Any) -> Any:
    """What stands for a value of this type that could not be measured.

    NaN for a number, a dataclass of such, an empty list or dictionary; else None.
    """
    if kind in (float, int):
        return float("nan")
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{f.name: undefined(hints[f.name]) for f in dataclasses.fields(kind)})
    origin = get_origin(kind) or kind
    return origin() if origin in (list, dict) else None


def returned_by(function: Callable[..., Any]) -> Any:
    """The type that a function's annotation promises; `Any` without one."""
    try:
        return get_type_hints(function).get("return", Any)
    except Exception:  # a user's own annotations need not resolve
        return Any
