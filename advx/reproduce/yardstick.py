"""How fast a machine is: seconds of a fixed piece of work, of the kind that experiments consist of.

A timing of another machine, or of another hour of a shared one, is worth something only with this
beside it: the time on this machine is that one, times the ratio of both machines' seconds.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

REPETITIONS = 15
"""Of which the one in the middle counts: what others do for a moment does not."""

STEPS, BATCH, UNITS = 4, 100, 1200


def measured(workers: int) -> float:
    """Seconds in which one thread trains a network of PyTorch's own for a few minibatches.

    Args:
        workers: how many do so at a time: what else goes on costs nothing while a core is free.
    """
    together = Barrier(workers, timeout=60)
    with ThreadPoolExecutor(workers) as threads:
        every = list(threads.map(partial(_times, together), [_training() for _ in range(workers)]))
    return statistics.median(seconds for times in every for seconds in times)


def _training() -> Callable[[], None]:
    import torch  # takes seconds, and is needed for nothing else here
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        layers = [nn.Linear(784, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS), nn.ReLU()]
        model = nn.Sequential(*layers, nn.Linear(UNITS, 10))
        images, labels = torch.rand(BATCH, 784), torch.randint(10, (BATCH,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def work() -> None:
        torch.set_num_threads(1)  # of the calling thread
        for _ in range(STEPS):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

    return work


def _times(together: Barrier, work: Callable[[], None]) -> list[float]:
    """Seconds of every repetition, from when all have begun."""
    work()  # libraries are loaded
    together.wait()
    return [_seconds(work) for _ in range(REPETITIONS)]


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
