"""Runs read back from their folders: finished ones whole, the others named with what is amiss."""

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from advx.config import moved
from advx.config.cells import Cell
from advx.config.claims import CELL_KEYS
from advx.config.documents import Manifest
from advx.errors import AdvxError, reason
from advx.text_files import read_text

MARKS = (
    "results.csv",
    "summary.csv",
    "summary.md",
    "manifest.json",
    "run.log",
    "FAILED",
    ".hydra",
)
"""A folder with one of these is a run's."""

NUMBERS = ("epsilon", "chapter", "mean", "low", "high", "seeds", "n")
"""Columns of a summary that hold a number or nothing."""


class Unfinished(AdvxError):
    """A run's folder without the whole of what a finished run leaves there: which one, and why."""

    def __init__(self, folder: Path, why: str) -> None:
        super().__init__(f"{folder}: {why}")


def run_folders(runs: Path) -> list[Path]:
    """Every folder of a run under `runs`, and every empty one, oldest first.

    Hidden folders are no runs, nor are folders within a run's that have no run's files.
    """
    found: dict[Path, float] = {}
    for name, folders, files in os.walk(runs):
        folder = Path(name)
        marks = [mark for mark in MARKS if mark in files or mark in folders]
        folders[:] = [each for each in folders if not each.startswith(".")]
        inside = any(parent in found for parent in folder.parents)
        if folder != runs and (marks or not (folders or files or inside)):
            dated = ["summary.csv"] if "summary.csv" in marks else marks
            found[folder] = max((_age(folder / mark) for mark in dated), default=_age(folder))
    return sorted(found, key=lambda folder: (found[folder], folder))


def summary_of(folder: Path, columns: Iterable[str], dtype: type | None = None) -> pd.DataFrame:
    """`summary.csv` of a finished run.

    Args:
        folder: the run's.
        columns: those that must be there.
        dtype: `str` leaves the numbers as they are written.

    Raises:
        Unfinished: the run failed, or the file is absent, cut short or no summary.
    """
    failed = folder / "FAILED"  # a run that is continued removes it first
    if failed.is_file():
        raise Unfinished(folder, f"failed: {_last_line(failed)}")
    return table_of(folder, "summary.csv", columns, dtype, NUMBERS)


def table_of(
    folder: Path,
    name: str,
    columns: Iterable[str],
    dtype: type | None = None,
    numbers: Iterable[str] = (),
) -> pd.DataFrame:
    """A comma-separated file of a finished run; `numbers` are columns with a number or nothing.

    Raises:
        Unfinished: it is absent, cut short or damaged, or a column is missing.
    """
    text = _whole(folder / name)
    try:
        header, *lines = csv.reader(io.StringIO(text), strict=True)
        made = pd.read_csv(
            io.StringIO(text), dtype=dtype, keep_default_na=False, na_values=[""]
        )  # a row may be called "NA"
    except (ValueError, csv.Error) as error:
        raise Unfinished(folder, f"{name} cannot be read ({reason(error)})") from error
    missing = [column for column in columns if column not in header]
    if missing:
        raise Unfinished(folder, f"{name} has no column {', '.join(missing)}")
    for line in lines:
        if len(line) != len(header):
            raise Unfinished(folder, f"{name} has lines of different lengths")
        for column, cell in zip(header, line, strict=True):
            if column in numbers and not _is_number(cell or "nan"):
                raise Unfinished(folder, f"{name} has {cell!r} under {column}")
    return made


def cells_of(table: pd.DataFrame) -> list[Cell]:
    """What each line of a table of results or of a summary is of."""
    named = table[list(CELL_KEYS)].astype(object)
    named = named.where(named.notna(), "")
    return [
        Cell(row, metric, None if epsilon == "" else float(epsilon), setting)
        for row, metric, epsilon, setting in named.itertuples(index=False)
    ]


def manifest_of(folder: Path) -> Manifest:
    """`manifest.json` of a finished run, with the keys and names of today.

    Raises:
        Unfinished: it is absent, cut short or damaged, or holds no configuration.
    """
    try:
        made: Manifest = json.loads(_text(folder / "manifest.json"))
        made["config"].get("rows"), made["config"]["experiment"], made["config"]["scale"]
        moved.put_right(made["config"])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Unfinished(folder, f"manifest.json cannot be read ({reason(error)})") from error
    return made


def title_of(folder: Path) -> str:
    """The first line of a finished run's `summary.md`: what ran.

    Raises:
        Unfinished: it is absent or cut short.
    """
    return _whole(folder / "summary.md").splitlines()[0]


def _whole(path: Path) -> str:
    """The text of a file whose last line is ended, as a run writes it.

    Raises:
        Unfinished: it is not there, empty, cut short or no UTF-8.
    """
    text = _text(path)
    if not text.endswith("\n"):
        raise Unfinished(path.parent, f"{path.name} is cut short")
    return text


def _text(path: Path) -> str:
    """The text of a file of a run.

    Raises:
        Unfinished: it is not there, empty or no UTF-8.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise Unfinished(path.parent, f"no {path.name}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = f"{path.name} cannot be read ({reason(error)})"
        raise Unfinished(path.parent, why) from error
    if not text.strip():
        raise Unfinished(path.parent, f"{path.name} is empty")
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _last_line(path: Path) -> str:
    """What a traceback ends with."""
    lines = path.read_bytes().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason is given"


def _age(path: Path) -> float:
    """When a file was last written; 0 where it has gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
