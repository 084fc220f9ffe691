"""What an experiment says that it measures, and what its claims and rows name, compared.

The module of an experiment's `main` may offer, beside it, a function `cells`: a generator of
`advx.config.cells.Cells`. Its parameters are called like the configuration's top-level keys, and
are given their values, as those of `main` are. A claim or a row of the YAML that names anything
else is refused before anything is trained.
"""

import difflib
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

from advx.config.cells import Cell
from advx.config.claims import listed_cell, predicate_of
from advx.config.compose import composed
from advx.config.config import with_configs
from advx.config.documents import Composed
from advx.errors import ConfigError


def declared(config: Composed, main: Any) -> dict[Cell, bool] | None:
    """The cells that an experiment makes, each with whether it always does.

    Args:
        config: resolved.
        main: the experiment's.

    Returns:
        None where the experiment does not say.
    """
    function = _function(main)
    if function is None:
        return None
    names = inspect.signature(function).parameters
    given = with_configs({name: config[name] for name in names if name in config})
    return {cell: part.always for part in function(**given) for cell in part}


def _function(main: Any) -> Callable[..., Any] | None:
    """`cells` of the module that defines `main`; not one that it imports."""
    module = getattr(main, "__module__", None)
    function = getattr(sys.modules.get(module or ""), "cells", None)
    return function if getattr(function, "__module__", None) == module else None


def check_declared(config: Composed, main: Any) -> None:
    """Refuse claims and rows that name what the experiment does not measure.

    What it measures at `scale=chapter` counts too: a smaller scale may leave rows out on purpose.

    Raises:
        ConfigError: the first one, and the cell that is nearest to it.
    """
    known = declared(config, main)
    unknown = [] if known is None else [each for each in _named(config) if each[1] not in known]
    if known is None or not unknown:
        return
    try:
        chapter = composed([f"experiment={config['experiment']}", "scale=chapter"])
    except Exception:  # an experiment of one's own may need more words than these
        return
    known |= declared(*chapter) or {}
    for where, cell in unknown:
        if cell not in known:
            valid = [str(other) for other in known]
            (close,) = difflib.get_close_matches(str(cell), valid, n=1, cutoff=0)
            raise ConfigError(f"{where}: {cell} is not measured; the nearest that is: {close}")


def _named(config: Composed) -> Iterator[tuple[str, Cell]]:
    """Every cell that a claim or a row names, and where."""
    for index, claim in enumerate(config.get("claims") or []):
        for cell in predicate_of(claim).cells.values():
            yield f"claims.{index}: claim {claim['claim']!r}", cell
    for index, row in enumerate(config.get("rows") or []):
        yield f"rows.{index}", listed_cell(row)
