"""Why the pyramid ends behind a single game: thumbnails, class or width? Section 1.4.4.

    advx run experiment=laplacian_gan_causes                              # 7 → 14 → 28, digits
    advx run experiment=laplacian_gan_causes scale=chapter                # MNIST

The procedure: train the pyramid of `laplacian_gan`, and one game that makes the whole image. Then
change one thing at a time: give the finer levels real thumbnails in place of generated ones; train
a pyramid whose levels are all given the class; train one with more filters in its finer levels.
"""

from collections.abc import Iterator

import torch

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.resize import halved
from advx.evaluation.image_quality import UNITS, ImageQuality, class_rates, image_quality
from advx.evaluation.pyramids import chained, chained_images
from advx.evaluation.samples import AT_THE_END, generated_examples
from advx.figures import samples as figure
from advx.figures.pyramids import COLUMNS, NOTE, panel, taken_apart
from advx.figures.saved import save_and_draw
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.generated import behind_quality
from advx.run.model import Game
from advx.run.pyramids import SHRINKING, add_warnings, levels, refuse_other_sides
from advx.run.real_images import add_floor, floor_cells
from advx.types import PositiveInt

SINGLE = "single game"
PYRAMID, WIDE, CONDITIONAL = "pyramid", "wide pyramid", "class-conditional pyramid"
ON_THUMBNAILS = "pyramid on real thumbnails"

GENERATED = (SINGLE, PYRAMID, WIDE, CONDITIONAL)
"""Rows of images that are generated from noise alone, or from noise and the class."""

CAPTION = "Generated for each class, in order (first seed): every level is given the class"
"""Above the figure's panel."""


def cells() -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield from floor_cells()
    yield Cells([*GENERATED, ON_THUMBNAILS], metrics_of(ImageQuality))
    yield Cells(GENERATED, [AT_THE_END])
    yield Cells([CONDITIONAL], ["asked_for"])


def main(
    run: Run,
    coarse: Config,
    coarse_trainer: Config,
    level: Config,
    wide_level: Config,
    conditional_coarse: Config,
    conditional_level: Config,
    single: Config,
    single_trainer: Config,
    classifier: Config,
    classifier_trainer: Config,
    layer: str,
    samples: PositiveInt,
) -> None:
    """The images of every pyramid and of the single game, and their measures.

    Args:
        run: the run to measure on.
        coarse: the coarsest level's game.
        coarse_trainer: its trainer; `trainer` is that of the finer ones.
        level: the finer levels' games.
        wide_level: those of the pyramid with more filters; its coarsest level is the same.
        conditional_coarse: the coarsest level's game where the class is given.
        conditional_level: the finer levels' games where the class is given.
        single: the game that makes the whole image.
        single_trainer: its trainer.
        classifier: the network whose features and classes measure the images.
        classifier_trainer: its trainer.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
    """
    refuse_other_sides(run)
    network = run.model(classifier, 0, trainer=classifier_trainer)
    places = torch.arange(samples) % len(run.data.train)
    thumbnails = halved(halved(run.data.train.images[places]))
    labels = run.data.train.labels[places].cpu()  # every class as often as in the data
    pyramids = {
        PYRAMID: (coarse, level, None),
        WIDE: (coarse, wide_level, None),
        CONDITIONAL: (conditional_coarse, conditional_level, labels),
    }
    finer = len(SHRINKING) - 1
    behind = behind_quality(run.data, samples)
    with run.progress(models=1 + (1 + 2 + finer * len(pyramids)) * len(run.seeds)):
        add_floor(run, network, layer, samples)
        for seed in run.seeds:
            games = {SINGLE: [run.game(single, seed, trainer=single_trainer)]}
            images = {SINGLE: run.derive(generated_examples, games[SINGLE][0], samples)}
            for row, (first, others, classes) in pyramids.items():
                games[row] = levels(run, first, coarse_trainer, others, seed)
                generated = run.derive(generated_examples, games[row][0], samples, classes)
                images[row] = run.derive(chained_images, generated, games[row][1:], classes)
            images[ON_THUMBNAILS] = run.derive(chained_images, thumbnails, games[PYRAMID][1:])
            for row, each in images.items():
                quality = run.measure(image_quality, network, layer, run.data, each)
                run.table.add(row, quality, seed=seed, n=behind, unit=UNITS)
            for row in GENERATED:
                add_warnings(run, row, games[row], seed)
            rates = run.measure(class_rates, network, images[CONDITIONAL], labels)
            run.table.add(CONDITIONAL, asked_for=rates.overall, seed=seed, n=samples)
    draw(run, levels(run, conditional_coarse, coarse_trainer, conditional_level, run.seeds[0]))
    run.finish()


def draw(run: Run, games: list[Game]) -> None:
    """Thumbnail, residual and sum of every level, generated for each class."""
    trained = run.attempt(lambda: [game.value for game in games])
    if trained is None:
        return
    classes = torch.arange(COLUMNS) * run.data.classes // COLUMNS
    images = chained(generated_examples(trained[0], COLUMNS, classes), trained[1:], classes)
    finest = trained[-1]
    save_and_draw(
        run.folder,
        figure.draw,
        {"by_class": figure.gray_levels(taken_apart(images))}
        | figure.over_training(finest.snapshots, finest.snapshot_epochs),
        name="laplacian_gan_causes",
        panels=[panel("by_class", CAPTION, images)],
        finding=finding(run.numbers()),
        note=NOTE,
        provenance=run.heading(),
    )


def finding(results: Numbers) -> str:
    """Fréchet distances of the single game, the pyramid and its changes, from means."""
    rows = (SINGLE, PYRAMID, ON_THUMBNAILS, CONDITIONAL, WIDE)
    single, pyramid, thumbnails, conditional, wide = (
        results.mean(row, "frechet_classifier_distance") for row in rows
    )
    return (
        f"A single game ends at a Fréchet distance of {single:.3g} from the data, the pyramid at "
        f"{pyramid:.3g}; on real thumbnails it ends at {thumbnails:.3g}, with the class at "
        f"{conditional:.3g}, with more filters at {wide:.3g}"
    )
