"""What experiments take, from timed runs and without them; in what order they go."""

import shutil
from pathlib import Path

import pytest

from advx.reproduce.board import spoken
from advx.reproduce.costs import Cost, costs, timings
from advx.reproduce.experiments import Experiment, listed
from advx.reproduce.jobs import Job
from advx.reproduce.order import left_by_job, makespan, most_valuable_first, shared_first
from tests.paths import REFERENCE


def timed(folder: Path, scale: str, times: dict[str, float], networks: str = "") -> None:
    (folder / scale).mkdir()
    lines = "".join(f"{name},{seconds}\n" for name, seconds in times.items())
    (folder / scale / "times.csv").write_text("experiment,seconds\n" + lines, encoding="utf-8")
    head = "experiment,key,seconds,bytes\n"
    (folder / scale / "networks.csv").write_text(head + networks, encoding="utf-8")


def test_a_timing_is_taken_as_it_is_and_networks_that_are_there_cost_nothing(tmp_path) -> None:
    timed(tmp_path, "smoke", {"a": 100}, "a,k1,60,1000\na,k2,20,3000\n")
    (cost,) = costs(["a"], "smoke", folder=tmp_path).values()
    assert (cost.seconds, cost.network_bytes, cost.basis) == (100, 2000, "timed")
    assert cost.left({"k1", "elsewhere"}) == 40
    assert cost.left({"k1", "k2"}) == 20


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("times.csv", "experiment,seconds\nb,\na,100\n"),
        ("times.csv", "experiment,seconds\nb,x\na,100\n"),
        ("times.csv", "experiment,seconds\nb\na,100\n"),
        ("times.csv", "experiment,seconds\n,3\na,100\n"),
        ("networks.csv", "experiment,key,seconds,bytes\na,k1,60,\n"),
        ("networks.csv", "experiment,key,seconds,bytes\na,k1,inf,5\n"),
        ("networks.csv", "name,seconds\na,60\n"),
        ("machine.csv", "yardstick\nabc\n"),
        ("machine.csv", "speed\n3\n"),
    ],
)
def test_a_damaged_line_of_times_is_left_out_and_said(tmp_path, caplog, file, text) -> None:
    timed(tmp_path, "smoke", {"a": 100})
    (tmp_path / "smoke" / file).write_text(text, encoding="utf-8")
    found = timings("smoke", tmp_path, yardstick=2.0)
    assert {name: cost.seconds for name, cost in found.items()} == {"a": 100}
    assert f"{file}: 1 damaged line(s) left out" in caplog.text


def test_a_file_of_times_that_is_no_text_is_left_out_and_said(tmp_path, caplog) -> None:
    timed(tmp_path, "smoke", {"a": 100})
    (tmp_path / "smoke" / "times.csv").write_bytes(b"experiment,seconds\n\xff,3\n")
    assert timings("smoke", tmp_path) == {}
    assert "its times are left out" in caplog.text


def test_without_a_timing_the_others_say_how_much_longer_a_scale_is(tmp_path) -> None:
    timed(tmp_path, "smoke", {"a": 10, "b": 30, "c": 5})
    timed(tmp_path, "quick", {"a": 100, "b": 300})
    found = costs(["a", "c", "d"], "quick", folder=tmp_path)
    assert (found["c"].seconds, found["c"].basis) == (50, "from scale=smoke")
    assert (found["d"].seconds, found["d"].basis) == (200, "as the median")
    assert costs(["a"], "quick", untimed=["a"], folder=tmp_path)["a"].basis == "from scale=smoke"
    assert costs(["c"], "quick", steady=["c"], folder=tmp_path)["c"].seconds == 5
    assert costs(["a"], "quick", folder=tmp_path / "none")["a"].basis == "nothing was timed"


def test_timings_of_a_machine_of_another_speed_are_changed_by_as_much(tmp_path) -> None:
    timed(tmp_path, "smoke", {"a": 10, "c": 5}, "a,k,6,1\n")
    timed(tmp_path, "quick", {"a": 100})
    for scale, yardstick in (("smoke", 0.1), ("quick", 0.4)):
        path = tmp_path / scale / "machine.csv"
        path.write_text(f"yardstick\n{yardstick}\n", encoding="utf-8")
    smoke, quick = (
        costs(["a", "c"], s, yardstick=0.2, folder=tmp_path) for s in ("smoke", "quick")
    )
    assert (smoke["a"].seconds, smoke["a"].networks) == (20, {"k": 12})
    assert (quick["a"].seconds, quick["c"].seconds) == (50, 25)
    assert costs(["a"], "smoke", folder=tmp_path)["a"].seconds == 10


def test_a_slow_core_does_not_make_a_gpu_slow(tmp_path) -> None:
    shutil.copytree(REFERENCE / "transfer_table", tmp_path / "transfer_table")
    for file in ("times.csv", "networks.csv"):
        (tmp_path / "chapter").mkdir(exist_ok=True)
        shutil.copy(REFERENCE / "chapter" / file, tmp_path / "chapter" / file)
    (tmp_path / "chapter" / "machine.csv").write_text("yardstick\n0.1\n", encoding="utf-8")
    for cuda, slower in ((True, 1), (False, 3)):
        before, after = (
            timings("chapter", tmp_path, cuda=cuda, yardstick=yardstick)["transfer_table"].seconds
            for yardstick in (None, 0.3)
        )
        assert after == pytest.approx(slower * before)


@pytest.mark.parametrize("scale", ["smoke", "quick"])
def test_every_experiment_is_timed_at_the_small_scales(scale) -> None:
    found = timings(scale, REFERENCE)
    assert found.keys() == {name for name, each in listed().items() if not each.tool}
    assert sum(bool(cost.networks) for cost in found.values()) > 30


def test_the_reference_runs_are_the_timings_of_the_chapters_scale() -> None:
    found = timings("chapter", REFERENCE)
    table = found["gan_samples"]
    assert len(table.networks) == 4
    assert table.seconds == pytest.approx(6271, rel=0.01)
    assert table.left(table.networks.keys()) < 0.3 * table.seconds
    assert "benchmark_training" not in found  # its manifest has no seconds: nothing is trained


def test_the_hours_of_a_gpu_are_not_those_of_a_core() -> None:
    core, gpu = (
        timings("chapter", REFERENCE, cuda=cuda)["transfer_table"] for cuda in (False, True)
    )
    assert core.networks.keys() == {key for key, seconds in gpu.networks.items() if seconds}
    assert 3 * gpu.seconds < core.seconds
    assert core.left(core.networks.keys()) < 0.1 * core.seconds


def test_two_experiments_share_their_networks_at_the_quick_scale() -> None:
    found = costs(["rubbish", "same_mistake"], "quick")
    both = left_by_job([job("rubbish"), job("same_mistake")], found, set())
    assert both["rubbish"] == found["rubbish"].seconds > 100
    assert both["same_mistake"] < 0.3 * found["same_mistake"].seconds


def job(name: str, claims: int = 1, title: str = "T", alone: bool = False) -> Job:
    return Job(Experiment(name, title, "m", claims, alone=alone), (), Path(name))


COSTS = {
    "table": Cost(1000),
    "bench": Cost(1, {"x": 1}),
    "first": Cost(100, {"x": 50, "y": 40}),
    "second": Cost(60, {"x": 50}),
    "third": Cost(80),
}

JOBS = [
    job("second"),
    job("bench", claims=9, alone=True),
    job("third", claims=3),
    job("first"),
    job("table", title="Table 1.1: it"),
]


def names(jobs: list[Job]) -> list[str]:
    return [each.name for each in jobs]


def test_networks_that_others_need_come_first_then_the_longest() -> None:
    assert names(shared_first(JOBS, COSTS, set())) == ["first", "second", "table", "third", "bench"]
    there = shared_first(JOBS, COSTS, {"x"})
    assert names(there) == ["table", "third", "first", "second", "bench"]


def test_the_chapters_tables_come_first_then_claims_an_hour() -> None:
    ordered = names(most_valuable_first(JOBS, COSTS, set()))
    assert ordered == ["table", "third", "second", "first", "bench"]
    assert names(most_valuable_first(JOBS, COSTS, {"x", "y"}))[1] == "first"


def test_a_network_counts_where_it_is_first_needed() -> None:
    assert left_by_job([job("first"), job("second")], COSTS, set()) == {"first": 100, "second": 10}
    assert left_by_job([job("second"), job("first")], COSTS, {"y"}) == {"second": 60, "first": 10}


@pytest.mark.parametrize(
    ("waiting", "workers", "running", "seconds"),
    [
        ([], 2, [], 0),
        ([(3, False), (2, False), (4, False)], 2, [], 6),
        ([(3, False), (2, False), (4, False)], 1, [], 9),
        ([(3, False)], 2, [5, 1], 5),
        ([(3, False), (7, True), (1, True)], 2, [], 11),
    ],
)
def test_the_time_that_several_workers_take(waiting, workers, running, seconds) -> None:
    assert makespan(waiting, workers, running) == seconds


def test_times_are_said_as_a_reader_says_them() -> None:
    assert [spoken(s) for s in (0, 12.4, 100, 3600, 9000)] == [
        "1 s",
        "12 s",
        "2 min",
        "60 min",
        "2.5 h",
    ]
