"""The rows of a run, their summary, and the files of the run contract."""

import csv
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

from tabulate import tabulate

from advx.report.intervals import prediction, wilson
from advx.report.verdict import plain_verdict, verdict
from advx.text_files import append_text, write_text

RESULTS = "results.csv"


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        experiment, row, metric, unit: what it is.
        seed: None for a row without randomness.
        n: the examples behind it.
        chapter: the chapter's figure, where there is one.
        published, source: that of another paper, and which.
    """

    experiment: str
    row: str
    metric: str
    seed: int | None
    value: float
    unit: str = "percent"
    n: int | None = None
    chapter: float | None = None
    published: float | None = None
    source: str = ""


@dataclass(frozen=True)
class SummaryRow:
    """One line of the table: the mean over seeds, its interval, and the verdict."""

    experiment: str
    row: str
    metric: str
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
    notes: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, row: Row, note: str = "") -> None:
        """Keep a row; a note stands beside its line in the summary."""
        self.rows.append(row)
        if note:
            self.notes[row.row, row.metric] = note

    def means(self) -> dict[tuple[str, str], float]:
        """Means over seeds by (row, metric)."""
        return {(line.row, line.metric): line.mean for line in self.summary(judge=False)}

    def summary(
        self,
        *,
        judge: bool,
        directions: dict[tuple[str, str], bool | None] | None = None,
        given: Collection[tuple[str, str]] = (),
    ) -> list[SummaryRow]:
        """One line for each (row, metric).

        Args:
            judge: whether what the chapter has a figure of gets a verdict.
            directions: whether the claim that a row names holds.
            given: what the protocol sets and no run measures: it gets no verdict.
        """
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            groups.setdefault((row.row, row.metric), []).append(row)
        lines = []
        for (name, metric), rows in groups.items():
            known = [r.value for r in rows if math.isfinite(r.value)]
            infinite = sum(math.isinf(r.value) for r in rows)
            mean = sum(known) / len(known) if known else math.inf if infinite else math.nan
            n, unit, chapter = rows[0].n, rows[0].unit, rows[0].chapter
            share = n if unit == "percent" else None
            if rows[0].seed is None:
                low, high = wilson(mean, n) if share and n and known else (math.nan, math.nan)
            else:
                low, high = prediction(known, share)
            note = self.notes.get((name, metric), "")
            for count, what in (
                (sum(math.isnan(r.value) for r in rows), "diverged"),
                (infinite, "infinite" + (", left out of the mean" if known else "")),
            ):
                note = "; ".join(filter(None, [note, f"{count} seed(s) {what}" if count else ""]))
            said = ""
            if not judge or chapter is None or (name, metric) in given:
                pass
            elif unit != "percent":
                said = plain_verdict(chapter, mean)
            else:
                said = verdict(
                    chapter,
                    mean,
                    low,
                    high,
                    clean=metric.startswith("clean"),
                    direction=(directions or {}).get((name, metric)),
                )
            lines.append(
                SummaryRow(
                    self.experiment,
                    name,
                    metric,
                    unit,
                    chapter,
                    rows[0].published,
                    rows[0].source,
                    mean,
                    low,
                    high,
                    len(rows),
                    n,
                    said,
                    note,
                )
            )
        return lines


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
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def write_results(folder: Path, results: Results) -> None:
    """`results.csv`: one row a number, nothing that depends on time."""
    header = [f.name for f in fields(Row)]
    text = csv_text(header, [astuple(row) for row in results.rows])
    write_text(folder / RESULTS, text)


def append_result(folder: Path, row: Row) -> None:
    """Add one row to a `results.csv` that `write_results` began.

    Writing all of them anew at each number would take time that grows with their square.
    """
    append_text(folder / RESULTS, csv_lines([astuple(row)]))


def write_summary(
    folder: Path, lines: Sequence[SummaryRow], title: str, remarks: Sequence[str] = ()
) -> None:
    """`summary.csv`, and `summary.md` with a list of remarks under the table."""
    header = [f.name for f in fields(SummaryRow)]
    write_text(folder / "summary.csv", csv_text(header, [astuple(line) for line in lines]))
    listed = "".join(f"- {remark}\n" for remark in remarks)
    text = "\n".join([f"{title}\n", f"{table(lines, 'github')}\n", listed])
    write_text(folder / "summary.md", text.rstrip() + "\n")


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
            "left" if key in ("row", "metric", "verdict", "note") else "right" for key in used
        ],
    )


def _shown(line: SummaryRow) -> dict[str, str]:
    """One summary line as short strings."""
    values = asdict(line)

    def number(key: str) -> str:
        value = values[key]
        return "" if value is None or math.isnan(value) else f"{value:.2f}"

    interval = f"{number('low')} – {number('high')}" if number("low") else ""
    return {
        "row": line.row,
        "metric": line.metric + ("" if line.unit == "percent" else f" ({line.unit})"),
        "chapter": "" if line.chapter is None else f"{line.chapter:g}",
        "published": "" if line.published is None else f"{line.published:g} ({line.source})",
        "mean": number("mean") or "diverged",
        "interval": interval,
        "seeds": str(line.seeds),
        "n": "" if line.n is None else f"{line.n:,}",
        "verdict": line.verdict,
        "note": line.note,
    }
