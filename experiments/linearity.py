"""The linearity hypothesis, section 1.2.3: how straight is a network along such a direction?

    advx run experiment=linearity                  # digits that ship with a package
    advx run experiment=linearity scale=chapter    # MNIST

The procedure: from each test digit move along the sign of the gradient and compare the logits with
their tangent at the digit; count the linear pieces that are crossed; ask how often what fools the
tangent fools the network; and set errors along that direction beside those along random signs. For
a linear model the whole of it is ε‖w‖₁, which grows with the number of pixels.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import torch

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.data.dataset import one_of_each_class
from advx.errors import ConfigError
from advx.evaluation.linearity import along_line, tangent
from advx.evaluation.slopes import slopes
from advx.evaluation.straightness import (
    AfterStep,
    Pieces,
    linear_pieces,
    straightness,
    weight_lengths,
)
from advx.figures import linearity as figure
from advx.figures.saved import save_and_draw
from advx.figures.style import called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Model
from advx.types import NonNegativeInt, Positive, PositiveInt, Sizes, Some

UNITS = {
    "deviation": "of the way",
    "random_deviation": "of the way",
    "pieces": "pieces",
    "first_piece_ends": "max norm",
}


def cells(
    models: dict[str, Config], linear: str, epsilons: list[float], pixels: list[int]
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    steps = [metric for metric in metrics_of(AfterStep) if metric != FOOLED]
    yield Cells([*models], [*steps, "random_error_rate", "random_deviation"], epsilons)
    yield Cells([*models], [FOOLED], epsilons, always=False)  # where anything fools the tangent
    yield Cells([*models], metrics_of(Pieces), always=False)  # of networks that have them
    added = [setting(pixels=count) for count in pixels]
    yield Cells([linear], SUMS, settings=added)


FOOLED = "fooled_with_the_tangent"
SUMS = ("moved_by_sign", "moved_by_random", "sign_over_random")
"""Metrics."""


def main(
    run: Run,
    models: dict[str, Config],
    linear: str,
    epsilons: Sizes,
    pieces_epsilon: Positive,
    examples: PositiveInt,
    pixels: Some[PositiveInt],
    figure_model: str,
    figure_epsilon: Positive,
    figure_example: NonNegativeInt,
) -> None:
    """How straight every model is, and what that explains.

    Args:
        run: the run to measure on.
        models: by name.
        linear: the one among them that is linear in the pixels.
        epsilons: steps along the gradient's sign.
        pieces_epsilon: the step within which linear pieces are counted.
        examples: test examples.
        pixels: numbers of pixels whose weights are added up.
        figure_model: the model whose logits are drawn.
        figure_epsilon: how far, either way.
        figure_example: the test example that they are drawn for.
    """
    for key, name in (("linear", linear), ("figure_model", figure_model)):
        if name not in models:
            raise ConfigError(f"{key}={name}: no such model; valid: {', '.join(models)}")
    total = run.data.test.images[0].numel()
    if max(pixels) > total:
        raise ConfigError(f"pixels={max(pixels)}: an image of dataset={run.data.name} has {total}")
    n = min(examples, len(run.data.test))
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            for name in models:
                network = run.model(name, seed)
                along_the_sign(run, name, network, epsilons, n)
                along_random_signs(run, name, network, epsilons, n)
                pieces = run.measure(linear_pieces, network, run.test(n), pieces_epsilon)
                if pieces is not None:
                    run.table.add(name, pieces, seed=seed, n=n, unit=UNITS)
            added_up(run, run.model(linear, seed), linear, pixels)
    numbers = run.numbers()
    arrays = measured(numbers, list(models), linear, epsilons, pixels)
    within = max([e for e in epsilons if e <= pieces_epsilon], default=min(epsilons))
    bases_of = bases(numbers, linear, figure_model, within, pixels, run.seeds[0])
    title = finding(numbers, figure_model, within)
    run.attempt(
        lambda: draw(
            run,
            run.model(figure_model, run.seeds[0]),
            figure_epsilon,
            figure_example,
            arrays,
            bases_of,
            title,
        )
    )
    run.finish()


def along_the_sign(run: Run, row: str, network: Model, epsilons: list[float], n: int) -> None:
    """Steps along the gradient's sign, beside the tangent."""
    steps = run.measure(straightness, network, run.test(n), epsilons)
    for epsilon, step in zip(epsilons, steps, strict=False):
        results = asdict(step)
        rate = step.tangent_error_rate
        fooled = n if math.isnan(rate) else round(rate / 100 * n)
        if fooled == 0:  # what fools the tangent is nothing
            del results[FOOLED]
        behind = dict.fromkeys(results, n) | {FOOLED: fooled}
        run.table.add(row, results, epsilon=epsilon, seed=network.seed, n=behind, unit=UNITS)


def along_random_signs(run: Run, row: str, network: Model, epsilons: list[float], n: int) -> None:
    """Steps along random signs."""
    steps = run.measure(straightness, network, run.test(n), epsilons, random=True)
    for epsilon, step in zip(epsilons, steps, strict=False):
        results = {"random_error_rate": step.error_rate, "random_deviation": step.deviation}
        run.table.add(row, results, epsilon=epsilon, seed=network.seed, n=n, unit=UNITS)


def added_up(run: Run, network: Model, name: str, pixels: list[int]) -> None:
    """How far the weights of so many pixels move a linear model's logits."""
    lengths = run.measure(weight_lengths, network, run.data.test.images[:1], pixels)
    both = zip(pixels, lengths.by_sign, lengths.by_random, strict=False)
    for count, by_sign, by_random in both:
        moved = {"moved_by_sign": by_sign, "moved_by_random": by_random}
        under, seed = setting(pixels=count), network.seed
        run.table.add(name, moved, setting=under, seed=seed, unit="logits for ε = 1")
        ratio = by_sign / by_random if by_random else math.nan  # no slope at all
        run.table.add(name, sign_over_random=ratio, setting=under, seed=seed, unit="ratio")


def measured(
    results: Numbers, models: list[str], linear: str, epsilons: list[float], pixels: list[int]
) -> dict[str, np.ndarray]:
    """The errors and the sums of the figure, over the seeds."""
    arrays = {"epsilons": np.array(epsilons), "pixels": np.array(pixels)}
    for name in models:
        arrays[f"errors_{name}"] = np.stack(
            [
                results.over_seeds([Cell(name, kind, e) for e in epsilons])
                for kind in ("error_rate", "random_error_rate")
            ]
        )
    for kind in ("sign", "random"):
        sums = [Cell(linear, f"moved_by_{kind}", None, setting(pixels=n)) for n in pixels]
        arrays[f"sums_{kind}"] = results.over_seeds(sums)
    return arrays


def bases(
    results: Numbers, linear: str, model: str, epsilon: float, pixels: list[int], seed: int
) -> list[str]:
    """What the logits, the errors and the sums were measured on."""
    return [
        f"seed {seed}, one test example",
        results.basis([Cell(model, "error_rate", epsilon)]),
        results.basis([Cell(linear, "moved_by_sign", None, setting(pixels=pixels[-1]))]),
    ]


def finding(results: Numbers, model: str, epsilon: float) -> str:
    """How far the logits are from their tangents, and whether what fools those fools the model."""
    away = percentage(100 * results.mean(model, "deviation", epsilon))
    too = percentage(results.mean(model, FOOLED, epsilon))
    return (
        f"At ε = {size(epsilon)} the {called(model)}'s logits are off their tangents by {away} of "
        f"the way that they moved, and {too} of what fools the tangents fools the model"
    )


def draw(
    run: Run,
    network: Model,
    epsilon: float,
    example: int,
    arrays: dict[str, np.ndarray],
    bases_of: list[str],
    title: str,
) -> None:
    """The logits of one digit along its adversarial direction; errors; a linear model's sum."""
    module = network.value
    row = one_of_each_class(run.data.test.labels, example + 1)[-1:]
    x, y = run.data.test.images[row], run.data.test.labels[row]
    sign = slopes(module, x, y).sign()
    sizes = torch.linspace(-epsilon, epsilon, 201, dtype=torch.float64)
    logits = along_line(module, x, sign, sizes)[0]
    start, slope = tangent(module, x, sign)
    arrays |= {
        "sizes": sizes.numpy(),
        "logits": logits.cpu().numpy(),
        "tangents": (start + sizes[:, None].to(start) * slope).cpu().numpy(),
        "image": x[0].cpu().numpy(),
        "sign": sign[0].cpu().numpy(),
    }
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        label=int(y),
        class_names=run.data.class_names,
        model=network.name,
        bases_of=bases_of,
        finding=title,
        provenance=run.heading(),
    )
