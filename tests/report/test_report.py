"""Intervals, verdicts and claims on made-up seeds, against formulas written out here."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from advx.config.cells import Cell
from advx.evaluation.image_quality import UNITS
from advx.report.claims import judge_claim
from advx.report.conclusions import conclude
from advx.report.intervals import prediction, wilson
from advx.report.results import Results, Row, csv_text, table
from advx.report.verdict import clearly, verdict
from tests.made_up import HEADER, LINE, results, run_folder


def test_wilson_equals_scipy() -> None:
    expected = stats.binomtest(37, 200).proportion_ci(method="wilson")
    assert wilson(18.5, 200) == pytest.approx((100 * expected.low, 100 * expected.high))


def test_prediction_interval_of_three_seeds() -> None:
    t = stats.t.ppf(0.975, 2)
    assert prediction([1.0, 2.0, 3.0], None) == pytest.approx(
        (2 - t * math.sqrt(4 / 3), 2 + t * math.sqrt(4 / 3))
    )
    low, high = prediction([49.0, 50.0, 51.0], 100)
    inner = wilson(50.0, 100)
    assert low == pytest.approx(50 - math.hypot(t * math.sqrt(4 / 3), 50 - inner[0]))
    assert high == pytest.approx(50 + math.hypot(t * math.sqrt(4 / 3), inner[1] - 50))
    assert prediction([50.0, 50.0], 100) == pytest.approx(inner)
    assert all(math.isnan(bound) for bound in prediction([50.0], 100))


@pytest.mark.parametrize(
    ("chapter", "mean", "low", "high", "clean", "direction", "expected"),
    [
        (25.3, 26.0, 24.0, 28.0, False, False, "reproduced"),
        (24.0, 26.0, 24.0, 28.0, False, False, "reproduced"),
        (28.0, 26.0, 24.0, 28.0, False, False, "reproduced"),
        (23.9, 26.0, 24.0, 28.0, False, False, "near"),
        (30.0, 26.0, 24.0, 28.0, False, False, "near"),
        (31.5, 26.0, 24.0, 28.0, False, True, "direction only"),
        (31.5, 26.0, 24.0, 28.0, False, False, "not reproduced"),
        (1.28, 1.0, 0.9, 1.1, True, False, "near"),
        (1.38, 1.0, 0.9, 1.1, True, False, "not reproduced"),
        (26.0, 26.0, 10.0, 42.0, False, False, "inconclusive"),
        (26.0, 26.0, math.nan, math.nan, False, False, "inconclusive"),
    ],
)
def test_verdict_rule(chapter, mean, low, high, clean, direction, expected) -> None:
    assert verdict(chapter, mean, low, high, clean=clean, direction=direction) == expected


@pytest.mark.parametrize(
    ("predicate", "error", "words"),
    [
        ("`a` < `b`", 1.8052, "holds, narrowly"),  # √(20 · 80 / 1000 + 21 · 79 / 1000)
        ("`a` < `c`", 1.9235, "holds"),
        ("`c` < `a`", 1.9235, "does not hold"),
        ("`b` < `a`", 1.8052, "does not hold, narrowly"),
        ("`a` < 21", 1.2649, "holds, narrowly"),
        ("`a` < 22.6", 1.2649, "holds"),
        ("`b` - `a` < 0.5", 1.8052, "does not hold, narrowly"),
        ("`a` < `c`, `b`", 1.8052, "holds, narrowly"),  # of the closest comparison
        ("`b` > `a` > 15", 1.8052, "holds, narrowly"),
        ("`full` < 100", 0.0, "does not hold, narrowly"),
        ("`full` > 99.99", 0.0, "holds"),
        ("`a` < `missing`", math.nan, "not tested"),
        ("`length` > 2.9", math.nan, "holds"),
        ("`length` > 3", math.nan, "does not hold"),
        ("`length` < `a`", 1.2649, "holds"),  # what was not counted adds nothing
    ],
)
def test_an_outcome_within_two_standard_errors_of_counting_is_narrow(
    predicate, error, words
) -> None:
    made = Results("demo")
    for row, value in (("a", 20.0), ("b", 21.0), ("c", 30.0), ("full", 100.0)):
        made.add(Row("demo", row, "error_rate", None, "", 0, value, n=1000))
    made.add(Row("demo", "length", "error_rate", None, "", 0, 3.0, unit="L2 norm", n=1000))
    outcome = judge_claim({"claim": "x", "predicate": predicate}, made)
    assert outcome.error == pytest.approx(error, abs=1e-4, nan_ok=True)
    assert outcome.in_words == words


def test_the_error_is_that_of_the_worst_seed() -> None:
    made = Results("demo")
    for seed, (value, n) in enumerate([(10.0, 100), (40.0, 400), (1.0, 10)]):
        made.add(Row("demo", "a", "error_rate", None, "", seed, value, n=n))
    outcome = judge_claim({"claim": "x", "predicate": "`a` < 45"}, made)
    assert (outcome.margin, outcome.error) == (5.0, pytest.approx(math.sqrt(40 * 60 / 400)))
    assert outcome.in_words == "holds"


@pytest.mark.parametrize(
    ("margin", "error", "expected"),
    [
        (0.21, 0.1, True),
        (-0.21, 0.1, True),
        (0.2, 0.1, False),
        (-0.1, 0.1, False),
        (0.0, 0.0, False),
        (0.0, math.nan, True),
        (math.inf, 0.1, True),
    ],
)
def test_what_exceeds_two_standard_errors_is_clear(margin, error, expected) -> None:
    assert clearly(margin, error) is expected


def test_claims_are_paired_over_seeds() -> None:
    made = results(a=[1.0, 5.0], b=[2.0, 6.0], c=[1.5, 4.0])
    assert judge_claim({"claim": "x", "predicate": "`a` < `b`"}, made).holds == "holds"
    outcome = judge_claim({"claim": "x", "predicate": "`a` < `b`, `c`"}, made)
    assert (outcome.holds, outcome.seeds) == ("does not hold", "1/2")
    assert judge_claim({"claim": "x", "predicate": "`a` > 0.5"}, made).holds == "holds"
    assert judge_claim({"claim": "x", "predicate": "0.5 < `a`, `b`"}, made).holds == "holds"
    assert judge_claim({"claim": "x", "predicate": "1.2 < `b`, `a`"}, made).holds == "does not hold"
    assert judge_claim({"claim": "x", "predicate": "`missing` > 0.5"}, made).holds == "not tested"


@pytest.mark.parametrize(
    ("chapter", "mean", "said"),
    [
        (4, 4.003, "reproduced"),
        (4, 4.6, "not reproduced"),
        (0.14, 0.1429, "reproduced"),
        (0.14, 0.15, "not reproduced"),
        (7, 7.0, "reproduced"),
        (7, math.nan, "not reproduced"),
    ],
)
def test_what_is_no_error_rate_is_compared_to_the_digits_given(chapter, mean, said) -> None:
    made = Results("demo")
    made.add(Row("demo", "a", "l2_norm", None, "", None, mean, unit="L2 norm", chapter=chapter))
    (line,) = made.summary(judge=True)
    assert line.verdict == said


@pytest.mark.parametrize(
    ("others", "n", "expected"),
    [
        ([40.0, 40.0, 40.0], 1000, "direction only"),
        ([40.0, 40.0, 49.0], 1000, "not reproduced"),  # two standard errors are 4.4 points
        ([40.0, 40.0, 49.0], 100_000, "direction only"),
        ([40.0, 40.0, 51.0], 100_000, "not reproduced"),
    ],
)
def test_a_direction_counts_by_its_worst_seed(others, n, expected) -> None:
    made = Results("demo")
    for seed, other in enumerate(others):
        made.add(Row("demo", "a", "error_rate", None, "", seed, 50.0, n=n, chapter=80.0))
        made.add(Row("demo", "b", "error_rate", None, "", seed, other, n=n))
    config = {
        "scale": "chapter",
        "rows": [{"row": "a", "metric": "error_rate", "chapter": 80.0, "direction": "above b"}],
        "claims": [{"claim": "above b", "says": "a errs more", "predicate": "`a` > `b`"}],
    }
    line = conclude(made, config, []).lines[0]
    assert line.verdict == expected
    del config["rows"][0]["direction"]
    assert conclude(made, config, []).lines[0].verdict == "not reproduced"


def test_a_diverged_seed_stays_a_row() -> None:
    (line,) = results(a=[10.0, math.nan, 12.0]).summary(judge=False)
    assert (line.seeds, line.mean, line.note) == (3, 11.0, "1 seed(s) diverged")
    (line,) = results(a=[10.0, math.inf, math.nan, 12.0]).summary(judge=False)
    assert line.mean == 11.0
    assert line.note == "1 seed(s) diverged; 1 seed(s) infinite, left out of the mean"
    (line,) = results(a=[math.inf, math.inf]).summary(judge=False)
    assert (line.mean, line.note) == (math.inf, "2 seed(s) infinite")
    assert "inf" in table([line])
    (line,) = results(a=[math.nan]).summary(judge=False)
    assert "diverged" in table([line])


def test_no_verdict_away_from_the_chapters_scale() -> None:
    made = Results("demo")
    made.add(Row("demo", "a", "error_rate", None, "", None, 50.0, n=1000, chapter=50.0))
    assert made.summary(judge=False)[0].verdict == ""
    assert made.summary(judge=True)[0].verdict == "reproduced"


def test_numbers_are_written_without_noise() -> None:
    assert csv_text(["a", "b", "c"], [[1.50, math.nan, None]]) == "a,b,c\n1.5,,\n"


def test_evidence_names_row_and_metric_without_backticks() -> None:
    results = Results("e")
    results.add(Row("e", "a", "clean_error_rate", None, "", 0, 1.0, "percent", 10, None))
    claim = {"claim": "c", "predicate": "`a`.clean_error_rate < 5"}
    assert judge_claim(claim, results).evidence == "a.clean_error_rate 1.00"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"summary_md": ""}, "summary.md is empty"),
        ({"summary_md": "Titl"}, "summary.md is cut short"),
        ({"summary_md": b"\xff\xfe\n"}, "summary.md cannot be read ('utf-8' codec"),
        ({"summary_md": None}, "no summary.md"),
        ({"summary_csv": ""}, "summary.csv is empty"),
        ({"summary_csv": "\n"}, "summary.csv is empty"),
        ({"summary_csv": None}, "no summary.csv"),
        ({"summary_csv": "a,b\n1,2\n"}, "summary.csv has no column experiment, row, metric, eps"),
        ({"summary_csv": HEADER.replace("mean,", "")}, "summary.csv has no column mean"),
        ({"summary_csv": HEADER + LINE[:20]}, "summary.csv is cut short"),
        ({"summary_csv": HEADER + LINE[:20] + "\n"}, "summary.csv has lines of different lengths"),
        ({"summary_csv": HEADER + LINE.replace("51", "?")}, "summary.csv has '?.234' under mean"),
        ({"summary_csv": HEADER + 'x,"a\n'}, "summary.csv cannot be read"),
        ({"summary_csv": (HEADER + LINE).encode() + b"\xe9\n"}, "summary.csv cannot be read"),
        ({"summary_csv": b"\x00" * 300 + b"\n"}, "summary.csv"),
        ({"FAILED": "Traceback\nValueError: no luck\n"}, "failed: ValueError: no luck"),
        ({"FAILED": b""}, "failed: no reason is given"),
        (dict.fromkeys(["summary_csv", "summary_md"]), "no summary.csv"),
        (dict.fromkeys(["summary_csv", "summary_md", "results_csv"]), "no summary.csv"),
    ],
)
def test_an_unfinished_run_is_named_and_the_others_are_shown(advx, files, why) -> None:
    good = run_folder(Path("outputs/runs/good/1"))
    bad = [run_folder(Path(f"outputs/runs/{name}"), **files) for name in ("bad/1", "good/2")]
    status, printed, said = advx("report")
    assert (status, said) == (0, "")
    table, _, unfinished = printed.partition("\nunfinished ")
    assert "51.23" in table
    assert f"good: Title\n  {good}\n" in table
    for folder in bad:
        (line,) = [line for line in unfinished.splitlines() if str(folder) in line]
        assert line.startswith(f"  {folder}: {why}")
    (good / "summary.csv").unlink()
    status, printed, said = advx("report")
    assert (status, said) == (1, "")
    assert "no finished run" in printed


def test_a_failed_run_is_none_that_finished_whatever_the_times_of_its_files(advx) -> None:
    """As in a copy, whose files may be dated in any order."""
    folder = run_folder(Path("outputs/runs/x/1"), FAILED="ValueError: no luck\n")
    os.utime(folder / "FAILED", (1, 1))
    status, printed, _ = advx("report")
    assert status == 1
    assert "failed: ValueError: no luck" in printed
    (folder / "FAILED").unlink()
    Path("outputs/runs/x/1/adversarial").mkdir()
    Path("outputs/runs/x/1/.hydra").mkdir()
    status, printed, _ = advx("report")
    assert status == 0
    assert "unfinished" not in printed


def test_sizes_and_small_numbers_are_shown_as_they_are(advx) -> None:
    """And so is a row that is called like a number."""
    lines = (
        "x,0.001,error_rate,0.001,clipped,percent,,31.456,,,3,1000,,\n"
        "x,0.001,squared_error,0.004,,number,,0.0017654,1.5e-05,,3,1000,,\n"
    )
    run_folder(Path("outputs/runs/x/1"), summary_csv=HEADER + lines)
    _, printed, _ = advx("report")
    found = [line.split() for line in printed.splitlines() if line.startswith("x  ")]
    assert found[0][:6] == ["x", "0.001", "error_rate", "0.001", "clipped", "31.46"]
    assert found[1][:6] == ["x", "0.001", "squared_error", "0.004", "0.00177", "1.5e-05"]


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 cut", b"\xff" * 100, b"version 1\n", None],
)
def test_redrawing_a_damaged_run_is_one_line(advx, content) -> None:
    folder = run_folder(Path("outputs/runs/x/1"))
    if content is not None:
        (folder / "arrays.npz").write_bytes(content)
    status, printed, said = advx("report", "--redraw", str(folder))
    assert (status, printed, said.count("\n")) == (2, "", 1)
    assert f"redraw={folder}: no arrays.npz there that a figure can be drawn from" in said


@pytest.mark.parametrize(
    ("drawn_by", "options"), [("none", "{}"), ("digits", "[]"), ("digits", "{}")]
)
def test_redrawing_arrays_of_something_else_is_one_line(advx, drawn_by, options) -> None:
    folder = run_folder(Path("outputs/runs/x/1"))
    np.savez(folder / "arrays.npz", drawn_by=np.array(drawn_by), options=np.array(options))
    status, _, said = advx("report", "--redraw", str(folder))
    assert (status, said.count("\n")) == (2, 1)
    cut = (folder / "arrays.npz").read_bytes()[:-40]
    (folder / "arrays.npz").write_bytes(cut)
    status, _, said = advx("report", "--redraw", str(folder))
    assert (status, said.count("\n")) == (2, 1)


def test_a_small_number_keeps_three_digits() -> None:
    """A squared error per pixel of .0017 is not 0.00; its interval has the same decimals."""
    made = Results("exp")
    for seed, value in enumerate((0.00171, 0.00179, 0.00175)):
        made.add(Row.of("exp", Cell("w = 0", "squared_error"), seed, value, "ratio", None, None))
        made.add(Row.of("exp", Cell("w = 0", "rate"), seed, 0.021, "percent", None, None))
    text = table(made.summary(judge=False))
    assert "0.00175" in text
    assert "0.00155 – 0.00195" in text
    assert "0.02 " in text
    assert "0.021" not in text


def test_what_may_exceed_a_hundred_percent_is_no_share() -> None:
    """Noise has more gradient energy than the data; only shares have Wilson's interval."""
    made = Results("exp")
    for seed, value in enumerate((104.0, 110.0)):
        unit = UNITS["gradient_energy"]
        made.add(Row.of("exp", Cell("samples", "gradient_energy"), seed, value, unit, 2000, None))
    (line,) = made.summary(judge=False)
    assert (line.mean, line.low < 104, line.high > 110) == (107.0, True, True)


def test_a_row_is_the_number_that_its_file_shows() -> None:
    """Otherwise a mean could be printed in one way by the run, and in another from its file."""
    noisy = 100 - 14.29
    assert noisy != 85.71
    cell = Cell("ensemble", "strongest_error_rate", 0.1)
    found = [
        Row.of("x", cell, at, v, "percent", 10_000, None) for at, v in enumerate([noisy, 83.2])
    ]
    shown = [float(csv_text(["value"], [[row.value]]).split()[1]) for row in found]
    assert [row.value for row in found] == shown == [85.71, 83.2]
