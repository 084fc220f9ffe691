"""Tables as Markdown, for the pages of `docs/`."""

import re

import pandas as pd
from tabulate import tabulate

from advx.config.cells import Cell, parts_of
from advx.report.numbers import short


def markdown(table: pd.DataFrame) -> str:
    """The table with its column names, or nothing where it has no rows."""
    if table.empty:
        return ""
    cells = table.astype(object).fillna("").map(_cell)
    return tabulate(
        cells,
        headers=[_cell(name) for name in table.columns],
        tablefmt="pipe",
        showindex=False,
        disable_numparse=True,
        colalign=["right" if cells[name].map(_is_number).all() else "left" for name in cells],
    )


def folded(summary: str, text: str) -> str:
    """Text that a reader unfolds with a click; nothing where there is none."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>" if text else ""


def words(name: str) -> str:
    """A row or a metric as a reader says it: `maxout -> nearest_neighbor`, `error_rate`."""
    return name.replace("_", " ").replace("->", "→")


def which(cell: Cell) -> str:
    """A metric with its size and setting: "error rate, ε = 0.25, class = 3, clipped"."""
    size = [] if cell.epsilon is None else [f"ε = {cell.epsilon:g}"]
    others = [part.replace("=", " = ") for part in parts_of(cell.setting)]
    return words(", ".join([cell.metric, *size, *others]))


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """A summary's lines with `measured` and `interval` as short text."""
    made = table.copy()
    made["measured"] = [short(*pair) for pair in zip(made["mean"], made.unit, strict=True)]
    made["interval"] = [
        f"{short(low, unit)} – {short(high, unit)}" if low == low else ""
        for low, high, unit in zip(made.low, made.high, made.unit, strict=True)
    ]
    return made


def _cell(text: object) -> str:
    """A vertical bar would end the cell; a line break the row."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def _is_number(cell: str) -> bool:
    """Whether a cell holds a number, a range of two, "2/3", or nothing."""
    return re.fullmatch(r"[-−\d.,∞/e+]*( – [-−\d.,∞e+]*)?", cell) is not None
