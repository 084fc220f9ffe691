"""What an experiment says that it measures, and what its claims and rows name, compared.

The module of an experiment's `main` may offer, beside it, a function `cells`: a generator of
`advx.config.cells.Cells`. Its parameters are called like the configuration's top-level keys, and
are given their values, as those of `main` are. A claim or a row of the YAML that names anything
else is refused before anything is trained.
"""

import difflib
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

    Raises:
        ConfigError: a number would be measured twice, and be taken for two.
    """
    function = _function(main)
    if function is None:
        return None
    names = inspect.signature(function).parameters
    given = with_configs({name: config[name] for name in names if name in config})
    known: dict[Cell, bool] = {}
    for part in function(**given):
        counted = Counter(part)
        (most, count), *_ = counted.most_common(1) or [(None, 0)]
        if count > 1:
            raise ConfigError(
                f"{most} would be measured twice; valid: each size and setting once, and a name of "
                "its own for each row"
            )
        known |= dict.fromkeys(counted, part.always)
    return known


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
    if known is None:
        return
    unknown = [each for each in _mentions(config) if each.cell not in known]
    if not unknown:
        return
    try:
        chapter = composed([f"experiment={config['experiment']}", "scale=chapter"])
    except Exception:  # an experiment of one's own may need more words than these
        return
    known |= declared(*chapter) or {}
    shipped = [*_mentions(chapter[0])]
    unsound = {each.identity for each in shipped if each.cell not in known}
    untested = {each.identity for each in shipped} - unsound
    for each in unknown:
        if each.cell not in known and each.identity not in untested:
            valid = [str(other) for other in known]
            (close,) = difflib.get_close_matches(str(each.cell), valid, n=1, cutoff=0)
            raise ConfigError(
                f"{each.place}: {each.cell} is not measured; the nearest that is: {close}"
            )


@dataclass(frozen=True)
class _Mention:
    """A cell that a claim or a row of the configuration names.

    Attributes:
        place: where the claim or the row stands.
        identity: what tells it from the others under any settings: a claim's name, and all of a
            row but the name of the model.
        cell: that it names.
    """

    place: str
    identity: str
    cell: Cell


def _mentions(config: Composed) -> Iterator[_Mention]:
    for index, claim in enumerate(config.get("claims") or []):
        name = f"claim {claim['claim']!r}"
        for cell in predicate_of(claim).cells.values():
            yield _Mention(f"claims.{index}: {name}", name, cell)
    for index, row in enumerate(config.get("rows") or []):
        cell = listed_cell(row)
        identity = f"row {cell.metric} {cell.epsilon} {cell.setting} {row.get('chapter')}"
        yield _Mention(f"rows.{index}", identity, cell)
