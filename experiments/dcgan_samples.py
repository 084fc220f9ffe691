"""The deep convolutional game: samples, their measures, and what its discriminator has learned.

    advx run experiment=dcgan_samples                  # digits that ship with a package
    advx run experiment=dcgan_samples scale=chapter    # MNIST, few filters, on two cores
    advx run experiment=dcgan_samples scale=chapter dataset=cifar10 game.filters=64 \
        trainer.max_epochs=50 'classifier.channels=[64,128]'        # a GPU

The procedure of section 1.4.4: strided and fractionally strided convolutions, batch normalization,
tanh, ReLUs and leaky ReLUs. Beside the samples' measures: a linear support vector machine on what
all of D's convolutions say of a picture, pooled to 4 × 4, against the same on those of a D that has
never played, and on the pixels.
"""

import math
from typing import Any

import torch

from advx.errors import ConfigError
from advx.evaluation.judged import UNITS, UNKNOWN, nearest
from advx.evaluation.samples import generated
from advx.evaluation.transfer import BATCH
from advx.figures import samples as figure
from advx.figures.kept import keep
from advx.games.dcgan import DCGAN
from advx.judge import Judge
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.obtain import Recipe
from advx.training.play import new_game
from advx.types import Positive, PositiveInt

TRAINED, UNTRAINED = "features of D", "features of a D that has not played"
"""Rows."""


def main(
    run: Run,
    game: dict[str, Any],
    classifier: dict[str, Any],
    classifier_trainer: dict[str, Any],
    layer: str,
    samples: PositiveInt,
    svm_examples: PositiveInt,
    svm_cost: Positive,
) -> None:
    """Samples, measures and their floor, and the discriminator's features.

    Args:
        run: the run to measure on.
        game: the node of a convolutional game.
        classifier: the node of the network whose features and classes judge the pictures.
        classifier_trainer: its trainer's node.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
        svm_examples: training examples of the support vector machine.
        svm_cost: its C.
    """
    if not isinstance(new_game(run.recipe(game, run.seeds[0], path="game"), run.data), DCGAN):
        raise ConfigError(f"game={game.get('name')}: valid: game=dcgan")
    judge = Judge(run, classifier, classifier_trainer, layer, samples)
    with run.progress(models=1 + len(run.seeds)):
        judge.record()
        for seed in run.seeds:
            recipe = run.recipe(game, seed, path="game")
            run.record_all("generator", judged(run, recipe, judge), UNITS, seed=seed, n=samples)
            errors = features_errors(run, recipe, svm_examples, svm_cost)
            for row, value in errors.items():
                run.record(row, "svm_error_rate", value, seed=seed, n=len(run.data.test))
    draw(run, game)
    run.finish()


def judged(run: Run, recipe: Recipe, judge: Judge) -> dict[str, float]:
    """A generator's numbers; kept."""

    def measure() -> dict[str, float]:
        played = run.played(recipe)
        fake = generated(played.game, judge.samples, device=run.device)
        return judge.quality(fake) | played.flags()

    return run.measured(
        judge.depends_on(run.game_key(recipe), of="generated pictures"), measure, missing=UNKNOWN
    )


def features_errors(run: Run, recipe: Recipe, examples: int, cost: float) -> dict[str, float]:
    """Test error of a linear support vector machine on three kinds of features; kept."""

    def measure() -> dict[str, float]:
        game, fresh = run.played(recipe).game, new_game(recipe, run.data).to(run.device).eval()
        assert isinstance(game, DCGAN)
        assert isinstance(fresh, DCGAN)
        return {
            TRAINED: svm_error(run, game.features, examples, cost),
            UNTRAINED: svm_error(run, fresh.features, examples, cost),
            "pixels": svm_error(run, lambda x: x.flatten(1), examples, cost),
        }

    content = {"models": [run.game_key(recipe)], "of": "features under a linear machine",
               "examples": examples, "cost": cost}  # fmt: skip
    return run.measured(content, measure, missing={})


def svm_error(run: Run, features: Any, examples: int, cost: float) -> float:
    """Its test error in percent, trained on so many training examples."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    train, test = run.data.train, run.data.test
    some = train.take(train.spaced(examples))
    x, unseen = (torch.cat([features(b) for b in s.images.split(BATCH)]).cpu().numpy()
                 for s in (some, test))  # fmt: skip
    machine = make_pipeline(StandardScaler(), LinearSVC(C=cost, random_state=0))
    machine.fit(x, some.labels.cpu().numpy())
    return 100 * float((machine.predict(unseen) != test.labels.cpu().numpy()).mean())


def finding(found: Numbers) -> str:
    """What a classifier makes of the images, and a linear machine of D's features, from means."""
    said = figure.confidence(
        found.mean("generator", "sure"), found.mean("validation pictures", "sure")
    )
    errors = [found.mean(row, "svm_error_rate") for row in (TRAINED, UNTRAINED)]
    if any(map(math.isnan, errors)):
        return said
    return (f"{said}; from D's features a linear one errs on {errors[0]:.1f}% of test images, from "
            f"those of an untrained D on {errors[1]:.1f}%")  # fmt: skip


def draw(run: Run, game: dict[str, Any]) -> None:
    """Samples, pairs with the nearest training images, and the film of the game."""
    played = run.attempt(lambda: run.played(run.recipe(game, run.seeds[0], path="game")))
    if played is None:
        return
    fake = generated(played.game, 100, device=run.device)
    train = run.data.train.images
    arrays, panels = figure.beside_nearest(fake, train[nearest(fake[: figure.PAIRS], train)])
    arrays |= {
        "snapshots": figure.gray_levels(played.snapshots),
        "epochs": torch.tensor(played.snapshot_epochs).numpy(),
    }
    options: dict[str, Any] = {
        "name": "dcgan_samples",
        "panels": panels,
        "finding": finding(Numbers(run.results.rows)),
        "note": figure.SURE,
        "provenance": run.heading(),
    }
    keep(run.folder, "samples", arrays, options)
    figure.draw(run.folder, arrays, **options)
