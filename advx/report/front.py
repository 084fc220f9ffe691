"""The generated parts of README and of the index of results: what a stranger sees first."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from advx.config.documents import Composed
from advx.report.finished import cells_of, summary_of, table_of
from advx.report.markdown import markdown, measured
from advx.report.pages import SUMMARY, cost
from advx.report.spent import duration
from advx.text_files import read_text

HEADLINES = "headlines.csv"
"""Beside README's pages: `statement,experiment,row,metric,epsilon,setting`, a line a headline."""

TIMES = "quick/times.csv"
"""In the reference folder: `experiment,seconds`, of one core, from an empty store."""

QUICKSTART = "quick/transfer_table"
"""In the reference folder: what `make quickstart` ran."""

THUMBNAIL, PER_ROW = 260, 3
"""Width of a image in the index, in pixels, and how many stand side by side."""


@dataclass(frozen=True)
class Page:
    """What the index says of an experiment's page.

    Attributes:
        name: the experiment's.
        heading: of the page, without its section.
        section: "1.2.1", or nothing where it belongs to none.
        image: its first figure, as the page links to it; nothing where it has none.
        caption: what the figure shows, in one sentence.
    """

    name: str
    heading: str
    section: str
    image: str
    caption: str


def page_of(path: Path) -> Page:
    """What stands at the head of an experiment's page: heading, section, first figure, caption."""
    text = read_text(path)
    heading = text.partition("\n")[0].removeprefix("# ")
    section = re.search(r"sections? ([\d.]+\d)", heading)
    image = re.search(r"^!\[[^\]]*\]\(([^)]+)\)", text, re.MULTILINE)
    caption = re.search(r"^\*([^*\n][^*]*)\*$", text, re.MULTILINE)
    return Page(
        path.stem,
        re.sub(r" \([^()]*sections? [^()]*\)$", "", heading),
        section.group(1) if section else "",
        image.group(1) if image else "",
        " ".join(caption.group(1).split()) if caption else "",
    )


def pages_of(folder: Path) -> list[Page]:
    """The pages of a folder in the order of the chapter's sections; those without one last."""
    found = [page_of(path) for path in sorted(folder.glob("*.md")) if path.stem != "README"]
    return sorted(found, key=lambda page: (not page.section, _numbers(page.section), page.name))


def _numbers(section: str) -> list[int]:
    return [int(part) for part in section.split(".") if part]


def index(pages: list[Page]) -> str:
    """A gallery: a image, a heading and a sentence for every page, three in a row."""
    lines = []
    for section in dict.fromkeys(page.section for page in pages):
        some = [page for page in pages if page.section == section]
        lines.append(f"## {f'Section {section}' if section else 'Speed'}")
        lines.append("<table>")
        for start in range(0, len(some), PER_ROW):
            cells = "".join(_tile(page) for page in some[start : start + PER_ROW])
            lines.append(f"<tr>{cells}</tr>")
        lines.append("</table>")
    return "\n\n".join(lines).replace("</tr>\n\n<tr>", "</tr>\n<tr>")


def _tile(page: Page) -> str:
    """A cell of the gallery."""
    link = f'<a href="{page.name}.md">'
    image = (
        f'{link}<img src="{page.image}" width="{THUMBNAIL}" alt="{page.heading}"></a><br>'
        if page.image
        else ""
    )
    return (
        f'<td width="{100 // PER_ROW}%" valign="top">{image}{link}<b>{page.heading}</b></a><br>'
        f"{page.caption}</td>"
    )


def headlines(docs: Path, reference: Path) -> str:
    """The results named in `headlines.csv`: the chapter's figure, ours, its interval, the verdict.

    Raises:
        Unfinished: a run that is named is not whole.
        LookupError: a line names a row that was not measured.
    """
    listed = pd.read_csv(docs / HEADLINES)
    lines = []
    for cell, line in zip(cells_of(listed), listed.itertuples(), strict=True):
        summary = measured(summary_of(reference / line.experiment, SUMMARY))
        cells = cells_of(summary)
        if cell not in cells:
            raise LookupError(f"{HEADLINES}: {line.experiment} has no {cell}")
        row = summary.iloc[cells.index(cell)]
        lines.append(
            {
                "error rate, %": f"[{line.statement}](docs/results/{line.experiment}.md)",
                "chapter": f"{row.chapter:g}",
                "here": f"**{row.measured}**",
                "interval": row.interval,
                "seeds": f"{row.seeds:.0f}",
                "verdict": row.verdict,
            }
        )
    return markdown(pd.DataFrame(lines))


def quickstart(reference: Path) -> str:
    """The table that `make quickstart` ends with, its first lines.

    Raises:
        Unfinished: that run is not whole.
    """
    summary = measured(summary_of(reference / QUICKSTART, SUMMARY))
    some = summary[summary.chapter.notna()]
    shown = some[["row", "chapter", "mean", "interval", "seeds", "n"]].assign(
        chapter=some.chapter.map("{:g}".format), mean=some.measured
    )
    text = tabulate(shown, headers="keys", showindex=False, disable_numparse=True)
    return f"```text\n{text}\n```"


def experiments_map(pages: list[Page], reference: Path, listed: Mapping[str, Composed]) -> str:
    """Section, experiment, page, and what both scales cost.

    Args:
        pages: the experiments'.
        reference: a folder an experiment, and the times at the quick scale.
        listed: configurations by experiment.

    Raises:
        Unfinished: a run or the times are not whole.
    """
    quick = table_of(reference, TIMES, ("experiment", "seconds")).set_index("experiment").seconds
    lines = [
        {
            "section": page.section,
            "`experiment=`": f"[`{page.name}`](docs/results/{page.name}.md)",
            "what": page.heading,
            "quick": duration(quick[page.name] / 3600) if page.name in quick else "",
            "chapter": str(cost(reference / page.name)),
        }
        for page in pages
        if page.name in listed and page.section  # README names the benchmarks in a sentence
    ]
    return markdown(pd.DataFrame(lines))
