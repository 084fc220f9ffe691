"""Errors that a user can act on.

Each message is one line that names the key, the value seen and the valid choice; the command line
prints it without a traceback and exits with status 2.
"""

import difflib
import errno
import re
from collections.abc import Iterable

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""What colors a terminal's text."""

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quotas
"""What the system says where a disk or a quota is used up."""


class AdvxError(Exception):
    """Something the user can mend: printed as one line, exit status 2."""


class ConfigError(AdvxError):
    """A configuration that cannot run, found before anything is trained."""


class DataError(AdvxError):
    """Data files that are missing, damaged or not the ones expected."""


class NoGradientError(AdvxError):
    """An attack that needs a gradient was pointed at a model that has none."""


class NetworkChanged(AdvxError):
    """A network that a run has read numbers of was made again, and has other weights.

    Args:
        message: one line.
        key: of the network, in the store.
    """

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


class Diverged(AdvxError):
    """Training produced NaN, or stayed worse than guessing for too long."""


class JobFailed(AdvxError):
    """A job of a sweep that failed while the others went on."""


def reason(error: BaseException) -> str:
    """All that an exception says, on one line; its type where it says nothing or only a key."""
    text = " ".join(ESCAPES.sub("", str(error)).split())
    name = type(error).__name__
    if not text:
        return name
    return f"{name}: {text}" if isinstance(error, LookupError) else text


def nearest(word: str, choices: Iterable[str]) -> str:
    """The tail of an error message: the likeliest choice, and all of them."""
    names = sorted(choices)
    if not names:
        return "there is none to choose"
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}valid: {', '.join(names)}"
