"""The original generative adversarial network on digits: samples, and numbers beside them.

    advx run experiment=gan_samples                  # digits that ship with a package, few epochs
    advx run experiment=gan_samples scale=chapter    # MNIST, the original recipe

The procedure: train the fully connected generator against the maxout discriminator; generate
images; put the nearest training image beside each; walk in a straight line from one z to another.
Then measure: log likelihood under a Parzen window as was published, beside k-means centers that
beat it without a generator; distances and manifolds on the features of a classifier that was
trained here; a fresh classifier's attempt to discriminate generated from real images. Everything is
measured of real digits too.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.evaluation.image_quality import UNITS, ImageQuality, image_quality, nearest
from advx.evaluation.parzen import ParzenEstimate, parzen_likelihood, training_centers
from advx.evaluation.sample_quality import random_rows
from advx.evaluation.samples import generated_examples, generative
from advx.figures import samples as figure
from advx.figures.saved import save_and_draw
from advx.randomness import seeded
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.generated import add_warnings, behind_quality
from advx.run.model import Game
from advx.run.real_images import add_floor, floor_cells, warning_cells
from advx.training.load_or_train import TrainedGame
from advx.types import Positive, PositiveInt, Some

STEPS = 12
"""Images of one walk."""

PARZEN_FLOOR = ("training images", "k-means centers")
"""Rows of the Parzen window at real images, and at means of them."""

WALKS: figure.Panel = {
    "array": "walks",
    "columns": STEPS,
    "caption": "c  Along straight lines from one z, at the left, to another",
}


def cells() -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield from floor_cells()
    yield Cells(["generator"], metrics_of(ImageQuality))
    yield Cells(["generator", *PARZEN_FLOOR], metrics_of(ParzenEstimate))
    yield from warning_cells(["generator"])


def main(
    run: Run,
    game: Config,
    classifier: Config,
    classifier_trainer: Config,
    layer: str,
    samples: PositiveInt,
    sigmas: Some[Positive],
) -> None:
    """Samples, measures and their floors.

    Args:
        run: the run to measure on.
        game: a generator and a discriminator.
        classifier: the network whose features and classes measure the images.
        classifier_trainer: its trainer.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
        sigmas: candidates for the Parzen window's width, chosen on validation digits.
    """
    network = run.model(classifier, 0, trainer=classifier_trainer)
    with run.progress(models=1 + len(run.seeds)):
        add_floor(run, network, layer, samples)
        add_parzen_floor(run, samples, sigmas)
        for seed in run.seeds:
            trained = run.game(game, seed)
            images = run.derive(generated_examples, trained, samples)
            quality = run.measure(image_quality, network, layer, run.data, images)
            likelihood = run.measure(parzen_likelihood, run.data, images, sigmas)
            behind = behind_quality(run.data, samples)
            run.table.add("generator", quality, seed=seed, n=behind, unit=UNITS)
            run.table.add("generator", likelihood, seed=seed, n=samples, unit=UNITS)
            add_warnings(run, "generator", trained)
    draw(run, run.game(game, run.seeds[0]))
    run.finish()


def add_parzen_floor(run: Run, samples: int, sigmas: list[float]) -> None:
    """The Parzen window at training digits instead of generated ones, and at k-means centers."""
    images = random_rows(run.data.train.images, samples)
    count = len(images) // 10
    centers = run.derive(training_centers, run.data, count)
    floors = ((len(images), images), (count, centers))
    for row, (n, chosen) in zip(PARZEN_FLOOR, floors, strict=True):
        likelihood = run.measure(parzen_likelihood, run.data, chosen, sigmas)
        run.table.add(row, likelihood, seed=None, n=n, unit=UNITS)


def finding(results: Numbers) -> str:
    """What classifiers make of generated and of real images, from means."""
    pair = ("generator", "validation images")
    confident, of_real = (results.mean(row, "confident_rate") for row in pair)
    rate, real = (results.mean(row, "two_sample_accuracy") for row in pair)
    known = "" if math.isnan(real) else f" (real from real: {real:.0f}%)"
    return (
        f"{figure.confidence(confident, of_real)}, and a second one tells them from real "
        f"images in {rate:.0f}% of cases{known}"
    )


def walks(trained: TrainedGame, walks: int = 4, seed: int = 1) -> Tensor:
    """Images (walks · STEPS, *shape) along straight lines from one z to another."""
    game = generative(trained)
    device = next(game.parameters()).device
    share = torch.linspace(0, 1, STEPS)[:, None]
    with seeded(seed), torch.no_grad():
        ends = game.draw(2 * walks).view(walks, 2, -1)
        return torch.cat([game.generate((a + share * (b - a)).to(device)) for a, b in ends])


def draw(run: Run, game: Game) -> None:
    """Samples, pairs with the nearest training images, walks, and the film of the training."""
    trained = run.attempt(lambda: game.value)
    if trained is None:
        return
    images, train = generated_examples(trained, 100), run.data.train.images
    closest = train[nearest(images[: figure.PAIRS], train)]
    arrays, panels = figure.beside_nearest(images, closest)
    arrays["walks"] = figure.gray_levels(walks(trained))
    arrays |= figure.over_training(trained.snapshots, trained.snapshot_epochs)
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        name="samples",
        panels=[*panels, WALKS],
        finding=finding(run.numbers()),
        note=figure.CONFIDENT,
        provenance=run.heading(),
    )
