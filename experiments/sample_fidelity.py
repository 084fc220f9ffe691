"""What squared error sees of an image, and what a discriminator sees. Section 1.4.3.

    advx run experiment=sample_fidelity                  # rendered faces, digits of a package
    advx run experiment=sample_fidelity scale=chapter    # photographs (CIFAR-10), faces, MNIST

Two procedures. First: a blur of luminance, a shift in chroma, noise, and a shift by a part of a
pixel, each scaled until its mean squared error is the same on every image. What do a convolutional
game's discriminator, a classifier's features and a freshly trained two-sample classifier say of
them? Then: a variational autoencoder with a Gaussian likelihood, whose reconstruction term is a
squared error, and the game, with the same decoder: samples side by side.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.dataset import Dataset
from advx.evaluation.discriminators import Answers, answers_to_change
from advx.evaluation.equal_error import EqualErrors, equal_errors
from advx.evaluation.image_quality import UNITS, ImageQuality, image_quality
from advx.evaluation.measurement import measurement
from advx.evaluation.reconstructions import relative_gradient_energy, squared_error
from advx.evaluation.samples import generated_examples, warning_rates
from advx.figures import samples as figure
from advx.figures.kept import keep_and_draw
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.data import fitting
from advx.run.models import Game, Model
from advx.run.real_images import add_floor, floor_cells, warning_cells
from advx.training.construct import seeded
from advx.training.load_or_train import TrainedGame
from advx.types import Positive, PositiveInt

CHANGES = ("blur", "chroma", "noise", "shift")
"""Of `equal_error.changes`."""

CHANGED, SAMPLES = "{}, {}", "{} samples, {}"
"""Rows: a change and the data; a model's samples and the data."""

NAMES = {"vae": "VAE", "dcgan": "DCGAN"}

COLUMNS = 16
"""Images in a row of the figure."""

CHANGE_UNITS = UNITS | {
    "logit_change": "logits",
    "squared_error": "of the range squared",
    "mean_size": "pixels, of the range",
}


def cells(
    dataset: dict[str, object],
    digits: dict[str, object],
    photographs: dict[str, object] | None,
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    colored = [str(data["name"]) for data in (dataset, photographs) if data]
    for name in colored:
        rows = [CHANGED.format(change, name) for change in CHANGES]
        yield Cells(rows, [*metrics_of(Answers), "squared_error", "mean_size"])
        yield Cells(rows, metrics_of(ImageQuality))
    for name in dict.fromkeys([*colored, str(digits["name"])]):
        yield from floor_cells(f", {name}")
    for name in (str(dataset["name"]), str(digits["name"])):
        rows = [SAMPLES.format(model, name) for model in NAMES.values()]
        yield Cells(rows, [*metrics_of(ImageQuality), "gradient_energy"])
        yield from warning_cells(rows)


def main(
    run: Run,
    games: dict[str, Config],
    trainers: dict[str, Config],
    digits: Config,
    photographs: Config | None,
    classifier: Config,
    classifier_trainer: Config,
    layer: str,
    samples: PositiveInt,
    error: Positive,
) -> None:
    """What three judges say of four changes of one squared error; samples of both models.

    Args:
        run: the run to measure on.
        games: `vae` and `dcgan`, with the same decoder.
        trainers: theirs, by the same names.
        digits: the data set on which the models are compared too.
        photographs: the data set on which the changes are compared too; None for none.
        classifier: the network whose features and classes measure the images.
        classifier_trainer: its trainer.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
        error: mean squared error of every changed image.
    """
