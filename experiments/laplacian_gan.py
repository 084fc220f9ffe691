"""A Laplacian pyramid of games: a thumbnail first, then the detail. Section 1.4.4.

    advx run experiment=laplacian_gan                                     # 7 → 14 → 28, digits
    advx run experiment=laplacian_gan scale=chapter                       # MNIST
    advx run experiment=laplacian_gan scale=chapter dataset=cifar10 \
        level.generator_filters=64 level.discriminator_filters=64         # 8 → 16 → 32: a GPU

The procedure: let a game of its own play for every level, the coarsest on pictures a quarter as
large, each finer one on what its level adds to real coarse pictures. Then chain the generators:
thumbnail, enlarge, add a residual, enlarge, add a residual. Beside it the finest level alone, on
real coarse pictures, and the pyramid of real pictures.
"""

import math
from typing import Any

import torch
from torch import Tensor

from advx.data.resize import doubled
from advx.errors import ConfigError
from advx.evaluation.judged import UNITS, UNKNOWN
from advx.evaluation.samples import generated
from advx.figures import samples as figure
from advx.figures.kept import keep
from advx.games.base import Game
from advx.games.laplacian_gan import LaplacianLevel, pyramid
from advx.judge import Judge
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.obtain import DataPart, Recipe
from advx.types import PositiveInt

PARTS: tuple[DataPart, ...] = ("a quarter as large", "half as large", "training examples")
"""The levels, from coarse to fine."""

COLUMNS = 20
"""Images in a row of the figure."""

NOTE = "Detail: what a level adds; mid-gray where that is nothing."
"""Under the figure."""


def main(
    run: Run,
    coarse: dict[str, Any],
    coarse_trainer: dict[str, Any],
    level: dict[str, Any],
    classifier: dict[str, Any],
    classifier_trainer: dict[str, Any],
    layer: str,
    samples: PositiveInt,
) -> None:
    """The chain's pictures, every level's, and the measures of both.

    Args:
        run: the run to measure on.
        coarse: the node of the coarsest level's game.
        coarse_trainer: its trainer's node; `trainer` is that of the finer ones.
        level: the node of the finer levels' games.
        classifier: the node of the network whose features and classes judge the pictures.
        classifier_trainer: its trainer's node.
        layer: the layer of the classifier whose output is the features.
        samples: generated for every measure.
    """
    sides = run.data.input_shape[1:]
    if any(side % 4 for side in sides):
        raise ConfigError(
            f"dataset={run.data.name}: pictures of {sides[0]} × {sides[1]} cannot be halved twice; "
            "valid: sides that 4 divides"
        )
    judge = Judge(run, classifier, classifier_trainer, layer, samples)
    with run.progress(models=1 + len(PARTS) * len(run.seeds)):
        judge.record()
        for seed in run.seeds:
            recipes = levels(run, coarse, coarse_trainer, level, seed)
            for row, found in judged(run, recipes, judge).items():
                run.record_all(row, found, UNITS, seed=seed, n=samples)
    draw(run, levels(run, coarse, coarse_trainer, level, run.seeds[0]))
    run.finish()


def levels(
    run: Run, coarse: dict[str, Any], coarse_trainer: dict[str, Any], level: dict[str, Any],
    seed: int,
) -> list[Recipe]:  # fmt: skip
    """The recipes of the levels' games, from coarse to fine."""
    found = []
    for part, shrink in zip(PARTS, (4, 2, 1), strict=True):
        channels, height, width = run.data.input_shape
        shape = [channels, height // shrink, width // shrink]
        node, trainer = (coarse, coarse_trainer) if shrink == 4 else (level, run.config["trainer"])
        node = node | {"input_shape": shape}
        found.append(run.recipe(node, seed, trainer=trainer, path=f"{shape[1]} pixels", part=part))
    return found


@torch.no_grad()
def chained(games: list[Game], count: int, seed: int, device: torch.device) -> list[Tensor]:
    """`count` pictures of every level, each made from the one before."""
    pictures = [generated(games[0], count, seed=seed, device=device)]
    for depth, game in enumerate(games[1:], start=1):
        below = doubled(pictures[-1])
        pictures.append(
            generated(game, count, below.cpu(), seed=seed + depth, device=device).clamp(0, 1)
        )
    return pictures


def judged(run: Run, recipes: list[Recipe], judge: Judge) -> dict[str, dict[str, float]]:
    """The chain's numbers, and the finest level's on real coarse pictures; kept."""

    def measure() -> dict[str, dict[str, float]]:
        played = [run.played(recipe) for recipe in recipes]
        fake = chained([p.game for p in played], judge.samples, 0, run.device)[-1]
        flagged = sum(w["at_the_end"] for p in played for w in p.warnings)
        train = run.data.train.images[torch.arange(judge.samples) % len(run.data.train)]
        below, _ = pyramid(train, 1)
        alone = generated(played[-1].game, judge.samples, doubled(below).cpu(), device=run.device)
        return {
            "pyramid": judge.quality(fake) | {"warnings_at_the_end": flagged},
            "finest level on real pictures": judge.quality(alone.clamp(0, 1)),
            "enlarged real pictures": judge.quality(doubled(below)),
        }

    return run.measured(
        judge.depends_on(*(run.game_key(r) for r in recipes), of="pyramid"),
        measure, missing={"pyramid": UNKNOWN},
    )  # fmt: skip


def draw(run: Run, recipes: list[Recipe]) -> None:
    """Thumbnail, residual and sum of every level, generated and real."""
    played = run.attempt(lambda: [run.played(recipe) for recipe in recipes])
    if played is None:
        return
    games = [p.game for p in played]
    assert all(isinstance(game, LaplacianLevel) for game in games[1:])
    made = chained(games, COLUMNS, 0, run.device)
    real = run.data.test.images[run.data.test.spaced(COLUMNS)]
    thumbnail, residuals = pyramid(real, 2)
    middle = doubled(thumbnail) + residuals[1]
    rows = {
        "coarse": made[0],
        "residual_1": 0.5 + made[1] - doubled(made[0]),
        "sum_1": made[1],
        "residual_2": 0.5 + made[2] - doubled(made[1]),
        "sum_2": made[2],
    }
    truth = {
        "real_coarse": thumbnail,
        "real_residual_1": 0.5 + residuals[1],
        "real_sum_1": middle,
        "real_residual_2": 0.5 + residuals[0],
        "real_sum_2": real,
    }
    sheets = {}
    for name, parts in (("generated", rows), ("real", truth)):
        side = real.shape[-1]
        enlarged = [
            x.repeat_interleave(side // x.shape[-1], -1).repeat_interleave(side // x.shape[-1], -2)
            for x in parts.values()
        ]
        sheets[name] = figure.gray_levels(torch.cat(enlarged))
    arrays = sheets | {
        "snapshots": figure.gray_levels(played[-1].snapshots),
        "epochs": torch.tensor(played[-1].snapshot_epochs).numpy(),
    }
    options: dict[str, Any] = {
        "name": "laplacian_gan",
        "panels": panels([tuple(x.shape[-2:]) for x in made]),
        "finding": finding(Numbers(run.results.rows)),
        "note": NOTE,
        "provenance": run.heading(),
    }
    keep(run.folder, "samples", arrays, options)
    figure.draw(run.folder, arrays, **options)


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
    return [{"array": array, "columns": COLUMNS, "caption": caption, "left": rows}
            for array, caption in captions.items()]  # fmt: skip


def finding(found: Numbers) -> str:
    """Fréchet distances of the whole pyramid and of its parts, from means."""
    rows = ("pyramid", "finest level on real pictures", "validation pictures")
    whole, finest, real = (found.mean(row, "frechet_classifier_distance") for row in rows)
    said = (
        f"The finest game alone, on real coarse images, ends at a Fréchet distance of {finest:.3g} "
        f"from the data, the whole pyramid at {whole:.3g}"
    )
    return said if math.isnan(real) else f"{said} (real images: {real:.3g})"
