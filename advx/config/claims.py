"""The rows and claims that an experiment's YAML lists, read before anything is trained."""

import math
from collections.abc import Iterator

from advx.config.cells import Cell
from advx.config.documents import Claim, Composed, ListedRow, Node
from advx.config.predicate import EXAMPLE, Predicate, PredicateError, parse
from advx.errors import ConfigError, nearest

CLAIM_KEYS = ("claim", "says", "source", "predicate", "added", "changed", "fewer_seeds")
"""`source` is `chapter`, another paper ("Goodfellow et al. 2014b"), or ours where none is named.
`added` says when and why a claim joined the list after the first run; `changed` lists the
predicates and sentences that it had, each {date, was, said, why} with at least one of the middle
two. `fewer_seeds` says why it is tested in fewer seeds than the run has."""

CELL_KEYS = ("row", "metric", "epsilon", "setting")
ROW_KEYS = (*CELL_KEYS, "chapter", "published", "source", "note", "direction", "set", "judged")
"""The first four name the number. `chapter` is the chapter's figure, `published` that of the paper
that `source` names. `set` marks what the protocol fixes and no run measures: it gets no verdict."""

CHANGE_KEYS = ("date", "was", "said", "why")

CHAPTER, OURS = "chapter", "ours"
"""Sources of claims that are no paper's."""


def check_claims(config: Composed) -> None:
    """Check the listed claims and rows: keys, predicates, and that a `direction` names a claim.

    Raises:
        ConfigError: the first one that is wrong.
    """
    names: list[str] = []
    for at, entry in _entries(config, "claims", CLAIM_KEYS, ("claim", "predicate")):
        predicate_of(entry, at)
        _check_history(entry, at)
        if entry["claim"] in names:
            raise ConfigError(f"{at}.claim={entry['claim']}: listed twice; each needs its own name")
        names.append(entry["claim"])
    listed = set()
    for at, entry in _entries(config, "rows", ROW_KEYS, ("row", "metric")):
        _check_row(entry, at, names)
        cell = listed_cell(entry)
        if cell in listed:
            raise ConfigError(f"{at}: {cell} is listed twice")
        listed.add(cell)


def _check_row(entry: Node, at: str, claims: list[str]) -> None:
    """Check one entry of `rows`.

    Args:
        entry: with a row and a metric.
        at: where it stands ("rows.0").
        claims: names of the claims.

    Raises:
        ConfigError: a value of the wrong kind, or a `direction` that names no claim.
    """
    for key in ("epsilon", "chapter", "published"):
        figure = entry.get(key)
        if isinstance(figure, bool) or not isinstance(figure, int | float | None):
            raise ConfigError(f"{at}.{key}={figure}: a number is needed")
        if figure is not None and not math.isfinite(figure):
            raise ConfigError(f"{at}.{key}={figure}: a finite number is needed")
    for key in ("setting", "source", "note"):
        if key in entry and (not isinstance(entry[key], str) or not entry[key].strip()):
            raise ConfigError(f"{at}.{key}={entry[key]}: text is needed")
    if "@" in entry["metric"]:
        raise ConfigError(
            f"{at}.metric={entry['metric']}: sizes and settings have keys of their own, "
            "e.g. epsilon: 0.1, setting: clipped"
        )
    if entry.get("published") is not None and not entry.get("source"):
        raise ConfigError(f"{at}.source: not given; it names the paper of {at}.published")
    for key in ("set", "judged"):
        if not isinstance(entry.get(key, False), bool):
            raise ConfigError(f"{at}.{key}={entry[key]}: true or false is needed")
    direction = entry.get("direction")
    if direction is not None and direction not in claims:
        raise ConfigError(
            f"{at}.direction={direction}: no such claim; {nearest(str(direction), claims)}"
        )


def judged_elsewhere(config: Composed) -> set[Cell]:
    """The rows whose figure another experiment judges: measured here, and given no verdict."""
    rows = config.get("rows") or []
    return {listed_cell(row) for row in rows if not row.get("judged", True)}


def listed_cell(entry: ListedRow | Node) -> Cell:
    """What an entry of the YAML's `rows` names."""
    return Cell(entry["row"], entry["metric"], entry.get("epsilon"), entry.get("setting", ""))


def _check_history(entry: Node, at: str) -> None:
    """Check where a claim comes from and what it was before.

    Raises:
        ConfigError: a source or date that is no text, or a change without one of its parts.
    """
    for key in ("says", "source", "added", "fewer_seeds"):
        if key in entry and (not isinstance(entry[key], str) or not entry[key].strip()):
            raise ConfigError(f"{at}.{key}={entry[key]}: text is needed")
    for there, change in _entries(entry, "changed", CHANGE_KEYS, ("date", "why"), f"{at}."):
        if not {"was", "said"} & change.keys():
            raise ConfigError(
                f"{there}: neither was (the old predicate) nor said (the old sentence)"
            )
        for key in ("was", "said"):
            if key in change and (not isinstance(change[key], str) or not change[key].strip()):
                raise ConfigError(f"{there}.{key}={change[key]}: text is needed")


def predicate_of(claim: Claim | Node, at: str = "claims") -> Predicate:
    """What a claim, {claim, predicate}, says of the rows.

    Args:
        claim: an entry of the YAML's `claims`.
        at: where it stands, for error messages ("claims.0").

    Raises:
        ConfigError: its predicate cannot be read.
    """
    try:
        return parse(claim["predicate"])
    except PredicateError as error:
        raise ConfigError(
            f"{at}: predicate {claim['predicate']!r} of {claim['claim']!r} breaks {error}; "
            f"valid: e.g. {EXAMPLE}"
        ) from error


def _entries(
    config: Composed, key: str, valid: tuple[str, ...], texts: tuple[str, ...], path: str = ""
) -> Iterator[tuple[str, Node]]:
    """The entries of a list, each with its place ("claims.0"); `texts` must be there."""
    entries = config.get(key)
    if not isinstance(entries, list | None):
        where = f"{path}{key}"
        raise ConfigError(f"{where}={entries}: a list is needed, e.g. {key}=[{{{texts[0]}: …}}]")
    for index, entry in enumerate(entries or []):
        at = f"{path}{key}.{index}"
        if not isinstance(entry, dict):
            raise ConfigError(f"{at}={entry}: keys are needed; valid: {', '.join(valid)}")
        for name, value in entry.items():
            if name not in valid:
                raise ConfigError(f"{at}.{name}={value}: no such key; {nearest(str(name), valid)}")
        for name in texts:
            if not isinstance(entry.get(name), str) or not entry[name]:
                wrong = f"={entry[name]}: text is needed" if name in entry else ": not given"
                example = f", e.g. {EXAMPLE}" if name == "predicate" else ""
                raise ConfigError(f"{at}.{name}{wrong}{example}")
        yield at, entry
