"""Claims in words, each with a predicate over the rows: tested on every seed.

The language of predicates: `advx.config.predicate`. A row without randomness counts for every seed.
"""

import math
from dataclasses import dataclass
from typing import Any

from advx.config.claims import OURS, predicate_of
from advx.config.predicate import Term
from advx.report.numbers import short
from advx.report.results import Results

HOLDS = {True: "holds", False: "does not hold", None: "not tested"}


@dataclass(frozen=True)
class Outcome:
    """What came of a claim, a line of `claims.csv`.

    Attributes:
        claim, says, source, predicate: as the YAML lists them.
        holds: "holds" only if it held on every seed on which it could be tested; or "does not
            hold", "not tested".
        margin: from the border of its closest comparison in its worst seed, in the metric's unit;
            negative where it does not hold, NaN where it was not tested.
        seeds: "2/3": on how many it held.
        evidence: the means that are compared.
    """

    claim: str
    says: str
    source: str
    predicate: str
    holds: str
    margin: float
    seeds: str
    evidence: str


def judge_claim(claim: dict[str, Any], results: Results) -> Outcome:
    """Test one claim, an entry of the YAML's `claims`, on the rows measured.

    Raises:
        ConfigError: the predicate cannot be read.
    """
    predicate = predicate_of(claim)
    values = {text: _values(term, results) for text, term in predicate.rows.items()}
    known_seeds = {seed for each in values.values() for seed in each if seed is not None}
    seeds: list[int | None] = [*sorted(known_seeds)] or [None]
    gaps = []
    for seed in seeds:
        found = {text: each.get(seed, each.get(None)) for text, each in values.items()}
        known = {text: v for text, v in found.items() if v is not None and not math.isnan(v)}
        if len(known) == len(found):
            some = predicate.gaps(known)
            gaps += [] if any(map(math.isnan, some)) else [min(some)]  # of infinities: no answer
    held = [gap > 0 for gap in gaps]
    return Outcome(
        claim["claim"],
        claim.get("says", ""),
        claim.get("source", OURS),
        claim["predicate"],
        HOLDS[all(held) if held else None],
        min(gaps, default=math.nan),
        f"{sum(held)}/{len(held)}",
        "; ".join(
            f"{text.replace('`', '')} {_mean(values[text], _unit(term, results))}"
            for text, term in predicate.rows.items()
        ),
    )


def unmeasured(config: dict[str, Any], results: Results) -> list[str]:
    """Rows listed or named by a claim that were never measured: "`row`.metric", each once."""
    measured = {(row.row, row.metric) for row in results.rows}
    wanted = {(entry["row"], entry["metric"]): None for entry in config.get("rows") or []}
    for claim in config.get("claims") or []:
        wanted |= {(str(t.row), t.metric): None for t in predicate_of(claim).rows.values()}
    return [f"`{row}`.{metric}" for row, metric in wanted if (row, metric) not in measured]


def _values(term: Term, results: Results) -> dict[int | None, float]:
    """Values of a row by seed; None stands for "the same for every seed"."""
    return {r.seed: r.value for r in results.rows if (r.row, r.metric) == (term.row, term.metric)}


def _unit(term: Term, results: Results) -> str:
    rows = (r for r in results.rows if (r.row, r.metric) == (term.row, term.metric))
    return next((row.unit for row in rows), "")


def _mean(values: dict[int | None, float], unit: str) -> str:
    known = [value for value in values.values() if value == value]
    return short(sum(known) / len(known), unit) if known else "not measured"
