"""Signals that ask a process to end, as an exception: what is under way is put in order first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What schedulers and closing terminals send; Windows has no SIGHUP."""


class Terminated(BaseException):
    """The process was asked to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"terminated by {signal.Signals(number).name}")
        self.status = 128 + number
        """The exit status that a shell shows of a process that the signal ended."""


@contextmanager
def terminating() -> Iterator[None]:
    """Inside, such a signal raises `Terminated` in the main thread; in any other nothing changes.

    A signal that somebody already handles or ignores (`nohup`) is left to them.
    """
    with _handled(_raise, signal.SIG_DFL):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, a second signal does not interrupt what the first one set off."""
    with _handled(signal.SIG_IGN, _raise):
        yield


@contextmanager
def _handled(handler: object, instead_of: object) -> Iterator[None]:
    ours: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        ours = [number for number in SIGNALS if signal.getsignal(number) is instead_of]
    for number in ours:
        signal.signal(number, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, instead_of)  # type: ignore[arg-type]


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise Terminated(number)
