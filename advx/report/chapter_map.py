"""The page `docs/chapter-map.md`: what tests each statement of the chapter, and what came out.

    python -m advx.report.chapter_map

Two files say what there is: `docs/statements.csv` a row for each testable statement, and
`docs/chapter.csv` a row for each numbered or displayed thing. What came out stands in
`outputs/reference`. A cell with several names has "; " between them. `claim` holds names of claims
of the experiments in the same line, of each that has the name, and `row: NAME.metric` or
`row: NAME.metric[epsilon=0.1, clipped]` for a row of their summaries.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from advx.config.cells import Cell
from advx.config.choices import choices
from advx.config.claims import CELL_KEYS, CHAPTER, judged_elsewhere
from advx.config.compose import resolved
from advx.report.claims import NARROWLY
from advx.report.finished import Unfinished, cells_of, summary_of, table_of
from advx.report.markdown import which, words
from advx.report.numbers import short
from advx.report.pages import in_words
from advx.text_files import read_text, write_text

STATUSES = ("tested", "partly", "not yet", "out of scope")

ROW = "row: "
"""Begins what is no claim, but a row of a summary: its verdict, or its mean where it has none."""

MEASURED, SET = "measured ", "set: "
"""Begin what came of a row for which the chapter prints no figure, or one that nobody measures."""

NOT_TESTED = "not tested"
"""What came of a claim or row that the reference runs do not have, or could not test."""

SECTIONS = {
    "1": "Abstract",
    "1.1": "Introduction",
    "1.2": "Adversarial examples",
    "1.2.1": "Generalization across models and data sets, and security",
    "1.2.2": "Adversarial examples and the human brain",
    "1.2.3": "The linearity hypothesis",
    "1.2.4": "Crafting adversarial examples",
    "1.2.5": "Ensuring that class changes are mistakes",
    "1.2.6": "Rubbish class examples",
    "1.2.7": "Defenses",
    "1.3": "Adversarial training",
    "1.3.1": "Virtual adversarial training",
    "1.4": "Generative adversarial networks",
    "1.4.1": "Adversarial networks in theory and practice",
    "1.4.2": "Generator collapses",
    "1.4.3": "Sample fidelity and learning the objective function",
    "1.4.4": "Extensions and refinements",
    "1.4.5": "Hybrid models",
    "1.4.6": "Beyond generative modeling",
    "1.5": "Discussion",
}
"""The chapter's sections, in its order."""

HEAD = """# The chapter, statement by statement

Every statement of the chapter that an experiment could contradict, with the claims that test it and
what came of them in the reference runs. `make readme` writes this page from `docs/statements.csv`,
`docs/chapter.csv` and `outputs/reference`.

- **tested**: a claim asks what the statement says, of the data and networks that its page names.
- **partly**: a claim asks a part of it, or something weaker; the last column says what is missing.
- **not yet**: an experiment could test it, and none does.
- **out of scope**: it is about people, or a matter of proof, or beyond the chapter's own scope.

Statements are the chapter's words, shortened at "…", with formulas in plain characters and with our
additions in square brackets. A claim holds only if it holds on every seed; the fraction counts the
seeds on which it does. A claim that is not the chapter's has its source behind it, in brackets.
Predicates and what was measured stand on the page of the experiment."""


@dataclass(frozen=True)
class Outcome:
    """What came of one claim or row.

    Args:
        label: its name for a reader; a claim that is not the chapter's says whose it is.
        text: "holds (3/3)", a verdict, a mean, or "not tested".
    """

    label: str
    text: str


@dataclass
class Reference:
    """What came out of the reference runs, read once for each experiment.

    Args:
        folder: `outputs/reference`.
    """

    folder: Path
    read: dict[str, dict[str, Outcome]] = field(default_factory=dict)

    def outcome(self, experiment: str, name: str) -> Outcome | None:
        """What came of a claim or of a row, as `name_of`; None where the experiment has none such.

        Raises:
            Unfinished: the experiment's folder is not that of a whole run.
        """
        if experiment not in self.read:
            self.read[experiment] = self._read(self.folder / experiment)
        return self.read[experiment].get(name)

    def _read(self, folder: Path) -> dict[str, Outcome]:
        """Outcomes of the claims and rows of one experiment; none where it has no folder."""
        if not folder.is_dir():
            return {}
        columns = ("claim", "source", "holds", "margin", "error", "seeds")
        claims = table_of(folder, "claims.csv", columns, dtype=str)
        summary = summary_of(folder, (*CELL_KEYS, "chapter", "mean", "unit", "verdict"))
        claims = claims.fillna("")
        claims["holds"] = in_words(claims)
        found = {line.claim: _of_claim(line) for line in claims.itertuples()}
        elsewhere = _elsewhere(folder.name)
        return found | {
            name_of(cell): _of_row(cell, line, is_set=cell not in elsewhere)
            for cell, line in zip(cells_of(summary), summary.itertuples(), strict=True)
        }


def _of_claim(line: Any) -> Outcome:
    """A line of claims.csv."""
    whose = "" if line.source == CHAPTER else f" ({line.source})"
    seeds = "" if line.holds == NOT_TESTED else f" ({line.seeds})"
    return Outcome(f"{line.claim}{whose}", f"{line.holds}{seeds}")


def name_of(cell: Cell) -> str:
    """How a statement names a row: `row: `, then as predicates do, without backticks."""
    return ROW + str(cell).replace("`", "")


@cache
def _elsewhere(experiment: str) -> set[Cell]:
    """What the experiment measures and another one judges; nothing where it is none of advx's."""
    if experiment not in choices()["experiment"]:
        return set()
    return judged_elsewhere(resolved([f"experiment={experiment}", "scale=chapter"]))


def _of_row(cell: Cell, line: Any, *, is_set: bool) -> Outcome:
    """A line of summary.csv: its verdict, or its mean where it has none.

    Args:
        cell: what it measures.
        line: the line.
        is_set: whether a figure of the chapter without a verdict is set by the protocol.
    """
    label = f"{words(cell.row)}, {which(cell)}"
    if isinstance(line.verdict, str):
        return Outcome(label, line.verdict)
    if line.mean != line.mean:
        return Outcome(label, NOT_TESTED)
    kind = SET if is_set and line.chapter == line.chapter else MEASURED
    return Outcome(label, f"{kind}{short(line.mean, line.unit)} {line.unit}")


def write(page: Path, root: Path) -> bool:
    """Write the page; whether anything changed. Where a reference run is not whole it is said.

    Args:
        page: where; links assume a folder directly below the root.
        root: the repository's.
    """
    try:
        new = text(root)
    except Unfinished as error:
        print(f"{page}: left as it is, unfinished: {error}")
        return False
    if page.is_file() and read_text(page) == new:
        return False
    write_text(page, new)
    return True


def text(root: Path) -> str:
    """The page, Markdown.

    Raises:
        Unfinished: a reference run that is named is not whole.
    """
    statements = listed(root / "docs" / "statements.csv")
    reference = Reference(root / "outputs" / "reference")
    blocks = [
        HEAD,
        _counts(statements),
        _outcomes(statements, reference),
        "## Equations, tables and figures",
        _things(listed(root / "docs" / "chapter.csv")),
    ]
    for section, some in _by_section(statements).items():
        heading = "Abstract" if section == "1" else f"{section} {SECTIONS[section]}"
        blocks += [f"## {heading}", _statements(some, reference)]
    return "\n\n".join(blocks) + "\n"


def listed(path: Path) -> list[dict[str, str]]:
    """The lines of a comma-separated file by its head."""
    return list(csv.DictReader(io.StringIO(read_text(path)), strict=True))


def names(cell: str) -> list[str]:
    """The names in a cell, with "; " between them."""
    return [name for name in cell.split("; ") if name]


def _by_section(statements: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """The statements of each section that has any, in the chapter's order."""
    found = {s: [line for line in statements if line["section"] == s] for s in SECTIONS}
    return {section: some for section, some in found.items() if some}


def _counts(statements: list[dict[str, str]]) -> str:
    """How many statements of each status, section by section."""
    groups = [(f"{s} {SECTIONS[s]}", some) for s, some in _by_section(statements).items()]
    lines = []
    for name, some in [*groups, ("all", statements)]:
        count = Counter(line["status"] for line in some)
        lines.append([name, str(len(some)), *(str(count[status]) for status in STATUSES)])
    return _table(["section", "statements", *STATUSES], lines)


def _outcomes(statements: list[dict[str, str]], reference: Reference) -> str:
    """What came of all claims and of all figures that the chapter prints, each counted once."""
    found = {
        (experiment, name): outcome.text.partition(" (")[0]
        for line in statements
        for name in names(line["claim"])
        for experiment, outcome in _found(line, name, reference)
    }
    outcomes = [what for (_, name), what in found.items() if not name.startswith(ROW)]
    claims = Counter(what.removesuffix(NARROWLY) for what in outcomes)
    narrowly = sum(what.endswith(NARROWLY) for what in outcomes)
    printed = Counter(
        what
        for (_, name), what in found.items()
        if name.startswith(ROW) and not what.startswith((MEASURED, SET, NOT_TESTED))
    )
    figures = sorted(printed.items(), key=lambda item: (-item[1], item[0]))
    return (
        f"The statements name {claims.total()} claims: {claims['holds']} hold, "
        f"{claims['does not hold']} do not, {claims[NOT_TESTED]} are not tested. "
        f"[Narrow](claims.md) outcomes: {narrowly}. Figures that the "
        f"chapter prints and that were measured ({printed.total()}): "
        + ", ".join(f"{count} {what}" for what, count in figures)
        + "."
    )


def _found(line: dict[str, str], name: str, reference: Reference) -> list[tuple[str, Outcome]]:
    """What came of one name of a statement: by experiment, of each that has it."""
    experiments = names(line["experiment"])
    found = [(experiment, reference.outcome(experiment, name)) for experiment in experiments]
    known = [(experiment, outcome) for experiment, outcome in found if outcome is not None]
    return known or [(experiment, Outcome(name, NOT_TESTED)) for experiment in experiments[:1]]


def _statements(statements: list[dict[str, str]], reference: Reference) -> str:
    """The table of one section."""
    lines = []
    for line in statements:
        several = len(names(line["experiment"])) > 1
        outcomes = []
        for name in names(line["claim"]):
            for experiment, outcome in _found(line, name, reference):
                where = f" in `{experiment}`" if several else ""
                outcomes.append(f"{_escaped(outcome.label)}{where}: **{outcome.text}**")
        lines.append(
            [
                line["id"],
                _escaped(line["statement"]),
                line["status"],
                _below(_page(experiment) for experiment in names(line["experiment"])),
                _below(outcomes),
                _escaped(line["reason"]),
            ]
        )
    return _table(["", "statement", "status", "experiment", "what came out", "missing"], lines)


def _things(things: list[dict[str, str]]) -> str:
    """The table of equations, formulas, tables and figures."""
    lines = []
    for thing in things:
        figure = thing["figure"]
        shown = f"[`{figure}`](../outputs/reference/{figure})" if figure else ""
        lines.append(
            [
                thing["name"],
                thing["section"],
                _escaped(thing["what"]),
                _below(_symbol(symbol) for symbol in names(thing["implementation"])),
                _below(_page(experiment) for experiment in names(thing["experiment"])),
                shown if thing["status"] == "implemented" else f"**{thing['status']}**",
            ]
        )
    return _table(["", "section", "what", "implemented by", "experiment", "figure"], lines)


def _page(experiment: str) -> str:
    return f"[`{experiment}`](results/{experiment}.md)"


def _symbol(symbol: str) -> str:
    """A link to the file of "FILE::SYMBOL"."""
    return f"[`{symbol}`](../{symbol.partition('::')[0]})"


def _below(parts: Iterable[str]) -> str:
    """The lines of one cell."""
    return "<br>".join(parts)


def _escaped(cell: str) -> str:
    """Text whose characters mean nothing to Markdown; code in backticks stays code."""
    for character in "\\|*<":
        cell = cell.replace(character, f"\\{character}")
    return cell


def _table(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table, unaligned: a statement that changes is one line of the difference."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *lines])


if __name__ == "__main__":
    changed = write(Path("docs/chapter-map.md"), Path())
    print("docs/chapter-map.md " + ("renewed" if changed else "is up to date"))
