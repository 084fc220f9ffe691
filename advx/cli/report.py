"""`advx report`: the latest finished run of every experiment as a table, a page, or files."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from advx.config.claims import CELL_KEYS
from advx.errors import ConfigError, reason
from advx.report.conclusions import Conclusions, told
from advx.report.finished import summary_of
from advx.report.results import table
from advx.report.selection import Selection, scale_place, select
from advx.text_files import write_text

COLUMNS = ["experiment", *CELL_KEYS, "chapter", "mean", "low", "high", "seeds", "n", "verdict"]
ROUNDED = ["chapter", "mean", "low", "high"]

DEFAULTS = ("runs", "reproduce")
"""Folders of runs below `outputs`, where no folder is named."""


def carry_out(arguments: argparse.Namespace) -> int:
    """Whatever of `advx report` is asked for; returns the exit status.

    Raises:
        AdvxError: something that the user can mend.
    """
    if arguments.merge or arguments.into:
        return join(arguments.merge, arguments.into)
    if arguments.redraw:
        redraw_figures(arguments.redraw)
    if arguments.judge:
        judge(arguments.judge)
    if arguments.html or arguments.tables:
        return write_page(
            arguments.folders,
            arguments.outputs,
            arguments.html,
            arguments.tables,
            arguments.models,
        )
    if (arguments.redraw or arguments.judge) and not arguments.folders:
        return 0
    return report(arguments.folders, arguments.outputs)


def report(folders: Sequence[Path], outputs: Path) -> int:
    """Print the table, and which runs are unfinished; returns 1 where nothing is finished.

    Raises:
        ConfigError: a folder does not exist.
    """
    selection = chosen(folders, outputs)
    groups = sorted({run.group for run in selection.runs}, key=scale_place)
    for scale, version in groups:
        some = [run for run in selection.runs if run.group == (scale, version)]
        tables = [summary_of(run.folder, COLUMNS, dtype=str) for run in some]
        lines = pd.concat(tables)[COLUMNS].fillna("")
        lines[ROUNDED] = lines[ROUNDED].map(_short)
        if len(groups) > 1:  # never mixed into one table
            print(f"scale={scale}, advx {version}\n")
        print(tabulate(lines, headers="keys", showindex=False, disable_numparse=True))
        print()
        for run in some:
            print(f"{run.name}: {run.title}\n  {run.folder}")
        if len(groups) > 1:
            print()
    if not selection.runs:
        print(f"no finished run under {_named(folders, outputs)}: {TRY}")
    print_left_out(selection)
    return 0 if selection.runs else 1


EXTRA = 'pip install ".[report]" in the checkout'
"""What brings the packages that only the page needs."""

MODELS = Path("reference") / "models"
"""Below `outputs`: the networks that the page computes with, where no folder is named."""

TRY = "try advx run experiment=transfer_table"


def chosen(folders: Sequence[Path], outputs: Path) -> Selection:
    """The runs of the folders; where none is named, of `outputs`.

    Raises:
        ConfigError: a folder does not exist.
    """
    default = [outputs / name for name in DEFAULTS if (outputs / name).is_dir()]
    return select(folders or default, COLUMNS)


def print_left_out(selection: Selection) -> None:
    """Name the runs that are not shown."""
    if selection.older:
        print(
            f"\n{selection.older} earlier run(s) of the same experiments and scales, whatever "
            "their settings, are not shown; advx report RUN shows one, advx compare RUN RUN two"
        )
    if selection.unfinished:
        print("\nunfinished runs:")
        for line in selection.unfinished:
            print(f"  {line}")


def write_page(
    folders: Sequence[Path],
    outputs: Path,
    html: Path | None,
    into: Path | None,
    models: Path | None = None,
) -> int:
    """Write the page, or the tables, or both.

    Raises:
        ConfigError: a folder does not exist or holds no finished run, or a package is missing.
        OSError: what is asked for cannot be written.
    """
    if models is not None and not models.is_dir():
        raise ConfigError(
            f"models={models}: no such folder; valid: one that advx store export has written to"
        )
    if html is not None:
        if html.is_dir():
            raise ConfigError(f"html={html}: a folder; valid: a file, e.g. {html / 'report.html'}")
        writable("html", html, html.parent)
    if into is not None:
        writable("tables", into, into)
    selection = chosen(folders, outputs)
    if not selection.runs:
        print_left_out(selection)
        raise ConfigError(
            f"folder={_named(folders, outputs)}: no finished run there; valid: a run, or a folder "
            f"that holds runs; {TRY}"
        )
    if html is not None:
        try:
            from advx.report.page.render import page

            text = page(selection, models or outputs / MODELS)
        except ImportError as error:  # of what only the page needs
            raise ConfigError(f"html={html}: {reason(error)}; try {EXTRA}") from error
        write_text(html, text)
        print(f"page:   {html} ({len(text.encode()) / 1e6:.1f} MB, {len(selection.runs)} run(s))")
    if into is not None:
        from advx.report.page.tables import write_tables

        for path in write_tables(selection, into):
            print(f"table:  {path}")
    print_left_out(selection)
    return 0


def writable(key: str, given: Path, folder: Path) -> None:
    """Make the folder that something goes to, before the work that fills it.

    Raises:
        ConfigError: it cannot be made, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        why = "" if os.access(folder, os.W_OK) else "no permission to write there"
    except OSError as error:
        why = error.strerror or reason(error)
    if why:
        raise ConfigError(f"{key}={given}: {why}; valid: a place where you can write")


def _named(folders: Sequence[Path], outputs: Path) -> str:
    return ", ".join(map(str, folders or [outputs / name for name in DEFAULTS]))


def redraw_figures(folder: Path) -> int:
    """Draw the figures of a run again from its arrays; nothing is computed."""
    from advx.figures.saved import redraw  # matplotlib only where it is needed

    redraw(folder)
    for figure in sorted(folder.glob("*.png")):
        print(f"figure: {figure}")
    return 0


def judge(folder: Path) -> int:
    """Judge a run's rows again, by the claims that its experiment lists now."""
    from advx.report.again import judge_again  # Hydra only where it is needed

    drawn = judge_again(folder)
    _print_outcomes(drawn, folder)
    return 0


def join(folders: list[Path] | None, into: Path | None) -> int:
    """Join runs that differ in nothing but their seeds."""
    from advx.report.merge import merge  # Hydra only where it is needed

    if not folders or into is None:
        raise ConfigError(
            "advx report --merge and --into belong together: "
            "advx report --merge RUN RUN --into FOLDER"
        )
    drawn = merge(folders, into)
    print(f"{table(drawn.lines)}\n")
    _print_outcomes(drawn, into)
    return 0


def _print_outcomes(drawn: Conclusions, folder: Path) -> None:
    for line in told(drawn):
        print(line)
    print(f"\nfiles:  {folder}")


def _short(cell: str) -> str:
    """A number with at most two decimals, or three digits where it is small."""
    if "." not in cell and "e" not in cell:
        return cell
    value = float(cell)
    if 0 < abs(value) < 0.01:
        return f"{value:.3g}"
    return f"{value:.2f}".rstrip("0").rstrip(".")
