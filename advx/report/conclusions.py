"""What follows from a run's rows: its table with intervals and verdicts, and its claims."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from advx.config.claims import listed_cell
from advx.config.documents import Composed
from advx.report.claims import HOLDS, Outcome, judge_claim, unmeasured
from advx.report.results import Results, SummaryRow, csv_text, write_summary
from advx.text_files import write_text

SHOWN_DEPARTURES = 5
"""Settings named where verdicts are withheld; the others are counted."""


@dataclass(frozen=True)
class Conclusions:
    """What a run's rows say.

    Attributes:
        lines: the table.
        outcomes: of the claims.
        limits: what the table does not say, and why.
        missing: the part of these that is about rows never measured.
        deviations: from the chapter, as the YAML lists them.
    """

    experiment: str
    lines: list[SummaryRow]
    outcomes: list[Outcome]
    limits: list[str]
    missing: list[str]
    deviations: list[str]


def conclude(
    results: Results, config: Composed, departures: Sequence[str], failed: str = ""
) -> Conclusions:
    """Judge the rows of a run.

    Args:
        results: all of its rows.
        config: resolved; `rows`, `claims` and `deviations` are read.
        departures: what it changes of the chapter's protocol; anything withholds all verdicts.
        failed: why the run did not reach its end; that withholds them too.
    """
    outcomes = [judge_claim(claim, results) for claim in config.get("claims") or []]
    clear = {o.claim for o in outcomes if o.in_words == HOLDS[True]}
    listed = {listed_cell(row): row for row in config.get("rows") or []}
    lines = results.summary(
        judge=not failed and not departures,
        directions={cell for cell, row in listed.items() if row.get("direction") in clear},
        unjudged={
            cell for cell, row in listed.items() if row.get("set") or not row.get("judged", True)
        },
    )
    limits = [f"unfinished: {failed}"] if failed else []
    absent = [str(cell) for cell in unmeasured(config, results)]
    missing = [f"not measured at scale={config['scale']}: {', '.join(absent)}"] if absent else []
    limits += missing
    if departures and any(row.chapter is not None for row in results.rows):
        more = len(departures) - SHOWN_DEPARTURES
        limits.append(
            f"no verdicts: {', '.join(departures[:SHOWN_DEPARTURES])}"
            + (f" and {more} more" if more > 0 else "")
            + (" differs" if len(departures) == 1 else " differ")
            + " from scale=chapter"
        )
    deviations = list(config.get("deviations") or [])
    return Conclusions(results.experiment, lines, outcomes, limits, missing, deviations)


def told(drawn: Conclusions) -> list[str]:
    """Lines for a terminal: what came of each claim, and what has no outcome."""
    width = max([len(HOLDS[False]), *(len(outcome.in_words) for outcome in drawn.outcomes)])
    outcomes = [f"{o.in_words:>{width}} ({o.seeds} seeds)  {o.claim}" for o in drawn.outcomes]
    return [*outcomes, *(f"\n{limit}" for limit in drawn.limits)]


def write_conclusions(
    folder: Path, drawn: Conclusions, heading: str, remarks: Sequence[str] = ()
) -> None:
    """Write `claims.csv`, `summary.csv` and `summary.md`.

    Args:
        folder: the run's.
        drawn: its conclusions.
        heading: what ran, over the table.
        remarks: on models and measurements, under it.
    """
    header = ["experiment", *(field.name for field in fields(Outcome))]
    claims = [[drawn.experiment, *astuple(outcome)] for outcome in drawn.outcomes]
    write_text(folder / "claims.csv", csv_text(header, claims))
    listed = [
        *drawn.limits,
        *remarks,
        *(f"{o.in_words} ({o.seeds} seeds): {o.claim}: {o.predicate}" for o in drawn.outcomes),
        *(f"deviation: {text}" for text in drawn.deviations),
    ]
    write_summary(folder, drawn.lines, heading, listed)
