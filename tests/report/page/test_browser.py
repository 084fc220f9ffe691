"""The page of the reference runs in a browser: errors, requests, filters, sliders, accessibility.

Where the browser or its driver is missing these tests are skipped.
"""

import json
import re
import time
from collections.abc import Iterator

import numpy as np
import pytest

from advx.figures.saved import load
from advx.report.markdown import words
from advx.report.numbers import short
from advx.report.page.runs import RunRead
from advx.report.page.scoreboard import boards
from tests.paths import REFERENCE
from tests.report.page.opened import (
    BROWSER,
    NO_BROWSER,
    NO_DRIVER,
    PATIENCE,
    Opened,
    opening,
    slide,
)

pytestmark = [
    pytest.mark.xdist_group("page"),
    pytest.mark.skipif(not BROWSER, reason=NO_BROWSER),
]


@pytest.fixture
def opened(browser, reference_page) -> Iterator[Opened]:
    with opening(browser, reference_page) as made:
        yield made


def test_it_opens_and_asks_for_nothing(opened, record_property, capsys) -> None:
    timing = opened.page.evaluate(
        "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
    )
    record_property("seconds_to_load", timing)
    with capsys.disabled():
        print(f"\nthe reference page loads in {timing:.2f} s")
    assert "run again" in opened.page.title()


def test_the_filters_show_what_python_counts(opened, runs) -> None:
    page = opened.page
    entries = [entry for board in boards(runs) for entry in board.entries]
    visible = page.locator("#scoreboard tr.entry:visible")
    said = page.locator("#filter-count")

    def check(expected: int) -> None:
        assert said.text_content() == f"{expected} of {len(entries)} statements"
        assert visible.count() == expected

    opened.see("#filters")
    check(len(entries))
    page.check("#filter-seed")
    check(sum(entry.one_seed for entry in entries))
    page.uncheck("[name=verdict][value=holds]")
    check(sum(entry.one_seed and entry.verdict != "holds" for entry in entries))
    page.click("#filters [type=reset]")
    whole = re.compile(f"^{len(entries)} ")
    sync_api = pytest.importorskip("playwright.sync_api", reason=NO_DRIVER)
    sync_api.expect(page.locator("#filter-count")).to_have_text(whole, timeout=PATIENCE)
    page.select_option("#filter-section", "1.2.7")
    check(sum(entry.section == "1.2.7" for entry in entries))
    page.select_option("#filter-whose", "ours")
    check(sum(entry.section == "1.2.7" and entry.whose == "ours" for entry in entries))
    page.select_option("#filter-section", "")
    page.select_option("#filter-whose", "")
    page.fill("#filter-text", "Distillation gradient")
    found = page.locator("#scoreboard tr.entry:visible").all_text_contents()
    assert found
    assert all("distillation" in text.lower() and "gradient" in text.lower() for text in found)
    page.fill("#filter-text", "no such words anywhere")
    check(0)


def test_without_scripts_every_statement_is_shown(browser, reference_page, runs) -> None:
    made = Opened(browser, reference_page, java_script_enabled=False)
    entries = sum(len(board.entries) for board in boards(runs))
    assert made.page.locator("#scoreboard tr.entry:visible").count() == entries
    assert not made.page.locator("#filters").is_visible()
    assert made.page.locator(".dispute:visible").count() == made.page.locator(".dispute").count()
    made.page.locator("details.every summary").first.click()
    assert made.page.locator("details.every table:visible").count() == 1
    made.context.close()


def test_the_church_windows_are_the_arrays(opened) -> None:
    page = opened.page
    _, arrays, options = load(REFERENCE / "church_windows")
    root = opened.see("#windows")
    page.wait_for_selector("#windows[data-pair]")
    side = arrays["maps_fgsm_random"].shape[1]
    half = (side - 1) // 2
    one = page.locator(".windows-one > canvas").first
    told = page.locator(".windows-one .readout")
    all_windows = page.locator(".windows-all > canvas").first
    for pair, window in (("fgsm_random", 0), ("random_random", 37), ("fgsm_gradient", 99)):
        page.check(f"input[name=window-pair][value={pair}]", force=True)
        page.wait_for_selector(f"#windows[data-pair={pair}]")
        all_windows.focus()
        now = int(root.get_attribute("data-chosen"))
        for key, step in (("ArrowDown", 10), ("ArrowRight", 1)):
            while window - now >= step:
                page.keyboard.press(key)
                now += step
        assert root.get_attribute("data-chosen") == str(window)
        classes = arrays[f"maps_{pair}"][window]
        label = int(arrays["labels"][window])
        for row, column in ((half, half), (0, side - 1), (side - 1, 3), (half - 20, half + 40)):
            one.scroll_into_view_if_needed()
            box = one.bounding_box()
            one.hover(position={"x": (column + 0.5) / side * box["width"],
                                "y": (row + 0.5) / side * box["height"]})  # fmt: skip
            found = int(classes[row, column])
            assert told.get_attribute("data-class") == str(found)
            h = options["epsilon"] * (2 * column / (side - 1) - 1)
            text = told.text_content()
            assert text.startswith(f"h {h:.3f}".replace("-", "−"))
            assert options["class_names"][found] in text
            assert ("the right class" in text) == (found == label)
        shares = page.locator(".classes li").all_text_contents()
        counts = {k: int((classes == k).sum()) for k in np.unique(classes).tolist()}
        names = options["class_names"]
        expected = {f"{names[k]} {100 * n / side**2:.1f}%" for k, n in counts.items()}
        assert set(shares) == expected


def moves(run) -> bool:
    """Whether a run keeps what its game made after several epochs: images, or points."""
    return run.drawn is not None and bool({"snapshots", "points_neither"} & set(run.drawn[1]))


def test_the_games_go_through_their_epochs(opened, runs) -> None:
    page = opened.page
    opened.see("#motion")
    page.wait_for_selector("#motion[data-epoch]")
    root = page.locator("#motion")
    titles = {run.title: run for run in runs}
    labels = page.locator("#motion option").all_text_contents()
    shown = [titles[label.strip()] for label in labels]
    assert {run.found.name for run in shown} == {run.found.name for run in runs if moves(run)}
    for label, run in zip(labels, shown, strict=True):
        epochs = run.drawn[1]["epochs"].tolist()
        page.select_option("#motion select", label=label.strip())
        assert root.get_attribute("data-epoch") == str(epochs[-1])
        for at in (0, len(epochs) // 2):
            slide(page, "#motion input[type=range]", at)
            assert root.get_attribute("data-epoch") == str(epochs[at])
        if f"points_{'neither'}" in run.drawn[1]:
            modes = run.drawn[1]["grown_neither, non-saturating, k = 1"][0, len(epochs) // 2]
            text = page.locator("#motion figcaption").first.text_content()
            assert f"{modes:g} of 8 modes" in text
    assert page.locator("#motion canvas, #motion .frames").count() >= 1


def test_the_weight_shows_the_means(opened) -> None:
    page = opened.page
    _, arrays, options = load(REFERENCE / "predictive_gan")
    opened.see("#weights")
    for setting in ("", "ears_on_all+short"):
        page.select_option("#weights select", setting)
        for at, weight in enumerate(arrays["weights"].tolist()):
            slide(page, "#weights input[type=range]", at)
            assert page.locator("#weights output").text_content() == f"{weight:g}"
            for measure, label in options["measures"].items():
                mean = arrays[f"{measure} {setting}"].mean(0)[at]
                shown = page.locator(f"#weights [data-measure={measure}] .value").text_content()
                assert shown == short(float(mean), "percent" if "%" in label else "")


def test_the_defenses_move_to_their_errors(opened, runs) -> None:
    page = opened.page
    run: RunRead = next(run for run in runs if run.experiment == "defenses")
    opened.see("#defenses")
    rates = {
        (words(number.cell.row), number.cell.epsilon): number.mean
        for number in run.numbers
        if (number.cell.metric, number.cell.setting) == ("strongest_error_rate", "")
    }
    page.emulate_media(reduced_motion="reduce")
    for size in ("0.1", "0.25"):
        page.check(f"input[name=defense-size][value='{size}']", force=True)
        page.check("input[name=defense-attack][value=strongest]", force=True)
        rows = page.locator("#defenses tbody tr:visible")
        assert rows.count() == 11
        for at in range(rows.count()):
            name = rows.nth(at).locator("th").text_content()
            cell = rows.nth(at).locator("td[data-attack=strongest]").text_content()
            assert cell == short(rates[name, float(size)], "percent")
            place = rows.nth(at).evaluate(
                "row => { const d = row.querySelector('.dot').getBoundingClientRect(),"
                " l = row.querySelector('.fall-line').getBoundingClientRect();"
                " return 100 * (d.left + d.width / 2 - l.left) / l.width; }"
            )
            assert place == pytest.approx(float(cell), abs=0.6)


def test_the_curves_are_drawn_with_their_numbers(opened, runs) -> None:
    page = opened.page
    selector = "[data-charts='adversarial_training-chapter']"
    opened.see(selector)
    page.wait_for_selector(f"{selector}[data-drawn]")
    charts = page.locator(f"{selector} .chart svg")
    assert charts.count() == 2
    labels = page.eval_on_selector_all(
        f"{selector} svg [aria-roledescription]",
        "all => all.map(e => e.getAttribute('aria-label'))",
    )
    run = next(run for run in runs if run.experiment == "adversarial_training")
    drawn = ("fgsm_error_rate", "curve")
    some = [n.mean for n in run.numbers if (n.cell.metric, n.cell.setting) == drawn]
    assert len(some) == 4 * 7  # networks and sizes of the perturbation
    text = " ".join(filter(None, labels))
    for mean in some:
        assert f"percent: {mean:.2f}" in text
    button = page.locator(f"{selector} button").nth(1)
    button.click()
    assert button.get_attribute("aria-pressed") == "true"


def test_light_and_dark(browser, reference_page) -> None:
    for scheme, other in (("light", "dark"), ("dark", "light")):
        made = Opened(browser, reference_page, color_scheme=scheme)
        color = "getComputedStyle(document.body).backgroundColor"
        first = made.page.evaluate(color)
        made.page.click("#theme")
        second = made.page.evaluate(color)
        assert first != second
        assert made.page.locator("html").get_attribute("data-theme") == other
        assert made.wrong == []
        made.context.close()


@pytest.mark.parametrize("width", [390, 900, 1600])
def test_nothing_is_wider_than_the_window(browser, reference_page, width) -> None:
    made = Opened(browser, reference_page, viewport={"width": width, "height": 900})
    for place in ("top", "windows", "motion", "weights", "scoreboard", "defenses-chapter"):
        made.page.evaluate(f"document.getElementById('{place}').scrollIntoView()")
        made.page.wait_for_timeout(100)
    assert made.page.evaluate("document.documentElement.scrollWidth") == width
    made.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(browser, reference_page, scheme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core here")
    made = Opened(browser, reference_page, color_scheme=scheme)
    for place in ("windows", "motion", "weights", "adversarial_training-chapter"):
        made.page.evaluate(f"document.getElementById('{place}').scrollIntoView()")
        made.page.wait_for_timeout(300)
    began = time.monotonic()
    found = axe.Axe().run(made.page, options={"resultTypes": ["violations"], "preload": False})
    assert time.monotonic() - began < PATIENCE
    bad = [
        (one["id"], one["impact"], len(one["nodes"]), one["nodes"][0]["html"][:160])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert bad == [], json.dumps(bad, indent=1)
    made.context.close()
