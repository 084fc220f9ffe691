"""Measured numbers on disk: what is read is what was written, or nothing."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from advx.store import measurements
from advx.store.store import Store


@dataclass
class Errors:
    rate: float
    counts: np.ndarray


OF = {"metric": "error_rate", "epsilon": 0.1, "model": ["maxout", 240]}
VALUE = {"first": Errors(0.1 + 0.2, np.arange(6).reshape(2, 3)), "undefined": math.nan}


@pytest.fixture
def saved(tmp_path) -> tuple[Store, Path]:
    store = Store(tmp_path)
    store.save_value(OF, VALUE, [["fgsm", 3, 10, "three"]], {"ab": "cd"})
    return store, store.rows()[0]


def test_a_measurement_comes_back_whole(saved) -> None:
    store, path = saved
    found = store.value(OF, dict[str, Errors])
    assert found is not None
    assert found.value["first"].rate == 0.1 + 0.2
    assert np.array_equal(found.value["first"].counts, np.arange(6).reshape(2, 3))
    assert math.isnan(store.value(OF, dict[str, object]).value["undefined"])
    assert (found.notes, found.digests) == ([["fgsm", 3, 10, "three"]], {"ab": "cd"})
    assert store.row_problem(path) is None
    assert store.value(OF | {"epsilon": 0.2}) is None


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_no_byte_can_change_unseen(suffix, saved) -> None:
    """Every byte of both files in turn: the value is measured again, and `verify` says why."""
    store, path = saved
    file = path.with_suffix(suffix)
    sound = file.read_bytes()
    for place in range(len(sound)):
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        if suffix == ".json" and json_of(file) == json.loads(sound, parse_constant=str):
            continue  # white space
        assert store.value(OF, dict[str, Errors]) is None, place
        assert store.row_problem(path), place
    for end in (0, 1, len(sound) // 2, len(sound) - 1):
        file.write_bytes(sound[:end])
        assert store.value(OF) is None
        assert store.row_problem(path)
    file.write_bytes(sound)
    assert store.row_problem(path) is None
    file.unlink()
    assert store.value(OF) is None


def json_of(file: Path) -> object:
    try:
        return json.loads(file.read_bytes(), parse_constant=str)
    except ValueError:
        return None


def test_a_file_under_another_name_is_none_of_that_name(saved) -> None:
    store, path = saved
    path.rename(path.with_name("0123456789abcdef.json"))
    path.with_suffix(".npz").rename(path.with_name("0123456789abcdef.npz"))
    moved = store.rows()[0]
    assert store.row_problem(moved) == f"it was made for {path.stem}"


def test_files_of_older_versions_have_no_digest_and_are_read(saved) -> None:
    store, path = saved
    old = json.loads(path.read_text())
    del old[measurements.DIGEST]
    path.write_text(json.dumps(old))
    assert store.row_problem(path) is None
    assert store.value(OF, dict[str, Errors]).value["first"].rate == 0.1 + 0.2


@pytest.mark.parametrize("held", ["null", "[]", "3", '"text"', "{}", '{"value": 1, "arrays": 5}'])
def test_what_is_no_measurement_is_said_in_a_line(held, saved) -> None:
    store, path = saved
    path.write_text(held)
    assert store.value(OF) is None
    assert store.row_problem(path)
