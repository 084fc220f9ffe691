"""The rows of a run, their summary, and the files of the run contract."""

import csv
import io
import math
from collections.abc import Collection, Container, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from tabulate import tabulate

from advx.config.cells import Cell, parts_of
from advx.config.documents import ListedRow
from advx.report.intervals import prediction, wilson
from advx.report.numbers import decimals_of
from advx.report.verdict import plain_verdict, verdict
from advx.text_files import append_text, write_text

RESULTS = "results.csv"

DECIMALS = 6
"""Of every number in it."""

MOST_LINES = 60
"""Lines of a table that a run prints whole."""


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        experiment, row, metric, epsilon, setting, unit: what it is.
        seed: None for a row without randomness.
        n: the examples behind it.
        chapter: the chapter's figure, where there is one.
        published, source: that of another paper, and which.
    """

    experiment: str
    row: str
    metric: str
    epsilon: float | None
    setting: str
    seed: int | None
    value: float
    unit: str = "percent"
    n: int | None = None
    chapter: float | None = None
    published: float | None = None
    source: str = ""

    @classmethod
    def of(
        cls,
        experiment: str,
        cell: Cell,
        seed: int | None,
        value: float,
        unit: str,
        n: int | None,
        listed: ListedRow | None,
    ) -> "Row":
        """A number with the figures that the YAML's `rows` list for its cell, if any.

        It has as many decimals as `results.csv`, so that everything said of a row can be found
        from the file alone.
        """
        named = experiment, cell.row, cell.metric, cell.epsilon, cell.setting
        number = *named, seed, round(value, DECIMALS), unit, n
        if listed is None:
            return cls(*number, None, None, "")
        return cls(
            *number, listed.get("chapter"), listed.get("published"), listed.get("source", "")
        )

    @cached_property
    def cell(self) -> Cell:
        """What names it."""
        return Cell(self.row, self.metric, self.epsilon, self.setting)


@dataclass(frozen=True)
class SummaryRow:
    """One line of the table: the mean over seeds, its interval, and the verdict."""

    experiment: str
    row: str
    metric: str
    epsilon: float | None
    setting: str
    unit: str
    chapter: float | None
    published: float | None
    source: str
    mean: float
    low: float
    high: float
    seeds: int
    n: int | None
    verdict: str
    note: str


@dataclass
class Results:
    """Rows in the order in which they were first measured."""

    experiment: str
    rows: list[Row] = field(default_factory=list)
    notes: dict[Cell, str] = field(default_factory=dict)

    def add(self, row: Row, note: str = "") -> None:
        """Keep a row; a note stands beside its line in the summary."""
        self.rows.append(row)
        if note:
            self.notes[row.cell] = note

    def by_cell(self) -> dict[Cell, list[Row]]:
        """The rows of each cell, one a seed."""
        found: dict[Cell, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.cell, []).append(row)
        return found

    def summary(
        self,
        *,
        judge: bool,
        directions: Container[Cell] = (),
        unjudged: Collection[Cell] = (),
    ) -> list[SummaryRow]:
        """One line for each cell.

        Args:
            judge: whether what the chapter has a figure of gets a verdict.
            directions: rows that name a claim as their direction, and it holds clearly.
            unjudged: what gets no verdict: the protocol sets it, or another experiment measures it.
        """
        lines = []
        for cell, rows in self.by_cell().items():
            mean, low, high = mean_and_interval(rows)
            first, outcome = rows[0], ""
            if judge and cell not in unjudged:
                outcome = _verdict(first, mean, low, high, cell in directions)
            lines.append(
                SummaryRow(
                    self.experiment,
                    cell.row,
                    cell.metric,
                    cell.epsilon,
                    cell.setting,
                    first.unit,
                    first.chapter,
                    first.published,
                    first.source,
                    mean,
                    low,
                    high,
                    len(rows),
                    examples_behind(rows),
                    outcome,
                    _note(rows, self.notes.get(cell, "")),
                )
            )
        return lines


def examples_behind(rows: Sequence[Row]) -> int | None:
    """The fewest examples behind any seed's number; None where it has none."""
    return min((row.n for row in rows if row.n is not None), default=None)


def mean_and_interval(rows: Sequence[Row]) -> tuple[float, float, float]:
    """The mean over the seeds that gave a number, and the interval for one more network."""
    known = [r.value for r in rows if math.isfinite(r.value)]
    infinite = any(math.isinf(r.value) for r in rows)
    mean = sum(known) / len(known) if known else math.inf if infinite else math.nan
    n = examples_behind(rows) if rows[0].unit == "percent" else None
    if rows[0].seed is not None:
        return mean, *prediction(known, n)
    return mean, *(wilson(mean, n) if n and known else (math.nan, math.nan))


def _note(rows: Sequence[Row], note: str) -> str:
    """The note of a cell, and how many of its seeds gave no number."""
    infinite = sum(math.isinf(r.value) for r in rows)
    some = any(math.isfinite(r.value) for r in rows)
    for count, what in (
        (sum(math.isnan(r.value) for r in rows), "diverged"),
        (infinite, "infinite" + (", left out of the mean" if some else "")),
    ):
        note = "; ".join(filter(None, [note, f"{count} seed(s) {what}" if count else ""]))
    return note


def _verdict(row: Row, mean: float, low: float, high: float, direction: bool) -> str:
    """The verdict on the chapter's figure; empty where it has none."""
    if row.chapter is None:
        return ""
    if row.unit != "percent":
        return plain_verdict(row.chapter, mean)
    clean = row.metric.startswith("clean")
    return verdict(row.chapter, mean, low, high, clean=clean, direction=direction)


def csv_text(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """Comma-separated text; None and NaN are empty, floats have at most six decimals."""
    return csv_lines([header, *lines])


def csv_lines(lines: Sequence[Sequence[Any]]) -> str:
    """The lines of `csv_text` without a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([[_cell(value) for value in line] for line in lines])
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def _values(line: Row | SummaryRow) -> list[Any]:
    """The cells of a line of a file; sizes as they were given, be they ever so small."""
    size = None if line.epsilon is None else f"{line.epsilon:g}"
    return list((asdict(line) | {"epsilon": size}).values())


def write_results(folder: Path, results: Results) -> None:
    """`results.csv`: one row a number, nothing that depends on time."""
    text = csv_text([f.name for f in fields(Row)], [_values(row) for row in results.rows])
    write_text(folder / RESULTS, text)


def append_result(folder: Path, row: Row) -> None:
    """Add one row to a `results.csv` that `write_results` began.

    Writing all of them anew at each number would take time that grows with their square.
    """
    append_text(folder / RESULTS, csv_lines([_values(row)]))


def write_summary(
    folder: Path, lines: Sequence[SummaryRow], title: str, remarks: Sequence[str] = ()
) -> None:
    """`summary.csv`, and `summary.md` with a list of remarks under the table."""
    header = [f.name for f in fields(SummaryRow)]
    write_text(folder / "summary.csv", csv_text(header, [_values(line) for line in lines]))
    listed = "".join(f"- {remark}\n" for remark in remarks)
    text = "\n".join([f"{title}\n", f"{table(lines, 'github')}\n", listed])
    write_text(folder / "summary.md", text.rstrip() + "\n")


def at_the_front(lines: Sequence[SummaryRow], listed: Container[Cell]) -> list[SummaryRow]:
    """What a run prints: the whole table, of a long one the rows that its experiment lists.

    Args:
        lines: of the summary.
        listed: cells that the YAML lists.
    """
    some = [
        line
        for line in lines
        if line.chapter is not None
        or Cell(line.row, line.metric, line.epsilon, line.setting) in listed
    ]
    return some if some and len(lines) > MOST_LINES else list(lines)


def table(lines: Sequence[SummaryRow], style: str = "simple") -> str:
    """The summary as aligned text, columns that are empty throughout left out."""
    shown = [_shown(line) for line in lines]
    used = [key for key in shown[0] if any(row[key] for row in shown)] if shown else []
    return tabulate(
        [[row[key] for key in used] for row in shown],
        headers=used,
        tablefmt=style,
        disable_numparse=True,
        colalign=[
            "left" if key in ("row", "metric", "setting", "verdict", "note") else "right"
            for key in used
        ],
    )


def _shown(line: SummaryRow) -> dict[str, str]:
    """One summary line as short strings."""
    values = asdict(line)

    def number(key: str) -> str:
        value = values[key]
        return "" if value is None or math.isnan(value) else f"{value:.{decimals}f}"

    decimals = decimals_of(line.mean, line.unit)
    interval = f"{number('low')} – {number('high')}" if number("low") else ""
    return {
        "row": line.row,
        "metric": line.metric + ("" if line.unit == "percent" else f" ({line.unit})"),
        "epsilon": "" if line.epsilon is None else f"{line.epsilon:g}",
        "setting": ", ".join(parts_of(line.setting)),
        "chapter": "" if line.chapter is None else f"{line.chapter:g}",
        "published": "" if line.published is None else f"{line.published:g} ({line.source})",
        "mean": number("mean") or "diverged",
        "interval": interval,
        "seeds": str(line.seeds),
        "n": "" if line.n is None else f"{line.n:,}",
        "verdict": line.verdict,
        "note": line.note,
    }
