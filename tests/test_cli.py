"""The command line as a user meets it: one line for bad input, the same rows after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from advx.hydra_run import flags_and_overrides

ADVX = [str(Path(sys.executable).with_name("advx"))]
SMOKE = ["run", "experiment=transfer_table", "scale=smoke", "seeds=[0]", "readings=[unclipped]"]


def advx(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ADVX + list(arguments), cwd=folder, env=os.environ | environment, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("experiment=nonsense", "experiment=nonsense: no such choice"),
        ("model@models.maxout=maxot", "did you mean maxout?"),
        ("attack.epsilom=1", "attack.epsilom: no such key"),
        ("+attack.epsilom=1", "attack.epsilom=1: no such key; did you mean epsilon?"),
        ("+nonsense=1", "nonsense=1: no such key"),
        ("attack.epsilon=abc", "attack.epsilon=abc: input should be a valid number"),
        ("attack.epsilon=-1", "attack.epsilon=-1: input should be greater than or equal to 0"),
        ("attack.epsilon=nan", "attack.epsilon=nan: input should be a finite number"),
        ("attack.norm=l7", "attack.norm=l7: input should be 'linf' or 'l2'"),
        ("seeds=[]", "seeds=[]: empty"),
        ("seeds=[1,1]", "seeds=[1, 1]: each seed once"),
        ("models.relu.input_shape=[1,9,9]", "does not fit dataset=mnist5k"),
        ("dataset=mnist", "download failed"),
    ],
)
def test_bad_input_is_one_line(tmp_path, override, expected) -> None:
    done = advx(
        tmp_path, *SMOKE, override, ADVX_DATA=str(tmp_path / "none"), ADVX_CACHE=str(tmp_path / "c")
    )
    assert done.returncode == 2, done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert expected in line
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("outputs/store/models/*/weights.pt"))


def test_help_needs_neither_torch_nor_hydra() -> None:
    code = "import sys, advx.cli; sys.exit(bool({'torch', 'hydra'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_flags_may_stand_anywhere() -> None:
    assert flags_and_overrides(["a=1", "-m", "b=1,2", "--cfg", "job"]) == (
        ["-m", "--cfg", "job"],
        ["a=1", "b=1,2"],
    )
    assert flags_and_overrides(["--info", "a=1"]) == (["--info=all"], ["a=1"])
    assert flags_and_overrides(["a=1", "-i", "plugins"]) == (["--info=plugins"], ["a=1"])


def test_killed_and_run_again_gives_the_same_rows(tmp_path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    done = advx(whole, *SMOKE, "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    expected = (whole / "out" / "results.csv").read_bytes()
    killed = tmp_path / "killed"
    killed.mkdir()
    for delay in (5.0, 6.5):
        process = subprocess.Popen(
            [*ADVX, *SMOKE, "hydra.run.dir=out"], cwd=killed, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = advx(killed, *SMOKE, "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    assert (killed / "out" / "results.csv").read_bytes() == expected
