"""The tables of a page as files: comma-separated, Markdown and LaTeX, a folder for each group.

    FOLDER/chapter-0.1.0/statements.csv   the scoreboard: a line a statement
    FOLDER/chapter-0.1.0/claims.csv       a line a claim
    FOLDER/chapter-0.1.0/numbers.csv      a line a mean

each with `.md` and `.tex` beside it. Runs of another scale or version have another folder.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from advx.errors import ConfigError
from advx.report.page.runs import RunRead, read
from advx.report.page.scoreboard import Board, boards, outcomes_of
from advx.report.selection import Selection
from advx.text_files import write_text

FORMULA = "=+-@\t"
"""What a spreadsheet takes for the beginning of a formula."""

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "ε": r"$\varepsilon$",
    "→": r"$\to$",
    "−": r"$-$",
    "∞": r"$\infty$",
    "½": r"$\frac{1}{2}$",
}
"""Characters that LaTeX takes for something else, or that its usual fonts lack."""

Cell = str | float | int | None
Lines = list[list[Cell]]

STATEMENTS = ("id", "section", "statement", "whose", "verdict", "one_seed", "tests", "margin",
              "seeds", "missing")  # fmt: skip
CLAIMS = ("experiment", "claim", "says", "source", "predicate", "outcome", "margin", "error",
          "seeds", "one_seed", "evidence")  # fmt: skip
NUMBERS = ("experiment", "row", "metric", "epsilon", "setting", "unit", "chapter", "published",
           "source", "mean", "low", "high", "seeds", "n", "verdict", "note")  # fmt: skip


def write_tables(selection: Selection, folder: Path) -> list[Path]:
    """Write the tables of a selection's runs; returns the files.

    Raises:
        ConfigError: none of the runs can be read whole.
        OSError: the folder cannot be written.
    """
    runs = read(selection)
    if not runs:
        raise ConfigError(none_whole(selection))
    written = []
    for board in boards(runs):
        some = [run for run in runs if run.group == board.group]
        place = folder / re.sub(r"[^\w.-]+", "_", "-".join(board.group))
        place.mkdir(parents=True, exist_ok=True)
        for name, head, lines in (
            ("statements", STATEMENTS, list(_statements(board))),
            ("claims", CLAIMS, list(_claims(some))),
            ("numbers", NUMBERS, list(_numbers(some))),
        ):
            for ending, made in FORMATS.items():
                path = place / f"{name}.{ending}"
                write_text(path, made(head, lines))
                written.append(path)
    return written


def none_whole(selection: Selection) -> str:
    """What is said where nothing can be shown."""
    return (
        f"folder: no whole run ({len(selection.unfinished)} unfinished or of another version); "
        "valid: a folder with a finished run, e.g. of advx run experiment=transfer_table"
    )


def _statements(board: Board) -> Iterator[list[Cell]]:
    for entry in board.entries:
        some = entry.outcomes
        yield [
            entry.id,
            entry.section,
            entry.text,
            entry.source,
            entry.verdict,
            "yes" if entry.one_seed else "",
            "; ".join(f"{one.experiment}: {one.name}: {one.result}" for one in some),
            min((one.gap for one in some if not math.isnan(one.gap)), default=None),
            "; ".join(one.seeds for one in some if one.seeds),
            " ".join(filter(None, [entry.status * (entry.status != "tested"), entry.reason])),
        ]


def _claims(runs: Sequence[RunRead]) -> Iterator[list[Cell]]:
    for run in runs:
        for one in outcomes_of(run):
            yield [
                run.experiment,
                one.name,
                one.says,
                one.source,
                one.predicate,
                one.result,
                one.gap,
                one.error,
                one.seeds,
                "yes" if one.one_seed else "",
                one.evidence,
            ]


def _numbers(runs: Sequence[RunRead]) -> Iterator[list[Cell]]:
    for run in runs:
        for number in run.numbers:
            cell = number.cell
            yield [
                run.experiment,
                cell.row,
                cell.metric,
                cell.epsilon,
                cell.setting,
                number.unit,
                number.chapter,
                number.published,
                number.source,
                number.mean,
                number.low,
                number.high,
                number.seeds,
                number.n,
                number.verdict,
                number.note,
            ]


def plain(cell: Cell) -> str:
    """A cell as text: nothing for no number, and numbers with all of their digits."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float):
        return f"{cell:.6f}".rstrip("0").rstrip(".") if math.isfinite(cell) else f"{cell:g}"
    return str(cell)


def comma_separated(head: Sequence[str], lines: Lines) -> str:
    """CSV in which no text runs as a formula: an apostrophe stands before one that would.

    Numbers stay numbers, also negative ones.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[_no_formula(cell) for cell in line] for line in lines])
    return stream.getvalue()


def _no_formula(cell: Cell) -> str:
    text = plain(cell)
    if not isinstance(cell, str):
        return text
    text = text.replace("\r", " ")  # csv of Python 3.11 leaves one outside of quotes
    return f"'{text}" if text.lstrip(" ").startswith(tuple(FORMULA)) else text


def markdown(head: Sequence[str], lines: Lines) -> str:
    """A Markdown table."""

    def escaped(text: str) -> str:
        text = re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text)
        return " ".join(text.split())

    rows = [[escaped(plain(cell)) for cell in line] for line in lines]
    return tabulate(rows, headers=list(head), tablefmt="pipe", disable_numparse=True) + "\n"


def latex(head: Sequence[str], lines: Lines) -> str:
    """A LaTeX table for the packages booktabs and longtable."""
    columns = "".join("r" if _of_numbers(lines, at) else "l" for at in range(len(head)))
    rows = [" & ".join(_latex(plain(cell)) for cell in line) + r" \\" for line in lines]
    names = " & ".join(_latex(name) for name in head)
    body = "\n".join(rows)
    return (
        f"\\begin{{longtable}}{{{columns}}}\n\\toprule\n{names} \\\\\n\\midrule\n\\endhead\n"
        f"{body}\n\\bottomrule\n\\end{{longtable}}\n"
    )


def _latex(text: str) -> str:
    return " ".join("".join(LATEX.get(letter, letter) for letter in text).split())


def _of_numbers(lines: Lines, at: int) -> bool:
    return all(isinstance(line[at], int | float | None) for line in lines)


FORMATS: dict[str, Callable[[Sequence[str], Any], str]] = {
    "csv": comma_separated,
    "md": markdown,
    "tex": latex,
}
"""By the ending of the file."""
