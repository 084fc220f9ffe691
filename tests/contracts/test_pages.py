"""What `make readme` writes into README and `docs/`: numbers and claims of the reference runs."""

import json
import re
import shutil
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from advx.config.choices import choices
from advx.config.identity import RECIPE_VERSION
from advx.errors import AdvxError
from advx.report.claims_page import HOURS, counts, few_seeds, verdicts
from advx.report.front import headlines, index, page_of
from advx.report.markdown import markdown
from advx.report.page.runs import section_of
from advx.report.pages import MOST_COLUMNS, OUTCOMES, _wide, block, history
from advx.report.readme import renew, update
from advx.report.results import SummaryRow, csv_text
from tests.made_up import run_folder
from tests.paths import REFERENCE, ROOT

RESULTS = ROOT / "docs" / "results"

RUNS = sorted(path.parent.name for path in REFERENCE.glob("*/manifest.json"))

HEADLINE = "statement,experiment,row,metric,epsilon,setting\n"
WITHOUT_A_RESULT = {"attack", "transfer", "train"}
"""Experiments that measure what their user names, or nothing that is kept."""


def test_everything_generated_is_up_to_date(tmp_path) -> None:
    """`make readme` changes nothing: neither a page, nor a judged file of a reference run."""
    for name in ("README.md", "docs", "outputs/reference"):
        source, copy = ROOT / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("*.png", "*.pdf", "*.npz"))
        else:
            copy.write_bytes(source.read_bytes())
    assert renew(tmp_path) == [], "make readme"
    for copy in tmp_path.rglob("*"):
        if copy.is_file():
            source = ROOT / copy.relative_to(tmp_path)
            assert copy.read_bytes() == source.read_bytes(), f"make readme: {source}"


def test_every_experiment_with_a_result_has_a_page_and_readme_names_the_others() -> None:
    pages = {path.stem for path in RESULTS.glob("*.md")} - {"README"}
    assert pages == set(choices()["experiment"]) - WITHOUT_A_RESULT
    assert set(RUNS) <= pages
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in choices()["experiment"])


@pytest.mark.parametrize("name", RUNS)
def test_a_page_shows_its_run(name) -> None:
    """Its block, each of its figures with a caption, and no table that is too wide."""
    text = (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    assert f"<!-- {name} -->\n" in text
    for figure in (REFERENCE / name).glob("*.png"):
        assert f"](../../outputs/reference/{name}/{figure.name})" in text, figure.name
    links = re.findall(r"^!\[([^\]]*)\]\(([^)]+)\)\n\n(.*)$", text, re.MULTILINE)
    assert len(links) == len(re.findall(r"^!\[", text, re.MULTILINE))
    for words, target, caption in links:
        assert words
        assert (RESULTS / target).is_file()
        assert re.fullmatch(r"\*[^*]+\*", caption), f"{target}: a caption of one line"
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) <= MOST_COLUMNS + 1, line


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def run_of(folder: Path, rows: list[tuple[str, str, float]], verdict: str = "near") -> Path:
    """A finished run's folder; each row has the chapter's figure 50, and one claim holds."""
    summary = [
        ["x", *cell, 0.1, "clipped", "percent", 50, None, "", mean, 40, 60, 3, 1000, verdict, ""]
        for *cell, mean in rows
    ]
    claims = [["x", "c", "its words", "chapter", "`a` < 60", "holds", 8.8, 1.5, "3/3", "a 51.23"]]
    run_folder(
        folder,
        summary_csv=csv_text([field.name for field in fields(SummaryRow)], summary),
        claims_csv=csv_text(["experiment", *OUTCOMES], claims),
        manifest_json=json.dumps(
            {
                "command": "advx run experiment=x scale=chapter dataset.digests=d.json",
                "config": {
                    "experiment": "x",
                    "scale": "chapter",
                    "main": "advx.experiments.y.main",
                },
                "device": "cpu",
                "threads": 2,
                "recipe_version": RECIPE_VERSION,
                "seconds": {"train": 3600.0},
            }
        ),
    )
    return folder


def test_a_block_has_the_chapters_number_first_and_says_what_ran(tmp_path) -> None:
    text = block(run_of(tmp_path / "x", [("a_b -> c", "error_rate", 51.234)]), {})
    first = next(line for line in text.splitlines() if "51.23" in line)
    assert [cell.strip() for cell in first.strip("|").split("|")] == [
        "a b → c",
        "error rate, ε = 0.1, clipped",
        "50",
        "51.23",
        "40.00 – 60.00",
        "3",
        "near",
    ]
    assert "| its words   | chapter | **holds** |     3/3 | 8.8 ± 1.5 |" in text
    assert "    advx run experiment=x scale=chapter\n" in text
    assert "On cpu with 2 threads: 2.0 h of one core" in text
    assert "a copy whose digests" in text
    assert "[experiments/y.py](../../experiments/y.py)" in text
    assert "[conf/experiment/x.yaml](../../conf/experiment/x.yaml)" in text


def test_what_a_claim_was_before_stands_on_the_page() -> None:
    change = {"date": "2026-11-26", "was": "`a` > 1", "why": "Too weak."}
    lines = history([{"claim": "c", "added": "2026-11-26: late.", "changed": [change]}])
    assert lines.splitlines() == [
        "- *c* was added. 2026-11-26: late.",
        "- *c* was changed on 2026-11-26. Before: `` `a` > 1 ``. Too weak.",
    ]
    change |= {"said": "a is large"}
    assert history([{"claim": "c", "changed": [change]}]) == (
        "- *c* was changed on 2026-11-26. Before: `` `a` > 1 ``, “a is large”. Too weak."
    )
    del change["was"]
    assert history([{"claim": "c", "changed": [change]}]) == (
        "- *c* was changed on 2026-11-26. Before: “a is large”. Too weak."
    )


@pytest.mark.parametrize(("rows", "metrics"), [(1, 1), (3, 40), (6, 7), (7, 6), (40, 3), (20, 20)])
def test_no_table_is_too_wide_and_none_loses_a_number(rows, metrics) -> None:
    cells = [(f"r{r}", f"m{m}", f"{r}.{m}") for r in range(rows) for m in range(metrics)]
    others = pd.DataFrame(cells, columns=["line", "column", "measured"])
    tables = _wide(others)
    assert all(len(table.columns) <= MOST_COLUMNS for table in tables)
    shown = [cell for table in tables for cell in table.iloc[:, 1:].to_numpy().ravel()]
    assert sorted(shown) == sorted(others.measured)


def test_claims_are_counted_by_kind() -> None:
    sources = ["chapter", "chapter", "Szegedy et al. 2014b", "ours", "ours", "ours"]
    holds = ["holds", "does not hold", "holds", "holds", "not tested", "holds"]
    seeds = ["3/3", "1/3", "1/1", "5/5", "0/0", "2/2"]
    settled = [True, True, False, True, True, False]
    claims = pd.DataFrame(
        {"source": sources, "holds": holds, "seeds": seeds, "settled": settled}, index=[0, 1] * 3
    )
    claims["margin"] = ["0.3", "-0.2", "0.1", "2", "", "0.3"]
    claims["error"] = ["0.15", "0.15", "", "0.5", "", "0.1"]
    table, sentence = counts(claims).split("\n\n")
    assert sentence == ("1 of those that hold and 1 of those that do not do so narrowly.")
    found = [re.sub(r"\s+", " ", line) for line in table.splitlines()[2:]]
    assert found == [
        "| the chapter's | 2 | 1 | 1 | 0 | 2 |",
        "| its sources' | 1 | 1 | 0 | 0 | 0 |",
        "| ours | 3 | 2 | 0 | 1 | 1 |",
    ]


def test_claims_on_few_seeds_say_what_the_others_would_take(tmp_path) -> None:
    for name, device, seeds in (("a", "cpu", [0]), ("b", "cuda", [0, 1]), ("c", "cpu", [0, 1, 2])):
        config = {"seeds": seeds, "experiment": name, "scale": "chapter"}
        manifest = {"device": device, "threads": 2, "config": config, "seconds": {"train": 3600}}
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    seeds = {"a": ["1/1", "0/1", "0/0"], "b": ["2/2", "3/3"], "c": ["3/3", "0/3"]}
    found = {
        name: pd.DataFrame(
            {"seeds": each, "settled": [one.endswith("/3") for one in each], "why": HOURS}
        )
        for name, each in seeds.items()
    }
    assert few_seeds(tmp_path, {"c": found["c"]}) == ""
    found["c"].loc[0, ["seeds", "settled", "why"]] = ["1/1", False, "one judge"]
    lines = few_seeds(tmp_path, found).splitlines()[4:]
    assert [re.sub(r"\s+", " ", line) for line in lines] == [
        "| [a](results/a.md) | 2 | 1 | hours | 4.0 h |",  # two seeds of an hour of two threads
        "| [b](results/b.md) | 1 | 2 | hours | 30 min (GPU) |",
        "| [c](results/c.md) | 1 | 1 | one judge | |",
    ]


def test_a_cell_cannot_end_its_table() -> None:
    assert "‖a\\|b c‖" in markdown(pd.DataFrame({"x": ["‖a|b\nc‖"]}))


def test_a_page_keeps_the_part_of_a_run_that_is_not_there_or_not_whole(tmp_path, capsys) -> None:
    page = tmp_path / "page.md"
    blocks = "".join(f"<!-- {name} -->\nold {name}\n<!-- /{name} -->\n" for name in ("a", "b", "c"))
    page.write_text(f"before\n{blocks}after\n", encoding="utf-8")
    bad = tmp_path / "bad"
    bad.mkdir()
    assert update(page, {"a": lambda: "new", "b": lambda: block(bad, {})})
    assert page.read_text(encoding="utf-8") == f"before\n{blocks}after\n".replace("old a", "new")
    assert capsys.readouterr().out == f"{page}: left as it is, unfinished: {bad}: no summary.csv\n"


@pytest.mark.parametrize(
    "marks",
    [
        "<!-- a -->",
        "<!-- /a -->",
        "<!-- /a --><!-- a -->",
        "<!-- a --><!-- b --><!-- /a -->",
        "<!-- a --><!-- /b -->",
        "<!-- a --><!-- /a --><!-- a --><!-- /a -->",
        "<!-- a --><!-- a --><!-- /a -->",
    ],
)
def test_broken_marks_lose_no_prose(marks, tmp_path) -> None:
    page = tmp_path / "page.md"
    text = "before\n" + marks.replace("><", ">\nprose\n<") + "\nafter\n"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(AdvxError, match=r"page\.md: <!-- /?[ab] --> (is out of place|has no end)"):
        update(page, {"a": lambda: "new", "b": lambda: "new"})
    assert page.read_text(encoding="utf-8") == text


def test_the_index_shows_each_pages_first_figure_and_caption(tmp_path) -> None:
    path = tmp_path / "transfer.md"
    path.write_text(
        "# Transfer (Table 1.1, section 1.2.1)\n\n![two nets](../x/a.png)\n\n*It does.*\n\n"
        "![three](../x/b.png)\n\n*And more.*\n",
        encoding="utf-8",
    )
    page = page_of(path)
    assert (page.heading, page.section) == ("Transfer", "1.2.1")
    assert (page.image, page.caption) == ("../x/a.png", "It does.")
    gallery = index([page])
    assert "## Section 1.2.1" in gallery
    assert '<a href="transfer.md"><img src="../x/a.png"' in gallery
    assert "It does." in gallery


def test_a_figure_that_two_runs_measure_counts_once(tmp_path) -> None:
    """The second run leaves the verdict to the first, under whatever name, and sets another one."""
    run_of(tmp_path / "x", [("a", "error_rate", 51.0)], verdict="reproduced")
    run_of(tmp_path / "y", [("like a", "error_rate", 51.0), ("b", "error_rate", 9.0)], verdict="")
    where = {"metric": "error_rate", "epsilon": 0.1, "setting": "clipped"}
    rows = [{"row": "like a", **where, "judged": False}, {"row": "b", **where, "set": True}]
    assert verdicts(tmp_path, {"y": {"rows": rows}, "x": {}}) == (
        "Of the chapter's figures 1 were measured: 1 reproduced. "
        "1 more are set by the protocol and get no verdict."
    )


def test_a_page_on_several_sections_belongs_to_the_first(tmp_path) -> None:
    path = tmp_path / "training.md"
    path.write_text("# Two trainings (sections 1.2.7 to 1.3.1)\n", encoding="utf-8")
    assert (page_of(path).heading, page_of(path).section) == ("Two trainings", "1.2.7")
    assert section_of("training", "Two trainings (sections 1.2.7 to 1.3.1)") == "1.2.7"


def test_a_headline_that_was_not_measured_is_named(tmp_path) -> None:
    run_of(tmp_path / "x", [("a", "error_rate", 51.234)], verdict="reproduced")
    listed = tmp_path / "headlines.csv"
    listed.write_text(HEADLINE + "A fools,x,a,error_rate,0.1,clipped\n", encoding="utf-8")
    (line,) = headlines(tmp_path, tmp_path).splitlines()[2:]
    assert re.sub(r"\s+", " ", line) == (
        "| [A fools](docs/results/x.md) | 50 | **51.23** | 40.00 – 60.00 | 3 | reproduced |"
    )
    listed.write_text(HEADLINE + "A fools,x,a,error_rate,0.1,\n", encoding="utf-8")
    with pytest.raises(LookupError, match=r"x has no `a`\.error_rate\[epsilon=0\.1\]"):
        headlines(tmp_path, tmp_path)
