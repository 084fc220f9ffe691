"""The generated part of `docs/claims.md`: every claim of every experiment and what came of it."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from advx.config.claims import CHAPTER, OURS
from advx.config.documents import Composed
from advx.report.finished import summary_of, table_of
from advx.report.markdown import markdown
from advx.report.pages import OUTCOMES, claims_table, history

KINDS = {CHAPTER: "the chapter's", "": "its sources'", OURS: "ours"}
"""Names of the three kinds; every source that is neither the chapter nor ours is a paper."""


def every_claim(reference: Path, listed: Mapping[str, Composed]) -> str:
    """The counts, then a table an experiment.

    Args:
        reference: a folder an experiment.
        listed: the experiments' configurations, in the order of the page.

    Raises:
        Unfinished: one of the folders is not that of a whole run.
    """
    found = {
        name: table_of(reference / name, "claims.csv", OUTCOMES, dtype=str).fillna("")
        for name in listed
    }
    blocks = [counts(pd.concat(found.values())), verdicts(reference, list(listed))]
    for name, claims in found.items():
        if len(claims):
            blocks += [
                f"## [{name}](results/{name}.md)",
                claims_table(claims),
                history(listed[name].get("claims") or []),
            ]
    return "\n\n".join(filter(None, blocks))


def counts(claims: pd.DataFrame) -> str:
    """How many claims of each kind hold, do not, or were not tested."""
    kinds = claims.source.map(lambda source: KINDS.get(source, KINDS[""]))
    outcomes = ["holds", "does not hold", "not tested"]
    table = pd.crosstab(kinds, claims.holds).reindex(
        index=list(KINDS.values()), columns=outcomes, fill_value=0
    )
    table.insert(0, "statements", table.sum(axis=1))
    lines = table.reset_index(names="whose").rename_axis(columns=None)
    return markdown(lines.astype(str))


def verdicts(reference: Path, names: list[str]) -> str:
    """A sentence that counts the verdicts on the chapter's figures."""
    some = pd.concat([summary_of(reference / name, ("chapter", "verdict")) for name in names])
    judged = some[some.chapter.notna()].verdict
    found = ", ".join(f"{count} {verdict}" for verdict, count in judged.value_counts().items())
    return (
        f"Of the chapter's figures {judged.notna().sum()} were measured: {found}. "
        f"{judged.isna().sum()} more are set by the protocol and get no verdict."
    )
