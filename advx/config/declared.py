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
    So do the experiment's own claims and rows, which its settings may leave without a number: they
    are not tested then, and the summary says so.

    Raises:
        ConfigError: the first one, and the cell that is nearest to it.
    """
    known = declared(config, main)
    unknown = [] if known is None else [e for e in _placed(config) if e[1][1] not in known]
    if known is None or not unknown:
        return
    try:
        chapter = composed([f"experiment={config['experiment']}", "scale=chapter"])
    except Exception:  # an experiment of one's own may need more words than these
        return
    known |= declared(*chapter) or {}
    listed = list(_named(chapter[0]))
    sound = {name for name, cell in listed if all(c in known for n, c in listed if n == name)}
    for place, (name, cell) in unknown:
        if cell not in known and name not in sound:
            valid = [str(other) for other in known]
            (close,) = difflib.get_close_matches(str(cell), valid, n=1, cutoff=0)
            raise ConfigError(f"{place}: {cell} is not measured; the nearest that is: {close}")


def _named(config: Composed) -> Iterator[tuple[str, Cell]]:
    """Every cell that a claim or a row names, each under what tells it from the others.

    That is a claim's name, and all of a row but the name of the model, which settings may change.
    """
    for claim in config.get("claims") or []:
        for cell in predicate_of(claim).cells.values():
            yield f"claim {claim['claim']!r}", cell
    for row in config.get("rows") or []:
        cell = listed_cell(row)
        yield f"row {cell.metric} {cell.epsilon} {cell.setting} {row.get('chapter')}", cell


def _placed(config: Composed) -> Iterator[tuple[str, tuple[str, Cell]]]:
    """The same with where it stands in the configuration."""
    claims, rows = config.get("claims") or [], config.get("rows") or []
    for index, claim in enumerate(claims):
        for named in _named({"claims": [claim]}):
            yield f"claims.{index}: claim {claim['claim']!r}", named
    for index, row in enumerate(rows):
        for named in _named({"rows": [row]}):
            yield f"rows.{index}", named
