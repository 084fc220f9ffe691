"""Files: their encoding, their being whole, the folder that a run has to itself, odd names."""

import ast
import errno
import importlib
import io
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from advx import memory
from tests.paths import SOURCES
from tests.processes import ADVX

MODULE = """
import os, pathlib, subprocess, torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))

    def forward(self, x):
        return self.layers(x)

class Asking(Net):
    asked = False

    def forward(self, x):
        if not Asking.asked:
            Asking.asked = True
            done = subprocess.run(os.environ["ASKED"], shell=True, capture_output=True, text=True)
            pathlib.Path("answer").write_text(f"{done.returncode} {done.stderr}")
        return super().forward(x)

class Ending(Net):
    calls = 0

    def forward(self, x):
        Ending.calls += 1
        if Ending.calls > 3:  # past the checks
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
        return super().forward(x)
"""

ATTACK = [
    "attack", "device.threads=1", "figure_examples=1", "model@crafting=custom",
    "crafting._target_=files_nets.Net", "crafting.weights=w.pt", "dataset=images",
    "dataset.classes=4", "attack=fgsm", "hydra.run.dir=out",
]  # fmt: skip

OWN = [*ATTACK, "dataset.path=own.npz"]


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A folder with a network, its weights and twelve images."""
    (tmp_path / "files_nets.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    state = {"layers.1.weight": torch.randn(4, 36), "layers.1.bias": torch.zeros(4)}
    torch.save(state, tmp_path / "w.pt")
    images = np.random.default_rng(0).integers(0, 256, (12, 6, 6), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(12) % 4)
    return tmp_path


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_text_is_read_and_written_in_a_named_encoding() -> None:
    """What ruff's PLW1514 misses: it does not know every path for one."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                arguments = {"read_text": 0, "write_text": 1}.get(node.func.attr)
                named = "encoding" in {k.arg for k in node.keywords}
                assert arguments is None or named or len(node.args) > arguments, (
                    f"{path}:{node.lineno}: {node.func.attr} without an encoding"
                )


def test_in_the_c_locale_nothing_is_lost(own: Path) -> None:
    odd = os.fsencode(own) + b"/don\xe9\xc3\xa9.npz"
    try:
        shutil.copy(os.fsencode(own / "own.npz"), odd)
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    script = (
        "import sys\nfrom advx.cli import main\n"
        "for words in (['list'], sys.argv[1:]):\n"
        "    sys.argv = ['advx', *words]\n"
        "    try: main()\n"
        "    except SystemExit as ended: print(ended.code)\n"
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [*map(os.fsencode, ATTACK), b'dataset.path="' + odd + b'"']
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=own, env=environment, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.stderr == b""
    assert [line for line in done.stdout.split(b"\n") if line.isdigit()] == [b"0", b"0"]
    assert "Attack — images" in (own / "out" / "summary.md").read_text(encoding="utf-8")
    assert "dataset.path" in json.loads((own / "out" / "manifest.json").read_bytes())["command"]
    assert not (own / "out" / "FAILED").exists()


def test_output_that_takes_ascii_only(own: Path) -> None:
    done = subprocess.run(
        [*ADVX, "list"], env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"?" in done.stdout


@pytest.mark.parametrize(
    "name",
    ["a=b.npz", "x#y (1).npz", "it's \"q\".npz", "{}[1].npz", "é 日本 $x.npz", "a,b.npz"],
)  # fmt: skip
def test_a_path_that_must_be_quoted_says_how_and_then_works(own, command, name) -> None:
    (own / "own.npz").rename(own / name)
    done = command(*ATTACK, f"dataset.path={name}")
    (line,) = done.err.splitlines()
    assert done.status == 2
    assert line.startswith(f"advx: dataset.path={name}: ")
    assert "Exception" not in line
    quoted = shlex.split(line.partition("quote it: ")[2])
    assert len(quoted) == 1
    done = command(*ATTACK, *quoted)
    assert (done.status, done.err) == (0, "")
    manifest = json.loads((own / "out" / "manifest.json").read_bytes())
    assert manifest["config"]["dataset"]["path"] == name
    again = shlex.split(manifest["command"])[1:]
    assert again[-1:] == quoted  # the command in the manifest can be given to a shell again


def test_the_home_folder_and_what_is_no_text(own, command, monkeypatch) -> None:
    home = own / "my home (1)"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (own / "own.npz").rename(home / "own.npz")
    assert command(*ATTACK, "dataset.path=~/own.npz", "pictures=0").status == 0
    done = command(*ATTACK, "dataset.path=~/nothing.npz")
    assert f"dataset.path={home}/nothing.npz: no such" in done.err
    for word, expected in (
        ("attack.clip=[0,1", "advx: attack.clip=[0,1: cannot be read"),
        ("é=3", "advx: é=3: not key=value"),
        ("attack.epsilon=0.1,0.2", "several values are a sweep, advx run -m"),
    ):
        done = command(*ATTACK, word)
        assert (done.status, len(done.err.splitlines())) == (2, 1)
        assert expected in done.err


def test_a_later_run_in_the_same_folder_leaves_nothing_of_the_earlier(own, command) -> None:
    assert command(*OWN, "pictures=12").status == 0
    (own / "out" / "FAILED").write_text("of a run that was killed later", encoding="utf-8")
    (own / "out" / ".results.csv.1.partial").write_text("", encoding="utf-8")
    (own / "out" / "mine.png").write_text("not a run's", encoding="utf-8")
    assert len(names(own / "out" / "adversarial")) == 12
    done = command(*OWN, "pictures=3")
    assert done.status == 0
    assert len(names(own / "out" / "adversarial")) == 3
    assert not {"FAILED", ".results.csv.1.partial"} & names(own / "out")
    assert "mine.png" not in done.out
    done = command("run", "experiment=transfer", "scale=smoke", "seeds=[0]", "device.threads=1",
                   "model@crafting=softmax_regression", "model@target=nearest_neighbor",
                   "hydra.run.dir=out", "store=out/s")  # fmt: skip
    assert done.status == 0, done.err
    left = names(own / "out") - {"run.log", ".hydra", ".lock", "adversarial", "mine.png", "s"}
    manifest = json.loads((own / "out" / "manifest.json").read_bytes())
    every = {f"{name}.csv" for name in ("results", "summary", "claims", "timing")}
    assert left == {*manifest["files"], *every, "summary.md", "manifest.json"}
    assert "transfer.png" in left
    assert not names(own / "out" / "adversarial")


def test_a_refused_run_takes_no_earlier_results_away(own, command) -> None:
    assert command(*OWN).status == 0
    kept = (own / "out" / "results.csv").read_bytes()
    for wrong in ("attack.epsilon=-1", "dataset.path=nowhere.npz"):
        assert command(*OWN, wrong).status == 2
        assert (own / "out" / "results.csv").read_bytes() == kept
        failed = (own / "out" / "FAILED").read_text(encoding="utf-8")
        assert "the results beside this file are an earlier run's" in failed
    assert command(*OWN).status == 0
    assert "FAILED" not in names(own / "out")


def test_a_folder_that_another_run_writes_into_is_refused(own, command, monkeypatch) -> None:
    monkeypatch.setenv("ASKED", shlex.join([*ADVX, *OWN, "attack.epsilon=0.5"]))
    done = command(*OWN, "crafting._target_=files_nets.Asking")
    assert done.status == 0, done.err
    code, _, line = (own / "answer").read_text(encoding="utf-8").partition(" ")
    assert code == "2"
    assert line.startswith("advx: hydra.run.dir=out: another run is writing there")
    assert len(line.splitlines()) == 1
    overrides = (own / "out" / ".hydra" / "overrides.yaml").read_text(encoding="utf-8")
    assert "0.5" not in overrides
    assert "FAILED" not in names(own / "out")
    assert command(*OWN).status == 0  # and free again


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows ends a process otherwise")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_process_that_is_asked_to_end_says_so(own, command, monkeypatch, name) -> None:
    number = getattr(signal, name)
    monkeypatch.setenv("SIGNAL", str(int(number)))
    before = signal.signal(number, signal.SIG_DFL)
    try:
        done = command(*OWN, "crafting._target_=files_nets.Ending")
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert done.status == 128 + number
    assert done.err == f"terminated by {name}: run the same command again to continue\n"
    assert name in (own / "out" / "FAILED").read_text(encoding="utf-8")


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


TRAINING = [
    "run", "experiment=transfer", "scale=smoke", "seeds=[0]", "device.threads=1", "store=kept",
    "model@crafting=softmax_regression", "model@target=softmax_regression", "hydra.run.dir=out",
]  # fmt: skip


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
        ("load", f"advx: {own}/cache/unpacked: {advice} a writable folder with the environment "
         "variable ADVX_CACHE\n"),
        ("library", f"advx: a file cannot be written: {advice} writable folders (hydra.run.dir=…, "
         "store=…, the environment variable ADVX_CACHE)\n"),
    ):  # fmt: skip
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
    from tests.running import started

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
        run.record(f"row {place}", "error_rate", place / 2, seed=0, n=100)
        lines = (run.folder / "results.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == place + 2  # nothing waits to be written: a kill loses no number
    assert written <= 2 * (run.folder / "results.csv").stat().st_size
    run.finish()
    assert (run.folder / "results.csv").read_text(encoding="utf-8").splitlines() == lines


def test_what_a_killed_process_had_begun_is_pruned_an_hour_later(tmp_path, command) -> None:
    rows = tmp_path / "kept" / "rows"
    rows.mkdir(parents=True)
    for name, age in ((".x.1.partial", 4000), (".y.2.partial", 10)):
        (rows / name).write_text("", encoding="utf-8")
        os.utime(rows / name, (time.time() - age,) * 2)
    done = command("store", "prune", "--store", "kept")
    assert done.out == "removed 1 file(s) that killed processes had begun to write\n"
    assert names(rows) == {".y.2.partial"}
    assert command("store", "prune", "--store", "nowhere").out == "nowhere is empty\n"
    assert "nowhere" not in names(tmp_path)


def test_no_module_needs_what_windows_lacks(monkeypatch) -> None:
    lacking = {"resource", "fcntl", "pwd", "grp", "termios", "tty", "pty"}
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                assert not lacking & {alias.name for alias in node.names}, path
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(Path, "exists", lambda _: False)  # nor /proc
    try:
        assert math.isnan(importlib.reload(memory).resident_peak())
    finally:
        monkeypatch.undo()
        importlib.reload(memory)
    assert memory.resident_peak() > 10


def test_unfinished_training_is_pruned_only_where_asked(tmp_path, command) -> None:
    for key, file in (("killed", "checkpoint.pt"), ("bare", "weights.pt")):
        folder = tmp_path / "kept" / "models" / key
        folder.mkdir(parents=True)
        (folder / file).write_bytes(b"x")
    done = command("store", "prune", "--store", "kept")
    assert done.out == (
        "removed bare: no readable meta.json\n"
        "kept 1 model(s) whose training is unfinished: --unfinished removes them\n"
    )
    assert names(tmp_path / "kept" / "models") == {"killed"}
    done = command("store", "prune", "--store", "kept", "--unfinished")
    assert done.out == "removed killed: training unfinished (checkpoint kept)\n"
    assert names(tmp_path / "kept" / "models") == set()


def test_a_limit_is_at_most(own, command) -> None:
    """A scale sets one whatever the data: a few images of one's own are all taken."""
    done = command(*OWN, "scale=smoke")
    assert (done.status, done.err) == (0, "")
    assert "(0 training, 12 test examples" in done.out
    assert (own / "out" / "summary.md").exists()
