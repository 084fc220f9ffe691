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

import math
from collections.abc import Iterator

import torch

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.resize import doubled, halved
from advx.evaluation.image_quality import UNITS, ImageQuality, image_quality
from advx.evaluation.pyramids import chained, chained_images, detailed
from advx.evaluation.samples import AT_THE_END, generated_examples
from advx.figures import samples as figure
from advx.figures.pyramids import COLUMNS, NOTE, panel, taken_apart
from advx.figures.saved import save_and_draw
from advx.games.laplacian_gan import LaplacianLevel, pyramid
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.generated import behind_quality
from advx.run.model import Game
from advx.run.pyramids import SHRINKING, add_warnings, levels, refuse_other_sides
from advx.run.real_images import add_floor, floor_cells
from advx.types import PositiveInt

ROWS = ("pyramid", "finest level on real images", "enlarged real images")

CAPTIONS = {
    "generated": "a  Generated (first seed): each level's game adds detail to the one before",
    "real": "b  Test images, taken apart in the same way",
}
"""Of the figure's panels, by their arrays."""


def cells() -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield from floor_cells()
    yield Cells(ROWS, metrics_of(ImageQuality))
    yield Cells(ROWS[:1], [AT_THE_END])


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
    refuse_other_sides(run)
    network = run.model(classifier, 0, trainer=classifier_trainer)
    train = run.data.train.images
    real = train[torch.arange(samples) % len(train)]
    enlarged = doubled(pyramid(real, 1)[0])
    behind = behind_quality(run.data, samples)
    with run.progress(models=1 + len(SHRINKING) * len(run.seeds)):
        add_floor(run, network, layer, samples)
        for seed in run.seeds:
            games = levels(run, coarse, coarse_trainer, level, seed)
            generated = run.derive(generated_examples, games[0], samples)
            images = (
                run.derive(chained_images, generated, games[1:]),
                run.derive(detailed, games[-1], enlarged),
                enlarged,
            )
            for row, each in zip(ROWS, images, strict=True):
                quality = run.measure(image_quality, network, layer, run.data, each)
                run.table.add(row, quality, seed=seed, n=behind, unit=UNITS)
                if row == ROWS[0]:
                    add_warnings(run, row, games, seed)
    draw(run, levels(run, coarse, coarse_trainer, level, run.seeds[0]))
    run.finish()


def draw(run: Run, games: list[Game]) -> None:
    """Thumbnail, residual and sum of every level, generated and real."""
    trained = run.attempt(lambda: [game.value for game in games])
    if trained is None:
        return
    assert all(isinstance(each.game, LaplacianLevel) for each in trained[1:])
    made = chained(generated_examples(trained[0], COLUMNS), trained[1:])
    real = run.data.test.images[run.data.test.spaced(COLUMNS)]
    sheets = {"generated": made, "real": [halved(halved(real)), halved(real), real]}
    arrays = {name: figure.gray_levels(taken_apart(images)) for name, images in sheets.items()}
    finest = trained[-1]
    save_and_draw(
        run.folder,
        figure.draw,
        arrays | figure.over_training(finest.snapshots, finest.snapshot_epochs),
        name="laplacian_gan",
        panels=[panel(name, CAPTIONS[name], images) for name, images in sheets.items()],
        finding=finding(run.numbers()),
        note=NOTE,
        provenance=run.heading(),
    )


def finding(results: Numbers) -> str:
    """Fréchet distances of the whole pyramid and of its parts, from means."""
    rows = (*ROWS[:2], "validation images")
    whole, finest, real = (results.mean(row, "frechet_classifier_distance") for row in rows)
    sentence = (
        f"The finest game alone, on real coarse images, ends at a Fréchet distance of {finest:.3g} "
        f"from the data, the whole pyramid at {whole:.3g}"
    )
    return sentence if math.isnan(real) else f"{sentence} (real images: {real:.3g})"
