"""A Laplacian pyramid of games: a thumbnail first, then the detail. Section 1.4.4.

    advx run experiment=laplacian_gan                                     # 7 → 14 → 28, digits
    advx run experiment=laplacian_gan scale=chapter                       # MNIST: a GPU
    advx run experiment=laplacian_gan scale=chapter dataset=cifar10 \
        level.generator_filters=64 level.discriminator_filters=64         # 8 → 16 → 32: a GPU

The procedure: train a game of its own for every level, the coarsest on images a quarter as large,
each finer one on what its level adds to real coarse images. Then chain the generators: thumbnail,
enlarge, add a residual, enlarge, add a residual. Three such pyramids are trained: a narrow one, one
with more filters in its finer levels, and one whose levels are all given the class. Beside them one
game that makes the whole image. To see where the narrow one fails, its finer levels are also given
real thumbnails, and its finest level real coarse images.
"""

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.resize import doubled, halved
from advx.errors import ConfigError
from advx.evaluation.image_quality import UNITS, ImageQuality, class_rates, image_quality
from advx.evaluation.measurement import measurement
from advx.evaluation.samples import AT_THE_END, generated_examples, warning_rates
from advx.figures import samples as figure
from advx.figures.saved import save_and_draw
from advx.games.laplacian_gan import LaplacianLevel, with_classes
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Game
from advx.run.real_images import add_floor, floor_cells
from advx.training.load_or_train import TrainedGame
from advx.training.recipe import DataPart
from advx.types import PositiveInt

SHRINKING: dict[DataPart, int] = {
    "a quarter as large": 4,
    "half as large": 2,
    "training examples": 1,
}
"""The levels, from coarse to fine: on what part each is trained, and how much smaller it is."""

PYRAMID, WIDE, CONDITIONAL = "pyramid", "wide pyramid", "class-conditional pyramid"
SINGLE = "single game"
"""Rows of images that are generated from noise alone, or from noise and the class."""

ON_THUMBNAILS = "pyramid on real thumbnails"
FINEST = "finest level on real images"
ENLARGED = "enlarged real images"
"""Rows of images that are made of real images."""

GENERATED = (PYRAMID, WIDE, CONDITIONAL, SINGLE)

COLUMNS = 20
"""Images in a row of the figure."""

NOTE = "Detail: what a level adds; mid-gray where that is nothing."
"""Under the figure."""


def cells() -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield from floor_cells()
    yield Cells([*GENERATED, ON_THUMBNAILS, FINEST, ENLARGED], metrics_of(ImageQuality))
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
    real = run.data.train.images[places]
    labels = run.data.train.labels[places].cpu()  # every class as often as in the data
    thumbnails, enlarged = halved(halved(real)), doubled(halved(real))
    pyramids = {
        PYRAMID: (coarse, level, None),
        WIDE: (coarse, wide_level, None),
        CONDITIONAL: (conditional_coarse, conditional_level, labels),
    }
    finer = len(SHRINKING) - 1
    with run.progress(models=1 + (2 + 1 + finer * len(pyramids)) * len(run.seeds)):
        add_floor(run, network, layer, samples)
        for seed in run.seeds:
            made = {}
            for row, (first, others, classes) in pyramids.items():
                games = levels(run, first, coarse_trainer, others, seed)
                generated = run.derive(generated_examples, games[0], samples, classes)
                made[row] = run.derive(chained_images, generated, games[1:], classes)
                add_warnings(run, row, games, seed, samples)
            game = run.game(single, seed, trainer=single_trainer)
            made[SINGLE] = run.derive(generated_examples, game, samples)
            add_warnings(run, SINGLE, [game], seed, samples)
            games = levels(run, coarse, coarse_trainer, level, seed)
            made[ON_THUMBNAILS] = run.derive(chained_images, thumbnails, games[1:])
            made[FINEST] = run.derive(detailed, games[-1], enlarged)
            for row, images in [*made.items(), (ENLARGED, enlarged)]:
                quality = run.measure(image_quality, network, layer, run.data, images)
                run.table.add(row, quality, seed=seed, n=samples, unit=UNITS)
            rates = run.measure(class_rates, network, made[CONDITIONAL], labels)
            run.table.add(CONDITIONAL, asked_for=rates.overall, seed=seed, n=samples)
    first_seed = run.seeds[0]
    draw(
        run,
        levels(run, coarse, coarse_trainer, level, first_seed),
        levels(run, conditional_coarse, coarse_trainer, conditional_level, first_seed),
    )
    run.finish()


def refuse_other_sides(run: Run) -> None:
    """Refuse images that cannot be halved twice.

    Raises:
        ConfigError: a side that 4 does not divide.
    """
    sides = run.data.input_shape[1:]
    if any(side % 4 for side in sides):
        raise ConfigError(
            f"dataset={run.data.name}: images of {sides[0]} × {sides[1]} cannot be halved twice; "
            "valid: sides that 4 divides"
        )


def levels(
    run: Run, coarse: Config, coarse_trainer: Config, level: Config, seed: int
) -> list[Game]:
    """The levels' games, from coarse to fine."""
    channels, height, width = run.data.input_shape
    games: list[Game] = []
    for part, factor in SHRINKING.items():
        shape = [channels, height // factor, width // factor]
        config, trainer = (level, None) if games else (coarse, coarse_trainer)
        game = config.with_(input_shape=shape)
        games.append(run.game(game, seed, trainer=trainer, part=part))
    return games


def add_warnings(run: Run, row: str, games: list[Game], seed: int, samples: int) -> None:
    """How many warnings stood at the end of the games' training."""
    rates = [run.measure(warning_rates, game) for game in games]
    count = sum(each.get(AT_THE_END, math.nan) for each in rates)
    run.table.add(row, {AT_THE_END: count}, seed=seed, n=samples, unit=UNITS)


def chained(
    thumbnails: Tensor, finer: list[TrainedGame], classes: Tensor | None = None, seed: int = 1
) -> list[Tensor]:
    """Images of every level, each made from the one before.

    Args:
        thumbnails: images (n, *shape) of the coarsest level, generated or real.
        finer: the games of the other levels, from coarse to fine.
        classes: (n,), where the games are given the class.
        seed: of the first finer level's z; the next one has the next.
    """
    images = [thumbnails]
    for depth, game in enumerate(finer):
        images.append(detailed(game, doubled(images[-1]), classes, seed + depth))
    return images


@measurement(version=1)
def chained_images(
    thumbnails: Tensor, finer: list[TrainedGame], classes: Tensor | None = None, seed: int = 1
) -> Tensor:
    """Images (n, *shape) of the finest level: the last of those that `chained` makes."""
    return chained(thumbnails, finer, classes, seed)[-1]


@measurement(version=1)
def detailed(
    game: TrainedGame, enlarged: Tensor, classes: Tensor | None = None, seed: int = 0
) -> Tensor:
    """Enlarged images (n, *shape) with the detail that a level adds to them.

    Args:
        game: of the level.
        enlarged: the images.
        classes: (n,), where the game is given the class.
        seed: of z.
    """
    conditions = enlarged.cpu()
    if classes is not None:
        conditions = with_classes(conditions, classes)
    return generated_examples(game, len(enlarged), conditions, seed=seed).clamp(0, 1)


def draw(run: Run, games: list[Game], conditional: list[Game]) -> None:
    """Thumbnail, residual and sum of every level: generated, real, and generated for a class."""
    trained = run.attempt(lambda: [game.value for game in games])
    if trained is None:
        return
    assert all(isinstance(each.game, LaplacianLevel) for each in trained[1:])
    made = chained(generated_examples(trained[0], COLUMNS), trained[1:])
    real = run.data.test.images[run.data.test.spaced(COLUMNS)]
    sheets = {"generated": made, "real": [halved(halved(real)), halved(real), real]}
    given = run.attempt(lambda: [game.value for game in conditional])
    if given is not None:
        classes = torch.arange(COLUMNS) * run.data.classes // COLUMNS
        first = generated_examples(given[0], COLUMNS, classes)
        sheets["by_class"] = chained(first, given[1:], classes)
    finest = trained[-1]
    arrays = {name: figure.gray_levels(taken_apart(images)) for name, images in sheets.items()}
    save_and_draw(
        run.folder,
        figure.draw,
        arrays | figure.over_training(finest.snapshots, finest.snapshot_epochs),
        name="laplacian_gan",
        panels=panels([(x.shape[-2], x.shape[-1]) for x in made], list(sheets)),
        finding=finding(run.numbers()),
        note=NOTE,
        provenance=run.heading(),
    )


def taken_apart(images: list[Tensor]) -> Tensor:
    """The rows of one panel, all of the finest level's size: thumbnail, detail, sum, detail, sum.

    Args:
        images: of every level (n, *shape), from coarse to fine.
    """
    rows = [images[0]]
    for before, after in itertools.pairwise(images):
        rows += [0.5 + after - doubled(before), after]
    return torch.cat([magnified(each, images[-1].shape[-1]) for each in rows])


def magnified(images: Tensor, side: int) -> Tensor:
    """Images with every pixel repeated, so that they are `side` wide."""
    times = side // images.shape[-1]
    return images.repeat_interleave(times, -1).repeat_interleave(times, -2)


def panels(sizes: list[tuple[int, int]], arrays: list[str]) -> list[figure.Panel]:
    """Of the figure.

    Args:
        sizes: heights and widths of the levels, from coarse to fine.
        arrays: which of the panels there are.
    """
    thumbnail, *finer = (f"{height} × {width}" for height, width in sizes)
    rows = [thumbnail]
    for size in finer:
        rows += ["+ detail", f"= {size}"]
    captions = {
        "generated": "a  Generated (first seed): each level's game adds detail to the one before",
        "real": "b  Test images, taken apart in the same way",
        "by_class": "c  Generated for each class, in order, where every level is given the class",
    }
    return [
        {"array": array, "columns": COLUMNS, "caption": captions[array], "left": rows}
        for array in arrays
    ]


def finding(results: Numbers) -> str:
    """Fréchet distances of the pyramid, of its finest level and of the single game, from means."""
    rows = (PYRAMID, FINEST, SINGLE, "validation images")
    whole, finest, single, real = (results.mean(row, "frechet_classifier_distance") for row in rows)
    sentence = (
        f"The finest game alone, on real coarse images, ends at a Fréchet distance of {finest:.3g} "
        f"from the data, the whole pyramid at {whole:.3g}"
    )
    if not math.isnan(single):
        sentence += f", a single game at {single:.3g}"
    return sentence if math.isnan(real) else f"{sentence} (real images: {real:.3g})"
