"""The class-conditional game: does the generator make the class that it is given? Section 1.4.4.

    advx run experiment=conditional_gan                  # digits that ship with a package
    advx run experiment=conditional_gan scale=chapter    # MNIST

The procedure: give both networks the class; ask for every class as often as for any other; let a
classifier that was trained apart name the class of each image. One row of the figure a class, the
same z down a column: what stays the same is what z decides.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.errors import ConfigError
from advx.evaluation.image_quality import UNITS, ImageQuality, class_rates, image_quality
from advx.evaluation.parzen import ParzenEstimate, parzen_likelihood
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

COLUMNS = 20
"""z of the figure."""

NOTE = "At the right: the share of a class's images that a classifier gives that class."
"""Under the figure."""


def cells(dataset: Config) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield from floor_cells()
    classes = [of_class(str(k)) for k in range(dataset["classes"])]
    yield Cells(["generator"], ["asked_for"], settings=["", *classes])
    yield Cells(["generator"], [*metrics_of(ImageQuality), *metrics_of(ParzenEstimate)])
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
    """The classifier's answers to images of every class, and the measures of all together.

    Args:
        run: the run to measure on.
        game: one whose condition is the class.
        classifier: the network whose features and classes measure the images.
        classifier_trainer: its trainer.
        layer: the layer of the classifier whose output is the features.
        samples: generated, equally many of each class.
        sigmas: candidates for the Parzen window's width, chosen on validation images.
    """
    if not getattr(game.target, "conditional", False):
        raise ConfigError(
            f"game={game.get('name')}: is not given the class; valid: game=conditional_gan"
        )
    network = run.model(classifier, 0, trainer=classifier_trainer)
    classes = torch.arange(samples) % run.data.classes
    with run.progress(models=1 + len(run.seeds)):
        add_floor(run, network, layer, samples)
        for seed in run.seeds:
            trained = run.game(game, seed)
            images = run.derive(generated_examples, trained, samples, classes)
            rates = run.measure(class_rates, network, images, classes)
            run.table.add("generator", asked_for=rates.overall, seed=seed, n=samples)
            by_class = zip(run.data.class_names, rates.by_class, strict=False)
            for label, (name, rate) in enumerate(by_class):
                under, n = of_class(name), int((classes == label).sum())
                run.table.add("generator", asked_for=rate, setting=under, seed=seed, n=n)
            quality = run.measure(image_quality, network, layer, run.data, images)
            likelihood = run.measure(parzen_likelihood, run.data, images, sigmas)
            behind = behind_quality(run.data, samples)
            run.table.add("generator", quality, seed=seed, n=behind, unit=UNITS)
            run.table.add("generator", likelihood, seed=seed, n=samples, unit=UNITS)
            add_warnings(run, "generator", trained)
    draw(run, run.game(game, run.seeds[0]), samples)
    run.finish()


def same_noise(trained: TrainedGame, classes: int, columns: int, seed: int = 1) -> Tensor:
    """Images (classes · columns, *shape), row by row: a class, with the same z in every row."""
    game = generative(trained)
    device = next(game.parameters()).device
    with seeded(seed), torch.no_grad():
        z = game.draw(columns).to(device)
        labels = torch.arange(classes, device=device).repeat_interleave(columns)
        return game.generate(z.repeat(classes, 1), labels)


def finding(results: Numbers, samples: int, names: Sequence[str]) -> str:
    """How often the class that was asked for was made: by seed, as one seed's game may collapse,
    and by class with the first."""
    *others, last = (f"{rate:.1f}%" for rate in asked_for(results))
    overall = f"{', '.join(others)} and {last}" if others else last
    rates = {name: asked_for(results, name)[0] for name in names}
    worst, best = (pick(rates, key=lambda name: rates[name]) for pick in (min, max))
    return (
        f"The generator makes the class that it is asked for in {overall} of {samples:,} images"
        f"{', by seed; the first' if others else ':'} at worst in "
        f"{rates[worst]:.1f}% ({worst}), at best in {rates[best]:.1f}% ({best})"
    )


def of_class(name: str) -> str:
    """The setting of one class's images."""
    return setting(**{"class": name})


def asked_for(results: Numbers, name: str = "") -> list[float]:
    """How often each seed's generator made what was asked for, in percent.

    Args:
        results: of the run.
        name: of the class that was asked for; empty for all together.
    """
    cell = Cell("generator", "asked_for", setting=of_class(name) if name else "")
    return results.over_seeds([cell])[:, 0].tolist()


def panel(results: Numbers, names: Sequence[str]) -> figure.Panel:
    """Of the figure: a row a class of the first seed, with how often it was made when asked for."""
    rates = [asked_for(results, name)[0] for name in names]
    return {
        "array": "images",
        "columns": COLUMNS,
        "caption": "Each row is a class that the first seed's generator was asked for, each "
        "column one z",
        "left": list(names),
        "right": [f"{rate:.1f}%" for rate in rates],
    }


def draw(run: Run, game: Game, samples: int) -> None:
    """One row a class, one column a z."""
    trained = run.attempt(lambda: game.value)
    if trained is None:
        return
    images = same_noise(trained, run.data.classes, COLUMNS)
    arrays = {"images": figure.gray_levels(images)}
    results, names = run.numbers(), run.data.class_names
    save_and_draw(
        run.folder,
        figure.draw,
        arrays | figure.over_training(trained.snapshots, trained.snapshot_epochs),
        name="conditional_gan",
        panels=[panel(results, names)],
        finding=finding(results, samples, names),
        note=NOTE,
        provenance=run.heading(),
    )
