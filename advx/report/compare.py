"""Two runs side by side: `advx compare RUN RUN`, what differs beyond its interval first."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from advx.config.cells import Cell
from advx.config.chapter import differences
from advx.report.again import LISTED, results_of
from advx.report.finished import manifest_of, summary_of, title_of
from advx.report.intervals import wilson
from advx.report.results import Row, examples_behind, mean_and_interval


@dataclass(frozen=True)
class Side:
    """One run's number: its mean over seeds, and where one more network would fall.

    A single run of n examples has the interval of its sampling error; one without examples none.
    """

    mean: float
    low: float
    high: float
    seeds: int

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Side":
        """The number of some rows of one cell."""
        mean, low, high = mean_and_interval(rows)
        n = examples_behind(rows)
        if math.isnan(low) and rows[0].unit == "percent" and n and math.isfinite(mean):
            low, high = wilson(mean, n)
        return cls(mean, low, high, len(rows))

    def holds(self, value: float) -> bool:
        """Whether a value lies in the interval; without one, whether it is the same."""
        if math.isnan(self.low):
            return value == self.mean or (math.isnan(value) and math.isnan(self.mean))
        return self.low <= value <= self.high

    def __str__(self) -> str:
        text = "no number" if math.isnan(self.mean) else f"{self.mean:.2f}"
        return text if math.isnan(self.low) else f"{text} ({self.low:.2f} – {self.high:.2f})"


@dataclass(frozen=True)
class Pair:
    """One cell in two runs; a side is None where the run does not have it."""

    cell: Cell
    one: Side | None
    other: Side | None

    @property
    def difference(self) -> float:
        """Of the means, the second minus the first; NaN where one is missing."""
        if self.one is None or self.other is None:
            return math.nan
        return self.other.mean - self.one.mean

    @property
    def verdict(self) -> str:
        """ "outside" where either mean lies outside the other's interval."""
        if self.one is None or self.other is None:
            return f"only in the {'second' if self.one is None else 'first'}"
        inside = self.one.holds(self.other.mean) and self.other.holds(self.one.mean)
        if inside:
            return "same" if self.difference == 0 else "inside"
        return "differs" if math.isnan(self.one.low + self.other.low) else "outside"


ORDER = ("outside", "differs", "only in the first", "only in the second", "inside", "same")
"""What is shown first."""


def compare(one: Path, other: Path) -> list[Pair]:
    """Every cell of two finished runs, those that differ first, the farthest first.

    Raises:
        Unfinished: one of the folders is not that of a whole run.
    """
    sides = []
    for folder in (one, other):
        summary_of(folder, ("row", "metric"), dtype=str)  # it did not fail
        rows = results_of(folder, manifest_of(folder)["config"]).by_cell()
        sides.append({cell: Side.of(found) for cell, found in rows.items()})
    cells = list(dict.fromkeys([*sides[0], *sides[1]]))
    pairs = [Pair(cell, sides[0].get(cell), sides[1].get(cell)) for cell in cells]

    def place(pair: Pair) -> tuple[int, float]:
        far = abs(pair.difference)
        return ORDER.index(pair.verdict), -far if math.isfinite(far) else 0.0

    return sorted(pairs, key=place)


def settings_apart(one: Path, other: Path) -> list[str]:
    """What the second run's configuration has otherwise than the first's, in the second's words."""
    ours, theirs = (
        {key: value for key, value in manifest_of(folder)["config"].items() if key not in LISTED}
        for folder in (other, one)
    )
    return differences(ours, theirs)


def printed(one: Path, other: Path) -> str:
    """The comparison as text: what ran, which settings differ, the table, and the counts."""
    pairs = compare(one, other)
    lines = [
        f"first:  {title_of(one)}\n        {one}",
        f"second: {title_of(other)}\n        {other}",
    ]
    apart = settings_apart(one, other)
    lines.append(f"settings: {', '.join(apart) if apart else 'the same'}")
    rows = [
        [
            str(pair.cell),
            pair.one or "",
            pair.other or "",
            "" if math.isnan(pair.difference) else f"{pair.difference:+.2f}",
            pair.verdict,
        ]
        for pair in pairs
    ]
    heads = ["number", "first", "second", "difference", ""]
    table = tabulate(rows, headers=heads, disable_numparse=True)
    counts = {name: sum(pair.verdict == name for pair in pairs) for name in ORDER}
    summary = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return "\n".join([*lines, "", table, "", f"{len(pairs)} numbers: {summary}"])
