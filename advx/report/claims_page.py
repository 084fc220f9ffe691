"""The generated part of `docs/claims.md`: every claim of every experiment and what came of it."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from advx.config.claims import CELL_KEYS, CHAPTER, OURS, judged_elsewhere
from advx.config.documents import Composed
from advx.report.claims import NARROWLY
from advx.report.finished import cells_of, manifest_of, summary_of, table_of
from advx.report.markdown import markdown
from advx.report.pages import OUTCOMES, claims_table, history, in_words
from advx.report.spent import Spent, spent

ENOUGH = 3
"""Seeds that a claim about anything random should rest on."""

HOURS = "hours"
"""Why a claim rests on few seeds where its YAML file gives no other reason."""

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
    for name, claims in found.items():
        drawn = table_of(reference / name, "results.csv", ("seed",)).seed.notna().any()
        claims["settled"] = [not drawn or tried(seeds) >= ENOUGH for seeds in claims.seeds]
        whys = {each["claim"]: each.get("fewer_seeds") for each in listed[name].get("claims") or []}
        claims["why"] = [whys.get(claim) or HOURS for claim in claims.claim]
    blocks = [
        counts(pd.concat(found.values())),
        verdicts(reference, listed),
        few_seeds(reference, found),
    ]
    for name, claims in found.items():
        if len(claims):
            blocks += [
                f"## [{name}](results/{name}.md)",
                claims_table(claims),
                history(listed[name].get("claims") or []),
            ]
    return "\n\n".join(filter(None, blocks))


def counts(claims: pd.DataFrame) -> str:
    """How many claims of each kind hold, do not, or were not tested; how many are `settled`."""
    outcomes = ["holds", "does not hold", "not tested"]
    claims = claims.reset_index(drop=True)
    kinds = claims.source.map(lambda source: KINDS.get(source, KINDS[""]))
    table = pd.crosstab(kinds, claims.holds).reindex(
        index=list(KINDS.values()), columns=outcomes, fill_value=0
    )
    table.insert(0, "statements", table.sum(axis=1))
    table["on enough seeds"] = kinds[claims.settled & (claims.holds != "not tested")].value_counts()
    table = table.fillna(0).astype(int)
    lines = table.reset_index(names="whose").rename_axis(columns=None)
    return f"{markdown(lines.astype(str))}\n\n{narrow_ones(claims)}"


def narrow_ones(claims: pd.DataFrame) -> str:
    """How many outcomes counting on other examples might turn round."""
    narrow = Counter(
        worded.removesuffix(NARROWLY) for worded in in_words(claims) if worded.endswith(NARROWLY)
    )
    return (
        f"{narrow['holds']} of those that hold and {narrow['does not hold']} of those that do not "
        "do so narrowly."
    )


def tried(seeds: str) -> int:
    """In how many seeds a claim was tested: 3 of "2/3"."""
    return int(seeds.partition("/")[2] or 0)


def few_seeds(reference: Path, found: Mapping[str, pd.DataFrame]) -> str:
    """The experiments whose claims rest on fewer than three seeds, why, and what the others cost.

    Args:
        reference: a folder an experiment.
        found: the claims, by experiment, whether they are `settled`, and `why` they are not.
    """
    rows = []
    for name, claims in found.items():
        tested = claims.assign(tried=claims.seeds.map(tried))
        for why, few in tested[(tested.tried > 0) & ~tested.settled].groupby("why", sort=False):
            seeds = int(few.tried.min())
            others = str(_hours_of(reference / name, ENOUGH - seeds)) if why == HOURS else ""
            rows.append([f"[{name}](results/{name}.md)", len(few), seeds, why, others])
    if not rows:
        return ""
    columns = ["experiment", "claims on fewer seeds", "seeds", "why", "the others would take"]
    table = markdown(pd.DataFrame(rows, columns=columns).astype(str))
    return (
        "Claims that rest on fewer than three seeds, and what training and crafting with the "
        f"others would take at most on one core, with nothing in the store:\n\n{table}"
    )


def _hours_of(run: Path, seeds: int) -> Spent:
    """What so many seeds take, by the manifest of a run."""
    manifest = manifest_of(run)
    times = seeds / max(1, len(manifest["config"]["seeds"]))
    return Spent(*(times * hours for hours in spent(manifest)))


def verdicts(reference: Path, listed: Mapping[str, Composed]) -> str:
    """A sentence that counts the verdicts on the chapter's figures.

    Args:
        reference: a folder an experiment.
        listed: the experiments' configurations.
    """
    figures = []
    for name, config in listed.items():
        summary = summary_of(reference / name, (*CELL_KEYS, "chapter", "verdict"))
        elsewhere = judged_elsewhere(config)
        here = pd.Series([cell not in elsewhere for cell in cells_of(summary)], dtype=bool)
        figures.append(summary[summary.chapter.notna() & here])
    judged = pd.concat(figures).verdict
    found = ", ".join(f"{count} {verdict}" for verdict, count in judged.value_counts().items())
    return (
        f"Of the chapter's figures {judged.notna().sum()} were measured: {found}. "
        f"{judged.isna().sum()} more are set by the protocol and get no verdict."
    )
