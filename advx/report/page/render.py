"""The page: what its template shows, and the files that it is made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from advx import __version__
from advx.config.cells import Cell
from advx.errors import ConfigError
from advx.report.chapter_map import SECTIONS
from advx.report.markdown import which, words
from advx.report.numbers import short
from advx.report.packaged import HEADLINES, lines_of
from advx.report.page.charts import Charts, charts_of
from advx.report.page.environment import command_of, environment_of
from advx.report.page.explorers import explorers
from advx.report.page.figures import Figure, figures_of
from advx.report.page.intervals import drawing, place
from advx.report.page.networks import networks_in
from advx.report.page.runs import BEYOND, Number, RunRead, read
from advx.report.page.scoreboard import (
    UNTESTED,
    VERDICTS,
    WHOSE,
    Board,
    Outcome,
    boards,
    outcomes_of,
)
from advx.report.page.tables import none_whole
from advx.report.selection import Selection

ASSETS = "assets"
"""Templates, scripts and the style sheet, beside this file."""

FEW = 8
"""Lines of the first table where no headline was measured."""

BUNDLED = "window.vegaEmbed = vegaEmbed;"
"""What the bundle of Vega leaves for other scripts."""


@dataclass(frozen=True)
class Part:
    """A run as the page shows it.

    Attributes:
        run: what was read.
        outcomes: of its claims.
        chapter, papers, others: its numbers beside the chapter's, other papers', and nobody's.
        figures: its images.
        charts: its curves; None where it has none.
        deviations: from the chapter.
        command: to run it again.
        environment: what made it.
    """

    run: RunRead
    outcomes: Sequence[Outcome]
    chapter: Sequence[Number]
    papers: Sequence[Number]
    others: Sequence[Number]
    figures: Sequence[Figure]
    charts: Charts | None
    deviations: Sequence[str]
    command: str
    environment: Sequence[tuple[str, str]]


def part_of(run: RunRead) -> Part:
    """A run as the page shows it."""
    beside = [n for n in run.numbers if n.chapter == n.chapter]
    papers = [n for n in run.numbers if n.published == n.published and n not in beside]
    return Part(
        run,
        outcomes_of(run),
        beside,
        papers,
        [n for n in run.numbers if n.chapter != n.chapter and n.published != n.published],
        figures_of(run),
        charts_of(run),
        list(run.manifest["config"].get("deviations") or []),
        command_of(run),
        environment_of(run),
    )


def page(selection: Selection, models: Path | None = None) -> str:
    """The page of a selection's runs, HTML.

    Args:
        selection: the runs.
        models: folder of the networks that the page itself computes with.

    Raises:
        ConfigError: none of them can be read whole.
        ImportError: a package is missing.
    """
    bundle = javascript()
    runs = read(selection)
    if not runs:
        raise ConfigError(none_whole(selection))
    found = boards(runs)
    networks = networks_in(models)
    explored = explorers(runs, networks)
    environment = Environment(
        loader=PackageLoader("advx.report.page", ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "words": words,
        "which": which,
        "short": short,
        "drawing": drawing,
        "place": place,
    }
    environment.globals |= {"section_name": section_name, "asset": asset, "data": data_block}
    return environment.get_template("page.html.j2").render(
        version=__version__,
        sections=[
            (section, [part_of(run) for run in runs if run.section == section])
            for section in dict.fromkeys(run.section for run in runs)
        ],
        runs=runs,
        boards=found,
        tally=tally(found[0]),
        headlines=headlines(runs, found[0].group),
        explorers=explored,
        networks=networks,
        selection=selection,
        verdicts=VERDICTS,
        whose=WHOSE,
        untested=UNTESTED,
        bundle=bundle,
    )


def section_name(section: str) -> str:
    """How a section is headed."""
    if section == BEYOND:
        return "Beyond the chapter"
    return SECTIONS[section] if section == "1" else f"{section} {SECTIONS[section]}"


def tally(board: Board) -> list[tuple[str, int]]:
    """How many of the chapter's sentences have each verdict, those that none has left out."""
    counts = board.counts()
    return [(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]]


def headlines(runs: Sequence[RunRead], group: tuple[str, str]) -> list[tuple[str, str, Number]]:
    """Of one scale and version: what, the run's id, the number; listed ones, or the chapter's."""
    some = {run.experiment: run for run in runs if run.group == group}
    made = []
    for line in lines_of(HEADLINES):
        size = float(line["epsilon"]) if line["epsilon"] else None
        cell = Cell(line["row"], line["metric"], size, line["setting"])
        run = some.get(line["experiment"])
        if run is not None and cell in run.by_cell:
            made.append((line["statement"], run.id, run.by_cell[cell]))
    if made:
        return made
    figures = [
        (f"{words(number.cell.row)}, {which(number.cell)}", run.id, number)
        for run in some.values()
        for number in run.numbers
        if number.chapter == number.chapter
    ]
    return figures[:FEW]


def asset(name: str) -> Markup:
    """A file of the page's own, to stand in a `<style>` or a `<script>`."""
    return Markup((files("advx.report.page") / ASSETS / name).read_text(encoding="utf-8"))


def data_block(value: Mapping[str, Any] | Sequence[Any]) -> Markup:
    """JSON to stand in a `<script type="application/json">`: it ends no element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def javascript() -> Markup:
    """Vega, Vega-Lite and vega-embed as one script, to stand in a `<script>`.

    Raises:
        ImportError: the package that carries it is not installed.
    """
    try:
        from vl_convert import javascript_bundle
    except ImportError as error:
        raise ImportError("the package vl-convert-python is not installed") from error
    return Markup(javascript_bundle(BUNDLED).replace("</script", "<\\/script"))
