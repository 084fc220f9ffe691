"""The pages of the reference runs, made once for the tests that read them, and their browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advx.report.page.render import page
from advx.report.page.runs import RunRead, read
from advx.report.pages import SUMMARY
from advx.report.selection import Selection, select
from tests.paths import REFERENCE
from tests.report.page.opened import BROWSER, NO_DRIVER
from tests.report.page.trained import write_networks


@pytest.fixture(scope="session")
def selection() -> Selection:
    return select([REFERENCE], SUMMARY)


@pytest.fixture(scope="session")
def runs(selection) -> list[RunRead]:
    return read(selection)


@pytest.fixture(scope="session")
def reference_page(selection, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "reference.html"
    path.write_text(page(selection), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder of small networks, of every kind that the page computes with."""
    folder = tmp_path_factory.mktemp("models")
    write_networks(folder)
    return folder


@pytest.fixture(scope="session")
def explorers_page(models, tmp_path_factory) -> Path:
    """A page of few runs, with networks of its own."""
    names = ("label_smoothing", "adversarial_training", "imperceptible", "linearity")
    some = select([REFERENCE / name for name in names], SUMMARY)
    path = tmp_path_factory.mktemp("page") / "explorers.html"
    path.write_text(page(some, models), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason=NO_DRIVER)
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()
