"""Rubbish class examples, section 1.2.6: how sure are classifiers of noise?

    advx run experiment=rubbish                  # digits that ship with a package
    advx run experiment=rubbish scale=chapter    # MNIST

The procedure: show every model pictures of noise, plain or improved by gradient ascent towards a
class, and count those that it gives to some class with a probability above a half. Ideally none.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from advx.data.dataset import one_of_each_class
from advx.evaluation.transfer import craft, probabilities
from advx.evaluation.undefined import answered
from advx.figures.gallery import gallery
from advx.figures.style import called, percentage, size
from advx.models.call import predicted
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.recipe import Recipe
from advx.types import PositiveInt, Probability


def main(
    run: Run,
    models: dict[str, Any],
    noises: dict[str, Any],
    examples: PositiveInt,
    threshold: Probability,
    figure_examples: PositiveInt,
) -> None:
    """The share of noise images that each model is sure of, and how sure it is of those.

    Args:
        run: the run to measure on.
        models: the bag of models.
        noises: ways of making rubbish, by name.
        examples: noise images of each kind.
        threshold: the probability above which a model is sure.
        figure_examples: noise images in the figure, of the first model and seed.
    """
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            for name in models:
                network = run.recipe(name, seed)
                for kind, node in noises.items():
                    found = sureness(run, network, node, examples, threshold)
                    n = min(examples, len(run.data.test))
                    for metric in found or ("confident_rate",):
                        value = found.get(metric, math.nan)
                        run.record(name, f"{metric}@{kind}", value, seed=seed, n=n)
    first = next(iter(models))
    words = captions(Numbers(run.results.rows), first, noises, threshold)
    run.attempt(lambda: draw(run, run.recipe(first, run.seeds[0]), noises, figure_examples, words))
    run.finish()


def sureness(
    run: Run, network: Recipe, node: dict[str, Any], examples: int, threshold: float
) -> dict[str, float]:
    """The share above the threshold and their mean probability, in percent; kept."""

    def measure() -> dict[str, float]:
        module = run.trained(network).module
        images = made(run, network, node, run.data.test.spaced(examples))
        scores = probabilities(module, images)
        p = scores.amax(1).double()[answered(module, predicted(scores))]
        found = {"confident_rate": 100 * (p > threshold).double().mean().item()}
        if (p > threshold).any():
            found["mean_confidence"] = 100 * p[p > threshold].mean().item()
        return found

    content = {"models": [run.key(network)], "attack": node, "of": "sureness",
               "threshold": threshold}  # fmt: skip
    return run.measured(content, measure, examples, missing={})


def made(run: Run, network: Recipe, node: dict[str, Any], rows: Tensor) -> Tensor:
    """Rubbish for the model, one image for each of the test examples at `rows`."""
    aims = run.target_classes[rows]
    search = run.attack(node, network)
    return craft(search, run.trained(network).module, run.data.test.take(rows), aims).images


def draw(
    run: Run, network: Recipe, noises: dict[str, Any], count: int, words: dict[str, Any]
) -> None:
    """Rubbish of each kind, with the class that the model gives it and its probability."""
    shown = one_of_each_class(run.data.test.labels, count)
    module = run.trained(network).module
    pictures = {kind: made(run, network, node, shown) for kind, node in noises.items()}
    scores = {kind: probabilities(module, images) for kind, images in pictures.items()}
    said = {kind: predicted(p) for kind, p in scores.items()}
    sure = {kind: p.amax(1) for kind, p in scores.items()}
    nothing = torch.full_like(shown, -1)
    gallery(run.folder, "rubbish", pictures, said, nothing, sure=sure,
            class_names=run.data.class_names, provenance=run.heading(), **words)  # fmt: skip


def captions(found: Numbers, model: str, kinds: Iterable[str], threshold: float) -> dict[str, Any]:
    """What stands in the figure beside the images."""
    rates = {kind: found.mean(model, f"confident_rate@{kind}") for kind in kinds}
    first, above = next(iter(rates)), size(threshold)
    return {
        "finding": f"Of images of {called(first)} noise, the {called(model)} puts "
                   f"{percentage(rates[first])} into some class with a probability above {above}; "
                   "ideally it would put none",
        "note": "Under each image the model's class and its probability.",
        "heads": [f"above\n{above}"],
        "numbers": {kind: [f"{rate:.1f}%"] for kind, rate in rates.items()},
        "plain": list(rates),
    }  # fmt: skip
