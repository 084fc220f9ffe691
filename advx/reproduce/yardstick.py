"""How fast a machine is: seconds of a fixed piece of work, of the kind that experiments consist of.

A timing of another machine, or of another hour of a shared one, is worth something only with this
beside it: the time on this machine is that one, times the ratio of both machines' seconds.
"""

import statistics
import time
from collections.abc import Callable

REPETITIONS = 15
"""Of which the one in the middle counts: what others do for a moment does not."""

STEPS, BATCH, UNITS = 4, 100, 1200


def measured() -> float:
    """Seconds in which one thread trains a network of PyTorch's own for a few minibatches."""
    import torch  # takes seconds, and is needed for nothing else here

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            work = _training()
        _seconds(work)  # libraries are loaded
        return statistics.median(_seconds(work) for _ in range(REPETITIONS))
    finally:
        torch.set_num_threads(threads)


def _training() -> Callable[[], None]:
    import torch
    from torch import nn

    layers = [nn.Linear(784, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(UNITS, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = torch.rand(BATCH, 784), torch.randint(10, (BATCH,))

    def work() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

    return work


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
