"""Church windows, Figures 1.2 to 1.4: two-dimensional cross sections near test examples.

    advx run experiment=church_windows                            # digits that ship with a package
    advx run experiment=church_windows scale=chapter              # CIFAR-10, a small network
    advx run experiment=church_windows grid=1 first_example=7     # one example, poster size

The procedure: train the convolutional maxout network; for each of a hundred test examples take the
sign of the gradient, the gradient and a random direction; draw the class of the plane that two of
them span. Then measure what the captions say of the windows: whether one straight line parts right
from wrong, how near it is, and which directions lead across it. A last figure shows points of the
windows as images.
"""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.church_windows import (
    NO_CLASS,
    BasisName,
    LengthName,
    adaptive_maps,
    basis,
    check_stride,
    point_classes,
)
from advx.evaluation.half_spaces import AfterSteps, after_steps, directions_at, random_directions
from advx.evaluation.measurement import measurement
from advx.evaluation.slopes import slopes
from advx.evaluation.space import Invertible, SpaceName, halves, in_pixels, in_space
from advx.evaluation.transfer import error_rate
from advx.evaluation.undefined import answered
from advx.evaluation.window_images import images_at, window_steps
from advx.evaluation.window_statistics import WindowStatistics, window_statistics
from advx.figures import windows
from advx.figures.moved_images import captions, ends, packed
from advx.figures.saved import save_and_draw
from advx.figures.tiles import thumbnails
from advx.figures.windows import DIRECTIONS, NAMES, finding
from advx.models.call import UNDEFINED
from advx.run import Run
from advx.run.model import Model
from advx.types import NonNegativeInt, Positive, PositiveInt

SIGN, RANDOM = "sign of the gradient", "random directions"
STEPS = {SIGN: (-1.0, -0.5, 0.0, 0.5, 1.0), "random": (-1.0, 1.0)}
PLACES = [*((h, 0.0) for h in STEPS[SIGN]), *((0.0, v) for v in STEPS["random"])]
"""Where points of the windows are shown as images, in units of ε: by direction, and as (h, v)."""

COSINE, MOVED = "cosine {:g}", "{}, ε"
"""Rows: of directions at that cosine to the gradient; of points shown as images."""

OF_WINDOWS = ("both_in_window",)
OF_BOTH = ("line_accuracy", "larger_share", "separable")
AT_EPSILON = ("changed", "error_at_epsilon", "changed_at_epsilon")
BOUNDARY = "median_boundary_distance"
"""Metrics of a basis, by the windows that they are of."""


def cells(bases: list[BasisName], cosines: list[float], image_examples: int) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield Cells(["half-width"], ["epsilon"])
    yield Cells(["clean"], ["error_rate"])
    yield Cells(bases, [*OF_WINDOWS, *AT_EPSILON])
    yield Cells(bases, [*OF_BOTH, BOUNDARY], always=False)  # where there are such windows
    yield Cells(directions(cosines), metrics_of(AfterSteps))
    yield Cells([SIGN], ["cosine"])
    if image_examples:
        yield Cells([MOVED.format(name) for name in STEPS], ["rms_change"])


def directions(cosines: list[float]) -> list[str]:
    """The rows of steps along a direction."""
    return [SIGN, RANDOM, *(COSINE.format(c) for c in cosines)]


def main(
    run: Run,
    model: Config,
    space: SpaceName,
    epsilon: Positive,
    length: LengthName,
    bases: list[BasisName],
    grid: PositiveInt,
    first_example: NonNegativeInt,
    side: PositiveInt,
    stride: PositiveInt,
    draws: PositiveInt,
    cosines: list[float],
    examples: PositiveInt,
    image_examples: NonNegativeInt,
) -> None:
    """The windows of every basis, and what their captions claim.

    Args:
        run: the run to measure on.
        model: the network.
        space: whether ε is one of pixels or of what the network's own preprocessing makes of them.
        epsilon: half-width of a window, in units of the directions.
        length: of the directions: that of the gradient's sign, or one.
        bases: what the two directions are, a figure each.
        grid: windows along each axis of a figure.
        first_example: the test example in the first window; the others follow.
        side: points along a window, odd.
        stride: of the coarse grid that is refined where classes differ; 1 for every point.
        draws: random directions tried for every example.
        cosines: between direction and gradient.
        examples: test examples that are moved along those directions.
        image_examples: examples of the grid of which some points are shown as images.
    """
    rows = torch.arange(first_example, first_example + grid**2)
    refuse(run, model, space, side, stride, first_example + grid**2, cosines, image_examples)
    window = {"space": space, "epsilon": epsilon, "length": length, "side": side, "stride": stride}
    shown, n = run.data.test.take(rows), min(examples, len(run.data.test))
    drawn: dict[BasisName, Tensor] = {}
    run.table.add("half-width", {"epsilon": epsilon}, seed=None, unit=f"{space} units")
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            network = run.model(model, seed)
            rate = run.measure(error_rate, network, run.data.test)
            run.table.add("clean", error_rate=rate, seed=seed, n=len(run.data.test))
            for kind in bases:
                with run.timed("windows", f"{kind}, seed {seed}"):
                    maps = run.measure(window_maps, network, shown, kind, **window)
                if maps is not None:
                    seen = window_statistics(maps, shown.labels.cpu())
                    report(run, kind, seen, seed)
                    if seed == run.seeds[0]:
                        drawn[kind] = maps
            steps_along(run, network, run.test(n), cosines, draws, space, epsilon)
    first = run.model(model, run.seeds[0])
    images = run.attempt(
        lambda: images_of(run, first, [*drawn], rows[:image_examples], space, epsilon, length)
    )
    draw(run, drawn, rows, epsilon, grid, images or {})
    run.finish()


def steps_along(
    run: Run,
    network: Model,
    examples: Split,
    cosines: list[float],
    draws: int,
    space: SpaceName,
    epsilon: float,
) -> None:
    """The rows of every direction."""
    seed, n = network.seed, len(examples)
    results = run.measure(
        errors_along, network, examples, cosines, draws=draws, space=space, epsilon=epsilon
    )
    for row in directions(cosines):
        run.table.add(row, results.get(row, AfterSteps(math.nan, math.nan)), seed=seed, n=n)
        if row == SIGN:
            cosine = run.measure(cosine_of_sign, network, examples, space=space)
            run.table.add(row, cosine=cosine, unit="cosine", seed=seed, n=n)


def refuse(
    run: Run,
    model: Config,
    space: SpaceName,
    side: int,
    stride: int,
    windows_end: int,
    cosines: list[float],
    image_examples: int,
) -> None:
    """Refuse windows that cannot be drawn, before anything is trained."""
    if side < 3 or side % 2 == 0:
        raise ConfigError(
            f"side={side}: an odd number from 3 is needed, so that a point lies on the example"
        )
    check_stride(side, stride)
    if windows_end > len(run.data.test):
        first, grid = run.config["first_example"], run.config["grid"]
        raise ConfigError(
            f"grid={grid}, first_example={first}: dataset={run.data.name} has "
            f"{len(run.data.test):,} test examples; valid: first_example + grid² at most so many"
        )
    cosine = next((c for c in cosines if abs(c) > 1), None)
    if cosine is not None:
        raise ConfigError(f"cosines={cosine}: a number between −1 and 1 is needed")
    if space == "preprocessed":
        preprocessing, _ = halves(run.model(model, run.seeds[0]).untrained())
        if image_examples and not isinstance(preprocessing, Invertible):
            raise ConfigError(
                f"image_examples={image_examples}: the preprocessing of {model['name']} cannot be "
                "undone; valid: image_examples=0, or one like advx.models.whitening.Whitening"
            )


@measurement(version=1)
def window_maps(
    model: nn.Module,
    examples: Split,
    kind: BasisName,
    *,
    space: SpaceName,
    epsilon: float,
    length: LengthName,
    side: int,
    stride: int,
) -> Tensor | None:
    """The classes in every window, (windows, side, side) int16, v downward."""
    placed, points = in_space(model, examples.images, space)
    slope = slopes(placed, points, examples.labels)
    both = basis(kind, points, slope, length=length)
    classes = point_classes(placed, points, both, shortcut=True)
    maps = adaptive_maps(classes, len(examples), epsilon, side, stride=stride)
    answered(model, maps.flatten().masked_fill(maps.flatten() == NO_CLASS, UNDEFINED))
    return maps


def report(run: Run, kind: str, seen: WindowStatistics, seed: int) -> None:
    """The rows of one basis."""
    for n, metrics in (
        (seen.windows, OF_WINDOWS),
        (seen.with_both, OF_BOTH),
        (seen.windows, AT_EPSILON),
    ):
        if n:
            run.table.add(kind, {m: getattr(seen, m) for m in metrics}, seed=seed, n=n)
    if seen.right:
        median = {BOUNDARY: seen.median_boundary_distance}
        run.table.add(kind, median, seed=seed, n=seen.right, unit="of ε")


@measurement(version=1)
def errors_along(
    model: nn.Module,
    examples: Split,
    cosines: list[float],
    *,
    space: SpaceName,
    epsilon: float,
    draws: int,
    draws_at_a_cosine: int = 3,
) -> dict[str, AfterSteps]:
    """What comes of steps of the L2 length ε√n, by direction."""
    placed, points = in_space(model, examples.images, space)
    slope = slopes(placed, points, examples.labels)
    size, sign = epsilon * points[0].numel() ** 0.5, slope.sign()
    after = partial(after_steps, placed, points, examples.labels)

    def at_cosine(c: float) -> AfterSteps:
        count = 1 if abs(c) == 1 else draws_at_a_cosine
        return after(lambda k: size * directions_at(points, slope, c, k), count)

    return {
        SIGN: after(lambda _: epsilon * sign, 1),
        RANDOM: after(lambda k: size * random_directions(points, k), draws),
        **{COSINE.format(c): at_cosine(c) for c in cosines},
    }


@measurement(version=1)
def cosine_of_sign(model: nn.Module, examples: Split, *, space: SpaceName) -> float:
    """Mean cosine of the angle between the gradient and its sign."""
    placed, points = in_space(model, examples.images, space)
    slope = slopes(placed, points, examples.labels).flatten(1)
    return nn.functional.cosine_similarity(slope, slope.sign()).mean().item()


def images_of(
    run: Run,
    network: Model,
    kinds: list[BasisName],
    rows: Tensor,
    space: SpaceName,
    epsilon: float,
    length: LengthName,
) -> dict[str, np.ndarray]:
    """Some points of the windows as images in 8 bits, and the classes there; how far they are.

    Besides, from which every point's image can be made: by pair of directions `directions_PAIR`
    (n, 2, *shape) in bytes and `scales_PAIR` (n, 2), whose product is what ε along the direction
    adds to an image of 0 … 1.
    """
    if not len(rows):
        return {}
    clean, model = run.data.test.take(rows), network.value
    steps = partial(window_steps, model, clean, space=space, epsilon=epsilon, length=length)
    moved, classes = images_at(model, clean, steps("fgsm_random"), PLACES, space)
    far = (moved - clean.images[:, None]).flatten(2).pow(2).mean(2).sqrt().median(0).values
    for name, place in zip(STEPS, ends(STEPS), strict=True):
        run.table.add(
            MOVED.format(name),
            rms_change=255 * far[place].item(),
            seed=network.seed,
            n=len(rows),
            unit="gray levels",
        )
    made = {
        "images": (moved.clamp(0, 1) * 255).round().byte().cpu().numpy(),
        "predicted": classes.cpu().numpy(),
        "image_labels": clean.labels.cpu().numpy(),
    }
    for kind in kinds:
        pixels = in_pixels(model, clean.images, steps(kind), space).cpu().numpy()
        made[f"directions_{kind}"], made[f"scales_{kind}"] = packed(pixels)
    return made


def draw(
    run: Run,
    drawn: dict[BasisName, Tensor],
    rows: Tensor,
    epsilon: float,
    grid: int,
    images: dict[str, np.ndarray],
) -> None:
    """A figure a basis, and the images."""
    arrays = {f"maps_{kind}": maps.numpy().astype(np.int8) for kind, maps in drawn.items()}
    arrays["labels"] = run.data.test.labels[rows].cpu().numpy()
    arrays |= images
    if len(run.data.input_shape) == 3 and run.data.input_shape[0] in (1, 3):
        arrays["examples"] = thumbnails(run.data.test.images[rows].cpu().numpy())
    results = run.numbers()
    far = {name: results.mean(MOVED.format(name), "rms_change") for name in STEPS}
    save_and_draw(
        run.folder,
        windows.draw,
        arrays,
        epsilon=epsilon,
        class_names=run.data.class_names,
        axes={kind: DIRECTIONS[kind] for kind in drawn},
        names={kind: NAMES[kind] for kind in drawn},
        findings={kind: finding(kind, results) for kind in drawn},
        provenance=run.heading(),
        columns=grid,
        moved=captions(STEPS, far, epsilon, images["predicted"], images["image_labels"])
        if images
        else None,
    )
