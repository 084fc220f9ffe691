"""`advx reproduce` with stand-ins for the experiments: what runs, in what order, what is said."""

import csv
import json
import re
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from advx.reproduce import reproduce as module
from advx.reproduce.costs import costs, yardstick_of
from advx.reproduce.experiments import listed
from advx.reproduce.plan import FOLDER, Request
from advx.reproduce.processes import Entry
from advx.reproduce.reproduce import reproduce
from advx.reproduce.yardstick import measured
from tests.paths import REFERENCE
from tests.reproduce import entries

ROOT = FOLDER / "smoke"
THREE = ("gan_theory", "linearity", "norm_balls")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch) -> None:
    """An empty working folder, and nothing heavy in the processes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "PRELOADED", ("tests.reproduce.entries",))


def begun(request: Request, entry: Entry, yardstick: float = 0.1) -> int:
    """`reproduce` on a machine of this speed, without a GPU."""
    return reproduce(request, entry, cuda=False, yardstick=lambda _: yardstick)


def entered() -> list[str]:
    """What the stand-ins wrote since the last call."""
    path = Path(entries.LOG)
    found = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def test_what_is_finished_is_not_run_again_and_what_is_changed_is(capfd) -> None:
    asked = Request("smoke", only=THREE)
    assert begun(asked, entries.finish) == 0
    assert sorted(entered()) == sorted(f"{a} {name}" for name in THREE for a in ("begin", "end"))
    assert (ROOT / "linearity.log").read_text(encoding="utf-8") == "this is linearity\n"
    assert "3 finished\n" in capfd.readouterr().out
    assert begun(asked, entries.finish) == 0
    assert entered() == []
    assert "3 finished before" in capfd.readouterr().out
    for file in ("summary.md", "results.csv", "claims.csv", "figure.png"):
        (ROOT / "linearity" / file).unlink()
        assert begun(asked, entries.finish) == 0
        assert entered() == ["begin linearity", "end linearity"], file
    for damage in ({"versions": None}, {"versions": []}, {"files": 3}):
        path = ROOT / "linearity" / "manifest.json"
        whole = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(whole | damage), encoding="utf-8")
        assert begun(asked, entries.finish) == 0
        assert entered() == ["begin linearity", "end linearity"], damage
    changed = Request(
        "smoke", ["store=elsewhere", "cosines=[0.5]"], only=(*THREE, "church_windows")
    )
    assert begun(changed, entries.finish) == 0
    assert entered() == ["begin church_windows", "end church_windows"]
    changed = Request("smoke", ["seeds=[1]"], only=["linearity"])
    assert begun(changed, entries.finish) == 0
    assert entered() == ["begin linearity", "end linearity"]


def test_one_that_fails_is_recorded_and_the_others_go_on(capfd) -> None:
    asked = Request("smoke", only=(*THREE, "rubbish", "gan_samples"))
    assert begun(asked, entries.some_fail) == 1
    done = capfd.readouterr()
    assert done.out.startswith("2 finished, 3 failed\n")
    found = re.findall(r"^(\w+) +(.+?) +outputs/reproduce/smoke/(\w+)\.log$", done.out, re.M)
    whys = {
        "linearity": "attack.epsilon=-1: too small",
        "norm_balls": "RuntimeError: no such layer",
        "rubbish": "ended by signal 9 (out of memory?)",
    }
    assert {name: line for name, line, _ in found} == whys
    assert all(name == log for name, _, log in found)
    with (ROOT / "failures.csv").open(encoding="utf-8") as stream:
        assert {row["experiment"]: row["line"] for row in csv.DictReader(stream)} == whys
    assert "Traceback" not in done.err
    assert entered()
    Path("mended").touch()
    assert begun(asked, entries.some_fail) == 0
    assert {line.split()[1] for line in entered()} == {"linearity", "norm_balls", "rubbish"}
    assert not (ROOT / "failures.csv").exists()


def test_what_measures_time_runs_alone_and_last() -> None:
    benchmarks = ("benchmark_gan", "benchmark_training")
    asked = Request("smoke", only=(*benchmarks, *THREE), workers=3)
    assert begun(asked, entries.finish_slowly) == 0
    lines = [line for line in entered() if line != "begin"]
    assert {line.split()[1] for line in lines[:9]} == {*THREE}
    for name, part in zip(("benchmark_gan", "benchmark_training"), (9, 12), strict=True):
        del name
        assert len({line.split()[1] for line in lines[part : part + 3]}) == 1


def test_hours_end_it_cleanly(capfd) -> None:
    asked = Request("smoke", only=THREE, hours=1 / 3600)
    assert begun(asked, entries.sleep) == 0
    assert "3 not finished in" in capfd.readouterr().out
    assert not (ROOT / "failures.csv").exists()
    for name in THREE:  # whoever was stopped holds nothing
        with FileLock(ROOT / f"{name}.test"):
            pass
    assert begun(Request("smoke", only=THREE), entries.finish) == 0


def test_a_plan_makes_nothing(capfd, tmp_path) -> None:
    asked = Request("chapter", plan=True)
    assert begun(asked, entries.finish) == 0
    out = capfd.readouterr().out
    for name, each in listed().items():
        assert (f"\n{name} " in out) == (not each.tool), name
    assert re.search(r"\n\d+ to run at scale=chapter, 2 at a time: about [\d.]+ h\n", out)
    assert re.search(r"\ndisk: about [1-9][\d.]* GiB, ", out)
    assert "without CUDA: model=conv_maxout_small" in out
    assert list(tmp_path.iterdir()) == []


def test_peers_that_are_missing_are_skipped(capfd, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    asked = Request("smoke", only=["linearity", "independent_attacks"])
    assert begun(asked, entries.finish) == 0
    out = capfd.readouterr().out
    assert "independent_attacks: skipped: needs foolbox, which is not installed" in out
    assert "1 finished, 1 skipped" in out
    assert {line.split()[1] for line in entered()} == {"linearity"}


def test_times_are_noted_in_the_form_of_the_projects_own() -> None:
    assert begun(Request("smoke", only=THREE), entries.finish) == 0
    with (ROOT / "times.csv").open(encoding="utf-8") as stream:
        rows = {row["experiment"]: row for row in csv.DictReader(stream)}
    assert rows.keys() == {*THREE}
    assert all(0 < float(row["seconds"]) < 60 for row in rows.values())


def planned_minutes(capfd, yardstick: float) -> float:
    begun(Request("quick", plan=True), entries.finish, yardstick)
    found = re.search(r"at a time: about ([\d.]+) (min|h)\n", capfd.readouterr().out)
    assert found
    return float(found[1]) * {"min": 1, "h": 60}[found[2]]


def test_a_plan_is_as_long_as_this_machine_is_slow(capfd) -> None:
    there = yardstick_of(REFERENCE / "quick")
    assert there
    usual = planned_minutes(capfd, there)
    assert usual > 30
    assert planned_minutes(capfd, 3 * there) == pytest.approx(3 * usual, rel=0.03)


def test_what_was_run_here_counts_at_the_speed_of_then(capfd) -> None:
    there = yardstick_of(REFERENCE / "smoke")
    assert there
    assert begun(Request("smoke", only=THREE), entries.finish, 2 * there) == 0
    expected = costs(THREE, "smoke", yardstick=2 * there)
    lines = [f"{name},{3 * cost.seconds},1\n" for name, cost in expected.items()]
    (ROOT / "times.csv").write_text("experiment,seconds,bytes\n" + "".join(lines), "utf-8")
    for now in (1, 2, 5):  # three times longer than expected, on a machine of this speed
        capfd.readouterr()
        begun(Request("smoke", plan=True), entries.finish, now * there)
        assert f"× {3 * now:.2f} as measured on this machine" in capfd.readouterr().out
    assert begun(Request("smoke", only=THREE), entries.finish, there) == 0
    assert yardstick_of(ROOT) == pytest.approx(2 * there, abs=1e-4)


def test_the_yardstick_leaves_pytorch_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    assert 0 < measured(2) < 60
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
