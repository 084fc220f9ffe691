"""Each experiment in a process of its own, which ends when the one that started it does.

Where the system can, the processes are forked from a server that has imported PyTorch and nothing
else has happened in: they start at once, and share no memory that either of them writes.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from filelock import FileLock, Timeout

from advx.run_folder import LOCK

PATIENCE = 60.0
"""Seconds that a process has to end after it was asked to."""

PREVIOUS = 20.0
"""Seconds in which the process of a `reproduce` that was killed leaves the run's folder."""

Entry = Callable[[list[str]], None]
"""Runs `advx run` on these words; a function of a module, so that a new process finds it."""


class Processes:
    """Starts, awaits and stops processes.

    Args:
        entry: what each of them calls.
        preload: modules that their server imports.
    """

    def __init__(self, entry: Entry, preload: Iterable[str]) -> None:
        self.entry = entry
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        self.context = multiprocessing.get_context("forkserver" if forks else "spawn")
        if forks:
            self.context.set_forkserver_preload(list(preload))

    def start(self, words: list[str], folder: Path, log: Path) -> BaseProcess:
        """A process that runs these words and prints into `log`.

        Args:
            words: of `advx run`.
            folder: the run's.
            log: a file, written anew.
        """
        process = self.context.Process(  # type: ignore[attr-defined]
            target=_started, args=(self.entry, words, folder, log)
        )
        process.start()
        return process

    def await_one(self, running: Sequence[BaseProcess], seconds: float) -> None:
        """Wait until one of them has ended, at most so long."""
        wait([process.sentinel for process in running], seconds)

    def stop(self, running: Sequence[BaseProcess]) -> None:
        """Ask them to end, and wait until they have."""
        for process in running:
            process.terminate()
        for process in running:
            process.join(PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()


def _started(entry: Entry, words: list[str], folder: Path, log: Path) -> None:
    """What a new process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    with suppress(OSError, Timeout), FileLock(folder / LOCK, timeout=PREVIOUS):
        pass
    try:
        entry(words)
    finally:
        sys.stdout.flush()


def _end_with_parent() -> None:
    """Nobody is there who could stop this process, or who waits for it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(128 + signal.SIGTERM)
