"""The chapter's statements and numbered things: what they name exists, and the page is theirs."""

import ast
import csv
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from advx.config.cells import Cell
from advx.config.claims import CHAPTER, listed_cell
from advx.report.chapter_map import ROW, SECTIONS, STATUSES, listed, name_of, names, text, write
from tests.paths import REFERENCE, ROOT

STATEMENTS = listed(ROOT / "docs" / "statements.csv")

THINGS = listed(ROOT / "docs" / "chapter.csv")

EXPECTED_SOON: set[str] = set()
"""Claims that statements name and that no experiment lists yet."""

LEAVING_SOON: set[str] = set()
"""Claims that another one takes the place of."""


@cache
def experiments() -> dict[str, dict[str, Any]]:
    """Every experiment's YAML by its name, as it stands there."""
    found = {}
    for path in sorted((ROOT / "conf" / "experiment").glob("*.yaml")):
        found[path.stem] = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return found


def claims(experiment: str) -> dict[str, dict[str, str]]:
    return {claim["claim"]: claim for claim in experiments()[experiment].get("claims") or []}


@cache
def rows(experiment: str) -> set[str]:
    """What an experiment lists or its reference run measured, as statements name it."""
    listed_rows = experiments()[experiment].get("rows") or []
    summary = REFERENCE / experiment / "summary.csv"
    measured = listed(summary) if summary.is_file() else []
    listed_there = map(listed_cell, listed_rows)
    return {name_of(cell) for cell in [*listed_there, *map(read_cell, measured)]}


def read_cell(row: dict[str, str]) -> Cell:
    """The cell of a line of a file."""
    size = float(row["epsilon"]) if row["epsilon"] else None
    return Cell(row["row"], row["metric"], size, row["setting"])


def defines(path: Path, symbol: str) -> bool:
    """Whether a module defines a name, or a class in it a method: "Class.method"."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for part in symbol.split("."):
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == part:
                body = node.body
                break
        else:
            return False
    return True


def test_ids_are_unique_and_in_the_chapters_order() -> None:
    ids = [line["id"] for line in STATEMENTS]
    assert len(set(ids)) == len(ids)
    order = [(list(SECTIONS).index(s), int(n)) for s, n in (i.rsplit("-", 1) for i in ids)]
    assert order == sorted(order)
    for line in STATEMENTS:
        assert line["id"].rsplit("-", 1)[0] == line["section"]


@pytest.mark.parametrize("line", STATEMENTS, ids=lambda line: line["id"])
def test_a_statement_has_what_its_status_needs(line) -> None:
    assert line["status"] in STATUSES
    assert 0 < len(line["statement"]) <= 200
    asked = bool(line["experiment"]), bool(line["claim"])
    assert asked == ((True, True) if line["status"] in ("tested", "partly") else (False, False))
    assert line["status"] == "tested" or line["reason"].endswith(".")
    for path, test in re.findall(r"(tests/[\w/]+\.py)::(\w+)", line["reason"]):
        assert defines(ROOT / path, test)


@pytest.mark.parametrize("line", STATEMENTS, ids=lambda line: line["id"])
def test_what_a_statement_names_exists(line) -> None:
    named, used = names(line["experiment"]), set()
    assert set(named) <= set(experiments())
    for name in set(names(line["claim"])) - EXPECTED_SOON:
        if name.startswith(ROW):
            having = [e for e in named if name in rows(e)]
        else:
            having = [e for e in named if name in claims(e)]
        assert having, f"{name}: in none of {named}"
        used |= set(having)
    assert used == set(named) or EXPECTED_SOON & set(names(line["claim"]))


def test_every_claim_of_the_chapter_is_named_by_a_statement() -> None:
    named = {
        (experiment, name)
        for line in STATEMENTS
        for name in names(line["claim"])
        for experiment in names(line["experiment"])
    }
    of_the_chapter = {
        (experiment, name)
        for experiment in experiments()
        for name, claim in claims(experiment).items()
        if claim["source"] == CHAPTER and name not in LEAVING_SOON
    }
    assert of_the_chapter - named == set()


def test_every_figure_that_the_chapter_prints_is_named_by_a_statement() -> None:
    named = {
        (experiment, name)
        for line in STATEMENTS
        for name in names(line["claim"])
        for experiment in names(line["experiment"])
    }
    for experiment, config in experiments().items():
        for row in config.get("rows") or []:
            if "chapter" in row:
                assert (experiment, name_of(listed_cell(row))) in named


def test_nothing_is_expected_that_is_there() -> None:
    there = {name for experiment in experiments() for name in claims(experiment)}
    assert EXPECTED_SOON & there == set()
    assert there >= LEAVING_SOON


def test_all_that_the_chapter_numbers_is_listed() -> None:
    found = [thing["name"] for thing in THINGS]
    assert len(set(found)) == len(found)
    numbered = {name for name in found if not name.startswith("Unnumbered ")}
    equations = {f"Equation 1.{n}" for n in range(1, 4)}
    assert numbered == equations | {f"Figure 1.{n}" for n in range(1, 8)} | {"Table 1.1"}


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing["name"])
def test_what_implements_a_thing_exists(thing) -> None:
    assert thing["section"] in SECTIONS
    assert thing["status"] in ("implemented", "not yet")
    made = thing["status"] == "implemented"
    assert bool(thing["implementation"]) == bool(thing["experiment"]) == made
    for symbol in names(thing["implementation"]):
        path, _, name = symbol.partition("::")
        assert defines(ROOT / path, name), symbol
    assert set(names(thing["experiment"])) <= set(experiments())
    assert bool(thing["figure"]) >= (made and thing["name"].startswith(("Figure", "Table")))
    if thing["figure"]:
        assert thing["figure"].endswith(".png")
        assert (REFERENCE / thing["figure"]).is_file()


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "chapter-map.md").read_text(encoding="utf-8")
    assert page == text(ROOT), "make readme: docs/chapter-map.md"


def made_up(root: Path, statements: list[tuple[str, ...]]) -> Path:
    """A repository with two runs, one of them with a claim of the same name."""
    (root / "docs").mkdir()
    head = ["id", "section", "statement", "status", "experiment", "claim", "reason"]
    things = [["name", "section", "what", "implementation", "experiment", "figure", "status"]]
    for name, lines in (("statements", [head, *statements]), ("chapter", things)):
        with (root / "docs" / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(lines)
    for experiment, holds, whose, error in (
        ("one", "holds", "chapter", 0.5),
        ("two", "does not hold", "ours", 0.4),
    ):
        folder = root / "outputs" / "reference" / experiment
        folder.mkdir(parents=True)
        (folder / "claims.csv").write_text(
            "experiment,source,claim,holds,margin,error,seeds\n"
            f"{experiment},{whose},c,{holds},1,{error},2/3\n"
            f"{experiment},chapter,never,not tested,,,0/0\n"
        )
        (folder / "summary.csv").write_text(
            "row,metric,epsilon,setting,unit,chapter,mean,low,high,seeds,n,verdict\n"
            "a -> b,error_rate,0.1,class=3+clipped,percent,7,8.25,8,9,3,10,near\n"
            "a,gap,,,nats,,0.125,0,1,3,10,\n"
            "a,length,,,nats,4,4.25,,,1,,\n"
        )
    return root


def test_the_page_says_what_came_out(tmp_path) -> None:
    root = made_up(
        tmp_path,
        [
            ("1.1-01", "1.1", "p | q*", "tested", "one; two", "c; never; row: a.gap", ""),
            (
                "1.2-01",
                "1.2",
                "s",
                "partly",
                "two",
                "row: a -> b.error_rate[epsilon=0.1, class=3, clipped]; row: a.length; d",
                "Half.",
            ),
            ("1.5-01", "1.5", "t", "not yet", "", "", "No."),
        ],
    )
    page = root / "docs" / "chapter-map.md"
    assert write(page, root) is True
    assert write(page, root) is False
    found = page.read_text(encoding="utf-8")
    assert "| 1.2 Adversarial examples | 1 | 0 | 1 | 0 | 0 |" in found
    assert "| all | 3 | 1 | 1 | 1 | 0 |" in found
    assert (
        "name 5 claims: 1 hold, 1 do not, 3 are not tested. [Narrow](claims.md) outcomes: 1"
        in found
    )
    assert "(1): 1 near." in found
    first, second = (line for line in found.splitlines() if line.startswith(("| 1.1-", "| 1.2-")))
    assert r"| p \| q\* | tested | [`one`](results/one.md)<br>[`two`](results/two.md) |" in first
    assert (
        "c in `one`: **holds, narrowly (2/3)**<br>c (ours) in `two`: **does not hold (2/3)**"
        in first
    )
    assert "never in `one`: **not tested**" in first
    assert "a, gap in `one`: **measured 0.125 nats**" in first
    assert "| a → b, error rate, ε = 0.1, class = 3, clipped: **near**<br>a, length: **" in second
    assert "a, length: **set: 4.25 nats**<br>d: **not" in second
    assert "## 1.3" not in found
    assert found.index("## 1.2 ") < found.index("## 1.5 ")


def test_a_run_that_is_not_whole_leaves_the_page(tmp_path, capsys) -> None:
    root = made_up(tmp_path, [("1.1-01", "1.1", "s", "tested", "one", "c", "")])
    page = root / "docs" / "chapter-map.md"
    assert write(page, root)
    before = page.read_text(encoding="utf-8")
    claims_csv = root / "outputs" / "reference" / "one" / "claims.csv"
    claims_csv.write_text(claims_csv.read_text().replace("holds", "does not hold").rstrip("\n"))
    assert write(page, root) is False
    assert page.read_text(encoding="utf-8") == before
    assert "left as it is, unfinished" in capsys.readouterr().out
