"""Claims in words, each with a predicate over the rows: tested on every seed.

The language of predicates: `advx.config.predicate`. A row without randomness counts for every seed.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from advx.config.cells import Cell
from advx.config.claims import OURS, listed_cell, predicate_of
from advx.config.documents import Claim, Composed
from advx.report.numbers import short
from advx.report.results import Results, Row
from advx.report.verdict import clearly

NARROWLY = ", narrowly"
"""After an outcome that counting on other examples might turn round."""

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
        error: standard error of that margin, as its error rates were counted on some examples; NaN
            where nothing was counted.
        seeds: "2/3": on how many it held.
        evidence: the means that are compared.
    """

    claim: str
    says: str
    source: str
    predicate: str
    holds: str
    margin: float
    error: float
    seeds: str
    evidence: str

    @property
    def in_words(self) -> str:
        """`holds`, and whether it does so narrowly."""
        return worded(self.holds, self.margin, self.error)


def worded(holds: str, margin: float, error: float) -> str:
    """An outcome with its margin's standard error in mind: `holds`, or `holds, narrowly`."""
    return holds if clearly(margin, error) else holds + NARROWLY


def judge_claim(claim: Claim, results: Results) -> Outcome:
    """Test one claim, an entry of the YAML's `claims`, on the rows measured.

    Raises:
        ConfigError: the predicate cannot be read.
    """
    predicate = predicate_of(claim)
    measured = results.by_cell()
    rows = {text: measured.get(cell, []) for text, cell in predicate.cells.items()}
    by_seed = {text: {row.seed: row for row in some} for text, some in rows.items()}
    known_seeds = {seed for each in by_seed.values() for seed in each if seed is not None}
    seeds: list[int | None] = [*sorted(known_seeds)] or [None]
    closest = []
    for seed in seeds:
        found = {text: each.get(seed, each.get(None)) for text, each in by_seed.items()}
        known = {text: row for text, row in found.items() if row and not math.isnan(row.value)}
        if len(known) == len(found):
            gaps = predicate.gaps({text: row.value for text, row in known.items()})
            if not any(map(math.isnan, gaps)):  # of infinities: no answer
                low, high = predicate.comparisons[gaps.index(min(gaps))]
                compared = [known[t.text] for item in (low, high) for t in item.terms if t.cell]
                closest.append((min(gaps), counting_error(compared)))
    held = [gap > 0 for gap, _ in closest]
    margin, error = min(closest, default=(math.nan, math.nan))
    return Outcome(
        claim["claim"],
        claim.get("says", ""),
        claim.get("source", OURS),
        claim["predicate"],
        HOLDS[all(held) if held else None],
        margin,
        error,
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


def counting_error(rows: Iterable[Row]) -> float:
    """Standard error of a sum or a difference of error rates, each counted on its own examples.

    Args:
        rows: what is added and taken away; only percentages with an `n` have been counted.

    Returns:
        In points; NaN where nothing was counted.
    """
    counted = [
        (min(max(row.value / 100, 0.0), 1.0), row.n)
        for row in rows
        if row.unit == "percent" and row.n
    ]
    if not counted:
        return math.nan
    return 100 * math.sqrt(sum(share * (1 - share) / n for share, n in counted))


def _mean(rows: list[Row]) -> str:
    known = [row.value for row in rows if row.value == row.value]
    return short(sum(known) / len(known), rows[0].unit) if known else "not measured"
