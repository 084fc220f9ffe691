"""The scoreboard: each sentence of the chapter, and what the runs say of it.

A board is of the runs of one scale and one version. What an experiment claims on its own account,
or that of another paper, stands in it as well, where no sentence of the chapter names it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from advx.config import renamed
from advx.config.cells import Cell
from advx.config.claims import CHAPTER, OURS, predicate_of
from advx.errors import ConfigError
from advx.report.chapter_map import ROW, SECTIONS, name_of, names
from advx.report.claims import worded
from advx.report.numbers import short
from advx.report.packaged import STATEMENTS, lines_of
from advx.report.page.runs import BEYOND, Number, RunRead
from advx.report.selection import scale_place

HOLDS, FAILS, MIXED = "holds", "does not hold", "holds in part"
MEASURED, UNTESTED = "measured", "not tested"
VERDICTS = (HOLDS, MIXED, FAILS, MEASURED, UNTESTED)
"""Of a sentence: all of its claims hold, some, none; there is a number but no claim; nothing."""

GOOD, BAD = (HOLDS, "reproduced", "near"), (FAILS, "not reproduced")
"""Outcomes of claims and verdicts on rows that speak for a sentence, and against it."""

WHOSE = ("chapter", "paper", "ours")
"""Kinds of sources: every one that is neither the chapter nor ours is another paper."""


@dataclass(frozen=True)
class Outcome:
    """What came of one claim or row.

    Attributes:
        id: of the place on the page where it is told; empty for a row.
        name: the claim's or the row's.
        says: the sentence as the experiment lists it.
        source: whose it is.
        predicate: what was tested; empty for a row.
        result: "holds", "does not hold", "not tested", a verdict, or "measured".
        margin: as a reader sees it; empty where there is none.
        gap, error: a claim's margin and its standard error, as numbers; NaN where there is none.
        seeds: "2/3", or how many.
        evidence: the file's own words, for a claim whose cells cannot be found.
        numbers: the rows that it rests on.
        run: the run's id.
        experiment: the run's.
    """

    id: str
    name: str
    says: str
    source: str
    predicate: str
    result: str
    margin: str
    gap: float
    error: float
    seeds: str
    evidence: str
    numbers: Sequence[Number]
    run: str
    experiment: str

    @property
    def in_words(self) -> str:
        """The result, and whether it is narrow."""
        return worded(self.result, self.gap, self.error)

    @property
    def one_seed(self) -> bool:
        """Whether it rests on one seed's drawing of something random."""
        return any(number.one_seed for number in self.numbers)


@dataclass(frozen=True)
class Entry:
    """A line of a board.

    Attributes:
        id: unique on its board.
        section, text: where the sentence stands, and its words.
        whose: one of `WHOSE`.
        source: the chapter, a paper, or ours.
        status: of a sentence of the chapter, as the list of statements has it.
        reason: what is missing of a test.
        outcomes: of its claims and rows.
    """

    id: str
    section: str
    text: str
    whose: str
    source: str
    status: str
    reason: str
    outcomes: Sequence[Outcome]

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        found = [outcome.result for outcome in self.outcomes if outcome.result != UNTESTED]
        good, bad = (sum(result in some for result in found) for some in (GOOD, BAD))
        if good or bad:
            return MIXED if good and bad else HOLDS if good else FAILS
        return MEASURED if found else UNTESTED

    @property
    def one_seed(self) -> bool:
        """Whether one of its outcomes rests on one seed."""
        return any(outcome.one_seed for outcome in self.outcomes)


@dataclass(frozen=True)
class Board:
    """The lines of the runs of one scale and version.

    Attributes:
        group: scale and version.
        runs: how many runs it is of.
        entries: its lines, in the order of the chapter.
    """

    group: tuple[str, str]
    runs: int
    entries: Sequence[Entry]

    def counts(self, whose: str = "chapter") -> Counter[str]:
        """How many lines of a kind of source have each verdict."""
        return Counter(entry.verdict for entry in self.entries if entry.whose == whose)


def boards(runs: Sequence[RunRead]) -> list[Board]:
    """A board for each scale and version; the first has the sentences that nothing tests, too."""
    groups = sorted({run.group for run in runs}, key=scale_place)
    statements = lines_of(STATEMENTS)
    return [
        Board(
            group,
            len(some := [run for run in runs if run.group == group]),
            list(_entries(some, statements, whole=at == 0)),
        )
        for at, group in enumerate(groups)
    ]


def outcomes_of(run: RunRead) -> list[Outcome]:
    """What came of a run's claims."""
    made = []
    for at, line in enumerate(run.claims.itertuples()):
        gap, error = (float(text or "nan") for text in (line.margin, line.error))
        made.append(
            Outcome(
                f"{run.id}-claim-{at + 1}",
                line.claim,
                line.says or line.claim,
                line.source or OURS,
                line.predicate,
                line.holds,
                _margin(gap, error),
                gap,
                error,
                line.seeds if line.holds != UNTESTED else "",
                line.evidence,
                [run.by_cell[cell] for cell in cells_in(line, run) if cell in run.by_cell],
                run.id,
                run.experiment,
            )
        )
    return made


def _margin(gap: float, error: float) -> str:
    """A claim's margin with the standard error of counting, where there is one."""
    counted = "" if math.isnan(error) else f" ± {short(error, digits=3)}"
    return short(gap, digits=3).replace("-", "−") + counted


def cells_in(claim: object, run: RunRead) -> list[Cell]:
    """What a claim's predicate names; nothing where it cannot be read today."""
    try:
        text = claim.predicate  # type: ignore[attr-defined]
        cells = predicate_of({"claim": "", "predicate": text}).cells.values()
    except ConfigError:
        return []
    return [renamed.cell(cell, run.manifest["config"]) for cell in cells]


def of_row(run: RunRead, name: str) -> Outcome | None:
    """What came of a row that a statement names as `row: ROW.metric[…]`."""
    for number in run.numbers:
        if name_of(number.cell) == name:
            result = number.verdict or (UNTESTED if math.isnan(number.mean) else MEASURED)
            gap = number.mean - number.chapter
            margin = "" if math.isnan(gap) else f"{'+' * (gap > 0)}{short(gap, digits=3)}"
            seeds = str(number.seeds)
            told = name.removeprefix(ROW)
            return Outcome(
                "",
                told,
                "",
                CHAPTER,
                "",
                result,
                margin.replace("-", "−"),
                math.nan,
                math.nan,
                seeds,
                f"{told} {short(number.mean, number.unit)}",
                [number],
                run.id,
                run.experiment,
            )
    return None


def _entries(
    runs: Sequence[RunRead], statements: Sequence[dict[str, str]], *, whole: bool
) -> Iterator[Entry]:
    """The lines of one board."""
    claims = {run.id: outcomes_of(run) for run in runs}
    named: set[str] = set()
    lines = []
    for line in statements:
        wanted, some = names(line["claim"]), []
        for run in (run for run in runs if run.experiment in names(line["experiment"])):
            some += [outcome for outcome in claims[run.id] if outcome.name in wanted]
            some += filter(None, (of_row(run, w) for w in wanted if w.startswith(ROW)))
        named |= {outcome.id for outcome in some}
        if some or whole:
            text, status, reason = line["statement"], line["status"], line["reason"]
            lines.append(
                Entry(line["id"], line["section"], text, "chapter", CHAPTER, status, reason, some)
            )
    for run in runs:
        for outcome in claims[run.id]:
            if outcome.id not in named:
                whose = kind(outcome.source)
                entry = Entry(
                    outcome.id, run.section, outcome.says, whose, outcome.source, "", "", [outcome]
                )
                lines.append(entry)
    yield from _by_section(lines)


def _by_section(lines: Iterable[Entry]) -> list[Entry]:
    """In the order of the chapter, its own sentences first within a section."""
    places = [*SECTIONS, BEYOND]
    return sorted(lines, key=lambda entry: (places.index(entry.section), entry.status == ""))


def kind(source: str) -> str:
    """Which of `WHOSE` a claim's source is."""
    return {CHAPTER: "chapter", OURS: "ours"}.get(source, "paper")
