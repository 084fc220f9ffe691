"""The pages: links, metrics, the rule for intervals, and the files that they print."""

import csv
import re
import tomllib
from collections import defaultdict
from dataclasses import fields
from pathlib import Path

import pytest

from advx.config.cells import Cell, parts_of
from advx.config.chapter import FILES, FREE
from advx.config.choices import choices
from advx.config.compose import composed
from advx.config.declared import declared
from advx.report.results import Row, SummaryRow
from advx.report.verdict import NEAR_ADVERSARIAL, NEAR_CLEAN, TOO_WIDE, verdict
from advx.run_folder import EVERY_RUN
from tests.paths import REFERENCE, ROOT, pythons
from tests.running import CLAIMS, MANIFEST, table

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def rows_of(page: str, columns: int) -> list[list[str]]:
    """The rows of all tables of a page of `docs/` with so many columns, heads left out."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return [cells for cells in rows if len(cells) == columns and cells[0].startswith(("`", "a "))]


def names(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


METRICS = {names(cells[0])[0]: cells for cells in rows_of("metrics.md", 3)}
"""The rows of the page on metrics, by name; a part in capitals stands for any name."""


def defined(metric: str) -> list[str]:
    """The names on the page that a metric has."""
    return [name for name in METRICS if re.fullmatch(re.sub(r"[A-Z]+", r"[a-z]\\w*", name), metric)]


@pytest.fixture(scope="module")
def kept() -> list[dict[str, str]]:
    """The numbers of all reference runs."""
    return [row for path in REFERENCE.glob("**/results.csv") for row in table(path)]


@pytest.fixture(scope="module")
def measured(kept) -> dict[str, set[str]]:
    """Metrics of the reference runs, each with its units."""
    found = defaultdict(set)
    for row in kept:
        found[row["metric"]].add(row["unit"])
    return dict(found)


@pytest.fixture(scope="module")
def cells() -> set[Cell]:
    """What experiments declare that they measure, at the chapter's scale."""
    chapters = [
        composed([f"experiment={name}", "scale=chapter"]) for name in choices()["experiment"]
    ]
    return {cell for chapter in chapters for cell in declared(*chapter) or {}}


@pytest.fixture(scope="module")
def metrics(cells) -> set[str]:
    """Their metrics."""
    return {cell.metric for cell in cells}


def test_every_metric_of_the_reference_runs_is_defined_with_its_unit(measured) -> None:
    assert len(measured) > 100
    for metric, units in measured.items():
        (name,) = defined(metric)
        assert units <= set(METRICS[name][1].replace("`", "").split(", ")), metric


def test_every_metric_that_an_experiment_measures_is_defined(metrics) -> None:
    assert {"epochs", "keeps_class_maxout", "targeted_success_rate", "fgsm_error_rate"} <= metrics
    for metric in metrics:
        assert len(defined(metric)) == 1, metric


def test_no_metric_is_defined_that_nothing_measures(measured, metrics) -> None:
    known = measured.keys() | metrics
    assert {name for metric in known for name in defined(metric)} == set(METRICS)
    assert all(len(cells[2]) > 10 and cells[2].endswith(".") for cells in METRICS.values())


def test_every_setting_is_explained(kept, cells) -> None:
    """By its name, or by its key; a value with a meaning of its own stands with its key."""
    explained = {name for cells in rows_of("metrics.md", 2) for name in names(cells[0])}
    settings = {row["setting"] for row in kept} | {cell.setting for cell in cells}
    used = {part for setting in settings for part in parts_of(setting)}
    keys = {part.partition("=")[0] for part in used}
    assert used | keys >= explained
    assert all(part in explained or part.partition("=")[0] in explained for part in used)


def text_of(page: Path) -> str:
    """A page without its code."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```|``.+?``", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    named = [re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain]
    again = [named[:at].count(name) for at, name in enumerate(named)]
    return {name + (f"-{n}" if n else "") for name, n in zip(named, again, strict=True)}


def links(page: Path) -> list[tuple[Path, str]]:
    """Files that a page leads to or shows, and the anchor in each, "" for none."""
    text = re.sub(r"`[^`\n]*`", "", text_of(page))
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    targets = [first or second for first, second in found]
    inside = [target.split("#") for target in targets if "://" not in target]
    return [
        ((page.parent / path).resolve() if path else page, "".join(anchor))
        for path, *anchor in inside
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), (target, anchor)


def test_every_page_can_be_reached() -> None:
    reached, waiting = set(), [ROOT / "README.md", ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += [path for path, _ in links(page) if path.suffix == ".md"]
    assert reached >= set(PAGES), "no page leads there"


def first_cells(page: str, heading: str) -> list[str]:
    """What stands in backticks in the first column of the tables under a heading."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\|(.*?)\|.*\n(?!\|---)", section, re.MULTILINE)
    return [name for cell in rows for name in names(cell)]


def test_every_file_and_column_of_a_run_is_described() -> None:
    page = "run-files.md"
    assert first_cells(page, "`results.csv`") == [field.name for field in fields(Row)]
    columns = [field.name for field in fields(SummaryRow)]
    assert sorted(first_cells(page, "`summary.csv`")) == sorted(columns)
    assert first_cells(page, "`claims.csv`") == CLAIMS
    assert set(first_cells(page, "`manifest.json`")) == MANIFEST
    intro = (ROOT / "docs" / page).read_text(encoding="utf-8").split("\n## ")[0]
    assert all(f"`{name}`" in intro for name in EVERY_RUN)


def test_the_verdicts_of_the_page_are_those_of_the_rule() -> None:
    page = (ROOT / "docs" / "run-files.md").read_text(encoding="utf-8")
    listed = first_cells("run-files.md", "The verdict")
    found = {
        verdict(chapter, mean, low, high, clean=False, direction=direction)
        for chapter in (0.5, 2.0, 90.0)
        for mean, low, high in ((1.0, 0.0, 1.5), (1.0, 0.0, TOO_WIDE + 1))
        for direction in (True, False)
    }
    assert set(listed) == found
    for number in (TOO_WIDE, NEAR_ADVERSARIAL, NEAR_CLEAN):
        assert f"`{number:g}`" in page.split("## The verdict")[1]


def test_the_worked_interval_comes_out_as_the_page_shows_it(capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "run-files.md").read_text(encoding="utf-8")
    code, shown = re.findall(r"^```(?:python|text)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(code, {})
    printed = capsys.readouterr().out
    assert printed == shown
    wanted = {"row": "maxout -> nearest_neighbor", "metric": "error_rate", "setting": ""}
    with (REFERENCE / "transfer_table" / "summary.csv").open(encoding="utf-8") as stream:
        (row,) = [line for line in csv.DictReader(stream) if wanted.items() <= line.items()]
    assert f"interval {float(row['low']):.2f} to {float(row['high']):.2f}\n" in printed
    assert f"In the example the chapter has `{row['chapter']}`, which lies in" in page
    assert row["verdict"] == "reproduced"


def test_what_a_verdict_leaves_free_is_what_the_page_says() -> None:
    assert set(first_cells("scale.md", "What a verdict needs")) == {*FREE, *FILES}


def test_the_settings_of_the_page_on_scales_are_the_defaults() -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    chapter, _ = composed(["experiment=transfer", "scale=chapter"])
    smoke, _ = composed(["experiment=transfer", "scale=smoke"])
    for metrics, value in (
        ("`trainer.max_epochs={}`", chapter["trainer"]["max_epochs"]),
        ("`trainer.patience={}`", chapter["trainer"]["patience"]),
        ("`device.threads={}`", chapter["device"]["threads"]),
        ("`trainer={}`", chapter["trainer"]["name"]),
        ("| `{}` epochs |", smoke["trainer"]["max_epochs"]),
    ):
        assert metrics.format(value) in page, metrics
    assert sorted(first_cells("scale.md", "Scales")) == choices()["scale"]


def test_the_page_on_installing_asks_for_what_the_package_does() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"`{'`, `'.join(pythons()[:-1])}` or `{pythons()[-1]}`" in page
    for name in ("torch", "torchvision"):
        (asked,) = [each for each in project["dependencies"] if each.startswith(f"{name}>")]
        assert f"`{asked}`" in page
