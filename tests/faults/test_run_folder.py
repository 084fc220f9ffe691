"""A run's folder is its own: after a refusal, another run, or a signal."""

import json
import shlex
import signal

import pytest

from tests.own_files import OWN, names
from tests.processes import ADVX


def test_a_later_run_in_the_same_folder_leaves_nothing_of_the_earlier(own, command) -> None:
    assert command(*OWN, "saved_images=12").status == 0
    (own / "out" / "FAILED").write_text("of a run that was killed later", encoding="utf-8")
    (own / "out" / ".results.csv.1.partial").write_text("", encoding="utf-8")
    (own / "out" / "mine.png").write_text("not a run's", encoding="utf-8")
    assert len(names(own / "out" / "adversarial")) == 12
    done = command(*OWN, "saved_images=3")
    assert done.status == 0
    assert len(names(own / "out" / "adversarial")) == 3
    assert not {"FAILED", ".results.csv.1.partial"} & names(own / "out")
    assert "mine.png" not in done.out
    done = command(
        "run",
        "experiment=transfer",
        "scale=smoke",
        "seeds=[0]",
        "device.threads=1",
        "model@crafting=softmax_regression",
        "model@target=nearest_neighbor",
        "hydra.run.dir=out",
        "store=out/s",
    )
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
