"""README's tables, written from the reference runs that are kept in `outputs/reference`.

python -m advx.report.readme    # what `make readme` runs

The text between `<!-- EXPERIMENT -->` and `<!-- /EXPERIMENT -->` is replaced by the tables of
`outputs/reference/EXPERIMENT/`: every figure of the chapter beside the measured one, the other
readings of the protocol, and the chapter's statements in words.
"""

import json
import re
from pathlib import Path

import pandas as pd
from tabulate import tabulate


def update(readme: Path, reference: Path) -> bool:
    """Rewrite the marked blocks of `readme` from `reference`; whether anything changed."""
    text = readme.read_text()

    def renewed(match: re.Match[str]) -> str:
        return f"{match.group(1)}\n{tables(reference / match.group(2))}\n{match.group(4)}"

    new = re.sub(r"(<!-- (\w+) -->)\n(.*?)(<!-- /\2 -->)", renewed, text, flags=re.DOTALL)
    if new != text:
        readme.write_text(new)
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
        _chapter(summary),
        _readings(summary),
        _markdown(claims.drop(columns="experiment")) if len(claims) else "",
        f"Deviations from the chapter:\n\n{deviations}" if deviations else "",
    ]
    return "\n\n".join(filter(None, blocks))


def _chapter(summary: pd.DataFrame) -> str:
    """Each figure of the chapter beside the measured mean and its interval."""
    table = summary[summary.chapter.notna()].copy()
    table["measured"] = table["mean"].map("{:.2f}".format)
    table["interval"] = [
        f"{low:.2f} – {high:.2f}" if low == low else ""
        for low, high in zip(table.low, table.high, strict=True)
    ]
    table["chapter"] = table.chapter.map("{:g}".format)
    table["n"] = table.n.map("{:,.0f}".format)
    columns = ["row", "metric", "chapter", "measured", "interval", "seeds", "n", "verdict"]
    return _markdown(table[columns])


def _readings(summary: pd.DataFrame) -> str:
    """The same rows under other readings of the protocol (metrics with an `@suffix`)."""
    listed = summary[summary.chapter.notna()]
    parts = summary.metric.str.split("@", n=1, expand=True).reindex(columns=[0, 1])
    others = summary.assign(metric=parts[0], reading=parts[1]).dropna(subset="reading")
    others = others.merge(listed[["row", "metric"]])
    if others.empty:
        return ""
    seeds = others.groupby("reading").seeds.max()
    others["reading"] = [f"{r.replace('_', ' ')} ({seeds[r]})" for r in others.reading]
    wide = others.pivot_table("mean", ["row", "metric"], "reading", sort=False)
    wide = wide.map("{:.2f}".format).reset_index()
    return _markdown(wide) + "\n\nMeans in percent; in brackets the number of seeds."


def _markdown(table: pd.DataFrame) -> str:
    return tabulate(
        table.fillna(""), headers="keys", tablefmt="github", showindex=False, disable_numparse=True
    )


if __name__ == "__main__":
    changed = update(Path("README.md"), Path("outputs/reference"))
    print("README.md renewed" if changed else "README.md is up to date")
