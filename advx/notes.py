"""Notes on a set of examples, from wherever in a measurement they are made to whoever reports them.

A measurement that leaves examples out, or an attack that finds nothing for some, calls `note`. A
run collects the notes with `noting` and stores them beside the value; without it they are logged.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

log = logging.getLogger(__name__)


class Note(NamedTuple):
    """What is said of so many examples; by default that a model's logits for them are NaN.

    Attributes:
        about: the model or the attack.
        affected: examples that it is said of.
        examples: all that there were.
        text: the whole line; "" for NaN logits, as in notes that were stored without it.
    """

    about: str
    affected: int
    examples: int
    text: str = ""

    def __str__(self) -> str:
        return self.text or (
            f"{self.about}: the logits of {self.affected} of {self.examples:,} examples are NaN; "
            "they count neither as right nor as wrong"
        )


_notes: ContextVar[list[Note] | None] = ContextVar("notes", default=None)


@contextmanager
def noting() -> Iterator[list[Note]]:
    """Collects the notes that are made inside; whoever collects outside of it gets them too."""
    notes: list[Note] = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)
        pass_on(notes)


@contextmanager
def unnoted() -> Iterator[None]:
    """Notes that are made inside reach nobody: something is tried, and nothing rests on it."""
    token = _notes.set([])
    try:
        yield
    finally:
        _notes.reset(token)


def collecting() -> bool:
    """Whether somebody collects notes, as a run does."""
    return _notes.get() is not None


def note(made: Note) -> None:
    """Hand a note to whoever collects notes; log it where nobody does."""
    if _notes.get() is None:
        log.warning("%s", made)
    pass_on([made])


def pass_on(notes: Iterable[Note]) -> None:
    """Hand notes to whoever collects them, each once; nothing where nobody does."""
    collected = _notes.get()
    if collected is not None:
        collected += [made for made in notes if made not in collected]
