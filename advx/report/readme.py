"""The tables of README and `docs/`, written from the reference runs kept in `outputs/reference`.

python -m advx.report.readme    # what `make readme` runs

The text between `<!-- EXPERIMENT -->` and `<!-- /EXPERIMENT -->` is replaced by the tables of
`outputs/reference/EXPERIMENT/`: every figure of the chapter beside the measured one, other
published figures beside theirs, what else was measured on the rows that the experiment's YAML
lists, and the chapter's statements in words.
"""

import json
import re
from pathlib import Path

import pandas as pd
from tabulate import tabulate


def update(page: Path, reference: Path) -> bool:
    """Rewrite the marked blocks of a Markdown page from `reference`; whether anything changed."""
    text = page.read_text()

    def renewed(match: re.Match[str]) -> str:
        if not (reference / match.group(2)).is_dir():
            return match.group(0)  # not measured yet
        return f"{match.group(1)}\n{tables(reference / match.group(2))}\n{match.group(4)}"

    new = re.sub(r"(<!-- (\w+) -->)\n(.*?)(<!-- /\2 -->)", renewed, text, flags=re.DOTALL)
    if new != text:
        page.write_text(new)
    return new != text


def tables(folder: Path) -> str:
    """The block of one experiment, Markdown."""
    summary = pd.read_csv(folder / "summary.csv")
    claims = pd.read_csv(folder / "claims.csv", dtype=str)
    title = (folder / "summary.md").read_text().splitlines()[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    deviations = "\n".join(f"- {text}" for text in manifest["config"].get("deviations") or [])
    blocks = [
        f"{title}. `{manifest['command']}`",
        _chapter(summary[summary.chapter.notna()]),
        _others(summary, [row["row"] for row in manifest["config"]["rows"]]),
        _noted(summary[summary.chapter.isna() & summary.note.notna()]),
        _markdown(claims[["claim", "holds", "seeds", "evidence"]]),
        f"Deviations from the chapter:\n\n{deviations}" if deviations else "",
    ]
    return "\n\n".join(filter(None, blocks))


def _chapter(summary: pd.DataFrame) -> str:
    """Each figure of the chapter beside the measured mean and its interval."""
    table = _measured(summary)
    table["chapter"] = table.chapter.map("{:g}".format)
    table["n"] = table.n.map("{:,.0f}".format)
    columns = ["row", "metric", "chapter", "measured", "interval", "seeds", "n", "verdict"]
    return _markdown(table[columns])


def _noted(summary: pd.DataFrame) -> str:
    """What the experiment's YAML says of its other rows, beside what was measured."""
    return _markdown(_measured(summary)[["row", "metric", "measured", "interval", "seeds", "note"]])


def _measured(summary: pd.DataFrame) -> pd.DataFrame:
    """The mean and the interval as short text."""
    table = summary.copy()
    table["measured"] = [_short(*pair) for pair in zip(table["mean"], table.unit, strict=True)]
    table["interval"] = [
        f"{_short(low, unit)} – {_short(high, unit)}" if low == low else ""
        for low, high, unit in zip(table.low, table.high, table.unit, strict=True)
    ]
    return table


def _short(value: float, unit: str) -> str:
    """Percentages and points to two decimals; sizes, which may be small, to four digits."""
    return f"{value:.2f}" if unit in ("percent", "points") else f"{value:.4g}"


def _others(summary: pd.DataFrame, listed: list[str]) -> str:
    """What else was measured on the rows that are listed: other readings, other metrics; means.

    Few rows with many metrics stand side by side, many rows one below the other.
    """
    others = summary[summary.row.isin(listed) & summary.chapter.isna()].copy()
    others = others[others.row.isin(others[others.note.isna()].row)]  # the rest stands below
    if others.empty:
        return ""
    seeds = {
        metric: "–".join(f"{count:.0f}" for count in sorted({some.min(), some.max()}))
        for metric, some in others.groupby("metric").seeds
    }
    others["metric"] = [
        f"{metric.replace('_', ' ').replace('@', ', ')}"
        + ("" if unit == "percent" else f" [{unit}]")
        + f" ({seeds[metric]})"
        for metric, unit in zip(others.metric, others.unit, strict=True)
    ]
    index, columns = ("metric", "row") if others.row.nunique() <= 4 else ("row", "metric")
    others["mean"] = [_short(*pair) for pair in zip(others["mean"], others.unit, strict=True)]
    wide = others.pivot_table("mean", index, columns, aggfunc="first", sort=False)
    wide = wide.fillna("").reset_index()
    return (
        _markdown(wide)
        + "\n\nMeans, in percent unless a unit is given; in brackets the number of seeds."
    )


def _markdown(table: pd.DataFrame) -> str:
    """The table, or nothing where it has no rows."""
    if table.empty:
        return ""
    return tabulate(
        table.fillna(""), headers="keys", tablefmt="github", showindex=False, disable_numparse=True
    )


if __name__ == "__main__":
    for page in [Path("README.md"), *sorted(Path("docs").glob("*.md"))]:
        changed = update(page, Path("outputs/reference"))
        print(f"{page} renewed" if changed else f"{page} is up to date")
