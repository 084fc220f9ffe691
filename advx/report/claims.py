"""Claims in words, each with a predicate over the rows: tested on every seed.

A predicate compares rows by name, ``"`maxout -> relu` < `maxout -> tanh`, `maxout -> maxout`"``:
the left side must be below (or above) every item on the right, an item being a row in backticks or
a number. `error_rate` is compared unless a row says otherwise: ``"`relu`.clean_error_rate < 5"``.
A row without randomness counts for every seed.
"""

import re
from dataclasses import dataclass
from typing import Any

from advx.errors import ConfigError
from advx.report.results import Results

TERM = r"`([^`]+)`(?:\.([\w@.]+))?|(-?[\d.]+)"


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
    predicate = claim["predicate"]
    parts = re.fullmatch(rf"\s*({TERM})\s*([<>])\s*(.+)", predicate)
    if parts is None:
        raise ConfigError(f"claims: predicate {predicate!r} is not `row` < `row`, `row` or number")
    left, sign = parts.group(1), parts.group(5)
    right = [match.group(0) for match in re.finditer(TERM, parts.group(6))]
    sides = {term: _values(term, results) for term in [left, *right]}
    seeds = sorted({seed for values in sides.values() for seed in values if seed is not None})
    held = []
    for seed in seeds or [-1]:
        values = [sides[term].get(seed, sides[term].get(None)) for term in [left, *right]]
        if any(value is None or value != value for value in values):
            continue
        first, rest = values[0], values[1:]
        held.append(all(first < other if sign == "<" else first > other for other in rest))  # type: ignore[operator]
    evidence = "; ".join(
        f"{term.replace('`', '')} {_mean(values)}" for term, values in sides.items() if "`" in term
    )
    return Outcome(
        claim["claim"], predicate, all(held) if held else None, f"{sum(held)}/{len(held)}", evidence
    )


def _values(term: str, results: Results) -> dict[int | None, float]:
    """Value of a term by seed; None stands for "the same for every seed"."""
    match = re.fullmatch(TERM, term)
    assert match is not None
    row, metric, number = match.groups()
    if number is not None:
        return {None: float(number)}
    return {
        r.seed: r.value for r in results.rows if (r.row, r.metric) == (row, metric or "error_rate")
    }


def _mean(values: dict[int | None, float]) -> str:
    known = [value for value in values.values() if value == value]
    return f"{sum(known) / len(known):.2f}" if known else "not measured"
