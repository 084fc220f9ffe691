"""`advx report`: one table over the latest finished run of every experiment."""

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from advx.config.claims import CELL_KEYS
from advx.errors import ConfigError
from advx.report.conclusions import Conclusions
from advx.report.finished import Unfinished, run_folders, summary_of, title_of
from advx.report.results import table

COLUMNS = ["experiment", *CELL_KEYS, "chapter", "mean", "low", "high", "seeds", "n", "verdict"]


def report(outputs: Path) -> int:
    """Print the table, and which runs are unfinished; returns 1 where nothing is finished."""
    runs = outputs / "runs"
    latest: dict[str, tuple[Path, str, pd.DataFrame]] = {}
    unfinished = []
    for folder in run_folders(runs):  # a later one takes the place of an earlier one
        try:
            lines = summary_of(folder, COLUMNS, dtype=str)
            found = folder, title_of(folder), lines
        except Unfinished as error:
            unfinished.append(str(error))
        else:
            latest[folder.relative_to(runs).parts[0]] = found
    shown = sorted(latest.items())
    if shown:
        lines = pd.concat([lines for _, (_, _, lines) in shown])[COLUMNS].fillna("").map(_short)
        print(tabulate(lines, headers="keys", showindex=False, disable_numparse=True))
        print()
    for name, (folder, title, _) in shown:
        print(f"{name}: {title}\n  {folder}")
    if not shown:
        print(f"no finished run under {runs}: try advx run experiment=transfer_table")
    if unfinished:
        print("\nunfinished runs:")
        for line in unfinished:
            print(f"  {line}")
    return 0 if shown else 1


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
    for outcome in drawn.outcomes:
        print(f"{outcome.holds:>12} ({outcome.seeds} seeds)  {outcome.claim}")
    for limit in drawn.limits:
        print(f"\n{limit}")
    print(f"\nfiles:  {folder}")


def _short(cell: str) -> str:
    """Numbers with at most two decimals."""
    try:
        return f"{float(cell):.2f}".rstrip("0").rstrip(".") if "." in cell else cell
    except ValueError:
        return cell
