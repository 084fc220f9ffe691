"""A Laplacian pyramid of games: a thumbnail first, then the detail. Section 1.4.4.

    advx run experiment=laplacian_gan                                     # 7 → 14 → 28, digits
    advx run experiment=laplacian_gan scale=chapter                       # MNIST
    advx run experiment=laplacian_gan scale=chapter dataset=cifar10 \
        level.generator_filters=64 level.discriminator_filters=64         # 8 → 16 → 32: a GPU

The procedure: train a game of its own for every level, the coarsest on images a quarter as large,
each finer one on what its level adds to real coarse images. Then chain the generators: thumbnail,
enlarge, add a residual, enlarge, add a residual. Beside it the finest level alone, on real coarse
images, and the pyramid of real images.
"""

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.resize import doubled
from advx.errors import ConfigError
from advx.evaluation.image_quality import UNITS, ImageQuality, image_quality
from advx.evaluation.measurement import measurement
from advx.evaluation.samples import AT_THE_END, generated_examples, warning_rates
from advx.figures import samples as figure
from advx.figures.saved import save_and_draw
from advx.games.laplacian_gan import LaplacianLevel, pyramid
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

COLUMNS = 20
"""Images in a row of the figure."""

NOTE = "Detail: what a level adds; mid-gray where that is nothing."
"""Under the figure."""


def cells() -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield from floor_cells()
    yield Cells(ROWS, metrics_of(ImageQuality))
    yield Cells(ROWS[:1], [AT_THE_END])


ROWS = ("pyramid", "finest level on real images", "enlarged real images")


def main(
    run: Run,
    coarse: Config,
    coarse_trainer: Config,
    level: Config,
    classifier: Config,
    classifier_trainer: Config,
    layer: str,
    samples: PositiveInt,
) -> None:
    """The chain's images, every level's, and the measures of both.

    Args:
        run: the run to measure on.
        coarse: the coarsest level's game.
        coarse_trainer: its trainer; `trainer` is that of the finer ones.
        level: the finer levels' games.
        classifier: the network whose features and classes measure the images.
        classifier_trainer: its trainer.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
    """
    sides = run.data.input_shape[1:]
    if any(side % 4 for side in sides):
        raise ConfigError(
            f"dataset={run.data.name}: images of {sides[0]} × {sides[1]} cannot be halved twice; "
            "valid: sides that 4 divides"
        )
    network = run.model(classifier, 0, trainer=classifier_trainer)
    train = run.data.train.images
    real = train[torch.arange(samples) % len(train)]
    enlarged = doubled(pyramid(real, 1)[0])
    with run.progress(models=1 + len(SHRINKING) * len(run.seeds)):
        add_floor(run, network, layer, samples)
        for seed in run.seeds:
            games = levels(run, coarse, coarse_trainer, level, seed)
            images = (
                run.derive(chained_images, games, samples),
                run.derive(detailed, games[-1], enlarged),
                enlarged,
            )
            for row, each in zip(ROWS, images, strict=True):
                quality = run.measure(image_quality, network, layer, run.data, each)
                run.table.add(row, quality, seed=seed, n=samples, unit=UNITS)
                if row == ROWS[0]:
                    add_warnings(run, row, games, seed, samples)
    draw(run, levels(run, coarse, coarse_trainer, level, run.seeds[0]))
    run.finish()


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


def chained(games: list[TrainedGame], count: int, seed: int = 0) -> list[Tensor]:
    """`count` images of every level, each made from the one before."""
    images = [generated_examples(games[0], count, seed=seed)]
    for depth, game in enumerate(games[1:], start=1):
        images.append(detailed(game, doubled(images[-1]), seed + depth))
    return images


@measurement(version=1)
def chained_images(games: list[TrainedGame], count: int, seed: int = 0) -> Tensor:
    """`count` images (count, *shape) of the finest level, each made from those of the others."""
    return chained(games, count, seed)[-1]


@measurement(version=1)
def detailed(game: TrainedGame, enlarged: Tensor, seed: int = 0) -> Tensor:
    """Enlarged images (n, *shape) with the detail that a level adds to them."""
    return generated_examples(game, len(enlarged), enlarged.cpu(), seed=seed).clamp(0, 1)


def draw(run: Run, games: list[Game]) -> None:
    """Thumbnail, residual and sum of every level, generated and real."""
    trained = run.attempt(lambda: [game.value for game in games])
    if trained is None:
        return
    assert all(isinstance(each.game, LaplacianLevel) for each in trained[1:])
    made = chained(trained, COLUMNS)
    real = run.data.test.images[run.data.test.spaced(COLUMNS)]
    thumbnail, (fine, coarse) = pyramid(real, 2)
    taken_apart = [thumbnail, 0.5 + coarse, doubled(thumbnail) + coarse, 0.5 + fine, real]
    put_together = [made[0]]
    for before, after in itertools.pairwise(made):
        put_together += [0.5 + after - doubled(before), after]
    arrays = {
        name: figure.gray_levels(torch.cat([magnified(x, real.shape[-1]) for x in rows]))
        for name, rows in (("generated", put_together), ("real", taken_apart))
    }
    finest = trained[-1]
    save_and_draw(
        run.folder,
        figure.draw,
        arrays | figure.over_training(finest.snapshots, finest.snapshot_epochs),
        name="laplacian_gan",
        panels=panels([(x.shape[-2], x.shape[-1]) for x in made]),
        finding=finding(run.numbers()),
        note=NOTE,
        provenance=run.heading(),
    )


def magnified(images: Tensor, side: int) -> Tensor:
    """Images with every pixel repeated, so that they are `side` wide."""
    times = side // images.shape[-1]
    return images.repeat_interleave(times, -1).repeat_interleave(times, -2)


def panels(sizes: list[tuple[int, int]]) -> list[figure.Panel]:
    """Of the figure; `sizes` are the heights and widths of the levels, from coarse to fine."""
    thumbnail, *finer = (f"{height} × {width}" for height, width in sizes)
    rows = [thumbnail]
    for size in finer:
        rows += ["+ detail", f"= {size}"]
    captions = {
        "generated": "a  Generated (first seed): each level's game adds detail to the one before",
        "real": "b  Test images, taken apart in the same way",
    }
    return [
        {"array": array, "columns": COLUMNS, "caption": caption, "left": rows}
        for array, caption in captions.items()
    ]


def finding(results: Numbers) -> str:
    """Fréchet distances of the whole pyramid and of its parts, from means."""
    rows = (*ROWS[:2], "validation images")
    whole, finest, real = (results.mean(row, "frechet_classifier_distance") for row in rows)
    sentence = (
        f"The finest game alone, on real coarse images, ends at a Fréchet distance of {finest:.3g} "
        f"from the data, the whole pyramid at {whole:.3g}"
    )
    return sentence if math.isnan(real) else f"{sentence} (real images: {real:.3g})"
