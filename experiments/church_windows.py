"""Church windows, Figures 1.2 to 1.4: two-dimensional cross sections near test examples.

    advx run experiment=church_windows                            # digits that ship with a package
    advx run experiment=church_windows scale=chapter              # CIFAR-10, a small network
    advx run experiment=church_windows grid=1 first_example=7     # one example, poster size

The procedure: train the convolutional maxout network; for each of a hundred test examples take the
sign of the gradient, the gradient and a random direction; draw the class of the plane that two of
them span. Then measure what the captions say of the pictures: whether one straight line parts right
from wrong, how near it is, and which directions lead across it. A last figure shows points of the
windows as pictures.
"""

import base64
import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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
from advx.evaluation.half_spaces import (
    after_steps,
    best_line,
    boundary_distance,
    directions_at,
    random_directions,
)
from advx.evaluation.slopes import slopes
from advx.evaluation.space import SpaceName, halves, in_space
from advx.evaluation.transfer import predictions
from advx.evaluation.undefined import answered
from advx.figures import windows
from advx.figures.kept import keep
from advx.figures.moved_pictures import captions, ends
from advx.figures.style import percentage
from advx.figures.tiles import thumbnails
from advx.models.call import UNDEFINED
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.recipe import Recipe
from advx.types import NonNegativeInt, Positive, PositiveInt

SEPARABLE = 0.99
"""Share of a window's points that a straight line must place rightly to count as its boundary."""

STEPS = {
    "sign of the gradient": (-1.0, -0.5, 0.0, 0.5, 1.0),
    "random": (-1.0, 1.0),
}
"""Where points of the windows are shown as pictures, in units of ε."""

DIRECTIONS = {
    "fgsm_random": ("sign of the gradient", "random"),
    "random_random": ("random", "random"),
    "fgsm_gradient": ("sign of the gradient", "rest of the gradient"),
}

NAMES = {
    "fgsm_random": ("Figure 1.2", "adversarial and random"),
    "random_random": ("Figure 1.3", "two random directions"),
    "fgsm_gradient": ("Figure 1.4", "two adversarial directions"),
}


def main(
    run: Run,
    model: dict[str, Any],
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
    pictures: NonNegativeInt,
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
        pictures: examples of the grid of which some points are shown as pictures.
    """
    if side < 3 or side % 2 == 0:
        raise ConfigError(f"side={side}: an odd number from 3 is needed, so that a point lies "
                          "on the example")  # fmt: skip
    check_stride(side, stride)
    if first_example + grid**2 > len(run.data.test):
        raise ConfigError(
            f"grid={grid}, first_example={first_example}: dataset={run.data.name} has "
            f"{len(run.data.test):,} test examples; valid: first_example + grid² at most so many"
        )
    cosine = next((c for c in cosines if abs(c) > 1), None)
    if cosine is not None:
        raise ConfigError(f"cosines={cosine}: a number between −1 and 1 is needed")
    if space == "preprocessed":
        own = halves(run.untrained(run.recipe(model, run.seeds[0], path="model")))
        if pictures and not all(hasattr(own[0], undo) for undo in ("lost", "invert")):
            raise ConfigError(
                f"pictures={pictures}: the preprocessing of {model['name']} cannot be undone; "
                "valid: pictures=0, or preprocessing like advx.models.whitening.Whitening"
            )
    rows = torch.arange(first_example, first_example + grid**2)
    drawn: dict[str, Tensor] = {}
    run.record("half-width", "epsilon", epsilon, seed=None, unit=f"{space} units")
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            network = run.recipe(model, seed, path="model")
            rate = run.error_rate(network)
            run.record("clean", "error_rate", rate, seed=seed, n=len(run.data.test))
            for kind in bases:
                settings = {"space": space, "epsilon": epsilon, "length": length, "basis": kind,
                            "side": side, "stride": stride}  # fmt: skip
                maps = window_maps(run, network, rows, settings)
                if maps is not None:
                    report(run, kind, maps, run.data.test.labels[rows].cpu(), seed)
                    if seed == run.seeds[0]:
                        drawn[kind] = maps
            settings = {"space": space, "epsilon": epsilon}
            n = min(examples, len(run.data.test))
            found = along(run, network, n, cosines, draws, settings)
            for row, metrics in found.items():
                for metric, value in metrics.items():
                    unit = "cosine" if metric == "cosine" else "percent"
                    run.record(row, metric, value, seed=seed, n=n, unit=unit)
    shown = run.attempt(
        lambda: moved_pictures(run, run.recipe(model, run.seeds[0], path="model"),
                               rows[:pictures], space, epsilon, length)
    )  # fmt: skip
    draw(run, drawn, rows, epsilon, grid, shown or {})
    run.finish()


def window_maps(run: Run, network: Recipe, rows: Tensor, settings: dict[str, Any]) -> Tensor | None:
    """The classes in every window, (windows, side, side), v downwards; kept, packed."""
    side, count = settings["side"], len(rows)

    def measure() -> str:
        model, points, labels = placed(run, network, run.data.test.take(rows), settings["space"])
        slope = slopes(model, points, labels)
        both = basis(settings["basis"], points, slope, length=settings["length"])
        classes = point_classes(model, points, both, shortcut=True)
        with run.timed("windows", f"{settings['basis']}, seed {network.seed}"):
            maps = adaptive_maps(classes, count, settings["epsilon"], side,
                                 stride=settings["stride"])  # fmt: skip
        answered(model, maps.flatten().masked_fill(maps.flatten() == NO_CLASS, UNDEFINED))
        packed = zlib.compress(maps.numpy().tobytes(), 9)
        return base64.b64encode(packed).decode()

    content = {"models": [run.key(network)], "of": "church windows", **settings,
               "first": int(rows[0]), "count": count}  # fmt: skip
    packed = run.measured(content, measure, missing=None)
    if packed is None:
        return None
    content_ = zlib.decompress(base64.b64decode(packed))
    return torch.from_numpy(np.frombuffer(content_, np.int16).reshape(count, side, side).copy())


def placed(
    run: Run, network: Recipe, clean: Split, space: SpaceName
) -> tuple[nn.Module, Tensor, Tensor]:
    """The network as a function of `space`, the examples there, and their labels."""
    model, points = in_space(run.trained(network).module, clean.images, space)
    return model, points, clean.labels


def report(run: Run, kind: str, maps: Tensor, labels: Tensor, seed: int) -> None:
    """What a basis's windows show."""
    correct = maps == labels[:, None, None]
    half = maps.shape[1] // 2
    known = {"seed": seed, "n": len(maps)}
    best, alike = best_line(correct[:, ::2, ::2])
    both = alike < 1
    run.record(kind, "both_in_window", 100 * both.double().mean().item(), **known)
    if both.any():
        known_ = {"seed": seed, "n": int(both.sum())}
        run.record(kind, "line_accuracy", 100 * best[both].mean().item(), **known_)
        run.record(kind, "larger_share", 100 * alike[both].mean().item(), **known_)
        share = 100 * (best[both] >= SEPARABLE).double().mean().item()
        run.record(kind, "separable", share, **known_)
    said, moved = maps[:, half, half], maps[:, half, -1]
    for metric, hits, asked in (
        ("changed", maps != said[:, None, None], maps),
        ("error_at_epsilon", moved != labels, moved),
        ("changed_at_epsilon", moved != said, moved),
    ):
        value = 100 * hits[asked != NO_CLASS].double().mean().item()
        run.record(kind, metric, value, **known)
    distance = boundary_distance(correct)
    right = distance > 0
    if right.any():
        median = distance[right].median().item()
        run.record(kind, "median_boundary_distance", median, seed=seed, n=int(right.sum()),
                   unit="of ε")  # fmt: skip


def along(
    run: Run, network: Recipe, examples: int, cosines: list[float], draws: int,
    settings: dict[str, Any],
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Errors after steps of the L2 length ε√n, by direction; kept."""

    def measure() -> dict[str, dict[str, float]]:
        model, points, labels = placed(run, network, run.tested(examples), settings["space"])
        slope = slopes(model, points, labels)
        size = settings["epsilon"] * points[0].numel() ** 0.5
        sign = slope.sign()
        moves: dict[str, tuple[Callable[[int], Tensor], int]] = {
            "sign of the gradient": (lambda _: settings["epsilon"] * sign, 1),
            "random directions": (lambda k: size * random_directions(points, k), draws),
        }
        for c in cosines:
            moves[f"cosine {c:g}"] = (
                lambda k, c=c: size * directions_at(points, slope, c, k), 1 if abs(c) == 1 else 3,
            )  # fmt: skip
        found = {
            row: after_steps(model, points, labels, step, count)
            for row, (step, count) in moves.items()
        }
        cosine = nn.functional.cosine_similarity(slope.flatten(1), sign.flatten(1))
        found["sign of the gradient"]["cosine"] = cosine.mean().item()
        return found

    content = {"models": [run.key(network)], "of": "errors along directions", "cosines": cosines,
               "draws": draws, **settings}  # fmt: skip
    missing = {"sign of the gradient": {"error_rate": math.nan}}
    return run.measured(content, measure, examples, missing=missing)


def moved_pictures(
    run: Run, network: Recipe, rows: Tensor, space: SpaceName, epsilon: float, length: LengthName
) -> dict[str, np.ndarray]:
    """Some points of the windows as pictures in 8 bits, and the classes there; how far they are.

    The preprocessing is undone with the mean and contrast of each original.
    """
    if not len(rows):
        return {}
    clean = run.data.test.take(rows)
    model, points, labels = placed(run, network, clean, space)
    both = basis("fgsm_random", points, slopes(model, points, labels), length=length)
    moved = torch.stack(
        [points + share * epsilon * both[:, k]
         for k, steps in enumerate(STEPS.values()) for share in steps], 1,
    )  # fmt: skip  # (rows, steps, *shape)
    said = torch.stack([predictions(model, x) for x in moved.unbind(1)], 1)
    if space == "preprocessed":
        whitening = run.trained(network).module.preprocessing
        lost = whitening.lost(clean.images)
        moved = torch.stack([whitening.invert(x, *lost) for x in moved.unbind(1)], 1)
    far = (moved - clean.images[:, None]).flatten(2).pow(2).mean(2).sqrt().median(0).values
    for name, place in zip(STEPS, ends(STEPS), strict=True):
        value = 255 * far[place].item()
        run.record(f"{name}, ε", "rms_change", value, seed=network.seed, n=len(rows),
                   unit="grey levels")  # fmt: skip
    return {
        "pictures": (moved.clamp(0, 1) * 255).round().byte().cpu().numpy(),
        "said": said.cpu().numpy(),
        "pictured_labels": labels.cpu().numpy(),
    }


def finding(kind: str, found: Numbers) -> str:
    """What a basis's windows show, in one sentence; means over the seeds."""
    changed = found.mean(kind, "changed")
    if kind == "random_random":
        text = f"Two random directions change the class at {percentage(changed)} of the points"
        adversarial = found.mean("fgsm_random", "changed")
        if math.isnan(adversarial):
            return text
        return f"{text}; where one of the two is adversarial, {percentage(adversarial)} change"
    random = kind == "fgsm_random"
    between = "an adversarial and a random direction" if random else "two adversarial directions"
    line = found.mean(kind, "line_accuracy")
    if math.isnan(line):
        return f"In the plane of {between}, no window has both right and wrong answers"
    return (f"In the plane of {between}, a straight line parts right from wrong answers at "
            f"{percentage(line)} of the points")  # fmt: skip


def draw(
    run: Run, drawn: dict[str, Tensor], rows: Tensor, epsilon: float, grid: int,
    pictures: dict[str, np.ndarray],
) -> None:  # fmt: skip
    """A figure a basis, and the pictures."""
    arrays = {f"maps_{kind}": maps.numpy().astype(np.int8) for kind, maps in drawn.items()}
    arrays["labels"] = run.data.test.labels[rows].cpu().numpy()
    arrays |= pictures
    if len(run.data.input_shape) == 3 and run.data.input_shape[0] in (1, 3):
        arrays["examples"] = thumbnails(run.data.test.images[rows].cpu().numpy())
    found = Numbers(run.results.rows)
    far = {name: found.mean(f"{name}, ε", "rms_change") for name in STEPS}
    options = {
        "epsilon": epsilon,
        "class_names": list(run.data.class_names),
        "axes": {kind: DIRECTIONS[kind] for kind in drawn},
        "names": {kind: NAMES[kind] for kind in drawn},
        "findings": {kind: finding(kind, found) for kind in drawn},
        "provenance": run.heading(),
        "columns": grid,
        "moved": captions(STEPS, far, epsilon, pictures["said"], pictures["pictured_labels"])
        if pictures else None,
    }  # fmt: skip
    keep(run.folder, "windows", arrays, options)
    windows.draw(run.folder, arrays, **options)
