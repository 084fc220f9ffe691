"""Claims in words, each with a predicate over the rows: tested on every seed.

The language of predicates: `advx.config.predicate`. A row without randomness counts for every seed.
"""

import math
from dataclasses import dataclass
from typing import Any

from advx.config.claims import predicate_of
from advx.config.predicate import Item
from advx.report.results import Results


@dataclass(frozen=True)
class Outcome:
    """What came of a claim: `holds` only if it held on every seed where it could be tested."""

    claim: str
    predicate: str
    holds: bool | None
    seeds: str
    evidence: str


def judge_claim(claim: dict[str, Any], results: Results) -> Outcome:
    """Test one claim, {claim, predicate}, on the rows measured.

    Raises:
        ConfigError: the predicate cannot be read.
    """
    predicate = predicate_of(claim)
    values = {item: _values(item, results) for item in predicate.items}
    known_seeds = {seed for each in values.values() for seed in each if seed is not None}
    seeds: list[int | None] = [*sorted(known_seeds)] or [None]
    held = []
    for seed in seeds:
        found = {item: each.get(seed, each.get(None)) for item, each in values.items()}
        known = {i: v for i, v in found.items() if v is not None and not math.isnan(v)}
        if len(known) == len(found):
            held.append(predicate.holds(known))
    evidence = "; ".join(
        f"{item.text.replace('`', '')} {_mean(values[item])}" for item in predicate.rows
    )
    seeds_held = f"{sum(held)}/{len(held)}"
    return Outcome(
        claim["claim"], claim["predicate"], all(held) if held else None, seeds_held, evidence
    )


def unmeasured(config: dict[str, Any], results: Results) -> list[str]:
    """Rows listed or named by a claim that were never measured: "`row`.metric", each once."""
    measured = {(row.row, row.metric) for row in results.rows}
    wanted = {(entry["row"], entry["metric"]): None for entry in config.get("rows") or []}
    for claim in config.get("claims") or []:
        wanted |= {(str(i.row), i.metric): None for i in predicate_of(claim).rows}
    return [f"`{row}`.{metric}" for row, metric in wanted if (row, metric) not in measured]


def _values(item: Item, results: Results) -> dict[int | None, float]:
    """Value of an item by seed; None stands for "the same for every seed"."""
    if item.row is None:
        return {None: item.number}
    return {r.seed: r.value for r in results.rows if (r.row, r.metric) == (item.row, item.metric)}


def _mean(values: dict[int | None, float]) -> str:
    known = [value for value in values.values() if value == value]
    return f"{sum(known) / len(known):.2f}" if known else "not measured"
