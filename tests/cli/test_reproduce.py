"""`advx reproduce` as a user meets it: bad input, signals, kills at any moment."""

import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from tests.processes import ADVX

TWO = ("hidden_representation", "norm_balls")
"""Experiments that share networks."""

SAME = ("results.csv", "summary.csv", "summary.md", "claims.csv")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--only rubish", "--only rubish: no such experiment; did you mean rubbish?"),
        ("--skip rubbish,nonsense", "--skip nonsense: no such experiment; "),
        ("--only rubbish --skip rubbish", "--skip rubbish: no experiment is left"),
        ("--hours 0", "--hours 0: a number above 0 is needed, e.g. --hours 8"),
        ("--hours nan", "--hours nan: a number above 0 is needed"),
        ("--hours=-1", "--hours -1: a number above 0 is needed"),
        ("--workers 0", "--workers 0: a whole number from 1 is needed"),
        ("scale=smok", "scale=smok: no such choice; did you mean smoke?"),
        ("rubbish", "rubbish: not key=value"),
        ("experiment=rubbish", "experiment=rubbish: name experiments with --only"),
        ("hydra.run.dir=x", "hydra.run.dir=x: each run has its folder in outputs/reproduce"),
        ("cosinus=1", "cosinus=1: none of these experiments has such a key"),
        ("--only linearity device.threads=0", "device.threads=0: a whole number from 1"),
        ("--only transfer_table attack.epsilon=-1", "attack.epsilon=-1: input should be greater"),
    ],
)
def test_bad_input_is_one_line(command, tmp_path, words, expected) -> None:
    done = command("reproduce", *words.split())
    assert (done.status, len(done.err.splitlines())) == (2, 1), done.err
    assert done.err.startswith(f"advx: {expected}")
    assert not (tmp_path / "outputs").exists()


def test_a_folder_that_cannot_be_written_is_one_line(command, tmp_path) -> None:
    (tmp_path / "outputs").write_text("", encoding="utf-8")
    done = command("reproduce", "scale=smoke", "--only", "linearity")
    assert (done.status, len(done.err.splitlines())) == (2, 1), done.err
    assert done.err.startswith("advx: outputs/reproduce/smoke: cannot be written (")


def test_a_second_one_in_the_same_folder_is_refused(command, tmp_path) -> None:
    folder = tmp_path / "outputs" / "reproduce" / "smoke"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        done = command("reproduce", "scale=smoke", "--only", "linearity")
    assert (done.status, len(done.err.splitlines())) == (2, 1), done.err
    assert "another advx reproduce is at work there" in done.err


def test_help_names_every_option(command) -> None:
    done = command("reproduce", "--help")
    assert done.status == 0
    for option in ("--plan", "--only", "--skip", "--hours", "--workers", "scale="):
        assert option in done.out


def started(folder: Path, *, at_work: bool) -> subprocess.Popen:
    """A `reproduce` of two experiments, one after the other.

    Args:
        folder: where it runs.
        at_work: whether to wait until one of the experiments has begun.
    """
    runs, began = folder / "outputs" / "reproduce" / "smoke", time.time()
    words = ["reproduce", "scale=smoke", "--only", ",".join(TWO), "--workers", "1"]
    process = subprocess.Popen(
        [*ADVX, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while at_work and process.poll() is None:
        composed = runs.glob("*/.hydra/config.yaml")  # written as soon as a run begins
        at_work = not any(path.stat().st_mtime > began for path in composed)
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("experiments", [TWO])
def test_interrupted_anywhere_and_run_again_it_ends_with_the_same_bytes(
    experiments, reproduced, tmp_path
) -> None:
    process = started(tmp_path, at_work=True)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert said.endswith("terminated by SIGTERM: run the same command again to continue\n")
    moments = random.Random(0)
    for _ in range(2):
        process = started(tmp_path, at_work=True)
        time.sleep(moments.uniform(0, 3))
        process.kill()
        process.communicate()
    process = started(tmp_path, at_work=False)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    runs = tmp_path / "outputs" / "reproduce" / "smoke"
    for name in experiments:
        for file in SAME:
            ours, whole = runs / name / file, reproduced / name / file
            assert ours.read_bytes() == whole.read_bytes(), (name, file)
        with (
            np.load(runs / name / "arrays.npz") as ours,
            np.load(reproduced / name / "arrays.npz") as whole,
        ):
            assert ours.files == whole.files
            assert all(np.array_equal(ours[key], whole[key]) for key in ours.files)
    assert not list(tmp_path.rglob("FAILED"))


@pytest.mark.parametrize("experiments", [TWO[:1]])
def test_it_runs_what_advx_run_runs(experiments, reproduced, command, tmp_path) -> None:
    (name,) = experiments
    words = [f"experiment={name}", "scale=smoke", "device.threads=1", "hydra.run.dir=out"]
    done = command("run", *words)
    assert done.status == 0, done.err
    for file in SAME:
        assert (tmp_path / "out" / file).read_bytes() == (reproduced / name / file).read_bytes()


def test_processes_end_with_the_one_that_started_them(tmp_path) -> None:
    process = started(tmp_path, at_work=True)
    process.kill()
    process.communicate()
    (folder,) = {path.parent for path in tmp_path.glob("outputs/reproduce/smoke/*/.hydra")}
    with FileLock(folder / ".lock", timeout=60):  # that a process at work there holds
        assert not (folder / "summary.md").exists()
