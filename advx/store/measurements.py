"""Files of measured values: JSON with a digest of itself, and arrays beside it.

A file that does not match its digest is none: what it held is measured again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from advx.notes import Note
from advx.store.values import packed, unpacked
from advx.text_files import read_text, write_atomically, write_text

DIGEST = "sha256"
"""Of the rest of the file, as JSON. Files of older versions have none."""

PARTS = {"of", "digests", "value", "arrays", "notes"}
"""What a file without a digest may hold."""

NAMED = 16
"""Digits of the arrays' digest that their file is named by."""


class Stored(NamedTuple):
    """A measurement as it was saved.

    Attributes:
        value: that was measured.
        notes: on what it left out.
        digests: of the weights that it was measured on, by key.
    """

    value: Any
    notes: list[list[Any]]
    digests: dict[str, str]


def as_json(content: Any) -> str:
    """What a file holds of it."""
    return json.dumps(content, default=str)


def write(
    path: Path,
    of: Any,
    value: Any,
    notes: Sequence[Sequence[Any]] = (),
    digests: Mapping[str, str] | None = None,
) -> None:
    """Write a measurement: its arrays first, then its JSON.

    The arrays' file is named by their digest, so that the JSON which another process has written,
    or which was there before, keeps its own.

    Args:
        path: of the JSON.
        of: what it depends on, as JSON can hold it.
        value: see `advx.store.values.packed`.
        notes: on examples that it left out, lists of texts and numbers.
        digests: of the weights that it was measured on, by key.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    plain, arrays = packed(value)
    digest = ""
    if arrays:
        buffer = BytesIO()
        np.savez_compressed(buffer, *arrays)
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        write_atomically(arrays_path(path, digest), buffer.getvalue())
    stored = {
        "of": of,
        "digests": dict(digests or {}),
        "value": plain,
        "arrays": digest,
        "notes": list(notes),
    }
    write_text(path, as_json(stored | {DIGEST: _digest(stored)}))


def read(path: Path, kind: Any = Any) -> tuple[Any, Stored]:
    """What a measurement depends on, and the measurement.

    Args:
        path: of its JSON.
        kind: its type, see `advx.store.values.unpacked`.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is damaged, or the file of its arrays is, or is missing.
    """
    try:
        found, arrays = _read(path)
        value = unpacked(found["value"], arrays, kind)
        notes = [[*note] for note in found["notes"] if Note(*note)]
        return found["of"], Stored(value, notes, dict(found.get("digests", {})))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError("it holds no measurement") from error


def has_digest(path: Path) -> bool:
    """Whether a measurement that can be read carries a digest of itself."""
    return DIGEST in json.loads(read_text(path))


def arrays_path(path: Path, digest: str) -> Path:
    """Of the arrays with this digest, beside the JSON at `path`."""
    return path.with_name(f"{path.stem}.{digest[:NAMED]}.npz")


def _read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The JSON and the arrays, each compared with its digest."""
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON") from error
    if DIGEST in found:
        if found.pop(DIGEST) != _digest(found):
            raise ValueError("it does not match its digest")
    elif not PARTS.issuperset(found):
        raise ValueError("it has no digest")
    if not found["arrays"]:
        return found, []
    own = arrays_path(path, found["arrays"])
    older = path.with_suffix(".npz")
    try:
        raw = (own if own.exists() else older).read_bytes()
    except FileNotFoundError as error:
        raise ValueError("its arrays are missing") from error
    if hashlib.sha256(raw).hexdigest() != found["arrays"]:
        raise ValueError("its arrays do not match their digest")
    try:
        with np.load(BytesIO(raw), allow_pickle=False) as loaded:
            return found, [loaded[name] for name in loaded.files]
    except Exception as error:  # numpy and zipfile raise many types
        raise ValueError("its arrays cannot be read") from error


def _digest(stored: Mapping[str, Any]) -> str:
    return hashlib.sha256(as_json(stored).encode()).hexdigest()
