"""In what order experiments run, and how long that takes."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence

from advx.reproduce.costs import Cost
from advx.reproduce.jobs import Job


def shared_first(jobs: Sequence[Job], costs: Mapping[str, Cost], trained: set[str]) -> list[Job]:
    """Experiments whose networks others need come first, then the longest, those alone last.

    Args:
        jobs: to be ordered.
        costs: by name.
        trained: keys of the networks in the store.
    """
    users = Counter(key for job in jobs for key in costs[job.name].networks)

    def place(job: Job) -> tuple[bool, float, float, str]:
        cost = costs[job.name]
        shared = sum(s for k, s in cost.networks.items() if users[k] > 1 and k not in trained)
        return job.experiment.alone, -shared, -cost.left(trained), job.name

    return sorted(jobs, key=place)


def most_valuable_first(
    jobs: Sequence[Job], costs: Mapping[str, Cost], trained: set[str]
) -> list[Job]:
    """The chapter's numbered table and figures, then the most claims an hour, those alone last.

    The hours of an experiment are those that are left when the ones before it have run.

    Args:
        jobs: to be ordered.
        costs: by name.
        trained: keys of the networks in the store.
    """
    waiting, ordered, there = sorted(jobs, key=lambda job: job.name), list[Job](), set(trained)
    while waiting:
        best = max(waiting, key=lambda job: _value(job, costs[job.name].left(there)))
        waiting.remove(best)
        ordered.append(best)
        there |= costs[best.name].networks.keys()
    return ordered


def _value(job: Job, seconds: float) -> tuple[bool, bool, float]:
    """What an experiment is worth that takes so long; the largest goes first."""
    each = job.experiment
    return not each.alone, each.numbered, each.claims / seconds


def left_by_job(
    ordered: Sequence[Job], costs: Mapping[str, Cost], trained: set[str]
) -> dict[str, float]:
    """Seconds of each experiment in this order: a network counts where it is first needed."""
    there, found = set(trained), {}
    for job in ordered:
        found[job.name] = costs[job.name].left(there)
        there |= costs[job.name].networks.keys()
    return found


def makespan(
    waiting: Sequence[tuple[float, bool]], workers: int, running: Sequence[float] = ()
) -> float:
    """Seconds until all is done, each worker taking the next one when it is free.

    Args:
        waiting: seconds of each experiment, and whether it runs alone; those last.
        workers: how many run at a time.
        running: seconds that are left of those that are under way.
    """
    free = [*running, *[0.0] * max(0, workers - len(running))]
    heapq.heapify(free)
    for seconds, alone in waiting:
        if alone:
            free = [max(free) + seconds] * len(free)
        else:
            heapq.heappush(free, heapq.heappop(free) + seconds)
    return max(free, default=0.0)
