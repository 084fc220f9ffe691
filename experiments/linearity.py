"""The linearity hypothesis, section 1.2.3: how straight is a network along such a direction?

    advx run experiment=linearity                  # digits that ship with a package
    advx run experiment=linearity scale=chapter    # MNIST

The procedure: from each test digit move along the sign of the gradient and compare the logits with
their tangent at the digit; count the linear pieces that are crossed; ask how often what fools the
tangent fools the network; and set errors along that direction beside those along random signs. For
a linear model the whole of it is ε‖w‖₁, which grows with the number of pixels.
"""

import math
from typing import Any

import numpy as np
import torch

from advx.attacks.gradient import linearized
from advx.attacks.noise import uniform
from advx.data.dataset import one_of_each_class
from advx.errors import ConfigError
from advx.evaluation.linearity import along_line, crossings, deviation, dual_lengths, tangent
from advx.evaluation.slopes import slopes
from advx.evaluation.undefined import answered, no_number, percent
from advx.figures import linearity as figure
from advx.figures.kept import keep
from advx.figures.style import called, percentage, size
from advx.models.call import predicted
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.recipe import Recipe
from advx.types import NonNegativeInt, Positive, PositiveInt

KINKS_FROM = 1e-6
"""The smallest step after which a change of pieces is looked for, as a part of the largest."""

KINK_STEPS = 80


def main(
    run: Run,
    models: dict[str, Any],
    linear: str,
    epsilons: list[Positive],
    pieces_epsilon: Positive,
    examples: PositiveInt,
    pixels: list[PositiveInt],
    figure_model: str,
    figure_epsilon: Positive,
    figure_example: NonNegativeInt,
) -> None:
    """How straight every model is, and what that explains.

    Args:
        run: the run to measure on.
        models: the bag of models.
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
                found = straightness(run, run.recipe(name, seed), epsilons, pieces_epsilon, n)
                for metric, value in found.items():
                    unit = UNITS.get(metric.partition("@")[0], "percent")
                    run.record(name, metric, value, seed=seed, n=n, unit=unit)
            lengths = weights_added_up(run, run.recipe(linear, seed), pixels)
            for count, (along, at_random) in zip(pixels, lengths, strict=True):
                row = f"{linear}, {count} pixels"
                run.record(row, "moved_by_sign", along, seed=seed, unit="logits for ε = 1")
                run.record(row, "moved_by_random", at_random, seed=seed, unit="logits for ε = 1")
                ratio = along / at_random if at_random else math.nan  # no slope at all
                run.record(row, "sign_over_random", ratio, seed=seed, unit="ratio")
    numbers = Numbers(run.results.rows)
    arrays = measured(numbers, list(models), linear, epsilons, pixels)
    within = max([e for e in epsilons if e <= pieces_epsilon], default=min(epsilons))
    bases_of = bases(numbers, linear, figure_model, within, pixels, run.seeds[0])
    title = finding(numbers, figure_model, within)
    run.attempt(lambda: draw(run, run.recipe(figure_model, run.seeds[0]), figure_epsilon,
                             figure_example, arrays, bases_of, title))  # fmt: skip
    run.finish()


UNITS = {
    "deviation": "of the way",
    "random_deviation": "of the way",
    "pieces": "pieces",
    "first_piece_ends": "max norm",
}


def straightness(
    run: Run, network: Recipe, epsilons: list[float], pieces_epsilon: float, examples: int
) -> dict[str, float]:
    """What is measured of one model; kept."""

    def measure() -> dict[str, float]:
        module, clean = run.trained(network).module, run.tested(examples)
        x, y = clean.images, clean.labels
        sign = slopes(module, x, y).sign()
        found: dict[str, float] = {}
        sizes = torch.tensor(epsilons, dtype=torch.float64)
        for prefix, direction in (("", sign), ("random_", uniform(x, 0).sign())):
            logits = along_line(module, x, direction, sizes)
            start, slope = tangent(module, x, direction)
            for place, epsilon in enumerate(epsilons):
                z, at = logits[:, place], f"@{epsilon:g}"
                said = predicted(z)
                wrong = said != y
                found[f"{prefix}error_rate{at}"] = percent(module, wrong, said)
                away = deviation(z, start, slope, epsilon)
                away = away[~no_number(away)]  # of an example without a class
                found[f"{prefix}deviation{at}"] = away.double().median().item()
                if prefix:
                    continue
                along = predicted(start + epsilon * slope)
                fooled = along != y
                found[f"tangent_error_rate{at}"] = percent(module, fooled, along)
                fooled &= answered(module, along) & answered(module, said)
                if fooled.any():
                    share = 100 * wrong[fooled].double().mean().item()
                    found[f"fooled_with_the_tangent{at}"] = share
        kinks = pieces_epsilon * torch.logspace(math.log10(KINKS_FROM), 0, KINK_STEPS).double()
        counted = crossings(module, x, sign, torch.cat([kinks.new_zeros(1), kinks]))
        if counted is not None:
            counts, units = counted
            found["pieces"] = 1 + counts.sum(1).double().median().item()
            found["units_on_another_piece"] = 100 * counts.sum(1).double().mean().item() / units
            first = (counts > 0).double().argmax(1)
            ends = kinks.to(first.device)[first].where((counts > 0).any(1), math.inf)
            found["first_piece_ends"] = ends.median().item()
        return found

    content = {"models": [run.key(network)], "of": "straightness", "epsilons": epsilons,
               "pieces_epsilon": pieces_epsilon}  # fmt: skip
    return run.measured(content, measure, examples, missing={})


def weights_added_up(run: Run, network: Recipe, pixels: list[int]) -> list[tuple[float, float]]:
    """‖w‖₁ and ‖w‖₂ of random parts of the linear model's weights, over pairs of logits; kept."""

    def measure() -> list[tuple[float, float]]:
        module = run.trained(network).module
        start = torch.zeros(1, *run.data.input_shape, device=run.device)
        logits, gradient = linearized(module, start)
        rows = [gradient(one[None]) for one in torch.eye(logits.shape[1]).to(logits)]
        jacobian = torch.cat(rows).flatten(1).cpu().double()
        pairs = [jacobian[i] - jacobian[j] for i in range(len(jacobian)) for j in range(i)]
        both = [dual_lengths(w, pixels, draws=20) for w in pairs]
        sums = torch.stack([s for s, _ in both]).mean(0)
        roots = torch.stack([r for _, r in both]).mean(0)
        return list(zip(sums.tolist(), roots.tolist(), strict=True))

    content = {"models": [run.key(network)], "of": "weights added up", "pixels": pixels}
    return run.measured(content, measure, missing=[])


def measured(
    found: Numbers, models: list[str], linear: str, epsilons: list[float], pixels: list[int]
) -> dict[str, np.ndarray]:
    """The errors and the sums of the figure, over the seeds."""
    arrays = {"epsilons": np.array(epsilons), "pixels": np.array(pixels)}
    for name in models:
        arrays[f"errors_{name}"] = np.stack([
            found.over_seeds([(name, f"{kind}@{e:g}") for e in epsilons])
            for kind in ("error_rate", "random_error_rate")
        ])  # fmt: skip
    for kind in ("sign", "random"):
        cells = [(f"{linear}, {count} pixels", f"moved_by_{kind}") for count in pixels]
        arrays[f"sums_{kind}"] = found.over_seeds(cells)
    return arrays


def bases(
    found: Numbers, linear: str, model: str, epsilon: float, pixels: list[int], seed: int
) -> list[str]:
    """What the logits, the errors and the sums were measured on."""
    return [
        f"seed {seed}, one test example",
        found.basis([(model, f"error_rate@{epsilon:g}")]),
        found.basis([(f"{linear}, {pixels[-1]} pixels", "moved_by_sign")]),
    ]


def finding(found: Numbers, model: str, epsilon: float) -> str:
    """How far the logits are from their tangents, and whether what fools those fools the model."""
    away = percentage(100 * found.mean(model, f"deviation@{epsilon:g}"))
    too = percentage(found.mean(model, f"fooled_with_the_tangent@{epsilon:g}"))
    return (
        f"At ε = {size(epsilon)} the {called(model)}'s logits are off their tangents by {away} of "
        f"the way that they moved, and {too} of what fools the tangents fools the model"
    )


def draw(
    run: Run,
    network: Recipe,
    epsilon: float,
    example: int,
    arrays: dict[str, np.ndarray],
    bases_of: list[str],
    title: str,
) -> None:
    """The logits of one digit along its adversarial direction; errors; a linear model's sum."""
    module = run.trained(network).module
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
    options = {
        "label": int(y),
        "class_names": list(run.data.class_names),
        "model": network.name,
        "bases_of": bases_of,
        "finding": title,
        "provenance": run.heading(),
    }
    keep(run.folder, "linearity", arrays, options)
    figure.draw(run.folder, arrays, **options)
