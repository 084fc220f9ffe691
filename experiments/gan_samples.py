"""The original generative adversarial network on digits: samples, and numbers beside them.

    advx run experiment=gan_samples                  # digits that ship with a package, a short game
    advx run experiment=gan_samples scale=chapter    # MNIST, the original recipe

The procedure: let the fully connected generator and the maxout discriminator play; draw pictures;
put the nearest training picture beside each; walk in a straight line from one z to another. Then
measure: log likelihood under a Parzen window as was published, beside k-means centres that beat it
without a generator; distances and manifolds on the features of a classifier that was trained here;
a fresh classifier's attempt to tell generated from real. Everything is measured of real digits too.
"""

import math
from typing import Any

import torch

from advx.evaluation.judged import UNITS, UNKNOWN, nearest, parzen_likelihood
from advx.evaluation.sample_quality import drawn, k_means_centres
from advx.evaluation.samples import generated
from advx.figures import samples as figure
from advx.figures.kept import keep
from advx.judge import Judge
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import PositiveInt

STEPS = 12
"""Images of one walk."""

WALKS: figure.Panel = {
    "array": "walks",
    "columns": STEPS,
    "caption": "c  Along straight lines from one z, at the left, to another",
}


def main(
    run: Run,
    game: dict[str, Any],
    classifier: dict[str, Any],
    classifier_trainer: dict[str, Any],
    layer: str,
    samples: PositiveInt,
    sigmas: list[float],
) -> None:
    """Samples, measures and their floors.

    Args:
        run: the run to measure on.
        game: the game's node.
        classifier: the node of the network whose features and classes judge the pictures.
        classifier_trainer: its trainer's node.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
        sigmas: candidates for the Parzen window's width, chosen on validation digits.
    """
    judge = Judge(run, classifier, classifier_trainer, layer, samples)
    with run.progress(models=1 + len(run.seeds)):
        judge.record()
        parzen_floor(run, samples, sigmas)
        for seed in run.seeds:
            found = judged(run, run.recipe(game, seed, path="game"), judge, sigmas)
            run.record_all("generator", found, UNITS, seed=seed, n=samples)
    draw(run, game)
    run.finish()


def judged(run: Run, recipe: Recipe, judge: Judge, sigmas: list[float]) -> dict[str, float]:
    """A generator's numbers; kept."""

    def measure() -> dict[str, float]:
        played = run.played(recipe)
        fake = generated(played.game, judge.samples, device=run.device)
        return judge.quality(fake) | parzen_likelihood(run.data, fake, sigmas) | played.flags()

    return run.measured(
        judge.depends_on(run.game_key(recipe), of="generated pictures", sigmas=sigmas),
        measure, missing=UNKNOWN | {"parzen": math.nan},
    )  # fmt: skip


def parzen_floor(run: Run, samples: int, sigmas: list[float]) -> None:
    """The Parzen window at training digits instead of generated ones, and at k-means centres."""
    train = run.data.train.images
    some = drawn(train, samples)
    count = len(some) // 10
    for row, n, centres in (
        ("training pictures", len(some), lambda: some),
        ("k-means centres", count, lambda: k_means_centres(train.flatten(1), count).to(train)),
    ):
        found = run.measured(
            {"models": [], "of": f"Parzen window at {row}", "count": n, "sigmas": sigmas,
             "fingerprint": run.data.fingerprint},
            lambda centres=centres: parzen_likelihood(run.data, centres(), sigmas),
        )  # fmt: skip
        run.record_all(row, found, UNITS, seed=None, n=n)


def finding(found: Numbers) -> str:
    """What classifiers make of generated and of real images, from means."""
    pair = ("generator", "validation pictures")
    sure, known_sure = (found.mean(row, "sure") for row in pair)
    told, real = (found.mean(row, "two_sample_accuracy") for row in pair)
    known = "" if math.isnan(real) else f" (real from real: {real:.0f}%)"
    return (
        f"{figure.confidence(sure, known_sure)}, and a second one tells them from real images in "
        f"{told:.0f}% of cases{known}"
    )


def draw(run: Run, game: dict[str, Any]) -> None:
    """Samples, pairs with the nearest training images, walks, and the film of the game."""
    played = run.attempt(lambda: run.played(run.recipe(game, run.seeds[0], path="game")))
    if played is None:
        return
    fake = generated(played.game, 100, device=run.device)
    train = run.data.train.images
    arrays, panels = figure.beside_nearest(fake, train[nearest(fake[: figure.PAIRS], train)])
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        ends = played.game.draw(8).view(4, 2, -1)
        share = torch.linspace(0, 1, STEPS)[:, None]
        walks = [played.game.generate((a + share * (b - a)).to(run.device)) for a, b in ends]
    arrays |= {
        "walks": figure.gray_levels(torch.cat(walks)),
        "snapshots": figure.gray_levels(played.snapshots),
        "epochs": torch.tensor(played.snapshot_epochs).numpy(),
    }
    options: dict[str, Any] = {
        "name": "samples",
        "panels": [*panels, WALKS],
        "finding": finding(Numbers(run.results.rows)),
        "note": figure.SURE,
        "provenance": run.heading(),
    }
    keep(run.folder, "samples", arrays, options)
    figure.draw(run.folder, arrays, **options)
