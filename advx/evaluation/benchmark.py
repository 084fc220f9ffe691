"""Rates and peak memory, measured so that a ratio means something on a noisy machine.

A figure is divided by the rate of a large matrix product measured next to it in the same run.
"""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar, TypeVarTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from advx.memory import resident_peak

Made = TypeVar("Made")
Arguments = TypeVarTuple("Arguments")

PRODUCT_SIZE = 2048
"""Rows and columns of the matrices in the reference product."""


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that `work()` takes, waiting for the device before and after."""
    return with_seconds(work, device)[1]


def with_seconds(work: Callable[[], Made], device: torch.device) -> tuple[Made, float]:
    """What `work()` makes, and the seconds that it takes."""
    synchronise(device)
    start = time.perf_counter()
    made = work()
    synchronise(device)
    return made, time.perf_counter() - start


def product_rate(device: torch.device, seconds: float = 0.5) -> float:
    """Floating-point operations per second of a large float32 matrix product."""
    a, b = (torch.randn(PRODUCT_SIZE, PRODUCT_SIZE, device=device) for _ in range(2))
    out = a @ b
    once = seconds_of(lambda: torch.mm(a, b, out=out), device)
    repeats = max(1, round(seconds / once))

    def work() -> None:
        for _ in range(repeats):
            torch.mm(a, b, out=out)

    return 2 * PRODUCT_SIZE**3 * repeats / seconds_of(work, device)


def step_operations(
    model: nn.Module, loss: Callable[..., torch.Tensor], x: torch.Tensor, y: torch.Tensor
) -> int:
    """Floating-point operations of the matrix products in one forward and backward pass."""
    model.train()
    total = operations_of(lambda: loss(model, x, y).backward())
    model.zero_grad()
    return total


def operations_of(work: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products in `work()`."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()  # type: ignore[assignment]
    with counter:
        work()
    return counter.get_total_flops()


class _NoModules:
    """Counts everything together: torch's own tracker of modules forbids `autograd.grad`."""

    parents = frozenset({"Global"})

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def profile_table(work: Callable[[], object], rows: int = 15) -> str:
    """The operators that `work()` spends its time in, largest first."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        work()
    return profile.key_averages().table(
        sort_by="self_cpu_time_total", row_limit=rows, max_name_column_width=48
    )


def peak_memory(
    function: Callable[[*Arguments], None], *arguments: *Arguments
) -> tuple[float, float]:
    """Peak resident memory of `function(*arguments)` in a fresh process, in MiB.

    Returns:
        (the whole process's peak, what the process held before the call); NaN on Windows.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def _measure(
    pipe: Connection,
    function: Callable[[*Arguments], None],
    arguments: tuple[*Arguments],
) -> None:
    before = resident_peak()
    function(*arguments)
    pipe.send((resident_peak(), before))
