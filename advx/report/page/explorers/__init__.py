"""What a reader turns by hand: each explorer is a Python file, a template and a script of one name.

`NAME.py` has a function `explorer(runs)`, which makes what the explorer shows or says that the runs
lack it; `../assets/NAME.html.j2` shows it, whole without a script; `../assets/NAME.js` moves it.
"""

from collections.abc import Sequence

from advx.report.page.explorers import defenses, disputed, motion, weights, windows
from advx.report.page.explorers.explorer import Explorer
from advx.report.page.runs import RunRead

EXPLORERS = (disputed, defenses, windows, motion, weights)
"""In the order of the page."""


def explorers(runs: Sequence[RunRead]) -> list[Explorer]:
    """Those that the runs have the rows and arrays for."""
    made = []
    for module in EXPLORERS:
        try:
            explorer = module.explorer(runs)
        except (LookupError, TypeError, ValueError):
            continue  # arrays of another version: the figures are shown all the same
        if explorer is not None:
            made.append(explorer)
    return made
