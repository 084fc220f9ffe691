"""Measured numbers on disk: what is read is what was written, or nothing."""

import errno
import hashlib
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from advx.cli.store import prune, verify
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
    (file,) = path.parent.glob(f"*{suffix}")
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
    (arrays,) = path.parent.glob("*.npz")
    path.rename(path.with_name("0123456789abcdef.json"))
    arrays.rename(path.with_name(arrays.name.replace(path.stem, "0123456789abcdef")))
    moved = store.rows()[0]
    assert store.row_problem(moved) == f"it was made for {path.stem}"


@pytest.mark.parametrize("lacking", [[], ["digests"]])
def test_files_of_older_versions_have_no_digest_and_are_read(lacking, saved, capsys) -> None:
    """Their arrays have the JSON's name; `verify` counts them apart."""
    store, path = saved
    old = json.loads(path.read_text())
    for part in (measurements.DIGEST, *lacking):
        del old[part]
    path.write_text(json.dumps(old))
    (arrays,) = path.parent.glob("*.npz")
    arrays.rename(path.with_suffix(".npz"))
    assert store.row_problem(path) is None
    assert store.value(OF, dict[str, Errors]).value["first"].rate == 0.1 + 0.2
    assert verify(store) == 0
    said = "measurements: 0 sound, 0 not, 1 of an older version without a digest"
    assert said in capsys.readouterr().out


def test_a_part_that_a_newer_version_adds_is_no_damage(saved) -> None:
    store, path = saved
    newer = json.loads(path.read_text()) | {"more": 1}
    del newer[measurements.DIGEST]
    text = measurements.as_json(newer)
    newer[measurements.DIGEST] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(measurements.as_json(newer))
    assert store.row_problem(path) is None


def test_what_a_measurement_depends_on_may_have_whole_numbers_as_keys(tmp_path) -> None:
    """2 sorts before 10, and "10" before "2"."""
    store = Store(tmp_path)
    of = {"weights": {10: "a", 2: "b"}}
    store.save_value(of, 1.5)
    assert store.row_problem(store.rows()[0]) is None
    assert store.value(of, float).value == 1.5


def test_two_processes_that_measure_at_once_lose_nothing(saved, monkeypatch) -> None:
    """The other one's arrays come between ours and our JSON; then the other is killed."""
    store, path = saved
    sound = path.read_bytes()
    written = measurements.write_text
    monkeypatch.setattr(measurements, "write_text", lambda *_: None)
    store.save_value(OF, {"first": Errors(0.7, np.ones((2, 3)))})
    monkeypatch.setattr(measurements, "write_text", written)
    assert path.read_bytes() == sound
    found = store.value(OF, dict[str, Errors])
    assert np.array_equal(found.value["first"].counts, np.arange(6).reshape(2, 3))


def test_only_damage_is_pruned_and_arrays_that_nothing_names_an_hour_later(
    saved, monkeypatch, capsys
) -> None:
    store, path = saved
    lost = path.with_name(f"{path.stem}.{'0' * 16}.npz")
    lost.write_bytes(b"")
    os.utime(lost, (time.time() - 4000,) * 2)
    (path.parent / "folder.json").mkdir()

    def unreadable(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "rows/x.json")

    with monkeypatch.context() as patch:
        patch.setattr(measurements, "read_text", unreadable)
        assert prune_rows(store) == []
    assert verify(store) == 0
    prune(store)
    assert not lost.exists()
    assert store.row_problem(path) is None
    (arrays,) = path.parent.glob("*.npz")
    for content in (b"", b"PK\3\4", b"no archive"):
        stored = json.loads(path.read_text())
        stored.pop(measurements.DIGEST, None)
        stored["arrays"] = hashlib.sha256(content).hexdigest()
        path.write_text(measurements.as_json(stored))
        measurements.arrays_path(path, stored["arrays"]).write_bytes(content)
        assert store.row_problem(path) == "its arrays cannot be read"
    path.write_text("[" * 100_000)
    assert prune_rows(store) == ["it is no JSON"]
    assert not path.exists()
    assert arrays.exists()  # until it is an hour old


def prune_rows(store: Store) -> list[str]:
    found = [store.remove_damaged_row(each) for each in store.rows()]
    return [problem for problem in found if problem]


def test_an_array_of_objects_is_refused_when_it_is_stored(tmp_path) -> None:
    with pytest.raises(TypeError, match="array of Python objects"):
        Store(tmp_path).save_value(OF, np.array([None]))


@pytest.mark.parametrize("held", ["null", "[]", "3", '"text"', "{}", '{"value": 1, "arrays": 5}'])
def test_what_is_no_measurement_is_said_in_a_line(held, saved) -> None:
    store, path = saved
    path.write_text(held)
    assert store.value(OF) is None
    assert store.row_problem(path)
