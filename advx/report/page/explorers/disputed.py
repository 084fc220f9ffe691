"""Numbers of the chapter in dispute, each under every protocol that was tried.

`docs/disputed.csv` names the cells: `number,what,experiment,row,metric,epsilon,setting`, a line for
each source of a number; a row or setting `*` stands for every one that was measured.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from advx.config.cells import Cell, parts_of
from advx.report.markdown import words
from advx.report.packaged import DISPUTED, lines_of
from advx.report.page.charts import CURVE
from advx.report.page.explorers.explorer import Explorer, run_of
from advx.report.page.runs import Number, RunRead, sampling
from advx.report.verdict import TOO_WIDE

EVERY = "*"
"""A row or a setting that stands for all of them."""

PLAIN = "the experiment’s own"
"""What a row without a setting was measured by."""


@dataclass(frozen=True)
class Tried:
    """One protocol.

    Attributes:
        protocol: in words.
        number: what it gave.
        low, high: its interval; of one run, by the sampling error alone; NaN where there is none.
        run: where it was measured.
    """

    protocol: str
    number: Number
    low: float
    high: float
    run: RunRead

    def reaches(self, figure: float) -> bool:
        """Whether a figure lies in the interval; one that is too wide says nothing."""
        return self.low <= figure <= self.high and self.high - self.low <= TOO_WIDE


@dataclass(frozen=True)
class Dispute:
    """One number.

    Attributes:
        figure, printed: the chapter's, and as the chapter prints it.
        what: of which row.
        tried: every protocol.
    """

    figure: float
    printed: str
    what: str
    tried: Sequence[Tried]

    @property
    def nearest(self) -> Tried:
        """The protocol whose mean is nearest to the figure."""
        return min(self.tried, key=lambda one: abs(one.number.mean - self.figure))

    @property
    def reached(self) -> list[Tried]:
        """The protocols whose interval holds the figure."""
        return [one for one in self.tried if one.reaches(self.figure)]


def explorer(runs: Sequence[RunRead]) -> Explorer | None:
    """Every dispute of which the runs have a row; None where they have none."""
    found: dict[tuple[str, str], list[Tried]] = {}
    for line in lines_of(DISPUTED):
        run = run_of(runs, line["experiment"])
        if run is not None:
            found.setdefault((line["number"], line["what"]), []).extend(_tried(run, line))
    disputes = [
        Dispute(float(printed), printed, what, tried)
        for (printed, what), tried in found.items()
        if tried
    ]
    if not disputes:
        return None
    used = {one.run.id: one.run for dispute in disputes for one in dispute.tried}
    return Explorer("disputed", "Disputed numbers", list(used.values()), {"disputes": disputes})


def _tried(run: RunRead, line: dict[str, str]) -> Iterator[Tried]:
    """The protocols of one line, that of the table first."""
    size = float(line["epsilon"]) if line["epsilon"] else None
    row, setting = (line[key].replace(EVERY, "") for key in ("row", "setting"))
    wanted = Cell(row, line["metric"], size, setting)
    every = line["setting"] == EVERY
    for number in run.numbers:
        cell = number.cell
        row = wanted.row or cell.row
        same = (cell.row, cell.metric, cell.epsilon) == (row, wanted.metric, wanted.epsilon)
        if not same or math.isnan(number.mean) or CURVE in parts_of(cell.setting):
            continue
        if every or cell.setting == wanted.setting:
            parts = [part.replace("=", " = ") for part in parts_of(cell.setting)]
            parts = ([] if wanted.row else [cell.row]) + parts
            bounds = number.low, number.high
            if math.isnan(number.low):
                bounds = sampling(number)
            yield Tried(words(", ".join(parts)) or PLAIN, number, *bounds, run)
