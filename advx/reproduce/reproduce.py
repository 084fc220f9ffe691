"""`advx reproduce`: every experiment that has a result, one command, continued by the same one."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from tabulate import tabulate

from advx.errors import ConfigError
from advx.reproduce.board import Board
from advx.reproduce.experiments import listed
from advx.reproduce.jobs import jobs, selected
from advx.reproduce.plan import FOLDER, Plan, Request, described, planned
from advx.reproduce.processes import Entry, Processes
from advx.reproduce.records import Failure, Records
from advx.reproduce.runner import Runner, factor
from advx.run_folder import LOCK

PRELOADED = (
    "advx.cli.run",
    "advx.run",
    "matplotlib.backends.backend_pdf",
    "matplotlib.pyplot",
    "pandas",
    "scipy.stats",
    "sklearn",
    "torch._dynamo",
)
"""Imported once for all processes, with the experiments' own modules: seconds of each run."""


def reproduce(
    request: Request, entry: Entry, *, cuda: bool, yardstick: Callable[[int], float]
) -> int:
    """Do what is asked for; returns the exit status, 1 where an experiment failed.

    Args:
        request: what is asked for.
        entry: runs `advx run` on words, in a process of its own.
        cuda: whether this machine has CUDA and may use it.
        yardstick: measures the seconds of the yardstick, for so many workers.

    Raises:
        ConfigError: a name or a word that there is not, the folder cannot be written, or another
            `reproduce` is at work there.
    """
    root = FOLDER / request.scale
    chosen = selected(listed(), request.only, request.skip)
    all_jobs = jobs(chosen, request.scale, request.words, root, cuda=cuda)
    seconds = yardstick(request.workers)
    records = Records(root, _store(request.words), seconds)
    plan = planned(request, all_jobs, records.trained(), cuda=cuda, yardstick=seconds)
    if request.plan:
        print(described(request, plan, factor(plan.costs, records)))
        return 0
    with _held(root):
        return _carried_out(request, plan, records, entry)


def _held(root: Path) -> AbstractContextManager[object]:
    """Makes the folder and keeps another `reproduce` out of it, as long as this context lasts."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        return FileLock(root / LOCK).acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"{root}: another advx reproduce is at work there; wait until it has ended "
            "(--workers says how many experiments one of them runs at a time)"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{root}: cannot be written ({error.strerror}); run advx reproduce in a writable folder"
        ) from error


def _store(words: Sequence[str]) -> Path:
    """The folder of the store, where the user names none the usual one."""
    named = [word.partition("=")[2].strip("'\"") for word in words if word.startswith("store=")]
    return Path((named or ["outputs/store"])[-1])


def _carried_out(request: Request, plan: Plan, records: Records, entry: Entry) -> int:
    """Run what is to run; says what became of it."""
    for job in [*plan.ordered, *plan.skipped]:
        if job.skipped or job.remark:
            print(f"{job.name}: {'skipped: ' if job.skipped else ''}{job.skipped or job.remark}")
    modules = [job.experiment.main.rpartition(".")[0] for job in plan.ordered]
    with suppress(OSError):
        records.begin()
    runner = Runner(
        plan.ordered,
        plan.costs,
        workers=request.workers,
        processes=Processes(entry, [*PRELOADED, *modules]),
        records=records,
        board=Board(len(plan.ordered)),
        seconds=None if request.hours is None else 3600 * request.hours,
    )
    runner.run()
    with suppress(OSError):
        records.failed(runner.failures)
    print(_ending(request, plan, runner, records.root))
    return 1 if runner.failures else 0


def _ending(request: Request, plan: Plan, runner: Runner, root: Path) -> str:
    """What became of all experiments."""
    left = len(plan.ordered) - len(runner.finished) - len(runner.failures)
    counted = [
        (len(runner.finished), "finished"),
        (len(plan.finished), "finished before"),
        (len(plan.skipped), "skipped"),
        (len(runner.failures), "failed"),
        (left, f"not finished in {request.hours} h: run the same command again to continue"),
    ]
    lines = [", ".join(f"{number} {what}" for number, what in counted if number)]
    if runner.failures:
        lines += ["", failures_table(runner.failures)]
    return "\n".join([*lines, "", f"files: {root}/EXPERIMENT, what each printed: *.log beside it"])


def failures_table(failures: Sequence[Failure]) -> str:
    """What failed, why, and where to read more."""
    lines = [[each.experiment, each.line, each.log] for each in failures]
    return tabulate(lines, headers=["failed", "why", "log"], disable_numparse=True)
