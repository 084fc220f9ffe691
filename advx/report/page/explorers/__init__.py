"""What a reader turns by hand: each explorer is a Python file, a template and a script of one name.

`NAME.py` has a function `explorer(runs)`, which makes what the explorer shows or says that the runs
lack it; `../assets/NAME.html.j2` shows it, whole without a script; `../assets/NAME.js` moves it.
"""

from collections.abc import Sequence

from advx.report.page.explorers import (
    defenses,
    digits,
    disputed,
    flicker,
    logits,
    motion,
    weights,
    windows,
)
from advx.report.page.explorers.explorer import Explorer
from advx.report.page.networks import Networks
from advx.report.page.runs import RunRead

EXPLORERS = (disputed, defenses, flicker, logits, windows, motion, weights)
"""In the order of the page, after the one that needs networks."""


def explorers(runs: Sequence[RunRead], networks: Networks) -> list[Explorer]:
    """Those that the runs have the rows and arrays for; first what networks of the page answer."""
    made = [digits.explorer(runs, networks)]
    for module in EXPLORERS:
        try:
            made.append(module.explorer(runs))
        except (LookupError, TypeError, ValueError):
            continue  # arrays of another version: the figures are shown all the same
    return [explorer for explorer in made if explorer is not None]
