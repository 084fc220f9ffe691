"""README's tables, written from the reference runs that are kept in `outputs/reference`.

python -m advx.report.readme    # what `make readme` runs

The text between `<!-- EXPERIMENT -->` and `<!-- /EXPERIMENT -->` is replaced by the tables of
`outputs/reference/EXPERIMENT/`: every figure of the chapter beside the measured one, the other
readings of the protocol, and the chapter's statements in words.
"""

import csv
import json
import re
from pathlib import Path

from tabulate import tabulate

Line = dict[str, str]


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
    summary = _read(folder / "summary.csv")
    listed = [line for line in summary if line["chapter"]]
    title = (folder / "summary.md").read_text().splitlines()[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    deviations = "\n".join(f"- {text}" for text in manifest["config"].get("deviations") or [])
    blocks = [
        f"{title}. `{manifest['command']}`",
        _chapter(listed),
        _readings(listed, summary),
        _claims(_read(folder / "claims.csv")),
        f"Deviations from the chapter:\n\n{deviations}" if deviations else "",
    ]
    return "\n\n".join(filter(None, blocks))


def _chapter(listed: list[Line]) -> str:
    """Each figure of the chapter beside the measured mean and its interval."""
    header = ["row", "metric", "chapter", "measured", "interval", "seeds", "n", "verdict"]
    body = [
        [
            line["row"], line["metric"], f"{float(line['chapter']):g}", _number(line["mean"]),
            f"{_number(line['low'])} – {_number(line['high'])}" if line["low"] else "",
            line["seeds"], f"{int(line['n']):,}" if line["n"] else "", line["verdict"],
        ]
        for line in listed
    ]  # fmt: skip
    return _markdown(header, body)


def _readings(listed: list[Line], summary: list[Line]) -> str:
    """The same rows under other readings of the protocol (metrics with an `@suffix`)."""
    means = {(line["row"], line["metric"]): line for line in summary}
    suffixes = list(dict.fromkeys(
        metric.split("@", 1)[1] for row, metric in means if "@" in metric
    ))  # fmt: skip
    if not suffixes or any("@" in line["metric"] for line in listed):
        return ""
    seeds = {
        s: max(
            int(line["seeds"]) for (_, metric), line in means.items() if metric.endswith(f"@{s}")
        )
        for s in suffixes
    }

    def cell(line: Line, suffix: str) -> str:
        found = means.get((line["row"], f"{line['metric']}@{suffix}"))
        return _number(found["mean"]) if found else ""

    header = ["other readings", *(f"{s.replace('_', ' ')} ({seeds[s]})" for s in suffixes)]
    body = [[line["row"], *(cell(line, suffix) for suffix in suffixes)] for line in listed]
    return _markdown(header, body) + "\n\nMeans in percent; in brackets the number of seeds."


def _claims(claims: list[Line]) -> str:
    """The chapter's statements, with the seeds on which each held."""
    body = [[c["claim"], c["predicate"], c["holds"], c["seeds"], c["evidence"]] for c in claims]
    return _markdown(["claim", "predicate", "outcome", "seeds", "means"], body) if claims else ""


def _markdown(header: list[str], body: list[list[str]]) -> str:
    return tabulate(body, header, tablefmt="github", disable_numparse=True)


def _number(cell: str) -> str:
    return f"{float(cell):.2f}" if cell else ""


def _read(path: Path) -> list[Line]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    changed = update(Path("README.md"), Path("outputs/reference"))
    print("README.md renewed" if changed else "README.md is up to date")
