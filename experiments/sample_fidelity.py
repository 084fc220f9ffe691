"""What squared error sees of an image, and what a discriminator sees. Section 1.4.3.

    advx run experiment=sample_fidelity                  # rendered faces, digits of a package
    advx run experiment=sample_fidelity scale=chapter    # photographs (CIFAR-10), faces, MNIST

Two procedures. First: a blur of luminance, a shift in chroma, noise, and a shift by a part of a
pixel, each scaled until its mean squared error is the same on every image. What do a convolutional
game's discriminator, a classifier's features and a freshly trained two-sample classifier say of
them? Then: two variational autoencoders with a Gaussian likelihood, whose reconstruction term is a
squared error, and the game, with the same decoder: samples side by side. The variance of the one
maximizes the bound on the likelihood; that of the other is larger and fixed.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.config.documents import Node
from advx.errors import ConfigError
from advx.evaluation.discriminators import Answers, answers_to_change
from advx.evaluation.equal_error import EqualErrors, equal_errors
from advx.evaluation.image_quality import UNITS, ImageQuality, features, image_quality
from advx.evaluation.measurement import measurement
from advx.evaluation.reconstructions import relative_gradient_energy, rms_error
from advx.evaluation.sample_quality import two_sample_accuracy
from advx.evaluation.samples import generated_examples
from advx.figures import samples as figure
from advx.figures.saved import save_and_draw
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.data import fitting
from advx.run.generated import add_warnings, behind_quality
from advx.run.model import Game, Model
from advx.run.named import Derived
from advx.run.real_images import add_floor, check_floor, floor_cells, warning_cells
from advx.types import Positive, PositiveInt

CHANGES = ("blur", "chroma", "noise", "shift")
"""Of `equal_error.changes`."""

CHANGED, SAMPLES = "{}, {}", "{} samples, {}"
"""Rows: a change and the data; a model's samples and the data."""

DIGITS, PHOTOGRAPHS = "digits", "photographs"
"""The data sets beside the run's own, in rows."""

NAMES = {"vae": "VAE", "vae_fixed": "fixed-variance VAE", "dcgan": "DCGAN"}
"""The models in rows."""

COLUMNS = 16
"""Images in a row of the figure."""

SIZES = {"blur": "pixels", "chroma": "of the range", "noise": "of the range", "shift": "pixels"}
"""Units of the sizes of the changes."""


def cells(dataset: Node, digits: Node, photographs: Node | None) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    name = str(dataset["name"])
    for label in (name, PHOTOGRAPHS) if photographs else (name,):
        for change in CHANGES:
            measured = [
                *metrics_of(Answers),
                *metrics_of(ImageQuality),
                "rms_error",
                "mean_size",
            ]
            row = CHANGED.format(change, label)
            yield Cells([row], measured, always=change != "chroma")  # gray images have none
    for label in (name, DIGITS, PHOTOGRAPHS) if photographs else (name, DIGITS):
        yield from floor_cells(f", {label}")
    for label in (name, DIGITS):
        rows = [SAMPLES.format(model, label) for model in NAMES.values()]
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
    """What three measures make of four changes of one squared error; samples of the models.

    Args:
        run: the run to measure on.
        games: `vae`, `vae_fixed` and `dcgan`, with the same decoder.
        trainers: theirs, by the same names.
        digits: the data set on which the models are compared too.
        photographs: the data set on which the changes are compared too; None for none.
        classifier: the network whose features and classes measure the images.
        classifier_trainer: its trainer.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
        error: mean squared error of every changed image.
    """
    setup = Setup(games, trainers, layer, samples, error)
    refuse_other_decoders(games)
    changed_on, compared_on = {run.data.name: run}, {run.data.name: run, DIGITS: run.on(digits)}
    if photographs:
        changed_on[PHOTOGRAPHS] = run.on(photographs)
    every = compared_on | changed_on
    networks = {
        label: each.model(fitting(classifier, each.data), 0, trainer=classifier_trainer)
        for label, each in every.items()
    }
    widths = {k: check_floor(each, networks[k], layer, samples) for k, each in every.items()}
    equal = {
        label: each.derive(equally_changed, each.data.test.images, error)
        for label, each in changed_on.items()
    }
    for label, changed in equal.items():
        refuse_too_few_changed(error, len(changed.value.places), widths[label] + 1)
    trained = len(every) + (len(games) * len(compared_on) + len(changed_on) - 1) * len(run.seeds)
    with run.progress(models=trained):
        for label, each in every.items():
            add_floor(each, networks[label], layer, samples, f", {label}")
        for label, each in changed_on.items():
            add_changes(each, label, networks[label], setup, equal[label])
        for label, each in compared_on.items():
            add_samples(each, label, networks[label], setup)
    draw(run, changed_on, compared_on, setup)
    run.finish()


class Setup(NamedTuple):
    """What `main` was given of models and measures: see there."""

    games: dict[str, Config]
    trainers: dict[str, Config]
    layer: str
    samples: int
    error: float

    def game(self, run: Run, name: str, seed: int) -> Game:
        """One of the games, for a run's data."""
        return run.game(fitting(self.games[name], run.data), seed, trainer=self.trainers[name])


def refuse_other_decoders(games: dict[str, Config]) -> None:
    """Refuse models whose decoders differ.

    Raises:
        ConfigError: another number of filters or of components of z.
    """
    for key in ("latent", "filters"):
        right = games["dcgan"].get(key)
        for name in NAMES:
            value = games[name].get(key)
            if value != right:
                raise ConfigError(
                    f"games.{name}.{key}={value}: all models have the same decoder here; "
                    f"valid: that of games.dcgan.{key}={right}"
                )


@measurement(version=1)
def equally_changed(images: Tensor, error: float, seed: int = 0) -> EqualErrors:
    """Images under four changes, each of this mean squared error."""
    return equal_errors(images, error, seed)


@measurement(version=1)
def accuracy_on_others(classifier: nn.Module, layer: str, images: Tensor, changed: Tensor) -> float:
    """How often a fresh classifier discriminates changed images from others that are not changed.

    No image stands on both sides: after a small change it would be recognized, and be taken for
    what it was in training.

    Args:
        classifier: whose features are looked at.
        layer: whose output is the features.
        images: (n, *shape).
        changed: the same images after the change.
    """
    others, kept = features(classifier, layer, images[::2]), changed[1::2]
    return two_sample_accuracy(others, features(classifier, layer, kept))[0]


@measurement(version=1)
def unchanged_images(equal: EqualErrors) -> Tensor:
    """Those that every change can bring to the error."""
    return equal.images


@measurement(version=1)
def changed_images(equal: EqualErrors, change: str) -> Tensor:
    """The same after one of the changes."""
    return equal.changed[change].images


def refuse_too_few_changed(error: float, count: int, fewest: int) -> None:
    """Refuse an error that too few test images can be brought to.

    Raises:
        ConfigError: so few that a Fréchet distance of them is undefined.
    """
    if count < fewest:
        raise ConfigError(
            f"error={error:g}: {count} test images can be changed so much by every change, a "
            f"Fréchet distance needs {fewest}; valid: a smaller error"
        )


def add_changes(
    run: Run, label: str, network: Model, setup: Setup, equal: Derived[EqualErrors]
) -> None:
    """The rows of the four changes of a data set's test images."""
    images = run.derive(unchanged_images, equal)
    n = len(equal.value.places)
    for name, changed in equal.value.changed.items():
        row, after = CHANGED.format(name, label), run.derive(changed_images, equal, name)
        quality = run.measure(image_quality, network, setup.layer, run.data, after)
        accuracy = run.measure(accuracy_on_others, network, setup.layer, images, after)
        measured = vars(quality) | {"two_sample_accuracy": accuracy}
        behind = behind_quality(run.data, n) | {"two_sample_accuracy": n // 4 * 2}
        run.table.add(row, measured, seed=None, n=behind, unit=UNITS)
        reached = run.measure(rms_error, images, after)
        run.table.add(row, rms_error=reached, seed=None, n=n, unit="gray levels")
        size = changed.size.mean().item()
        run.table.add(row, mean_size=size, seed=None, n=n, unit=SIZES[name])
        for seed in run.seeds:
            game = setup.game(run, "dcgan", seed)
            answers = run.measure(answers_to_change, game, images, after)
            run.table.add(row, answers, seed=seed, n=n, unit={"logit_change": "logits"})


def add_samples(run: Run, label: str, network: Model, setup: Setup) -> None:
    """The rows of the models' samples."""
    for seed in run.seeds:
        for name, called in NAMES.items():
            game, row = setup.game(run, name, seed), SAMPLES.format(called, label)
            images = run.derive(generated_examples, game, setup.samples)
            quality = run.measure(image_quality, network, setup.layer, run.data, images)
            energy = run.measure(relative_gradient_energy, images, run.data.test.images)
            behind = behind_quality(run.data, setup.samples)
            run.table.add(row, quality, seed=seed, n=behind, unit=UNITS)
            run.table.add(row, gradient_energy=energy, seed=seed, n=setup.samples, unit=UNITS)
            add_warnings(run, row, game)


def draw(run: Run, changed_on: dict[str, Run], compared_on: dict[str, Run], setup: Setup) -> None:
    """The changes of a few test images, and samples of the models, of the first seed."""
    results, rows, moves = run.numbers(), dict[str, dict[str, Tensor]](), dict[str, list[str]]()
    for label, each in changed_on.items():
        few = each.data.test.images[each.data.test.spaced(COLUMNS)]
        equal = equal_errors(few, setup.error)
        caption = f"The same squared error in every image of a column ({label})"
        rows[caption] = {"test image": equal.images} | {
            name: changed.images for name, changed in equal.changed.items()
        }
        moves[caption] = ["D's logit", *(logit(results, name, label) for name in equal.changed)]
    for label, each in compared_on.items():
        caption = f"Test images and samples, not chosen ({label})"
        rows[caption] = {"test image": each.data.test.images[each.data.test.spaced(COLUMNS)]}
        for name, called in NAMES.items():
            trained = run.attempt(partial(getattr, setup.game(each, name, run.seeds[0]), "value"))
            if trained is not None:
                rows[caption][called] = generated_examples(trained, COLUMNS)
    arrays, panels = figure.sheets(rows)
    for panel, caption in zip(panels, rows, strict=True):
        if caption in moves:
            panel["right"] = moves[caption]
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        name="sample_fidelity",
        panels=panels,
        finding=finding(results, run.data.name),
        note="At the right: by how much the change moves the discriminator's logit, on average.",
        provenance=run.heading(),
    )


def logit(results: Numbers, change: str, label: str) -> str:
    """How far a change moves D's logit, with its sign."""
    return f"{results.mean(CHANGED.format(change, label), 'logit_change'):+.2f}".replace("-", "−")


def finding(results: Numbers, label: str) -> str:
    """What D makes of two of the changes, and how far two models are from the data, from means."""
    moved = [logit(results, change, label) for change in ("blur", "chroma")]
    distances = [
        results.mean(SAMPLES.format(called, label), "frechet_classifier_distance")
        for called in (NAMES["vae"], NAMES["dcgan"])
    ]
    return (
        f"At one squared error a blur moves the discriminator's logit by {moved[0]}, a shift in "
        f"chroma by {moved[1]}; samples of the VAE lie at a Fréchet distance of "
        f"{distances[0]:,.0f} from {label}, those of the DCGAN at {distances[1]:,.0f}"
    )
