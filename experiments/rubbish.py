"""Rubbish class examples, section 1.2.6: how sure are classifiers of noise?

    advx run experiment=rubbish                  # digits that ship with a package
    advx run experiment=rubbish scale=chapter    # MNIST

The procedure: show every model images of noise, plain or improved by gradient ascent toward a
class, and count those that it gives to some class with a probability above a half. Ideally none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from advx.config.cells import Cells, setting
from advx.config.config import Config
from advx.data.dataset import Split, one_of_each_class
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import craft, probabilities
from advx.evaluation.undefined import answered
from advx.figures.gallery import Captions, gallery
from advx.figures.style import called, percentage, size
from advx.models.call import predicted
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Model
from advx.types import PositiveInt, Probability


def cells(models: dict[str, Config], noises: dict[str, Config]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    kinds = [setting(noise=kind) for kind in noises]
    yield Cells([*models], ["confident_rate"], settings=kinds)
    yield Cells([*models], ["mean_confidence"], settings=kinds, always=False)  # of none, no mean


def main(
    run: Run,
    models: dict[str, Config],
    noises: dict[str, Config],
    examples: PositiveInt,
    threshold: Probability,
    figure_examples: PositiveInt,
) -> None:
    """The share of noise images that each model is sure of, and how sure it is of those.

    Args:
        run: the run to measure on.
        models: by name.
        noises: ways of making rubbish, by name.
        examples: noise images of each kind.
        threshold: the probability above which a model is sure.
        figure_examples: noise images in the figure, of the first model and seed.
    """
    n = min(examples, len(run.data.test))
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            for name in models:
                network = run.model(name, seed)
                for kind, noise in noises.items():
                    measured = run.measure(
                        confidence, network, run.craft(noise, network, n), threshold=threshold
                    )
                    results = {"confident_rate": measured.confident_rate}
                    if measured.confident_rate != 0:  # of none there is no mean
                        results["mean_confidence"] = measured.mean_confidence
                    run.table.add(name, results, setting=setting(noise=kind), seed=seed, n=n)
    first = next(iter(models))
    words = captions(run.numbers(), first, noises, threshold)
    run.attempt(lambda: draw(run, run.model(first, run.seeds[0]), noises, figure_examples, words))
    run.finish()


@dataclass(frozen=True)
class Confidence:
    """In percent.

    Attributes:
        confident_rate: images that the model gives to some class with more than the threshold.
        mean_confidence: their mean probability; NaN where there is none.
    """

    confident_rate: float
    mean_confidence: float


@measurement(version=1)
def confidence(model: nn.Module, images: Split, *, threshold: float) -> Confidence:
    """How sure a model is of images, whatever their labels."""
    scores = probabilities(model, images.images)
    p = scores.amax(1).double()[answered(model, predicted(scores))]
    confident = p > threshold
    return Confidence(100 * confident.double().mean().item(), 100 * p[confident].mean().item())


def draw(run: Run, network: Model, noises: dict[str, Config], count: int, words: Captions) -> None:
    """Rubbish of each kind, with the class that the model gives it and its probability."""
    shown = one_of_each_class(run.data.test.labels, count)
    wanted, some = run.crafting.target_classes[shown], run.data.test.take(shown)
    images = {
        kind: craft(run.attack(noise, network).value, network.value, some, wanted).images
        for kind, noise in noises.items()
    }
    scores = {kind: probabilities(network.value, made) for kind, made in images.items()}
    gallery(
        run.folder,
        "rubbish",
        images,
        {kind: predicted(p) for kind, p in scores.items()},
        torch.full_like(shown, -1),
        confidences={kind: p.amax(1) for kind, p in scores.items()},
        class_names=run.data.class_names,
        provenance=run.heading(),
        **words,
    )


def captions(results: Numbers, model: str, kinds: Iterable[str], threshold: float) -> Captions:
    """What stands in the figure beside the images."""
    rates = {
        kind: results.mean(model, "confident_rate", setting=setting(noise=kind)) for kind in kinds
    }
    first, above = next(iter(rates)), size(threshold)
    return {
        "finding": (
            f"Of images of {called(first)} noise, the {called(model)} puts "
            f"{percentage(rates[first])} into some class with a probability above {above}; "
            "ideally it would put none"
        ),
        "note": "Under each image the model's class and its probability.",
        "heads": [f"above\n{above}"],
        "numbers": {kind: [f"{rate:.1f}%"] for kind, rate in rates.items()},
        "plain": list(rates),
    }
