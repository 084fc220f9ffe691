"""Shares have the error of their examples; other percentages have the spread over seeds alone."""

import math
import re
from pathlib import Path

import pytest

from advx.config.cells import Cell
from advx.report.intervals import prediction, wilson
from advx.report.numbers import short
from advx.report.percentages import OF_A_HUNDRED, UNITS, unit_of
from advx.report.results import Results, Row, mean_and_interval
from advx.run.table import Table


def test_metrics_md_gives_the_units_of_the_code() -> None:
    text = Path("docs/metrics.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", text, re.M))
    for metric, unit in UNITS.items():
        assert listed[metric].split(", ")[0] == unit
    means = re.findall(r"^\| `(\w+)` \| percent \| (?:Mean|Median|Largest diff)", text, re.M)
    assert means == []
    assert "percent" in OF_A_HUNDRED
    assert "points" not in OF_A_HUNDRED


def test_a_mean_of_probabilities_has_no_binomial_error(tmp_path) -> None:
    table = Table("demo", [], tmp_path)
    for seed, value in enumerate((70.0, 72.0, 74.0)):
        table.add("maxout", error_rate=value, mean_confidence=value, seed=seed, n=100)
        table.add("maxout", {"cosine": value}, unit={"cosine": "cosine"}, seed=seed, n=100)
    table.add("fixed", error_rate=72.0, mean_confidence=72.0, seed=None, n=100)
    lines = {(line.row, line.metric): line for line in table.results.summary(judge=False)}
    assert lines["maxout", "error_rate"].unit == unit_of("error_rate") == "percent"
    assert lines["maxout", "mean_confidence"].unit == "percent of certainty"
    assert lines["maxout", "cosine"].unit == "cosine"
    spread = prediction([70.0, 72.0, 74.0], None)
    for metric in ("mean_confidence", "cosine"):
        assert (lines["maxout", metric].low, lines["maxout", metric].high) == spread
    share = lines["maxout", "error_rate"]
    assert (share.low, share.high) == prediction([70.0, 72.0, 74.0], 100)
    assert share.low < spread[0]
    assert (lines["fixed", "error_rate"].low, lines["fixed", "error_rate"].high) == wilson(72, 100)
    assert math.isnan(lines["fixed", "mean_confidence"].low)
    assert short(0.5, "percent of certainty") == "0.50"


def test_the_fewest_examples_of_any_seed_count() -> None:
    cell = Cell("maxout", "error_rate")
    rows = [
        Row.of("demo", cell, seed, 50.0, "percent", n, None)
        for seed, n in enumerate((100, 25, 400))
    ]
    assert mean_and_interval(rows) == (50.0, *prediction([50.0, 50.0, 50.0], 25))
    results = Results("demo")
    for row in rows:
        results.add(row)
    (line,) = results.summary(judge=False)
    assert line.n == 25


def test_what_fools_the_tangent_is_a_share_of_few() -> None:
    text = Path("outputs/reference/linearity/summary.csv").read_text(encoding="utf-8")
    line = next(t for t in text.splitlines() if "maxout,fooled_with_the_tangent,0.01," in t)
    low, n = float(line.split(",")[10]), int(line.split(",")[13])
    assert n < 30
    assert low == pytest.approx(wilson(100, n)[0], abs=0.01)
