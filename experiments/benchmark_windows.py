"""How fast church windows are: against the network's own forward rate, and adaptive against dense.

    advx run experiment=benchmark_windows                  # a small network on digits
    advx run experiment=benchmark_windows scale=chapter    # CIFAR-10

Times are ratios of neighboring measurements; the seconds are in `timing.csv`. Unlike other
experiments', these results are not the same twice. The maximum over the pieces of a maxout layer is
timed in both memory layouts: pieces in the outer axis, as here, and in the inner one.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.config.cells import Cells
from advx.config.config import Config
from advx.evaluation.benchmark import peak_memory, seconds_of, with_seconds
from advx.evaluation.church_windows import (
    BATCH,
    BasisName,
    adaptive_maps,
    basis,
    dense_maps,
    point_classes,
)
from advx.evaluation.slopes import slopes
from advx.evaluation.space import SpaceName, halves, in_space
from advx.run import Run
from advx.types import Positive, PositiveInt, Shape

RATIOS = (
    ("forward_over_dense", "forward", "plain"),
    ("plain_over_shortcut", "plain", "shortcut"),
    ("dense_over_adaptive", "plain", "adaptive"),
    ("shortcut_over_adaptive", "shortcut", "adaptive"),
)
"""What is compared: a metric, the contender above and the one below."""

AGREEMENT = ("shortcut_agreement", "adaptive_agreement", "smallest_agreement")


def cells(bases: list[BasisName]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    ratios = [metric for metric, *_ in RATIOS]
    yield Cells(bases, [*ratios, "points_per_second", *AGREEMENT])
    yield Cells(["maximum over pieces"], ["inner_over_outer"])
    yield Cells(["one window"], ["peak_memory", "memory_before"])


def main(
    run: Run,
    model: Config,
    space: SpaceName,
    epsilon: Positive,
    bases: list[BasisName],
    windows: PositiveInt,
    timed: PositiveInt,
    side: PositiveInt,
    stride: PositiveInt,
    repeats: PositiveInt,
) -> None:
    """Rates, ratios, agreement and memory.

    Args:
        run: the run to measure on.
        model: the network.
        space: where ε lives.
        epsilon: half-width of a window.
        bases: what the two directions are.
        windows: test examples, whose dense and adaptive maps are compared.
        timed: so many of them are timed.
        side: points along a window.
        stride: of the coarse grid.
        repeats: timings of each; one row each.
    """
    if space == "preprocessed":
        halves(run.model(model, run.only_seed).untrained())
    with run.progress(models=1):
        trained = run.model(model, run.only_seed).value
    clean = run.test(windows)
    network, points = in_space(trained, clean.images, space)
    slope = slopes(network, points, clean.labels)
    for kind in bases:
        both = basis(kind, points, slope)
        few = slice(0, timed)
        contest(run, network, kind, points[few], both[few], epsilon, side, stride, repeats)
        classes = point_classes(network, points, both, shortcut=True)
        dense = dense_maps(classes, windows, epsilon, side)
        adaptive = adaptive_maps(classes, windows, epsilon, side, stride=stride)
        agree = 100 * (dense == adaptive).double().mean(dim=(1, 2))
        run.table.add(kind, adaptive_agreement=agree.mean().item(), seed=None, n=dense.numel())
        run.table.add(kind, smallest_agreement=agree.min().item(), seed=None, n=side**2)
    for repeat in range(repeats):
        ratio = layouts(run)
        run.table.add("maximum over pieces", inner_over_outer=ratio, seed=repeat, unit="ratio")
    peak, before = peak_memory(windows_of_noise, model, run.data.input_shape, side)
    run.table.add("one window", peak_memory=peak, seed=None, unit="MiB")
    run.table.add("one window", memory_before=before, seed=None, unit="MiB")
    run.finish()


def contest(
    run: Run,
    network: nn.Module,
    kind: str,
    points: Tensor,
    both: Tensor,
    epsilon: float,
    side: int,
    stride: int,
    repeats: int,
) -> None:
    """Time the network alone, every point, every point by the shortcut, and the adaptive map."""
    windows, count = len(points), len(points) * side**2
    batch = points.repeat(-(-BATCH // windows), *[1] * (points.dim() - 1))[:BATCH]
    slow, fast = (point_classes(network, points, both, shortcut=s) for s in (False, True))

    def forward() -> Tensor:
        with torch.no_grad(), evaluating(network):
            for _ in range(-(-count // BATCH)):
                logits = network(batch)
        return logits

    contenders: dict[str, Callable[[], Tensor]] = {
        "forward": forward,
        "plain": lambda: dense_maps(slow, windows, epsilon, side),
        "shortcut": lambda: dense_maps(fast, windows, epsilon, side),
        "adaptive": lambda: adaptive_maps(fast, windows, epsilon, side, stride=stride),
    }
    made: dict[str, Tensor] = {}
    for repeat in range(repeats):
        spent = {}
        for name, work in contenders.items():
            with run.timed(kind, name):
                made[name], spent[name] = with_seconds(work, run.device)
        spent["forward"] *= count / (BATCH * -(-count // BATCH))  # its last batch is full too
        for metric, above, below in RATIOS:
            run.table.add(kind, {metric: spent[above] / spent[below]}, seed=repeat, unit="ratio")
        rate = count / spent["adaptive"]
        run.table.add(kind, points_per_second=rate, seed=repeat, unit="points")
    agree = 100 * (made["shortcut"] == made["plain"]).double().mean().item()
    run.table.add(kind, shortcut_agreement=agree, seed=None, n=count)


def layouts(run: Run) -> float:
    """The maximum over two pieces: its time with the pieces inside over that with them outside."""
    z = torch.randn(500, 2, 48, 15, 15, device=run.device)
    outer = z.flatten(1, 2)  # (batch, pieces * units, ...)
    inner = z.transpose(1, 2).contiguous().flatten(1, 2)  # (batch, units * pieces, ...)

    def pieces_outside(times: int) -> None:
        for _ in range(times):
            outer.unflatten(1, (2, 48)).amax(1)

    def pieces_inside(times: int) -> None:
        for _ in range(times):
            inner.unflatten(1, (48, 2)).amax(2)

    pieces_outside(1)  # what only a first call costs is not timed
    pieces_inside(1)
    with run.timed("maximum", "pieces outside"):
        first = seconds_of(lambda: pieces_outside(10), run.device)
    with run.timed("maximum", "pieces inside"):
        second = seconds_of(lambda: pieces_inside(10), run.device)
    return second / first


def windows_of_noise(model: Config, shape: Shape, side: int) -> None:
    """One dense window of a fresh network: memory does not depend on what it shows."""
    fresh: nn.Module = model.build().eval()
    network = getattr(fresh, "network", fresh)
    points = torch.randn(1, *shape)
    both = basis("random_random", points, points)
    dense_maps(point_classes(network, points, both, shortcut=True), 1, 0.25, side)
