"""The class-conditional game: does the generator make the class that it is told? Section 1.4.4.

    advx run experiment=conditional_gan                  # digits that ship with a package
    advx run experiment=conditional_gan scale=chapter    # MNIST

The procedure: tell both networks the class; ask for every class as often as for any other; let a
classifier that was trained apart say what it sees. One row of the figure a class, the same z down a
column: what stays the same is what z decides.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from advx.config.build import target
from advx.config.cells import setting
from advx.errors import ConfigError
from advx.evaluation.judged import UNITS, UNKNOWN, parzen_likelihood
from advx.evaluation.samples import generated
from advx.evaluation.transfer import probabilities
from advx.evaluation.undefined import answered
from advx.figures import samples as figure
from advx.figures.kept import keep
from advx.games.base import Game
from advx.judge import Judge
from advx.models.call import predicted
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import PositiveInt

COLUMNS = 20
"""z of the figure."""

NOTE = "At the right: the share of a class's images that a classifier gives that class, all seeds."
"""Under the figure."""


def main(
    run: Run,
    game: dict[str, Any],
    classifier: dict[str, Any],
    classifier_trainer: dict[str, Any],
    layer: str,
    samples: PositiveInt,
    sigmas: list[float],
) -> None:
    """The classifier's answers to pictures of every class, and the measures of all together.

    Args:
        run: the run to measure on.
        game: the node of a game that is told the class.
        classifier: the node of the network that judges the pictures.
        classifier_trainer: its trainer's node.
        layer: the layer of the classifier whose output is the features.
        samples: generated, equally many of each class.
        sigmas: candidates for the Parzen window's width, chosen on validation pictures.
    """
    if not getattr(target(game), "conditional", False):
        raise ConfigError(
            f"game={game.get('name')}: is not told the class; valid: game=conditional_gan"
        )
    judge = Judge(run, classifier, classifier_trainer, layer, samples)
    with run.progress(models=1 + len(run.seeds)):
        judge.record()
        for seed in run.seeds:
            found = judged(run, run.recipe(game, seed, path="game"), judge, sigmas)
            run.record_all("generator", found, UNITS, seed=seed, n=samples)
    draw(run, game, samples)
    run.finish()


def judged(run: Run, recipe: Recipe, judge: Judge, sigmas: list[float]) -> dict[str, float]:
    """A generator's numbers; kept."""

    def measure() -> dict[str, float]:
        played, data = run.played(recipe), run.data
        wanted = torch.arange(judge.samples) % data.classes
        fake = generated(played.game, judge.samples, wanted, device=run.device)
        module = run.trained(judge.recipe).module
        said = predicted(probabilities(module, fake)).cpu()
        right, known = (said == wanted).double(), answered(module, said)
        found = {"asked_for": 100 * right[known].mean().item()}
        for k, name in enumerate(data.class_names):
            found[f"asked_for@{name}"] = 100 * right[known & (wanted == k)].mean().item()
        return found | judge.quality(fake) | parzen_likelihood(data, fake, sigmas) | played.flags()

    return run.measured(
        judge.depends_on(run.game_key(recipe), of="pictures asked for", sigmas=sigmas),
        measure, missing=UNKNOWN | {"asked_for": math.nan},
    )  # fmt: skip


def same_noise(game: Game, classes: int, columns: int, device: torch.device) -> Tensor:
    """Pictures (classes · columns, *shape), row by row: a class, with the same z in every row."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        z = game.draw(columns).to(device)
    labels = torch.arange(classes, device=device).repeat_interleave(columns)
    with torch.no_grad():
        return game.generate(z.repeat(classes, 1), labels)


def finding(found: Numbers, samples: int, names: Sequence[str]) -> str:
    """How often the class that was asked for was made, from means."""
    rates = {name: asked_for(found, name) for name in names}
    worst, best = (pick(rates, key=lambda name: rates[name]) for pick in (min, max))
    return (
        f"The generator makes the class that it is asked for in "
        f"{found.mean('generator', 'asked_for'):.1f}% of {samples:,} images: at worst in "
        f"{rates[worst]:.1f}% ({worst}), at best in {rates[best]:.1f}% ({best})"
    )


def asked_for(found: Numbers, name: str) -> float:
    """How often the generator made a class that was asked for, in percent."""
    return found.mean("generator", "asked_for", setting=setting(**{"class": name}))


def panel(found: Numbers, names: Sequence[str]) -> figure.Panel:
    """Of the figure: a row a class, with how often it was made when asked for."""
    rates = [asked_for(found, name) for name in names]
    return {
        "array": "pictures",
        "columns": COLUMNS,
        "caption": "Each row is a class that the first seed's generator was asked for, each "
        "column one z",
        "left": list(names),
        "right": [f"{rate:.1f}%" for rate in rates],
    }


def draw(run: Run, game: dict[str, Any], samples: int) -> None:
    """One row a class, one column a z."""
    played = run.attempt(lambda: run.played(run.recipe(game, run.seeds[0], path="game")))
    if played is None:
        return
    images = same_noise(played.game, run.data.classes, COLUMNS, run.device)
    arrays = {
        "pictures": figure.gray_levels(images),
        "snapshots": figure.gray_levels(played.snapshots),
        "epochs": torch.tensor(played.snapshot_epochs).numpy(),
    }
    found, names = Numbers(run.results.rows), run.data.class_names
    options: dict[str, Any] = {
        "name": "conditional_gan",
        "panels": [panel(found, names)],
        "finding": finding(found, samples, names),
        "note": NOTE,
        "provenance": run.heading(),
    }
    keep(run.folder, "samples", arrays, options)
    figure.draw(run.folder, arrays, **options)
