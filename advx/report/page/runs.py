"""The runs that a page is of, read whole, and the sections of the chapter that they belong to."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from advx.config import renamed
from advx.config.cells import Cell
from advx.config.claims import CELL_KEYS
from advx.config.documents import Manifest
from advx.errors import ConfigError
from advx.figures.saved import ARRAYS, Options, load
from advx.report.chapter_map import SECTIONS, names
from advx.report.finished import Unfinished, cells_of, manifest_of, summary_of, table_of
from advx.report.intervals import wilson
from advx.report.numbers import short
from advx.report.packaged import CHAPTER, STATEMENTS, lines_of
from advx.report.pages import OUTCOMES, SUMMARY
from advx.report.results import RESULTS
from advx.report.selection import Found, Selection, scale_place

DASH = " — "
"""Between the title of a run and what it ran on."""

BEYOND = "beyond"
"""The section of experiments that belong to none of the chapter's."""

MEASURED = (*CELL_KEYS, "seed", "value", "unit", "n")
"""Columns of `results.csv` that a page reads."""


@dataclass(frozen=True)
class Number:
    """A line of a run's summary.

    Attributes:
        cell: what names it.
        mean, low, high: NaN where there is none.
        unit, verdict, note: as the summary has them.
        chapter, published, source: figures of the chapter, and of another paper.
        seeds, n: how many.
        random: whether networks, noise or orders of examples were drawn for it.
    """

    cell: Cell
    mean: float
    low: float
    high: float
    unit: str
    chapter: float
    published: float
    source: str
    seeds: int
    n: int | None
    verdict: str
    note: str
    random: bool

    @property
    def one_seed(self) -> bool:
        """Whether one seed's drawing of something random is all that it rests on."""
        return self.random and self.seeds == 1

    @property
    def shown(self) -> str:
        """The mean, for a reader."""
        return short(self.mean, self.unit) or "no number"

    @property
    def interval(self) -> str:
        """Where one more network would fall, for a reader; empty where that is unknown."""
        if math.isnan(self.low):
            return ""
        return f"{short(self.low, self.unit)} – {short(self.high, self.unit)}"


@dataclass(frozen=True)
class RunRead:
    """A finished run with its files.

    Attributes:
        found: where it is, and what it is of.
        id: unique on a page, fit for a link.
        section: of the chapter, or `BEYOND`.
        manifest: what made it.
        claims: `claims.csv`, texts.
        results: `results.csv`, numbers.
        numbers: the lines of its summary.
    """

    found: Found
    id: str
    section: str
    manifest: Manifest
    claims: pd.DataFrame
    results: pd.DataFrame
    numbers: Sequence[Number]

    @property
    def experiment(self) -> str:
        """Its experiment's name."""
        return self.found.name

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.found.folder

    @property
    def group(self) -> tuple[str, str]:
        """Scale and version: what is never mixed into one table with another."""
        return self.found.group

    @property
    def title(self) -> str:
        """What ran, without what it ran on."""
        return self.found.title.partition(DASH)[0]

    @property
    def ran(self) -> str:
        """What it ran on."""
        return self.found.title.partition(DASH)[2]

    @cached_property
    def by_cell(self) -> Mapping[Cell, Number]:
        """Its numbers by what names them."""
        return {number.cell: number for number in self.numbers}

    @cached_property
    def drawn(self) -> tuple[str, dict[str, np.ndarray], Options] | None:
        """What its figures were drawn by and from; None where nothing readable is stored."""
        if not (self.folder / ARRAYS).is_file():
            return None
        try:
            drawn = load(self.folder)
        except ConfigError:
            return None
        return drawn if isinstance(drawn[2], dict) else None


def read(selection: Selection) -> list[RunRead]:
    """The runs of a selection, in the order of the page; what cannot be read joins its unfinished.

    Args:
        selection: of which `runs` and `unfinished` are put right.
    """
    made: list[RunRead] = []
    whole: list[Found] = []
    taken: Counter[str] = Counter()
    for found in selection.runs:
        try:
            run = _run(found, taken)
        except Unfinished as error:
            selection.unfinished.append(str(error))
        else:
            made.append(run)
            whole.append(found)
    selection.runs = whole
    return sorted(made, key=_place)


def _run(found: Found, taken: Counter[str]) -> RunRead:
    """One run.

    Raises:
        Unfinished: a file is missing or damaged, or has not the columns of today.
    """
    folder = found.folder
    manifest = manifest_of(folder)
    config = manifest["config"]
    for key in ("versions", "data"):
        if not isinstance(manifest.get(key, {}), dict):
            raise Unfinished(folder, f"manifest.json has no keys under {key}")
    summary = summary_of(folder, SUMMARY)
    claims = table_of(folder, "claims.csv", OUTCOMES, dtype=str).fillna("")
    results = table_of(folder, RESULTS, MEASURED, numbers=("epsilon", "seed", "value", "n"))
    random = {
        renamed.cell(cell, config)
        for cell, seed in zip(cells_of(results), results.seed, strict=True)
        if not pd.isna(seed)
    }
    numbers = [
        _number(renamed.cell(cell, config), line, random)
        for cell, line in zip(cells_of(summary), summary.itertuples(), strict=True)
    ]
    slug = re.sub(r"\W+", "-", f"{found.name}-{found.scale}", flags=re.ASCII).strip("-")
    taken[slug] += 1
    unique = slug if taken[slug] == 1 else f"{slug}-{taken[slug]}"
    section = section_of(found.name, found.title)
    return RunRead(found, unique, section, manifest, claims, results, numbers)


def _number(cell: Cell, line: object, random: Iterable[Cell]) -> Number:
    """A line of `summary.csv`; a rate of one random run gets the interval of its n examples."""

    def number(name: str) -> float:
        value = getattr(line, name)
        return math.nan if pd.isna(value) else float(value)

    def text(name: str) -> str:
        value = getattr(line, name)
        return "" if pd.isna(value) else str(value)

    n, seeds = number("n"), number("seeds")
    return Number(
        cell=cell,
        mean=number("mean"),
        low=number("low"),
        high=number("high"),
        unit=text("unit"),
        chapter=number("chapter"),
        published=number("published"),
        source=text("source"),
        seeds=0 if math.isnan(seeds) else int(seeds),
        n=None if math.isnan(n) else int(n),
        verdict=text("verdict"),
        note=text("note"),
        random=cell in random,
    )


def sampling(number: Number) -> tuple[float, float]:
    """The interval of a rate over n examples by their sampling error alone; NaN for others."""
    if number.unit != "percent" or not number.n or not 0 <= number.mean <= 100:
        return math.nan, math.nan
    return wilson(number.mean, number.n)


def section_of(experiment: str, title: str) -> str:
    """The chapter's section of an experiment: its title says it, or a figure that it names.

    Args:
        experiment: its name.
        title: its title.
    """
    said = re.search(r"sections? (\d(?:\.\d+)*)", title)
    if said and said.group(1) in SECTIONS:
        return said.group(1)
    for line in lines_of(CHAPTER):
        if re.search(rf"{re.escape(line['name']).replace('Figure', 'Figures?')}\b", title):
            return line["section"]
    known = {
        line["section"] for line in lines_of(STATEMENTS) if experiment in names(line["experiment"])
    }
    return min(known, key=list(SECTIONS).index, default=BEYOND)


def _place(run: RunRead) -> tuple[int, str, int, str, str]:
    """The order of the page: section, experiment, scale, newest version first."""
    sections = [*SECTIONS, BEYOND]
    return (sections.index(run.section), run.experiment, *scale_place(run.group), run.id)
