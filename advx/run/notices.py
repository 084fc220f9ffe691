"""What a reader of a run's numbers must know, and where its seconds went."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from advx.notes import Note

log = logging.getLogger(__name__)

NEAR_GUESS = 0.9
"""Part of a guess's error from which a model's is near it."""


class Remarks:
    """Lines on models and measurements, each said once: in the log and in the summary."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}  # by what they are about and their kind

    def add(self, about: str, kind: str, text: str) -> None:
        """Say something once.

        Args:
            about: the model or measurement.
            kind: of remark; of one kind the first counts.
            text: one line.
        """
        if (about, kind) not in self._texts:
            log.warning("%s", text)
            self._texts[about, kind] = text

    def of_guessing(self, about: str, error: float, classes: int) -> None:
        """Say that a model's clean error, in percent, is about that of a guess among the classes.

        Almost every image counts as adversarial then, whatever the attack.
        """
        guess = 100 * (1 - 1 / classes)
        if error >= NEAR_GUESS * guess:
            text = (
                f"{about}: its clean error, {error:.4g}%, is near a guess's, {guess:.4g}%: its "
                "error under an attack says nothing of the attack"
            )
            self.add(about, "guess", text)

    def of_examples(self, notes: Iterable[Note]) -> None:
        """Say what a measurement or an attack noted on some of its examples."""
        for note in notes:
            kind = f"{note.affected} of {note.examples}"
            self.add(note.about, f"{kind}: {note.text}" if note.text else kind, str(note))

    def texts(self) -> list[str]:
        """All lines, the oldest first."""
        return list(self._texts.values())


class Seconds:
    """Seconds by phase and row, for `timing.csv`."""

    def __init__(self) -> None:
        self.spent: dict[tuple[str, str], float] = {}

    @contextmanager
    def timed(self, phase: str, row: str) -> Iterator[None]:
        """Add the seconds spent inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(phase, row, time.perf_counter() - start)

    def add(self, phase: str, row: str, seconds: float) -> None:
        """Add so many seconds."""
        self.spent[phase, row] = self.spent.get((phase, row), 0.0) + seconds

    def by_phase(self) -> dict[str, float]:
        """Sums over rows, in tenths."""
        sums: dict[str, float] = {}
        for (phase, _), spent in self.spent.items():
            sums[phase] = round(sums.get(phase, 0.0) + spent, 1)
        return sums
