"""A page in a browser: Debian's chromium, or what `CHROMIUM` names."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

NO_BROWSER = "no chromium here: apt-get install chromium"
NO_DRIVER = "no driver of browsers here: pip install playwright"
"""Why tests are skipped."""

PATIENCE = 180_000
"""Milliseconds that a step may take where other processes have the processor."""


class Opened:
    """The page in a window of its own, with all that went wrong there."""

    def __init__(self, browser: Any, path: Any, **window: Any) -> None:
        self.context = browser.new_context(
            **({"viewport": {"width": 1400, "height": 900}} | window)
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.wrong: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self.asked)
        self.page.goto(path.as_uri())

    def asked(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.wrong.append(request.url)

    def see(self, selector: str) -> Any:
        """Scroll to an element, so that what is drawn late is drawn."""
        found = self.page.locator(selector).first
        found.scroll_into_view_if_needed()
        return found


@contextmanager
def opening(browser: Any, path: Any) -> Iterator[Opened]:
    """The page in a window, closed after; nothing may have gone wrong there."""
    made = Opened(browser, path)
    yield made
    wrong = made.wrong[:]
    made.context.close()
    assert wrong == []


def slide(page: Any, selector: str, at: float) -> None:
    """Move a slider to a place."""
    page.eval_on_selector(
        selector,
        "(slider, at) => { slider.value = at;"
        " slider.dispatchEvent(new Event('input', {bubbles: true})); }",
        at,
    )


def pixels(page: Any, selector: str) -> np.ndarray:
    """What a canvas shows, (height, width, 3)."""
    levels, width = page.eval_on_selector(
        selector,
        """canvas => {
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, 0, 0);
          return [[...context.getImageData(0, 0, copy.width, copy.height).data], copy.width];
        }""",
    )
    return np.array(levels).reshape(-1, width, 4)[..., :3]
