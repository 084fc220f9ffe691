"""The page of the reference runs, made once for the tests that read it."""

from pathlib import Path

import pytest

from advx.report.page.render import page
from advx.report.page.runs import RunRead, read
from advx.report.pages import SUMMARY
from advx.report.selection import Selection, select
from tests.paths import REFERENCE


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
