"""Rates and peak memory, measured so that a ratio means something on a noisy machine.

A figure is divided by the rate of a large matrix product measured next to it in the same run.
"""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from typing import Any, TypeVar, TypeVarTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from advx.memory import resident_peak
from advx.models import products

Work = Callable[[], object]

Made = TypeVar("Made")
Arguments = TypeVarTuple("Arguments")

PRODUCT_SIZE = 2048
"""Rows and columns of the matrices in the reference product."""


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Work, device: torch.device) -> float:
    """Seconds that `work()` takes."""
    return with_seconds(work, device)[1]


def with_seconds(work: Callable[[], Made], device: torch.device) -> tuple[Made, float]:
    """What `work()` makes, and the seconds that it takes, the device waited for on both sides.

    Where a single thread computes, seconds of the processor: what others do on the machine in the
    meantime does not count.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    synchronize(device)
    start = clock()
    made = work()
    synchronize(device)
    return made, clock() - start


@dataclass(frozen=True)
class Factors:
    """Two matrices to be multiplied, a (n, k) and b (m, k), to a bᵀ (n, m)."""

    a: Tensor
    b: Tensor

    def fastest(self) -> Work:
        """The product by the faster of PyTorch's libraries, found by trying."""
        ways: list[Work] = [lambda: self.a @ self.b.t()]
        if products.AVAILABLE and self.a.is_cpu and self.a.dtype == torch.float32:
            ways.append(lambda: products.product(self.a, self.b))
        return min(ways, key=lambda way: min(seconds_of(way, self.a.device) for _ in range(5)))


def product_rate(device: torch.device, seconds: float = 0.25) -> float:
    """Floating-point operations per second of a large float32 matrix product."""
    work = _large_product(device)
    repeats = max(1, round(seconds / seconds_of(work, device)))
    spent = seconds_of(lambda: [work() for _ in range(repeats)], device)
    return 2 * PRODUCT_SIZE**3 * repeats / spent


@cache
def _large_product(device: torch.device) -> Work:
    return Factors(
        *(torch.randn(PRODUCT_SIZE, PRODUCT_SIZE, device=device) for _ in range(2))
    ).fastest()


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
    unknown: dict[Any, Any] = {}  # to torch's counter
    if products.AVAILABLE:
        unknown[torch.ops.mkldnn._linear_pointwise] = _product_operations
    counter = FlopCounterMode(display=False, custom_mapping=unknown)
    counter.mod_tracker = _NoModules()  # type: ignore[assignment]
    with counter:
        work()
    return counter.get_total_flops()


def _product_operations(a: tuple[int, int], b: tuple[int, int], *_: Any, **__: Any) -> int:
    return 2 * a[0] * a[1] * b[0]


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
