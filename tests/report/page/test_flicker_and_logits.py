"""Flicker and the slider of logits in a browser, against the arrays that they are made of."""

import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from advx.figures.saved import load
from advx.report.page.explorers.logits import APART, HEIGHT, changes, spread
from advx.report.page.render import page
from advx.report.pages import SUMMARY
from advx.report.selection import select
from tests.paths import REFERENCE
from tests.report.page.opened import BROWSER, NO_BROWSER, Opened, opening, pixels, slide

pytestmark = [
    pytest.mark.xdist_group("page"),
    pytest.mark.skipif(not BROWSER, reason=NO_BROWSER),
]


@pytest.fixture
def opened(browser, explorers_page) -> Iterator[Opened]:
    with opening(browser, explorers_page) as made:
        yield made


def test_flicker_shows_the_images_and_their_classes(opened) -> None:
    page = opened.page
    _, arrays, options = load(REFERENCE / "imperceptible")
    opened.see("#flicker")
    names = options["class_names"]
    clean = 255 * arrays["images"].transpose(0, 2, 3, 1).astype(float)
    moved = 255 * arrays["perturbed"].transpose(0, 2, 3, 1).astype(float)
    for example in (0, 7):
        page.locator(".flicker-picks button").nth(example).click()
        for which in (0, 1):
            page.check(f"[name=flicker-shown][value='{which}']", force=True)
            for power in (0, 5):
                slide(page, "[name=flicker-strength]", power)
                wanted = clean[example] + which * 2**power * (moved - clean)[example]
                shown = pixels(page, "#flicker .large")
                assert np.abs(shown - wanted.clip(0, 255)).max() <= 0.51
        said = page.locator(".flicker-classes li")
        for at, when in enumerate(("before", "after")):
            name = names[arrays[f"predicted_{when}"][example]]
            share = f"{100 * arrays[f'confidence_{when}'][example]:.1f}%"
            assert said.nth(at).locator("b").text_content() == name
            assert said.nth(at).locator(".figure").text_content() == share
        assert names[arrays["labels"][example]] in page.locator(".truth").text_content()
        assert "η once" in page.locator(".truth").text_content()


def test_flicker_magnifies_where_the_reader_points(opened) -> None:
    page = opened.page
    _, arrays, _ = load(REFERENCE / "imperceptible")
    clean = np.rint(255 * arrays["images"][0]).astype(int)
    moved = np.rint(255 * arrays["perturbed"][0]).clip(0, 255).astype(int)
    large = opened.see("#flicker .large")
    box = large.bounding_box()
    side = box["width"] / 32
    large.hover(position={"x": 9.5 * side, "y": 20.5 * side})
    large.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    before, after = (", ".join(map(str, x[:, 21, 8])) for x in (clean, moved))
    readout = page.locator("#flicker .readout").text_content()
    assert readout == f"Row 21, column 8: x {before}; x + η {after}"
    for at, levels in enumerate((clean, moved)):
        lens = pixels(page, f"[data-lens='{at}']")
        assert (lens == levels[:, 17:26, 4:13].transpose(1, 2, 0)).all()


def test_flicker_takes_turns_and_stops(opened) -> None:
    page = opened.page
    opened.see("#flicker")
    play = page.locator("#flicker .play")
    slide(page, "[name=flicker-rate]", 6)
    play.click()
    for which in "1010":
        page.wait_for_selector(f"#flicker[data-which='{which}']")
    play.click()
    assert play.text_content() == "Play"
    at = page.locator("#flicker").get_attribute("data-which")
    page.wait_for_timeout(500)
    assert page.locator("#flicker").get_attribute("data-which") == at
    assert float(page.locator("[name=flicker-rate]").get_attribute("max")) <= 6  # 3 flashes


def test_with_less_motion_flicker_is_switched_by_hand(browser, explorers_page) -> None:
    made = Opened(browser, explorers_page, reduced_motion="reduce")
    made.see("#flicker")
    assert not made.page.locator("#flicker .play").is_visible()
    assert not made.page.locator("[name=flicker-rate]").is_visible()
    assert "less motion" in made.page.locator("#flicker .still").text_content()
    made.page.check("[name=flicker-shown][value='1']", force=True)
    assert made.page.locator("#flicker").get_attribute("data-which") == "1"
    assert made.wrong == []
    made.context.close()


def test_the_slider_shows_logits_and_tangents(opened) -> None:
    page = opened.page
    _, arrays, options = load(REFERENCE / "linearity")
    root = opened.see("#logits")
    sizes, names = arrays["sizes"], options["class_names"]
    reach = np.abs(sizes).max()
    for at in (100, 0, 109, 140, 200):
        slide(page, "[name=logits-at]", at)
        logits, tangents = arrays["logits"][at], arrays["tangents"][at]
        assert root.get_attribute("data-class") == str(logits.argmax())
        assert root.get_attribute("data-tangent") == str(tangents.argmax())
        text = page.locator("#logits .said").text_content()
        assert text.startswith(f"The network says {names[logits.argmax()]}, ")
        assert ("so do" in text) == (logits.argmax() == tangents.argmax())
        lines = page.locator("#logits tbody tr")
        assert lines.count() == 4
        for rank, best in enumerate(np.argsort(-logits)[:4].tolist()):
            name, here, there = lines.nth(rank).locator("th, td").all_text_contents()
            assert name == names[best]
            assert float(here.replace("−", "-")) == pytest.approx(logits[best], abs=0.006)
            assert float(there.replace("−", "-")) == pytest.approx(tangents[best], abs=0.006)
        image = arrays["image"][0] + sizes[at] * arrays["sign"][0]
        wanted = 255 * (image + reach) / (1 + 2 * reach)
        assert np.abs(pixels(page, "#logits canvas") - wanted[..., None]).max() <= 0.51


def test_the_network_and_its_tangents_are_told_apart(browser, tmp_path) -> None:
    """On arrays whose tangents are another class's: the reference run's change at the same ε."""
    folder = tmp_path / "linearity"
    shutil.copytree(REFERENCE / "linearity", folder)
    with np.load(folder / "arrays.npz") as file:
        arrays = dict(file)
    arrays["tangents"] = np.roll(arrays["tangents"], 3, axis=1)
    np.savez(folder / "arrays.npz", **arrays)
    path = tmp_path / "page.html"
    path.write_text(page(select([folder], SUMMARY)), encoding="utf-8")
    made = Opened(browser, path)
    made.see("#logits")
    slide(made.page, "[name=logits-at]", 200)
    said = made.page.locator("#logits .said").text_content()
    network, linear = (arrays[name][200].argmax() for name in ("logits", "tangents"))
    assert said == f"The network says {network}, the tangents {linear}."
    assert made.page.locator("#digits").count() == 0
    assert made.wrong == []
    made.context.close()


def test_the_chart_is_the_arrays(opened) -> None:
    _, arrays, options = load(REFERENCE / "linearity")
    curves = opened.page.eval_on_selector_all(
        "#logits .curve",
        "all => all.map(c => [c.parentElement.textContent, [...c.points].map(p => [p.x, p.y])])",
    )
    assert sorted(name for name, _ in curves) == sorted(options["class_names"])
    drawn = {name: np.array(points)[:, 1] for name, points in curves}
    shown = np.stack([drawn[name] for name in options["class_names"]], 1)
    slope, start = np.polyfit(arrays["logits"].ravel(), shown.ravel(), 1)
    assert slope < 0
    assert np.abs(slope * arrays["logits"] + start - shown).max() < 0.1


def test_stretches_and_names() -> None:
    sizes = np.array([-0.5, 0, 0.25, 0.5])
    logits = np.array([[1, 0], [1, 0], [0, 1], [3, 1]])
    assert changes(sizes, logits, ["a", "b"]) == [
        ("a", "−0.5", "0"),
        ("b", "0.25", "0.25"),
        ("a", "0.5", "0.5"),
    ]
    places = spread([HEIGHT - 5.0, 50.0, 51.0, HEIGHT - 4.0], APART)
    assert sorted(places) == [places[1], places[2], places[0], places[3]]
    assert np.diff(sorted(places)).min() >= APART
    assert max(places) <= HEIGHT


@pytest.mark.parametrize("width", [390, 900, 1600])
def test_no_explorer_is_wider_than_the_window(browser, explorers_page, width) -> None:
    made = Opened(browser, explorers_page, viewport={"width": width, "height": 900})
    for name in ("digits", "flicker", "logits"):
        made.see(f"#{name}")
        made.page.wait_for_timeout(100)
    assert made.page.evaluate("document.documentElement.scrollWidth") == width
    made.context.close()


def test_without_scripts_there_are_tables(browser, explorers_page) -> None:
    made = Opened(browser, explorers_page, java_script_enabled=False)
    assert made.page.locator("#flicker tbody tr:visible").count() == 10
    assert made.page.locator("#digits tbody tr:visible").count() == 3
    assert made.page.locator("#logits svg").is_visible()
    assert not made.page.locator("#digits .pad").is_visible()
    made.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_explorers_are_accessible(browser, explorers_page, scheme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core here")
    made = Opened(browser, explorers_page, color_scheme=scheme)
    for name in ("digits", "flicker", "logits"):
        made.see(f"#{name}")
    made.page.wait_for_selector("#digits[data-shown]")
    found = axe.Axe().run(made.page, options={"resultTypes": ["violations"], "preload": False})
    bad = [
        (one["id"], one["impact"], one["nodes"][0]["html"][:160])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert bad == []
    made.context.close()
