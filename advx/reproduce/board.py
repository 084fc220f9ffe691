"""What is seen of a `reproduce`: a line that follows it on a terminal, else a line an event."""

import shutil
import sys
from typing import TextIO


def spoken(seconds: float) -> str:
    """A length of time, as a reader says it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


class Board:
    """Writes to standard error, so that standard output has the tables only.

    Args:
        total: how many experiments there are.
        stream: where to write.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total = total
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()

    def show(self, done: int, left: float, running: dict[str, float]) -> None:
        """The line that follows the work; on a terminal only.

        Args:
            done: how many experiments have ended.
            left: seconds until all have, as far as is known.
            running: seconds that each of those under way has taken.
        """
        if not self.terminal:
            return
        names = ", ".join(f"{name} {spoken(seconds)}" for name, seconds in running.items())
        text = f"{done} of {self.total} done, about {spoken(left)} left: {names}"
        width = shutil.get_terminal_size().columns - 1
        self.stream.write(f"\r\x1b[K{text[:width]}")
        self.stream.flush()

    def ended(self, what: str, done: int, left: float) -> None:
        """A line that stays, of an experiment that has ended."""
        after = f", about {spoken(left)} left" if done < self.total else ""
        start = "\r\x1b[K" if self.terminal else ""
        self.stream.write(f"{start}{what} ({done} of {self.total}{after})\n")
        self.stream.flush()

    def close(self) -> None:
        """Take the line off the screen."""
        if self.terminal:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
