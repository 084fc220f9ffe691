"""The page of the reference runs, and of made-up ones, read with a parser."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from advx.report.packaged import STATEMENTS, lines_of
from advx.report.page.explorers import flicker, logits
from advx.report.page.render import page
from advx.report.page.runs import RunRead
from advx.report.pages import SUMMARY, in_words
from advx.report.results import Row
from advx.report.selection import select
from tests.made_up import whole_run
from tests.report.page.parsed import Element, parsed

pytestmark = pytest.mark.xdist_group("page")

LARGEST = 15_000_000
"""Bytes of the page of the reference runs."""


@pytest.fixture(scope="module")
def root(reference_page) -> Element:
    return parsed(reference_page)


def test_the_page_is_small_enough(reference_page) -> None:
    assert reference_page.stat().st_size < LARGEST


def test_nothing_is_loaded_from_elsewhere(root) -> None:
    for element in root.inside:
        for key in ("src", "srcset", "data", "poster", "action"):
            assert not element.attributes.get(key, "").startswith(("http", "//")), element
        if element.name in ("link", "iframe", "object", "embed"):
            pytest.fail(f"<{element.name}> loads something")
        if "href" in element.attributes and element.name != "a":
            assert element.attributes["href"].startswith("#")
    (policy,) = root.all("meta", http_equiv="Content-Security-Policy")
    assert policy.attributes["content"].startswith("default-src 'none'; img-src data:;")
    styles = "".join(one.text for one in root.all("style"))
    assert "url(" not in styles
    assert "@import" not in styles


def test_ids_are_unique_and_links_lead_somewhere(root) -> None:
    ids = Counter(one.attributes["id"] for one in root.inside if "id" in one.attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    for link in root.all("a"):
        if link.attributes.get("href", "").startswith("#"):
            assert link.attributes["href"][1:] in ids
    for element in root.inside:
        for key in ("aria-labelledby", "aria-describedby"):
            assert element.attributes.get(key, next(iter(ids))) in ids


def test_every_claim_of_every_run_stands_once(root, runs) -> None:
    told = Counter(item.attributes["id"] for item in root.all("li") if "id" in item.attributes)
    expected = {
        f"{run.id}-claim-{at + 1}": line.predicate
        for run in runs
        for at, line in enumerate(run.claims.itertuples())
    }
    assert told == Counter(list(expected))
    outcomes = [words for run in runs for words in in_words(run.claims)]
    shown = []
    for item in root.all("li"):
        if item.attributes.get("id") in expected:
            (code,) = item.all("code")
            assert code.text == expected[item.attributes["id"]]
            (badge,) = item.all("span", class_="badge")
            shown.append(badge.words)
    assert Counter(shown) == Counter(outcomes)
    assert "holds, narrowly" in shown


def test_every_statement_of_the_chapter_stands_on_the_first_board(root) -> None:
    board = root.all("table", class_="board")[0]
    shown = [one.words for one in board.all("span", class_="says")]
    for line in lines_of(STATEMENTS):
        assert " ".join(line["statement"].split()) in shown
    verdicts = Counter(
        row.attributes["data-verdict"]
        for row in board.all("tr", class_="entry")
        if row.attributes["data-whose"] == "chapter"
    )
    (tally,) = root.all("div", class_="tally")
    counts = [int(one.text) for one in tally.all("b")]
    assert sorted(counts) == sorted(verdicts.values())
    assert sum(counts) == len(lines_of(STATEMENTS))


def test_every_row_of_every_summary_stands_in_its_run(root, runs) -> None:
    for run in runs:
        (article,) = root.all("article", id=run.id)
        shown = sum(len(body.all("tr")) for body in article.all("tbody"))
        assert shown == len(run.numbers) == len(pd.read_csv(run.folder / "summary.csv"))


def test_images_have_words_and_tables_have_heads(root) -> None:
    for image in root.all("img"):
        assert len(image.attributes["alt"]) > 10
        assert image.attributes["src"].startswith("data:image/webp;base64,")
    for table in root.all("table"):
        heads = table.all("th", scope="col")
        rows = [row for body in table.all("tbody") for row in body.all("tr")]
        first = next(row for row in rows if not row.matches("", {"class_": "heading"}))
        cells = [one for one in first.inside if one.name in ("td", "th") and one.parent is first]
        assert len(heads) == len(cells)


def test_figures_say_what_they_show(root, runs) -> None:
    for run in runs:
        (article,) = root.all("article", id=run.id)
        figures = [f for f in article.all("figure") if f.all("img")]
        captions = [one.words for figure in figures for one in figure.all("figcaption")]
        assert len(captions) == len(figures)
        assert all(len(caption.split()) > 5 for caption in captions)


def test_data_of_the_scripts_is_json(root) -> None:
    blocks = [one for one in root.all("script") if "json" in one.attributes.get("type", "")]
    assert len(blocks) > 5
    for block in blocks:
        json.loads(block.text)


def test_runs_of_two_scales_are_kept_apart(root, runs) -> None:
    of_table = [run for run in runs if run.experiment == "transfer_table"]
    assert {run.group[0] for run in of_table} == {"chapter", "quick"}
    for run in of_table:
        (article,) = root.all("article", id=run.id)
        assert article.attributes["data-scale"] == run.group[0]
        means = {number.shown for number in run.numbers}
        rows = [row for body in article.all("tbody") for row in body.all("tr")]
        shown = {row.all("td", class_="num")[at].words for row in rows for at in (0, 1)}
        assert means <= shown | {"no number"}
    groups = [one.words for one in root.all("h3", class_="group")]
    assert len(groups) == len({run.group for run in runs}) == len(root.all("table", class_="board"))
    quick = root.all("table", class_="board")[1]
    linked = {one.attributes["href"] for one in quick.all("a")}
    assert linked
    assert all(href.startswith("#transfer_table-quick") for href in linked)


def test_versions_of_advx_are_kept_apart(tmp_path) -> None:
    for version in ("0.1.0", "0.2.0"):
        whole_run(tmp_path / version, version=version)
    root = parsed(page(select([tmp_path], SUMMARY)))
    articles = root.all("article")
    assert [one.attributes["data-version"] for one in articles] == ["0.1.0", "0.2.0"]
    assert len({one.attributes["id"] for one in articles}) == 2


def test_scales_stand_in_their_order(tmp_path) -> None:
    for scale in ("a scale of one's own", "smoke", "quick"):
        whole_run(tmp_path / scale, scale=scale)
    root = parsed(page(select([tmp_path], SUMMARY)))
    shown = [one.attributes["data-scale"] for one in root.all("article")]
    assert shown == ["quick", "smoke", "a scale of one's own"]
    assert [one.words for one in root.all("h3", class_="group")] == [
        f"scale {scale}, advx 0.1.0 1 run" for scale in shown
    ]


NASTY = "</script><script>alert(1)</script><b onclick='x'>\"&amp;$x^2$ {{ 7*7 }}"


def test_names_are_shown_and_never_run(tmp_path) -> None:
    rows = [Row("mine", NASTY, "error_rate", e, f"curve+note={NASTY}", s, 10.0 * e + s, n=1000)
            for s in range(2) for e in (0.0, 0.1, 0.2)]  # fmt: skip
    claims = [{"claim": NASTY, "says": NASTY, "source": NASTY, "predicate": "`b` < 5"}]
    whole_run(tmp_path / "run", "mine", title=NASTY, rows=rows, claims=claims, deviations=[NASTY],
              command=f"advx run note={NASTY}")  # fmt: skip
    text = page(select([tmp_path], SUMMARY))
    assert "<script>alert" not in text
    assert "<b onclick" not in text
    assert "49" not in re.findall(r"\{\{[^}]*\}\}|\b49\b", text)
    root = parsed(text)
    (claim,) = [one for one in root.all("li") if one.attributes.get("id") == "mine-quick-claim-1"]
    assert NASTY in claim.text
    data = [json.loads(one.text) for one in root.all("script") if "json" in
            one.attributes.get("type", "")]  # fmt: skip
    assert any(NASTY in json.dumps(block, ensure_ascii=False).replace('\\"', '"') for block in data)


def test_an_image_that_is_damaged_is_left_out(tmp_path) -> None:
    folder = whole_run(tmp_path / "run")
    (folder / "figure.png").write_bytes(b"\x89PNG damaged")
    (folder / "arrays.npz").write_bytes(b"PK damaged")
    assert parsed(page(select([tmp_path], SUMMARY))).all("img") == []


DRAWN_BY = ["windows", "predictive", "collapse", "samples", "imperceptible", "linearity"]


@pytest.mark.parametrize("drawn_by", DRAWN_BY)
@pytest.mark.parametrize("options", ["{}", "[]", '{"places": ["neither"], "settings": {}}'])
def test_arrays_of_another_version_cost_only_the_explorer(tmp_path, drawn_by, options) -> None:
    name = {"windows": "church_windows", "predictive": "predictive_gan"}.get(drawn_by, drawn_by)
    folder = whole_run(tmp_path / "run", name)
    arrays = {"points_neither": np.zeros((2, 3, 2)), "snapshots": np.zeros(3), "epochs": [0, 1]}
    arrays |= dict.fromkeys([*flicker.NEEDED, *logits.NEEDED], np.zeros((2, 3, 4)))
    np.savez(folder / "arrays.npz", drawn_by=drawn_by, options=options, **arrays)
    root = parsed(page(select([tmp_path], SUMMARY)))
    assert root.all("section", class_="explorer") == []
    assert len(root.all("article")) == 1


def test_what_a_missing_package_brings_is_said(tmp_path, monkeypatch) -> None:
    whole_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(ImportError, match="vl-convert-python is not installed"):
        page(select([tmp_path], SUMMARY))


def ids_of(runs: list[RunRead]) -> list[str]:
    return [run.id for run in runs]


def test_the_order_is_the_chapters(root, runs) -> None:
    assert [one.attributes["id"] for one in root.all("article")] == ids_of(runs)
    sections = [run.section for run in runs]
    assert sections == sorted(sections, key=lambda section: (section == "beyond", section))


def test_the_assets_are_in_the_package() -> None:
    import advx.report.page

    assets = Path(advx.report.page.__file__).parent / "assets"
    assert {path.suffix for path in assets.iterdir()} == {".css", ".js", ".j2", ".png"}
