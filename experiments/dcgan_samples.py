"""The deep convolutional game: samples, their measures, and what its discriminator has learned.

    advx run experiment=dcgan_samples                  # digits that ship with a package
    advx run experiment=dcgan_samples scale=chapter    # MNIST, few filters, on two cores
    advx run experiment=dcgan_samples scale=chapter dataset=cifar10 game.filters=64 \
        trainer.max_epochs=50 'classifier.channels=[64,128]'        # a GPU

The procedure of section 1.4.4: strided and fractionally strided convolutions, batch normalization,
tanh, ReLUs and leaky ReLUs. Beside the samples' measures: a linear support vector machine on the
output of all of D's convolutions, pooled to 4 × 4, against the same on those of a D that was never
trained, and on the pixels.
"""

import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.evaluation.image_quality import UNITS, ImageQuality, image_quality, nearest
from advx.evaluation.measurement import measurement
from advx.evaluation.samples import generated_examples
from advx.evaluation.transfer import BATCH
from advx.figures import samples as figure
from advx.figures.saved import save_and_draw
from advx.games.dcgan import DCGAN
from advx.models.batch_statistics import ENOUGH, recompute_statistics
from advx.randomness import seeded
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.generated import add_warnings, behind_quality
from advx.run.model import Game
from advx.run.real_images import add_floor, floor_cells, warning_cells
from advx.training.load_or_train import TrainedGame
from advx.types import Positive, PositiveInt

TRAINED, UNTRAINED, PIXELS = "features of D", "features of an untrained D", "pixels"
"""Rows."""


def cells() -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield from floor_cells()
    yield Cells(["generator"], metrics_of(ImageQuality))
    yield from warning_cells(["generator"])
    yield Cells([TRAINED, UNTRAINED, PIXELS], ["svm_error_rate"])


def main(
    run: Run,
    game: Config,
    classifier: Config,
    classifier_trainer: Config,
    layer: str,
    samples: PositiveInt,
    svm_examples: PositiveInt,
    svm_cost: Positive,
) -> None:
    """Samples, measures and their floor, and the discriminator's features.

    Args:
        run: the run to measure on.
        game: a convolutional one.
        classifier: the network whose features and classes measure the images.
        classifier_trainer: its trainer.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
        svm_examples: training examples of the support vector machine.
        svm_cost: its C.
    """
    if not isinstance(game.build(), DCGAN):
        raise ConfigError(f"game={game.get('name')}: valid: game=dcgan")
    network = run.model(classifier, 0, trainer=classifier_trainer)
    with run.progress(models=1 + len(run.seeds)):
        add_floor(run, network, layer, samples)
        for seed in run.seeds:
            trained = run.game(game, seed)
            images = run.derive(generated_examples, trained, samples)
            quality = run.measure(image_quality, network, layer, run.data, images)
            behind = behind_quality(run.data, samples)
            run.table.add("generator", quality, seed=seed, n=behind, unit=UNITS)
            add_warnings(run, "generator", trained)
            described = {
                TRAINED: run.derive(after_training, trained),
                UNTRAINED: run.derive(before_training, game, seed),
                PIXELS: None,
            }
            for row, described_by in described.items():
                rate = run.measure(svm_error_rate, described_by, run.data, svm_examples, svm_cost)
                run.table.add(row, svm_error_rate=rate, seed=seed, n=len(run.data.test))
    draw(run, run.game(game, run.seeds[0]))
    run.finish()


@measurement(version=1)
def after_training(trained: TrainedGame) -> DCGAN:
    """The game's networks."""
    assert isinstance(trained.game, DCGAN)
    return trained.game


@measurement(version=1)
def before_training(game: Config, seed: int) -> DCGAN:
    """The same networks with their initial weights."""
    with seeded(seed):
        return game.build().eval()


@measurement(version=2)
def svm_error_rate(game: DCGAN | None, data: Dataset, examples: int, cost: float) -> float:
    """Test error of a linear support vector machine, in percent.

    D is normalized by the statistics of the training examples that it describes, trained or not:
    those of training are of generated images too, and one that was never trained has none.

    Args:
        game: whose D's convolutions describe the images; None for the pixels themselves.
        data: the training examples and the test examples.
        examples: so many of the former are trained on, evenly spaced.
        cost: C, the cost of a training example inside the margin.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    test, some = data.test, data.train.take(data.train.spaced(examples))
    features = (lambda x: x.flatten(1)) if game is None else described_by(game, some.images)
    x, unseen = (
        torch.cat([features(batch) for batch in split.images.split(BATCH)]).cpu().numpy()
        for split in (some, test)
    )
    machine = make_pipeline(StandardScaler(), LinearSVC(C=cost, random_state=0))
    machine.fit(x, some.labels.cpu().numpy())
    return 100 * float((machine.predict(unseen) != test.labels.cpu().numpy()).mean())


def described_by(game: DCGAN, images: Tensor) -> Callable[[Tensor], Tensor]:
    """The features of a copy of D, normalized by the statistics of these images."""
    game = copy.deepcopy(game).to(images.device)
    recompute_statistics(game.discriminator, 2 * images[:ENOUGH] - 1)
    return game.features


def finding(results: Numbers) -> str:
    """What a classifier makes of the images, and a linear machine of D's features, from means."""
    sentence = figure.confidence(
        results.mean("generator", "confident_rate"),
        results.mean("validation images", "confident_rate"),
    )
    errors = [results.mean(row, "svm_error_rate") for row in (TRAINED, UNTRAINED)]
    if any(map(math.isnan, errors)):
        return sentence
    return (
        f"{sentence}; from D's features a linear one errs on {errors[0]:.1f}% of test images, from "
        f"those of an untrained D on {errors[1]:.1f}%"
    )


def draw(run: Run, game: Game) -> None:
    """Samples, pairs with the nearest training images, and the film of the training."""
    trained = run.attempt(lambda: game.value)
    if trained is None:
        return
    images, train = generated_examples(trained, 100), run.data.train.images
    closest = train[nearest(images[: figure.PAIRS], train)]
    arrays, panels = figure.beside_nearest(images, closest)
    save_and_draw(
        run.folder,
        figure.draw,
        arrays | figure.over_training(trained.snapshots, trained.snapshot_epochs),
        name="dcgan_samples",
        panels=panels,
        finding=finding(run.numbers()),
        note=figure.CONFIDENT,
        provenance=run.heading(),
    )
