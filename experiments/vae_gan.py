"""An autoencoder whose error a discriminator measures, beside a plain one. Section 1.4.5.

    advx run experiment=vae_gan                  # rendered faces, digits that ship with a package
    advx run experiment=vae_gan scale=chapter    # more faces, MNIST

The procedure: train a variational autoencoder and a VAE/GAN of the same encoder and decoder on
faces whose attributes are known, and on digits. Reconstruct the test images; generate from noise;
add and remove an attribute along the mean difference of codes, and have a classifier that is right
on nearly every render read off whether it has changed, and what else has. Then the VAE/GAN once
more without its gate, and once more with the adversarial gradient in the encoder.
"""

from collections.abc import Iterator
from functools import partial

from torch import Tensor

from advx.config.cells import Cells, metrics_of, setting
from advx.config.config import Config
from advx.errors import ConfigError, nearest
from advx.evaluation.attribute_edits import (
    EditRates,
    autoencoder,
    decoded,
    edit_rates,
    edited,
    refuse_unknown_attributes,
)
from advx.evaluation.image_quality import UNITS, ImageQuality, image_quality
from advx.evaluation.reconstructions import (
    reconstructions,
    relative_gradient_energy,
    rms_error,
)
from advx.evaluation.samples import generated_examples
from advx.figures import samples as figure
from advx.figures.saved import save_and_draw
from advx.figures.style import percentage
from advx.games.vae import VAE
from advx.randomness import seeded
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.data import fitting
from advx.run.generated import add_warnings, behind_quality
from advx.run.model import Game, Model
from advx.run.real_images import add_floor, check_floor, floor_cells, warning_cells
from advx.types import PositiveInt

NAMES = {
    "vae": "VAE",
    "vae_fixed": "fixed-variance VAE",
    "vae_gan": "VAE/GAN",
    "no_gate": "VAE/GAN, no gate",
    "gradient_to_encoder": "VAE/GAN, gradient to encoder",
}
"""Rows of the games of the YAML; another game's row is called as it is there."""

SAMPLES, RECONSTRUCTIONS = "{}, samples{}", "{}, reconstructions{}"
"""Rows of a game's images, with the suffix of the data."""

ON_DIGITS = ", digits"
"""Ends the rows on the other data set."""

COLUMNS = 16
"""Images in a row of the figure."""

EDITED = 3
"""Games whose edits the figure shows."""

NOTE = (
    "Images are the first seed's, numbers means over the seeds. Edits: the image's code is moved "
    "by the mean difference between codes of training images with the attribute and without."
)
"""Under the figure."""


def called(name: str) -> str:
    """The row of a game."""
    return NAMES.get(name, name)


def cells(games: dict[str, Config], on_digits: list[str], attributes: list[str]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    for suffix, names in (("", [*games]), (ON_DIGITS, on_digits)):
        rows = [called(name) for name in names]
        measured = [*metrics_of(ImageQuality), "gradient_energy"]
        yield from floor_cells(suffix)
        yield from warning_cells([row + suffix for row in rows])
        yield Cells([SAMPLES.format(row, suffix) for row in rows], measured)
        yield Cells([RECONSTRUCTIONS.format(row, suffix) for row in rows], measured)
        yield Cells([RECONSTRUCTIONS.format(row, suffix) for row in rows], ["rms_error"])
    settings = [setting(attribute=each) for each in attributes]
    yield Cells([called(name) for name in games], metrics_of(EditRates), settings=settings)


def main(
    run: Run,
    games: dict[str, Config],
    on_digits: list[str],
    digits: Config,
    classifier: Config,
    classifier_trainer: Config,
    layer: str,
    samples: PositiveInt,
    attributes: list[str],
) -> None:
    """Samples, reconstructions and attribute edits of every game, and the floor of the measures.

    Args:
        run: the run to measure on.
        games: autoencoders, by name.
        on_digits: names of those that are trained on digits too.
        digits: the other data set.
        classifier: the network whose features and classes measure the images.
        classifier_trainer: its trainer.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
        attributes: that are added and taken away, on the run's own data.
    """
    refuse_unknown_attributes(run.data, attributes)
    other = run.on(digits)
    classifiers = [
        each.model(fitting(classifier, each.data), 0, trainer=classifier_trainer)
        for each in (run, other)
    ]
    for each, network in zip((run, other), classifiers, strict=True):
        check_floor(each, network, layer, samples)
    chosen = known_games(games, on_digits)
    with run.progress(models=2 + (len(games) + len(chosen)) * len(run.seeds)):
        for each, network, suffix in zip((run, other), classifiers, ("", ON_DIGITS), strict=True):
            add_floor(each, network, layer, samples, suffix)
        for seed in run.seeds:
            for name, config in games.items():
                game = run.game(config, seed)
                add_images(run, game, classifiers[0], layer, called(name), "", samples)
                for attribute in attributes:
                    rates = run.measure(edit_rates, game, classifiers[0], run.data, attribute)
                    under, n = setting(attribute=attribute), len(run.data.test)
                    run.table.add(called(name), rates, setting=under, seed=seed, n=n)
            for name, config in chosen.items():
                game = other.game(fitting(config, other.data), seed)
                add_images(other, game, classifiers[1], layer, called(name), ON_DIGITS, samples)
    draw(run, games, attributes, other, chosen)
    run.finish()


def known_games(games: dict[str, Config], names: list[str]) -> dict[str, Config]:
    """Those of the games that are named.

    Raises:
        ConfigError: there is no such game.
    """
    for name in names:
        if name not in games:
            raise ConfigError(f"on_digits={names}: no game {name!r}; {nearest(name, games)}")
    return {name: games[name] for name in names}


def add_images(
    run: Run, game: Game, network: Model, layer: str, row: str, suffix: str, samples: int
) -> None:
    """The rows of one game's samples and reconstructions, and of its warnings.

    Args:
        run: with the data of the game.
        game: an autoencoder.
        network: whose features and classes measure the images.
        layer: of the features.
        row: of the game.
        suffix: of the data.
        samples: generated.
    """
    test, seed = run.data.test.images, game.seed
    made = {
        SAMPLES: run.derive(generated_examples, game, samples),
        RECONSTRUCTIONS: run.derive(reconstructions, game, test),
    }
    for kind, images in made.items():
        name, n = kind.format(row, suffix), samples if kind == SAMPLES else len(test)
        quality = run.measure(image_quality, network, layer, run.data, images)
        run.table.add(name, quality, seed=seed, n=behind_quality(run.data, n), unit=UNITS)
        energy = run.measure(relative_gradient_energy, images, test)
        run.table.add(name, gradient_energy=energy, seed=seed, n=n, unit=UNITS)
    error = run.measure(rms_error, made[RECONSTRUCTIONS], test)
    name = RECONSTRUCTIONS.format(row, suffix)
    run.table.add(name, rms_error=error, seed=seed, n=len(test), unit="gray levels")
    add_warnings(run, row + suffix, game)


def draw(
    run: Run,
    games: dict[str, Config],
    attributes: list[str],
    other: Run,
    chosen: dict[str, Config],
) -> None:
    """Reconstructions, samples and edits of the first seed, side by side."""
    seed = run.seeds[0]
    faces = autoencoders(run, {name: run.game(config, seed) for name, config in games.items()})
    numbers = autoencoders(
        other,
        {name: other.game(fitting(config, other.data), seed) for name, config in chosen.items()},
    )
    rows: dict[str, dict[str, Tensor]] = {}
    for data, trained in ((run, faces), (other, numbers)):
        test = data.data.test.take(data.data.test.spaced(COLUMNS))
        kind = data.data.name
        made = {name: game.reconstruct(test.images) for name, game in trained.items()}
        rows[f"Test images of {kind}, and as their codes are decoded"] = {
            "test image": test.images
        } | made
        rows[f"Samples of {kind} from noise, not chosen"] = {
            name: generated(game) for name, game in trained.items()
        }
        for attribute in attributes if data is run else []:
            rows[f"The same test images, “{attribute}” added or taken away"] = {
                name: edited(game, run.data, attribute, test.images, test.labels)
                for name, game in [*faces.items()][:EDITED]
            }
    arrays, panels = figure.sheets(rows)
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        name="vae_gan",
        panels=panels,
        finding=finding(run.numbers(), attributes),
        note=NOTE,
        provenance=run.heading(),
    )


def autoencoders(run: Run, games: dict[str, Game]) -> dict[str, VAE]:
    """The games by row; those whose training diverged are left out."""
    made = {}
    for name, game in games.items():
        trained = run.attempt(partial(getattr, game, "value"))
        if trained is not None:
            made[called(name)] = autoencoder(trained)
    return made


def generated(game: VAE) -> Tensor:
    """A row of samples, of the same z for every game."""
    with seeded(0):
        z = game.draw(COLUMNS)
    return decoded(game, z.to(next(game.parameters()).device))


def finding(results: Numbers, attributes: list[str]) -> str:
    """How far both are from the data, and how often their edits succeed, from means."""
    plain, ours = called("vae"), called("vae_gan")
    distances = [
        results.mean(SAMPLES.format(row, ""), "frechet_classifier_distance")
        for row in (ours, plain)
    ]
    under = setting(attribute=attributes[0])
    flips = [results.mean(row, "flip_rate", setting=under) for row in (ours, plain)]
    return (
        f"Samples of the VAE/GAN lie at a Fréchet distance of {distances[0]:,.0f} from the data, "
        f"those of the VAE at {distances[1]:,.0f}; “{attributes[0]}” is changed in "
        f"{percentage(flips[0])} of test images, with the VAE in {percentage(flips[1])}"
    )
