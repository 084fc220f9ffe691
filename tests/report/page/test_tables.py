"""The tables of a page as files: the same values, and nothing in them that runs."""

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from advx.report.page.scoreboard import boards
from advx.report.page.tables import (
    FORMATS,
    NUMBERS,
    comma_separated,
    latex,
    markdown,
    write_tables,
)
from advx.report.pages import SUMMARY
from advx.report.results import Row
from advx.report.selection import select
from tests.made_up import whole_run

NASTY = ["=1+1", "+1", "-x", "@SUM(A1)", "\t=1", "\r=1", "a|b", "50% & _x_ $y$ #1 {z} ~ ^ \\"]


@pytest.fixture(scope="module")
def written(selection, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_tables(selection, folder)
    return folder


def test_a_folder_for_each_scale_and_version(written, runs) -> None:
    groups = {"-".join(run.group) for run in runs}
    assert {path.name for path in written.iterdir()} == groups
    expected = {f"{name}.{end}" for name in ("statements", "claims", "numbers") for end in FORMATS}
    for group in groups:
        assert {path.name for path in (written / group).iterdir()} == expected


def test_numbers_come_back_as_they_were(written, runs) -> None:
    numbers = ["epsilon", "chapter", "published", "mean", "low", "high", "seeds", "n"]
    for group in {run.group for run in runs}:
        some = [run for run in runs if run.group == group]
        made = pd.read_csv(
            written / "-".join(group) / "numbers.csv", keep_default_na=False, na_values=[""]
        )
        expected = pd.concat(
            pd.read_csv(run.folder / "summary.csv", keep_default_na=False, na_values=[""])
            for run in some
        )
        assert list(made.columns) == list(NUMBERS)
        for name in numbers:
            left, right = made[name].to_numpy(float), expected[name].to_numpy(float)
            assert ((left == right) | ((left != left) & (right != right))).all(), name
        assert made.experiment.tolist() == expected.experiment.tolist()
        texts = made.row.str.removeprefix("'").tolist()
        assert texts == expected.row.tolist()


def test_claims_and_statements_come_back_too(written, runs) -> None:
    chapter = [run for run in runs if run.group[0] == "chapter"]
    made = pd.read_csv(written / "chapter-0.1.0" / "claims.csv", dtype=str).fillna("")
    expected = pd.concat(pd.read_csv(run.folder / "claims.csv", dtype=str) for run in chapter)
    expected = expected.fillna("")
    assert made.predicate.str.removeprefix("'").tolist() == expected.predicate.tolist()
    assert made.outcome.tolist() == expected.holds.tolist()
    for column in ("margin", "error"):
        assert [float(m or "nan") for m in made[column]] == pytest.approx(
            [float(m or "nan") for m in expected[column]], nan_ok=True
        )
    statements = pd.read_csv(written / "chapter-0.1.0" / "statements.csv", dtype=str).fillna("")
    (board,) = [board for board in boards(runs) if board.group[0] == "chapter"]
    assert statements.verdict.tolist() == [entry.verdict for entry in board.entries]
    assert statements.id.is_unique


def test_markdown_and_latex_have_the_same_lines(written) -> None:
    for folder in written.iterdir():
        for name in ("statements", "claims", "numbers"):
            with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
                lines = list(csv.reader(stream))
            text = (folder / f"{name}.md").read_text(encoding="utf-8")
            rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()]
            assert len(rows) == len(lines) + 1
            assert {len(row) for row in rows} == {len(lines[0])}
            tex = (folder / f"{name}.tex").read_text(encoding="utf-8")
            body = [line for line in tex.splitlines() if line.endswith(r" \\")]
            assert len(body) == len(lines)
            assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(lines[0]) - 1}


def test_no_text_runs_as_a_formula_and_numbers_stay_numbers() -> None:
    lines = [[text, -1.5, -2] for text in NASTY]
    made = list(csv.reader(io.StringIO(comma_separated("abc", lines), newline="")))
    for (text, *_), (cell, number, count) in zip(lines, made[1:], strict=True):
        assert cell.strip()[0] not in "=+-@\t\r"
        assert cell.removeprefix("'") == text.replace("\r", " ")
        assert (float(number), int(count)) == (-1.5, -2)


def test_special_characters_are_escaped() -> None:
    text = latex(("a_b",), [[name] for name in NASTY])
    for bare in (r"(?<!\\)%", r"(?<!\\)#", r"(?<!\\)_"):
        assert not re.search(bare, text)
    assert text.count("&") == text.count(r"\&") == 1
    assert r"\textbackslash{}" in text
    assert r"a\|b" in markdown(("x",), [["a|b"]])
    assert "\\<script\\>" in markdown(("x",), [["<script>"]])


def test_runs_with_such_names_are_written(tmp_path) -> None:
    rows = [Row("mine", name.strip(), "error_rate", None, "", s, 1.0, n=10)
            for name in NASTY for s in (0, 1)]  # fmt: skip
    whole_run(tmp_path / "run", "mine", rows=rows)
    files = write_tables(select([tmp_path / "run"], SUMMARY), tmp_path / "made")
    assert len(files) == 9
    with (tmp_path / "made" / "quick-0.1.0" / "numbers.csv").open(newline="") as stream:
        found = [line["row"].removeprefix("'") for line in csv.DictReader(stream)]
    assert set(found) == {name.strip() for name in NASTY}
