"""The generated part of an experiment's page: its numbers beside the chapter's, and its claims.

No table has more than seven columns. The chapter's numbers stand first; what else was measured is
folded, a table for every few metrics.
"""

import re
from pathlib import Path

import pandas as pd

from advx.config.claims import CELL_KEYS
from advx.config.documents import Claim, Composed
from advx.config.identity import RECIPE_VERSION
from advx.report.claims import worded
from advx.report.finished import cells_of, manifest_of, summary_of, table_of, title_of
from advx.report.markdown import folded, markdown, measured, which, words
from advx.report.spent import Spent, spent

FIGURES = ("unit", "chapter", "published", "source", "mean", "low", "high", "seeds", "n")
SUMMARY = (*CELL_KEYS, *FIGURES, "verdict", "note")
OUTCOMES = ("claim", "says", "source", "predicate", "holds", "margin", "error", "seeds",
            "evidence")  # fmt: skip
"""Columns that a page shows."""

MOST_COLUMNS = 7

FEW_ROWS = MOST_COLUMNS - 1
"""Rows that stand side by side, one metric a line; with more, the metrics do."""


def block(folder: Path, listed: Composed) -> str:
    """What a page says of one reference run, Markdown.

    Args:
        folder: the run's.
        listed: its experiment's configuration now: rows, claims and their history, deviations.

    Raises:
        Unfinished: the folder is not that of a whole run.
    """
    summary = summary_of(folder, SUMMARY)
    claims = table_of(folder, "claims.csv", OUTCOMES, dtype=str).fillna("")
    deviations = "\n".join(f"- {text}" for text in listed.get("deviations") or [])
    blocks = [
        f"### Against the chapter\n\n{chapter}" if (chapter := _chapter(summary)) else "",
        f"### Against other papers\n\n{papers}" if (papers := _papers(summary)) else "",
        f"### Statements\n\n{claims_table(claims)}" if len(claims) else "",
        folded("What each statement was tested by", tests_table(claims)),
        history(listed.get("claims") or []),
        folded("Every number", _rest(summary)),
        f"### Deviations\n\n{deviations}" if deviations else "",
        f"### Run\n\n{_run(folder)}",
    ]
    return "\n\n".join(filter(None, blocks))


def cost(folder: Path) -> Spent:
    """What training a run's networks and crafting its examples took.

    Raises:
        Unfinished: the folder is not that of a whole run.
    """
    return spent(manifest_of(folder))


def _run(folder: Path) -> str:
    """What ran, where, how long and by which command."""
    manifest = manifest_of(folder)
    given = manifest.get("joined", [manifest["command"]])
    commands = re.sub(r" ([\w.]*\bdigests|hydra\.run\.dir)=\S+", "", "\n    ".join(given))
    how = "../scale.md#more-seeds-and-two-runs-side-by-side"
    joined = f" The runs were [joined]({how})." * (len(given) > 1)
    copied = " The data were a copy whose digests the run was given." * (
        "digests=" in "".join(given)
    )
    earlier = (
        " The recipe of training has changed since this run: the command trains other networks of "
        "the same kind today."
    ) * (manifest["recipe_version"] != RECIPE_VERSION)
    name, plural = folder.name, "s" * (manifest["threads"] > 1)
    code = f"experiments/{manifest['config']['main'].split('.')[-2]}.py"
    settings = f"conf/experiment/{manifest['config']['experiment']}.yaml"
    took = cost(folder).in_words()
    return (
        f"    {commands}\n\n{title_of(folder)}.{joined} On {manifest['device']} with "
        f"{manifest['threads']} thread{plural}: {took} for training and crafting."
        f"{copied}{earlier} Rows, figures and manifest: [outputs/reference/{name}]"
        f"(../../outputs/reference/{name}). Code and settings: {_linked(code)}, "
        f"{_linked(settings)}."
    )


def _linked(path: str) -> str:
    """A file of the project, as a link from a page."""
    return f"[{path}](../../{path})"


def _chapter(summary: pd.DataFrame) -> str:
    """Each figure of the chapter beside the measured mean and its interval."""
    some = measured(summary[summary.chapter.notna()])
    some = some.assign(
        chapter=some.chapter.map("{:g}".format),
        verdict=[
            verdict if verdict == verdict else note
            for verdict, note in zip(some.verdict, some.note, strict=True)
        ],
        row=some.row.map(words),
        metric=list(map(which, cells_of(some))),
    )
    columns = ["row", "metric", "chapter", "measured", "interval", "seeds", "verdict"]
    return markdown(some[columns])


def _papers(summary: pd.DataFrame) -> str:
    """Figures of other papers beside the measured ones."""
    some = measured(summary[summary.published.notna()])
    noted = [
        f"{paper} ({note})" if note == note else paper
        for paper, note in zip(some.source, some.note, strict=True)
    ]
    some = some.assign(
        published=some.published.map("{:g}".format),
        source=noted,
        row=some.row.map(words),
        metric=list(map(which, cells_of(some))),
    )
    columns = ["row", "metric", "published", "measured", "interval", "seeds", "source"]
    return markdown(some[columns])


def claims_table(claims: pd.DataFrame) -> str:
    """The statements in words, and what came of each."""
    says = claims.says.where(claims.says != "", claims.claim)
    margins = list(zip(claims.margin, claims.error, strict=True))
    return markdown(
        pd.DataFrame(
            {
                "statement": says,
                "whose": claims.source,
                "outcome": [f"**{outcome}**" for outcome in in_words(claims)],
                "seeds": claims.seeds,
                "margin": [_margin(margin, error) for margin, error in margins],
            }
        )
    )


def in_words(claims: pd.DataFrame) -> list[str]:
    """The outcomes of `claims.csv`, and which are narrow."""
    numbers = claims[["margin", "error"]].replace("", "nan").astype(float)
    return [
        worded(holds, margin, error)
        for holds, (margin, error) in zip(claims.holds, numbers.to_numpy(), strict=True)
    ]


def _margin(margin: str, error: str) -> str:
    """A margin with the standard error of counting, where there is one."""
    return " ± ".join(f"{float(text):.3g}".replace("inf", "∞") for text in (margin, error) if text)


def tests_table(claims: pd.DataFrame) -> str:
    """Each claim's predicate, and the means that it compares."""
    shown = claims[["claim", "predicate", "evidence"]]
    return markdown(shown.assign(predicate=shown.predicate.map(lambda text: f"`` {text} ``")))


def history(listed: list[Claim]) -> str:
    """What was added to the claims of an experiment, or changed, after its first run."""
    lines = []
    for claim in listed:
        if claim.get("added"):
            lines.append(f"- *{claim['claim']}* was added. {claim['added']}")
        for change in claim.get("changed") or []:
            before = [f"`` {change['was']} ``"] if "was" in change else []
            before += [f"“{change['said']}”"] if "said" in change else []
            lines.append(
                f"- *{claim['claim']}* was changed on {change['date']}. "
                f"Before: {', '.join(before)}. {change['why']}"
            )
    return "\n".join(lines)


def _rest(summary: pd.DataFrame) -> str:
    """Means of everything else, in tables of at most seven columns; then the notes."""
    others = measured(summary[summary.chapter.isna() & summary.published.isna()])
    if others.empty:
        return ""
    named = list(map(which, cells_of(others)))
    others["column"] = [
        metric + ("" if unit == "percent" else f" [{unit}]")
        for metric, unit in zip(named, others.unit, strict=True)
    ]
    others["line"] = others.row.map(words)
    notes = "\n".join(
        f"- {row}, {metric}: {note}"
        for row, metric, note in zip(others.line, named, others.note, strict=True)
        if note == note
    )
    return "\n\n".join(
        filter(
            None,
            [
                "Means over seeds, in percent unless a unit is given; intervals and seeds stand in "
                "`summary.csv`.",
                *map(markdown, _wide(others)),
                notes,
            ],
        )
    )


def _wide(others: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows side by side where they are few, metrics side by side otherwise; none empty."""
    side, down = ("line", "column") if others.line.nunique() <= FEW_ROWS else ("column", "line")
    names = list(dict.fromkeys(others[side]))
    made = []
    for start in range(0, len(names), FEW_ROWS):
        some = others[others[side].isin(names[start : start + FEW_ROWS])]
        wide = some.pivot_table("measured", down, side, aggfunc="first", sort=False)
        wide = wide.reset_index().rename_axis(columns=None)
        made.append(wide.rename(columns={down: "metric" if side == "line" else "row"}))
    return made
