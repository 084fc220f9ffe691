"""The tables of README and `docs/`, written from the reference runs kept in `outputs/reference`.

python -m advx.report.readme    # what `make readme` runs

The text between `<!-- EXPERIMENT -->` and `<!-- /EXPERIMENT -->` is replaced by the tables of
`outputs/reference/EXPERIMENT/`: every figure of the chapter beside the measured one, other
published figures beside theirs, what else was measured on the rows that the experiment's YAML
lists, and the chapter's statements in words. `<!-- every claim -->` holds the outcomes of all
statements of all experiments, in the order of README's table of experiments.
"""

import re
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from advx.report.finished import Unfinished, manifest_of, summary_of, table_of, title_of
from advx.text_files import read_text, write_text

EVERY_CLAIM = ("<!-- every claim -->", "<!-- /every claim -->")
"""Around the outcomes of all claims."""

OURS = "(ours"
"""Begins what is no statement of the chapter, but a check that its reading needs."""

SUMMARY = (
    "row",
    "metric",
    "unit",
    "chapter",
    "mean",
    "low",
    "high",
    "seeds",
    "n",
    "verdict",
    "note",
)
OUTCOMES = ("claim", "holds", "seeds", "evidence")
"""Columns that a page shows."""


def update(page: Path, reference: Path) -> bool:
    """Rewrite the marked blocks of a Markdown page from `reference`; whether anything changed.

    The block of a run that is not there or not whole stays as it is; the latter is said.
    """
    text = read_text(page)

    def renewed(match: re.Match[str]) -> str:
        if not (reference / match.group(2)).is_dir():
            return match.group(0)  # not measured yet
        try:
            return f"{match.group(1)}\n{tables(reference / match.group(2))}\n{match.group(4)}"
        except Unfinished as error:
            print(f"{page}: left as it is, unfinished: {error}")
            return match.group(0)

    new = re.sub(r"(<!-- (\w+) -->)\n(.*?)(<!-- /\2 -->)", renewed, text, flags=re.DOTALL)
    first, last = EVERY_CLAIM
    if first in new:
        before, rest = new.split(first)
        try:
            claims = every_claim(in_order(read_text(Path("README.md"))), reference)
            new = f"{before}{first}\n{claims}\n{last}" + rest.split(last)[1]
        except Unfinished as error:
            print(f"{page}: the claims are left as they are, unfinished: {error}")
    if new != text:
        write_text(page, new)
    return new != text


def tables(folder: Path) -> str:
    """The block of one experiment, Markdown.

    Raises:
        Unfinished: its folder is not that of a whole run.
    """
    summary = summary_of(folder, SUMMARY)
    claims = table_of(folder, "claims.csv", OUTCOMES, dtype=str)
    title, manifest = title_of(folder), manifest_of(folder)
    deviations = "\n".join(f"- {text}" for text in manifest["config"].get("deviations") or [])
    blocks = [
        f"{title}. `{manifest.get('command')}`",
        _chapter(summary[summary.chapter.notna()]),
        _others(summary, [row["row"] for row in manifest["config"].get("rows") or []]),
        _noted(summary[summary.chapter.isna() & summary.note.notna()]),
        _markdown(claims[["claim", "holds", "seeds", "evidence"]]),
        f"Deviations from the chapter:\n\n{deviations}" if deviations else "",
    ]
    return "\n\n".join(filter(None, blocks))


def in_order(readme: str) -> dict[str, str]:
    """Sections by experiment, as README's table of experiments lists them."""
    found = re.findall(r"^\| \[?`(\w+)`[^|]*\| ([\d.]+) \|", readme, flags=re.MULTILINE)
    return dict(found)


def every_claim(experiments: dict[str, str], reference: Path) -> str:
    """The outcomes of all claims, a table an experiment, under a line that counts them.

    Args:
        experiments: sections by name, in the order of the page.
        reference: a folder an experiment; those that are not listed stand at the end.

    Raises:
        Unfinished: one of them is not that of a whole run.
    """
    measured = [folder.parent.name for folder in sorted(reference.glob("*/claims.csv"))]
    order = [e for e in experiments if e in measured]
    order += [e for e in measured if e not in experiments]
    found = {name: _claims(reference / name) for name in order}
    claims = pd.concat(found.values())
    ours = claims.says.str.startswith(OURS)
    summaries = pd.concat([summary_of(reference / name, ("chapter", "verdict")) for name in order])
    verdicts = summaries[summaries.chapter.notna()].verdict.value_counts()
    blocks = [
        f"Of {(~ours).sum()} statements of the chapter and its sources "
        f"{_holding(claims[~ours])} hold, of {ours.sum()} checks of ours {_holding(claims[ours])}. "
        "Published figures: "
        + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
        + "."
    ]
    for name, some in found.items():
        section = f", section {experiments[name]}" if name in experiments else ""
        blocks += [] if some.empty else [f"## `{name}`{section}", _markdown(some)]
    return "\n\n".join(blocks)


def _claims(folder: Path) -> pd.DataFrame:
    """One experiment's claims, with what they say."""
    claims = table_of(folder, "claims.csv", OUTCOMES, dtype=str)
    listed = manifest_of(folder)["config"].get("claims") or []
    says = {claim["claim"]: claim.get("says", "") for claim in listed}
    claims["says"] = claims.claim.map(says).fillna("")
    return claims[["claim", "says", "holds", "seeds", "evidence"]]


def _holding(claims: pd.DataFrame) -> int:
    return int((claims.holds == "holds").sum())


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
