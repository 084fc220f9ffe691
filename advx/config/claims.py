"""The rows and claims that an experiment's YAML lists, read before anything is trained."""

import math
from collections.abc import Iterator
from typing import Any

from advx.config.predicate import EXAMPLE, Predicate, PredicateError, parse
from advx.errors import ConfigError, nearest

CLAIM_KEYS = ("claim", "says", "predicate")
ROW_KEYS = ("row", "metric", "chapter", "note", "direction")


def check_claims(config: dict[str, Any]) -> None:
    """Check the listed claims and rows: keys, predicates, and that a `direction` names a claim.

    Raises:
        ConfigError: the first one that is wrong.
    """
    names: list[str] = []
    for at, entry in _entries(config, "claims", CLAIM_KEYS, ("claim", "predicate")):
        predicate_of(entry, at)
        if entry["claim"] in names:
            raise ConfigError(f"{at}.claim={entry['claim']}: listed twice; each needs its own name")
        names.append(entry["claim"])
    listed = set()
    for at, entry in _entries(config, "rows", ROW_KEYS, ("row", "metric")):
        chapter, direction = entry.get("chapter"), entry.get("direction")
        if isinstance(chapter, bool) or not isinstance(chapter, int | float | None):
            raise ConfigError(f"{at}.chapter={chapter}: a number is needed")
        if chapter is not None and not math.isfinite(chapter):
            raise ConfigError(f"{at}.chapter={chapter}: a finite number is needed")
        if direction is not None and direction not in names:
            raise ConfigError(
                f"{at}.direction={direction}: no such claim; {nearest(str(direction), names)}"
            )
        where = entry["row"], entry["metric"]
        if where in listed:
            raise ConfigError(f"{at}: row {where[0]!r}, metric {where[1]!r} is listed twice")
        listed.add(where)


def predicate_of(claim: dict[str, Any], at: str = "claims") -> Predicate:
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
    config: dict[str, Any], key: str, valid: tuple[str, ...], texts: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of a top-level list, each with its place ("claims.0"); `texts` must be there."""
    entries = config.get(key)
    if not isinstance(entries, list | None):
        raise ConfigError(f"{key}={entries}: a list is needed, e.g. {key}=[{{{texts[0]}: …}}]")
    for index, entry in enumerate(entries or []):
        at = f"{key}.{index}"
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
