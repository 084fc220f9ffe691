"""Claims in words, each with a predicate over the rows: tested on every seed.

The language of predicates: `advx.config.predicate`. A row without randomness counts for every seed.
"""

import math
from dataclasses import dataclass

from advx.config.cells import Cell
from advx.config.claims import OURS, listed_cell, predicate_of
from advx.config.documents import Claim, Composed
from advx.report.numbers import short
from advx.report.results import Results, Row

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


def judge_claim(claim: Claim, results: Results) -> Outcome:
    """Test one claim, an entry of the YAML's `claims`, on the rows measured.

    Raises:
        ConfigError: the predicate cannot be read.
    """
    predicate = predicate_of(claim)
    measured = results.by_cell()
    rows = {text: measured.get(cell, []) for text, cell in predicate.cells.items()}
    values = {text: _values(some) for text, some in rows.items()}
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
        "; ".join(f"{text.replace('`', '')} {_mean(some)}" for text, some in rows.items()),
    )


def unmeasured(config: Composed, results: Results) -> list[Cell]:
    """What is listed, or named by a claim, and was never measured, each once."""
    wanted = dict.fromkeys(map(listed_cell, config.get("rows") or []))
    for claim in config.get("claims") or []:
        wanted |= dict.fromkeys(predicate_of(claim).cells.values())
    measured = results.by_cell()
    return [cell for cell in wanted if cell not in measured]


def _values(rows: list[Row]) -> dict[int | None, float]:
    """Values of a cell by seed; None stands for "the same for every seed"."""
    return {row.seed: row.value for row in rows}


def _mean(rows: list[Row]) -> str:
    known = [value for value in _values(rows).values() if value == value]
    return short(sum(known) / len(known), rows[0].unit) if known else "not measured"
