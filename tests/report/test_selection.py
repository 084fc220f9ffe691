"""Which runs `advx report` shows, and what it says of what it cannot show or write."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from advx.report.pages import SUMMARY
from advx.report.selection import select
from tests.made_up import run_folder, whole_run

OUT = ("--html", "out.html", "--tables", "tables")


def aged(folder: Path, when: int) -> Path:
    """A run that was finished then."""
    os.utime(folder / "summary.csv", (when, when))
    return folder


def test_the_latest_of_each_experiment_scale_and_version_is_taken(tmp_path) -> None:
    runs = tmp_path / "runs"
    aged(whole_run(runs / "a" / "1"), 1)
    latest = aged(whole_run(runs / "a" / "2"), 2)
    quick = {"scale": "smoke"}, {"version": "0.2.0"}, {"experiment": "rubbish"}
    others = [whole_run(runs / "a" / f"{k}", **given) for k, given in enumerate(quick, 3)]
    found = select([runs], SUMMARY)
    assert {run.folder for run in found.runs} == {latest, *others}
    assert (found.older, found.unfinished) == (1, [])


def test_a_run_that_is_named_is_taken_as_it_is(tmp_path) -> None:
    both = [aged(whole_run(tmp_path / name), at) for at, name in enumerate("ab")]
    assert [run.folder for run in select(both, SUMMARY).runs] == both
    assert [run.folder for run in select([*both, tmp_path], SUMMARY).runs] == both


def test_runs_and_reproduced_runs_are_the_default(advx) -> None:
    whole_run(Path("outputs/runs/transfer_table/1"))
    whole_run(Path("outputs/reproduce/smoke/rubbish"), "rubbish", scale="smoke")
    done = advx("report")
    assert (done.status, done.err) == (0, "")
    assert "outputs/runs/transfer_table/1" in done.out
    assert "outputs/reproduce/smoke/rubbish" in done.out
    first, second = done.out.index("scale=quick"), done.out.index("scale=smoke")
    assert first < done.out.index("outputs/runs/transfer_table/1") < second  # two tables


def test_what_is_not_whole_is_named_and_left_out(advx) -> None:
    good = whole_run(Path("outputs/runs/transfer_table/good"))
    failed = whole_run(Path("outputs/runs/transfer_table/failed"))
    (failed / "FAILED").write_text("Traceback\nRuntimeError: out of <b>memory</b>\n")
    half = run_folder(Path("outputs/runs/transfer_table/half"), summary_csv=None)
    older = whole_run(Path("outputs/runs/rubbish/older"), "rubbish")
    text = (older / "results.csv").read_text()
    (older / "results.csv").write_text(text.replace(",unit,", ",units,"))
    bare = run_folder(Path("outputs/runs/x/bare"))
    done = advx("report", *OUT)
    assert (done.status, done.err) == (0, "")
    page = Path("out.html").read_text(encoding="utf-8")
    assert f"page:   out.html ({len(page.encode()) / 1e6:.1f} MB, 1 run(s))" in done.out
    for folder, why in (
        (failed, "failed: RuntimeError: out of <b>memory</b>"),
        (half, "no summary.csv"),
        (older, "results.csv has no column unit"),
        (bare, "no manifest.json"),
    ):
        assert f"  {folder}: {why}" in done.out
        assert f"<li>{folder}: {why.replace('<', '&lt;').replace('>', '&gt;')}" in page
    assert page.count("<article") == 1
    assert good.name in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", *OUT], "folder=nowhere: no such folder; valid: a run, or a folder"),
        (["file", *OUT], "folder=file: a file; valid: a run, or a folder"),
        (["empty", *OUT], "folder=empty: no finished run there; valid: a run"),
        (["half", *OUT], "folder=half: no finished run there; valid: a run"),
        (["nowhere"], "folder=nowhere: no such folder; valid: a run, or a folder"),
        (["whole", "--html", "empty"], "html=empty: a folder; valid: a file, e.g. empty/report."),
        (["whole", "--html", "file/x.html"], "html=file/x.html: File exists; valid: a place"),
        (["whole", "--html", "/proc/x/y"], "html=/proc/x/y: No such file or directory; valid: a"),
        (["whole", "--tables", "file"], "tables=file: File exists; valid: a place where you can"),
    ],
)
def test_bad_input_is_one_line(advx, words, said) -> None:
    Path("empty").mkdir()
    Path("file").touch()
    whole_run(Path("whole"))
    run_folder(Path("half"), summary_csv=None)
    done = advx("report", *words)
    assert done.status == 2
    assert done.err.startswith(f"advx: {said}")
    assert done.err.count("\n") == 1
    assert not Path("out.html").exists()


def test_no_runs_at_all(advx) -> None:
    done = advx("report", "--html", "out.html")
    assert done.status == 2
    assert done.err.startswith("advx: folder=outputs/runs, outputs/reproduce: no finished run")
    assert advx("report").status == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written(advx) -> None:
    whole_run(Path("whole"))
    Path("shut").mkdir(mode=0o500)
    done = advx("report", "whole", "--html", "shut/out.html")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("advx: html=shut/out.html: no permission to write there")


@pytest.mark.parametrize("missing", ["vl_convert", "jinja2"])
def test_a_missing_package_is_one_line(advx, monkeypatch, missing) -> None:
    whole_run(Path("whole"))
    for name in [name for name in sys.modules if name.startswith("advx.report.page")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    done = advx("report", "whole", "--html", "out.html")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("advx: html=out.html: ")
    assert done.err.endswith('; try pip install ".[report]" in the checkout\n')


TWICE = """
import sys
from advx.cli import main
sys.argv = ["advx", "report", "whole", "--html", "out.html", "--tables", "tables"]
main()
"""


def test_two_reports_at_once_leave_a_whole_page(tmp_path) -> None:
    whole_run(tmp_path / "whole")
    both = [
        subprocess.Popen([sys.executable, "-c", TWICE], cwd=tmp_path, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [one.wait() for one in both] == [0, 0]
    assert (tmp_path / "out.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "out.html", "tables"}


def test_a_manifest_that_is_damaged_leaves_the_run_out_of_the_page(advx) -> None:
    whole_run(Path("runs/good"))
    bad = whole_run(Path("runs/bad"), "rubbish")
    (bad / "manifest.json").write_text(json.dumps({"config": {}}))
    odd = whole_run(Path("runs/odd"), "norm_balls")
    text = (odd / "manifest.json").read_text(encoding="utf-8")
    changed = json.loads(text) | {"versions": ["0.1.0"]}
    (odd / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
    done = advx("report", "runs", "--html", "out.html")
    assert done.status == 0
    assert f"  {bad}: manifest.json cannot be read" in done.out
    assert f"  {odd}: manifest.json has no keys under versions" in done.out
