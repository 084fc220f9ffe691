"""A run's table alone: what `add` writes, and what it refuses."""

from dataclasses import dataclass

import pandas as pd
import pytest

from advx.config.cells import Cell
from advx.report.results import MOST_LINES, Results, Row, at_the_front
from advx.run.table import Table

LISTED = [
    {"row": "a -> b", "metric": "error_rate", "epsilon": 0.1, "chapter": 25.3, "note": "a remark"}
]


@dataclass(frozen=True)
class Counted:
    error_rate: float
    confidence: float


def rows_of(folder) -> list[tuple]:
    table = pd.read_csv(folder / "results.csv")
    columns = ["row", "metric", "epsilon", "setting", "seed", "value", "unit", "n", "chapter"]
    filled = table[columns].astype(object).where(table[columns].notna(), None)
    return [tuple(row) for row in filled.itertuples(index=False)]


def test_numbers_are_written_as_they_come_beside_the_chapters(tmp_path) -> None:
    table = Table("mine", LISTED, tmp_path)
    table.add("a -> b", error_rate=12.5, epsilon=0.1, seed=0, n=8)
    assert rows_of(tmp_path) == [("a -> b", "error_rate", 0.1, None, 0, 12.5, "percent", 8, 25.3)]
    table.add("a -> b", error_rate=50.0, epsilon=0.1, setting="clipped", seed=0, n=8)
    table.add("a", Counted(1.0, 2.0), seed=1, unit={"confidence": "ratio"}, rate=3.0)
    table.add("a", {"length": 4.0}, seed=1, unit="pixels")
    table.add("b", {"precision": 5.0, "recall": 6.0}, seed=1, n={"precision": 70, "recall": 80})
    assert rows_of(tmp_path)[-2:] == [
        ("b", "precision", None, None, 1, 5.0, "percent", 70, None),
        ("b", "recall", None, None, 1, 6.0, "percent", 80, None),
    ]
    assert rows_of(tmp_path)[1:-2] == [
        ("a -> b", "error_rate", 0.1, "clipped", 0, 50.0, "percent", 8, None),
        ("a", "error_rate", None, None, 1, 1.0, "percent", None, None),
        ("a", "confidence", None, None, 1, 2.0, "ratio", None, None),
        ("a", "rate", None, None, 1, 3.0, "percent", None, None),
        ("a", "length", None, None, 1, 4.0, "pixels", None, None),
    ]


def test_a_number_without_a_seed_is_added_once(tmp_path) -> None:
    table = Table("mine", [], tmp_path)
    for seed in (None, None):
        table.add("nearest_neighbor", error_rate=3.0, seed=seed)
    table.add("nearest_neighbor", error_rate=3.0, epsilon=0.1, seed=None)
    assert [row[2] for row in rows_of(tmp_path)] == [None, 0.1]


def test_numbers_without_a_metric_are_refused(tmp_path) -> None:
    table = Table("mine", [], tmp_path)
    for nameless in (3.0, [1.0, 2.0], Counted):
        with pytest.raises(TypeError, match=r"^run.table.add: a \w+ names no metric; write error"):
            table.add("a", nameless, seed=0)  # type: ignore[arg-type]
    assert not (tmp_path / "results.csv").exists()


def test_a_long_table_shows_what_its_experiment_lists() -> None:
    results = Results("mine")
    for k in range(MOST_LINES):
        cell = Cell(f"row {k}", "error_rate")
        results.add(Row.of("mine", cell, 0, 1.0, "percent", 10, None))
    lines = results.summary(judge=False)
    assert at_the_front(lines, {Cell("row 3", "error_rate")}) == lines
    one_more = Row.of("mine", Cell("a -> b", "error_rate", 0.1), 0, 1.0, "percent", 10, LISTED[0])
    results.add(one_more)
    lines = results.summary(judge=False)
    shown = at_the_front(lines, {Cell("row 3", "error_rate")})
    assert [line.row for line in shown] == ["row 3", "a -> b"]
    assert at_the_front(lines[:-1] * 2, set()) == lines[:-1] * 2
