"""Disks without room and places that cannot be written: one line, and no number lost."""

import errno
import io
import os

import pytest

from tests.own_files import OWN, TRAINING
from tests.running import started


class Full(io.FileIO):
    """A file on a disk without room."""

    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def filled(monkeypatch, part: str) -> None:
    """From here on there is no room for a file with `part` in its path."""
    real = io.open

    def opened(file, mode="r", *more, **known):
        if part in str(file) and set(mode) & set("wax"):
            full = Full(file, mode.replace("b", "").replace("t", ""))
            return full if "b" in mode else io.TextIOWrapper(full, "utf-8", write_through=True)
        return real(file, mode, *more, **known)

    monkeypatch.setattr("io.open", opened)


@pytest.mark.parametrize(
    ("words", "part", "key"),
    [
        (TRAINING, "weights.pt", "store=…"),
        (TRAINING, "checkpoint.pt", "store=…"),
        (TRAINING, "kept/rows", "store=…"),
        (OWN, "results.csv", "hydra.run.dir=…"),
        (OWN, "summary.md", "hydra.run.dir=…"),
        (OWN, "arrays.npz", "hydra.run.dir=…"),
        (OWN, "adversarial.npz", "hydra.run.dir=…"),
        (OWN, "_label", "hydra.run.dir=…"),
        (OWN, "attack.pdf", "hydra.run.dir=…"),
        (OWN, "FAILED", None),
    ],
)
def test_a_full_disk_is_named(own, command, monkeypatch, words, part, key) -> None:
    filled(monkeypatch, part)
    if part == "FAILED":  # not even room for the reason
        filled(monkeypatch, "results.csv")
    done = command(*words)
    assert done.status == 2
    line = done.err.strip().splitlines()[-1]
    assert "Traceback" not in done.err
    assert ": No space left on device; free some space there, or name a writable folder" in line
    assert line.startswith("advx: ")
    assert (part if key else "results.csv") in line.partition(": No space")[0]
    assert ".partial" not in line
    assert key is None or line.endswith(f"with {key}")
    assert not list(own.rglob("*.partial"))


LOADER = """
import errno, os

def load(**_):
    name = os.path.join(os.environ["ADVX_CACHE"], "unpacked")
    raise OSError(errno.ENOSPC, "No space left on device", name)

def library(**_):
    raise OSError(errno.ENOSPC, "No space left on device")
"""


def test_a_full_cache_and_a_library_that_names_no_file(own, command, monkeypatch) -> None:
    (own / "files_loader.py").write_text(LOADER, encoding="utf-8")
    monkeypatch.setenv("ADVX_CACHE", str(own / "cache"))
    advice = "No space left on device; free some space there, or name"
    for loader, expected in (
        (
            "load",
            f"advx: {own}/cache/unpacked: {advice} a writable folder with the environment "
            "variable ADVX_CACHE\n",
        ),
        (
            "library",
            f"advx: a file cannot be written: {advice} writable folders (hydra.run.dir=…, "
            "store=…, the environment variable ADVX_CACHE)\n",
        ),
    ):
        done = command(*OWN, f"dataset._target_=files_loader.{loader}")
        assert done == (2, "", expected)


def test_a_place_that_cannot_be_written_is_named(own, command, monkeypatch) -> None:
    (own / "file").write_text("", encoding="utf-8")
    real = os.mkdir

    def forbidden(path, *more, **known):
        if "locks" in str(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *more, **known)

    for words, expected in (
        (["store=file"], "advx: store=file: cannot be written"),
        (["hydra.run.dir=file"], "name a writable folder with hydra.run.dir=…"),
    ):
        done = command(*OWN, *words)
        assert (done.status, len(done.err.splitlines())) == (2, 1)
        assert expected in done.err
    monkeypatch.setattr("os.mkdir", forbidden)
    done = command(*TRAINING)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert done.err.startswith(
        "advx: kept/locks: Permission denied; name a writable folder with st"
    )
    for verb in ("ls", "verify", "prune"):
        done = command("store", verb, "--store", "file")
        assert (done.status, len(done.err.splitlines())) == (2, 1)


def test_results_are_not_written_anew_at_every_number(tmp_path, monkeypatch) -> None:
    run, *_ = started(tmp_path, "experiment=transfer")
    written = 0

    class Counted(io.FileIO):
        def write(self, content) -> int:
            nonlocal written
            written += len(content)
            return super().write(content)

    real = io.open

    def opened(file, mode="r", *more, **known):
        if "results.csv" in str(file) and set(mode) & set("wax"):
            counted = Counted(file, mode.replace("b", ""))
            return counted if "b" in mode else io.TextIOWrapper(counted, encoding="utf-8")
        return real(file, mode, *more, **known)

    monkeypatch.setattr("io.open", opened)
    for place in range(200):
        run.table.add(f"row {place}", error_rate=place / 2, seed=0, n=100)
        lines = (run.folder / "results.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == place + 2  # nothing waits to be written: a kill loses no number
    assert written <= 2 * (run.folder / "results.csv").stat().st_size
    run.finish()
    assert (run.folder / "results.csv").read_text(encoding="utf-8").splitlines() == lines
