"""`advx report`: one table over the latest finished run of every experiment."""

from pathlib import Path

import pandas as pd
from tabulate import tabulate

COLUMNS = ["experiment", "row", "metric", "chapter", "mean", "low", "high", "seeds", "n", "verdict"]


def latest(outputs: Path) -> dict[str, Path]:
    """The newest folder with a summary of every experiment under `outputs/runs`."""
    found: dict[str, Path] = {}
    for summary in sorted(outputs.glob("runs/*/**/summary.csv"), key=lambda p: p.stat().st_mtime):
        found[summary.relative_to(outputs / "runs").parts[0]] = summary.parent
    return dict(sorted(found.items()))


def report(outputs: Path) -> int:
    """Print the table; returns 1 where there is nothing to report."""
    runs = latest(outputs)
    if not runs:
        print(f"no finished run under {outputs / 'runs'}: try advx run experiment=transfer_table")
        return 1
    tables = [pd.read_csv(folder / "summary.csv", dtype=str) for folder in runs.values()]
    table = pd.concat(tables)[COLUMNS].fillna("").map(_short)
    print(tabulate(table, headers="keys", showindex=False, disable_numparse=True))
    print()
    for name, folder in runs.items():
        title = (folder / "summary.md").read_text().splitlines()[0]
        print(f"{name}: {title}\n  {folder}")
    return 0


def redraw_figures(folder: Path) -> int:
    """Draw the figures of a run again from its arrays; nothing is computed."""
    from advx.figures.kept import redraw  # matplotlib only where it is needed

    redraw(folder)
    for figure in sorted(folder.glob("*.png")):
        print(f"figure: {figure}")
    return 0


def _short(cell: str) -> str:
    """Numbers with at most two decimals."""
    try:
        return f"{float(cell):.2f}".rstrip("0").rstrip(".") if "." in cell else cell
    except ValueError:
        return cell
