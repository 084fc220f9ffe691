"""Values with characters that mean something to Hydra, to the shell or to both."""

import os
import re
import shlex
from collections.abc import Iterable

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from advx.errors import ConfigError, reason

PLAIN = re.compile(r"[\w@%+=:,./\[\]~-]+", re.ASCII)
"""A word that a shell hands over as it stands."""


def readable(overrides: list[str], *, sweep: bool) -> list[str]:
    """The words of a command line, `~/` at the beginning of a value replaced by the home folder.

    Args:
        overrides: `key=value` words.
        sweep: whether a comma separates values.

    Raises:
        ConfigError: one that Hydra's grammar does not take, and how to write it instead.
    """
    parser = OverridesParser.create()
    return [_readable(word, parser, sweep) for word in overrides]


def _readable(word: str, parser: OverridesParser, sweep: bool) -> str:
    key, equals, value = word.partition("=")
    if value.startswith("~") and os.path.expanduser(value) != value:  # a shell would not: a=~/b
        word = f"{key}={quoted(os.path.expanduser(value))}"
    try:
        several = parser.parse_override(word).is_sweep_override()
    except HydraException as error:
        because = reason(error).partition(" expecting ")[0]
        if not equals or not _fine(f"{key}=1", parser):
            raise ConfigError(f"{word}: not key=value ({because})") from error
        raise ConfigError(
            f"{word}: cannot be read ({because}){_hint(key, value, parser)}"
        ) from error
    if several and not sweep:
        raise ConfigError(
            f"{word}: several values are a sweep, advx run -m …; a list is {key}=[{value}]"
            + _hint(key, value, parser)
        )
    return word


def _hint(key: str, value: str, parser: OverridesParser) -> str:
    """How to write a value that is meant as text, for a shell; nothing where there is no way."""
    better = f"{key}={quoted(value)}"
    if "\n" in value or not _fine(better, parser):
        return ""
    return f"; if it is text, quote it: {shlex.quote(better)}"


def quoted(value: str) -> str:
    """A value as Hydra takes it for text, whatever is in it; the shell's own quotes go around it.

    What looks like an interpolation, ${…}, stays one.
    """
    open_ended = re.sub(r"\$\{(?![^{}]*\})", r"\\${", value)
    return QuotedString(open_ended, Quote.double).with_quotes()


def words(overrides: Iterable[str]) -> str:
    """A command line that can be given to a shell again."""
    return " ".join(word if PLAIN.fullmatch(word) else shlex.quote(word) for word in overrides)


def _fine(word: str, parser: OverridesParser) -> bool:
    try:
        parser.parse_override(word)
    except HydraException:
        return False
    return True
