"""Runs experiments, several at a time: what goes next, what has ended, how much is left."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from advx.errors import AdvxError
from advx.reproduce.board import Board, spoken
from advx.reproduce.costs import Cost
from advx.reproduce.jobs import Job
from advx.reproduce.order import left_by_job, makespan
from advx.reproduce.processes import Processes
from advx.reproduce.records import Failure, Records
from advx.termination import undisturbed
from advx.text_files import read_text

TICK = 1.0
"""Seconds between two looks at the clock."""


@dataclass(frozen=True)
class Running:
    """An experiment that is under way.

    Attributes:
        job: which.
        process: its.
        since: the clock when it was started.
        expected: seconds that it takes from then, as far as is known.
        trained: keys of the networks in the store at that time.
        fresh: whether no earlier attempt had begun it.
    """

    job: Job
    process: BaseProcess
    since: float
    expected: float
    trained: set[str]
    fresh: bool


class Runner:
    """Runs jobs in their order, as many at a time as there are workers.

    Args:
        jobs: in the order in which they are wanted.
        costs: of each, by name.
        workers: how many run at a time.
        processes: starts and stops them.
        records: where times and failures are noted.
        board: what is seen of them.
        seconds: after which all stop; None for never.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        costs: Mapping[str, Cost],
        *,
        workers: int,
        processes: Processes,
        records: Records,
        board: Board,
        seconds: float | None = None,
    ) -> None:
        self.waiting = list(jobs)
        self.costs = costs
        self.workers = workers
        self.processes = processes
        self.records = records
        self.board = board
        self.end = None if seconds is None else time.monotonic() + seconds
        self.running: list[Running] = []
        self.failures: list[Failure] = []
        self.finished: list[str] = []

    def run(self) -> None:
        """Run all jobs, or as many as there is time for; whatever happens, no process is left."""
        try:
            while (self.waiting or self.running) and not self._over():
                self._start()
                self.processes.await_one([each.process for each in self.running], self._tick())
                self._collect()
                self.board.show(self._done(), self._left(), self._elapsed())
        finally:
            self.board.close()
            with undisturbed():
                self.processes.stop([each.process for each in self.running])
                self._collect(stopped=True)

    def _over(self) -> bool:
        return self.end is not None and time.monotonic() >= self.end

    def _tick(self) -> float:
        return TICK if self.end is None else min(TICK, max(0.0, self.end - time.monotonic()))

    def _start(self) -> None:
        """Give free workers work."""
        while len(self.running) < self.workers:
            job = self._next()
            if job is None:
                return
            self.waiting.remove(job)
            trained = self.records.trained()
            expected = self.costs[job.name].left(trained) * self.factor()
            fresh = not job.log.exists()
            process = self.processes.start(job.command, job.folder, job.log)
            self.running.append(Running(job, process, time.monotonic(), expected, trained, fresh))

    def _next(self) -> Job | None:
        """The first job that nobody who is under way trains networks for, else the first one."""
        if any(each.job.experiment.alone for each in self.running):
            return None
        trained = self.records.trained()
        fitting = [job for job in self.waiting if self._fits(job, trained)] or self.waiting
        together = [job for job in fitting if not job.experiment.alone]
        if not together:
            return None if self.running or not fitting else fitting[0]
        busy = {k for each in self.running for k in self.costs[each.job.name].networks} - trained
        free = [job for job in together if not busy & self.costs[job.name].networks.keys()]
        return (free or together)[0]

    def _fits(self, job: Job, trained: set[str]) -> bool:
        """Whether there is time for it."""
        seconds = self.costs[job.name].left(trained) * self.factor()
        return self.end is None or time.monotonic() + seconds <= self.end

    def _collect(self, stopped: bool = False) -> None:
        """Note which have ended, and how."""
        for each in [each for each in self.running if not each.process.is_alive()]:
            self.running.remove(each)
            seconds = time.monotonic() - each.since
            status = each.process.exitcode
            each.process.close()
            if status == 0:
                self.finished.append(each.job.name)
                if each.fresh:
                    with suppress(OSError, AdvxError):
                        self.records.add(each.job, seconds, each.trained)
                self._say(f"{each.job.name}: {spoken(seconds)}")
            elif not stopped:
                failure = Failure(each.job.name, why(each.job.log, status or 0), each.job.log)
                self.failures.append(failure)
                with suppress(OSError):
                    self.records.failed(self.failures)
                self._say(f"{each.job.name}: failed after {spoken(seconds)}: {failure.line}")

    def _say(self, what: str) -> None:
        self.board.ended(what, self._done(), self._left())

    def _done(self) -> int:
        return len(self.finished) + len(self.failures)

    def _elapsed(self) -> dict[str, float]:
        now = time.monotonic()
        return {each.job.name: now - each.since for each in self.running}

    def _left(self) -> float:
        """Seconds until all is done, as far as is known."""
        elapsed = self._elapsed()
        running = [max(0.0, each.expected - elapsed[each.job.name]) for each in self.running]
        begun = {key for each in self.running for key in self.costs[each.job.name].networks}
        left = left_by_job(self.waiting, self.costs, self.records.trained() | begun)
        factor = self.factor()
        waiting = [(left[job.name] * factor, job.experiment.alone) for job in self.waiting]
        seconds = makespan(waiting, self.workers, running)
        return seconds if self.end is None else min(seconds, self.end - time.monotonic())

    def factor(self) -> float:
        """How many times longer this machine takes than the timings say."""
        return factor(self.costs, self.records)


def factor(costs: Mapping[str, Cost], records: Records) -> float:
    """What the experiments that were run here took, of what their timings say; 1 before any was."""
    here = {name: s for name, s in records.seconds().items() if name in costs}
    known = {name: s for name, s in here.items() if costs[name].basis == "timed"} or here
    expected = sum(costs[name].seconds for name in known)
    return sum(known.values()) / expected if expected else 1.0


def why(log: Path, status: int) -> str:
    """Why a run failed: its own line, else the signal, else the last line that it printed."""
    try:
        lines = [line for line in read_text(log).splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        lines = []
    own = [line.removeprefix("advx: ") for line in lines if line.startswith("advx: ")]
    if status == 2 and own:
        return own[-1]
    if status < 0:
        return f"ended by signal {-status}" + " (out of memory?)" * (status == -9)
    return lines[-1].strip() if lines else f"exit status {status}, and it printed nothing"
