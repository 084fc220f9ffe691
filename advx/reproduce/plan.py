"""What `advx reproduce` is to do: which experiments, in what order, with what time and disk."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from advx.config.compose import composed
from advx.config.messages import one_line
from advx.errors import ConfigError
from advx.reproduce.board import spoken
from advx.reproduce.costs import REFERENCE, Cost, costs, slower_than
from advx.reproduce.jobs import Job
from advx.reproduce.order import left_by_job, makespan, most_valuable_first, shared_first

FOLDER = Path("outputs/reproduce")
"""A folder a scale in it, and in that one a folder an experiment."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        scale: of all experiments.
        words: `key=value`, for the experiments that have the key.
        only, skip: names of experiments.
        hours: after which all stop; None for never.
        workers: experiments at a time.
        plan: whether to say what would run, and run nothing.
    """

    scale: str
    words: Sequence[str] = ()
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    hours: float | None = None
    workers: int = 2
    plan: bool = False


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        ordered: experiments that are to run, in their order.
        finished: those that need not.
        skipped: those that cannot.
        costs: of each, by name.
        seconds: of each that is to run, without the networks that are there by then.
        trained: keys of the networks in the store.
        speed: how many times longer this machine takes than that of the timings, by the yardstick.
    """

    ordered: list[Job]
    finished: list[Job]
    skipped: list[Job]
    costs: Mapping[str, Cost]
    seconds: Mapping[str, float]
    trained: set[str]
    speed: float


def planned(
    request: Request,
    all_jobs: Sequence[Job],
    trained: set[str],
    *,
    cuda: bool = False,
    yardstick: float | None = None,
) -> Plan:
    """What of it is finished, what cannot run, and in what order the rest does.

    Args:
        request: what is asked for.
        all_jobs: every experiment of it.
        trained: keys of the networks in the store.
        cuda: whether the runs may use CUDA.
        yardstick: seconds of the yardstick on this machine.

    Raises:
        ConfigError: the user's words do not fit an experiment.
    """
    skipped = [job for job in all_jobs if job.skipped]
    able = [job for job in all_jobs if not job.skipped]
    finished = [job for job in able if job.finished()]
    waiting = [job for job in able if job not in finished]
    first = waiting[:1] if request.words else []
    _check([*first, *(job for job in waiting if job.given and job not in first)])
    replaced = {job.name for job in all_jobs if job.remark}
    steady = {job.name for job in all_jobs if job.experiment.alone}
    names = [job.name for job in all_jobs]
    found = costs(
        names, request.scale, untimed=replaced, steady=steady, cuda=cuda, yardstick=yardstick
    )
    order = shared_first if request.hours is None else most_valuable_first
    ordered = order(waiting, found, trained)
    seconds = left_by_job(ordered, found, trained)
    speed = slower_than(REFERENCE / request.scale, yardstick)
    return Plan(ordered, finished, skipped, found, seconds, trained, speed)


def _check(given: Iterable[Job]) -> None:
    """Check the experiments that the user's words changed, before the first one runs.

    Raises:
        ConfigError: the first that cannot run.
    """
    for job in given:
        from advx.run import check  # with torch, which takes seconds to import

        try:
            check(*composed(list(job.words)))
        except Exception as error:
            line = one_line(error, job.words)
            if line is None:
                raise
            raise ConfigError(f"{line} (experiment={job.name})") from error


def described(request: Request, plan: Plan, slower: float) -> str:
    """The plan in words: what would run, in which order, how long that takes, and the disk.

    Args:
        request: what is asked for.
        plan: of it.
        slower: how many times longer experiments took here than was expected.
    """
    lines = [
        [
            job.name,
            spoken(plan.seconds[job.name] * slower),
            _stored(plan.costs[job.name], plan.trained),
            "; ".join(filter(None, [_basis(plan.costs[job.name]), job.remark])),
        ]
        for job in plan.ordered
    ]
    lines += [[job.name, "", "", "finished"] for job in plan.finished]
    lines += [[job.name, "", "", f"skipped: {job.skipped}"] for job in plan.skipped]
    headers = ["experiment", "time", "networks in the store", ""]
    table = tabulate(lines, headers=headers, disable_numparse=True)
    seconds = [(plan.seconds[job.name] * slower, job.experiment.alone) for job in plan.ordered]
    return "\n".join(
        [
            table,
            "",
            f"{len(plan.ordered)} to run at scale={request.scale}, {request.workers} at a time: "
            f"about {spoken(makespan(seconds, request.workers))}",
            _speed(plan.speed, slower),
            _disk(plan),
        ]
    )


def _stored(cost: Cost, trained: set[str]) -> str:
    """How many of an experiment's networks are there, where its networks are known."""
    known = [key for key in cost.networks if "/" not in key]
    return f"{sum(key in trained for key in known)} of {len(known)}" if known else ""


def _basis(cost: Cost) -> str:
    return "" if cost.basis == "timed" else f"an estimate, {cost.basis}"


def _speed(speed: float, slower: float) -> str:
    if slower == 1.0:
        return (
            f"times: of the project's timed runs, × {speed:.2f} for the speed of this machine; "
            "corrected as experiments end"
        )
    return f"times: of the project's timed runs, × {speed * slower:.2f} as measured on this machine"


def _disk(plan: Plan) -> str:
    """Bytes of the networks that are missing, at the average size of each experiment's."""
    there, total = set(plan.trained), 0.0
    for job in plan.ordered:
        cost = plan.costs[job.name]
        total += cost.network_bytes * len(cost.networks.keys() - there) + cost.files_bytes
        there |= cost.networks.keys()
    place = next(p for p in (FOLDER.absolute(), *FOLDER.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    return (
        f"disk: about {total / 2**30:.1f} GiB, {free / 2**30:.1f} free; from the sizes of timed "
        "runs, networks with their last checkpoints (advx store prune deletes those)"
    )
