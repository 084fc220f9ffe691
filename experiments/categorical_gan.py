"""A discriminator of k classes, and a generator that shapes their entropy. Section 1.4.5.

    advx run experiment=categorical_gan                  # points, digits that ship with a package
    advx run experiment=categorical_gan scale=chapter    # MNIST, three seeds

The procedure of Springenberg (2016): a discriminator sorts unlabeled data into k classes of which
it is to be certain, all used alike, while it is to be uncertain of what a generator makes; the
generator makes examples of which it is certain. First on three data sets of the plane, beside
k-means and beside the same discriminator without a generator; there one can see the regions, the
entropy and the samples. Then on digits without a label, for several k. Every cluster gets its most
frequent label, and the error of these labels is counted on test examples. Last on digits a few of
which have labels, beside the same control and beside the network on its labels alone.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advx.config.cells import Cells, metrics_of, setting
from advx.config.config import Config
from advx.errors import ConfigError
from advx.evaluation.categories import (
    ENTROPIES,
    categories,
    entropies_of_epoch,
    entropies_over_training,
    relative_entropy,
)
from advx.evaluation.clusters import (
    Sorting,
    k_means,
    k_means_sorting,
    majority_labels,
    naming_examples,
    network_sorting,
)
from advx.evaluation.competition import Competition, competition
from advx.evaluation.labels_seen import labels_seen
from advx.evaluation.samples import generated_examples
from advx.evaluation.transfer import error_rate, predictions
from advx.figures import categories as figure
from advx.figures.samples import gray_levels
from advx.figures.saved import save_and_draw
from advx.figures.style import percentage
from advx.games.partly_labeled import Labeled, refuse_missing_labels
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.data import fitting
from advx.run.generated import add_warnings
from advx.run.model import Game
from advx.run.real_images import warning_cells
from advx.types import AtLeastTwo

GAME, CONTROL, ALONE, CENTERS = "CatGAN", "without G", "labels only", "k-means"
"""Rows: the game, its discriminator without a generator, that on its labels alone, k-means."""

NETWORKS = {GAME: "categorical_gan", CONTROL: "without_generator", ALONE: "labels_only"}
"""Their keys in the configuration."""

ON, SORTED, LABELED = "{}, {}", "{}, {} clusters", "{}, {} labels"
"""What ends a row: the data set of the plane, the number of clusters, or that of labels."""

FIRST, LAST = setting(epoch="first"), setting(epoch="last")
"""Settings of the entropies."""

ERROR, SHARE = "clean_error_rate", "percent of log k"
"""The metric with labels, and the unit of entropies."""

SHOWN, SIDE = 400, 100
"""Points of a panel, and cells along its side."""


def cells(planes: dict[str, Config], clusters: list[int], labels: list[Labeled]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    with_labels = [LABELED.format("{}", count) for count in labels]
    unlabeled = [ON.format("{}", name) for name in planes]
    unlabeled += [SORTED.format("{}", k) for k in clusters]
    sorted_by = [end.format(row) for row in (GAME, CONTROL, CENTERS) for end in unlabeled]
    yield Cells(sorted_by, metrics_of(Sorting))
    for row in (GAME, CONTROL):
        games = [end.format(row) for end in (*unlabeled, *with_labels)]
        generated = () if row == GAME else ("generated_entropy",)
        known = [name for name in ENTROPIES if name not in generated]
        yield Cells(games, known, settings=[FIRST, LAST])
    games = [end.format(GAME) for end in (*unlabeled, *with_labels)]
    yield from warning_cells(games)
    yield Cells([end.format(GAME) for end in unlabeled], metrics_of(Competition))
    rows = [end.format(row) for row in NETWORKS for end in with_labels]
    yield Cells(rows, [ERROR, "labels_seen"])


def main(
    run: Run,
    games: dict[str, Config],
    plane_games: dict[str, Config],
    planes: dict[str, Config],
    plane_trainer: Config,
    clusters: list[AtLeastTwo],
    labels: list[Labeled],
) -> None:
    """Clusters of the plane and of digits, and errors with few labels, each beside its controls.

    Args:
        run: the run to measure on; its data are the digits.
        games: for digits: `categorical_gan`, `without_generator`, `labels_only`.
        plane_games: for points: `categorical_gan` and `without_generator`.
        planes: data sets of the plane, by name.
        plane_trainer: the trainer of the points' games.
        clusters: k, on digits without labels.
        labels: how many digits have one, or `all`.
    """
    on_plane = {name: run.on(data) for name, data in planes.items()}
    check(run, on_plane, labels)
    trained = 2 * (len(planes) + len(clusters)) + 3 * len(labels)
    with run.progress(models=trained * len(run.seeds)):
        for seed in run.seeds:
            for name, each in on_plane.items():
                row = ON.format("{}", name)
                add_sorting(each, plane_games, row, each.data.classes, seed, plane_trainer)
            for k in clusters:
                add_sorting(run, games, SORTED.format("{}", k), k, seed)
            for count in labels:
                add_labeled(run, games, count, seed)
    draw(run, on_plane, plane_games, plane_trainer, games, labels[0])
    run.finish()


def check(run: Run, on_plane: dict[str, Run], labels: list[Labeled]) -> None:
    """Refuse data that do not lie in the plane, and labels that there are not.

    Raises:
        ConfigError: the key, the value, what is valid.
    """
    if not on_plane:
        raise ConfigError("planes: is empty; the figure needs one; valid: one or more")
    for name, each in on_plane.items():
        if each.data.input_shape != (2,):
            raise ConfigError(
                f"planes.{name}={each.data.name}: its examples have the shape "
                f"{list(each.data.input_shape)}; valid: points of the plane, [2]"
            )
    refuse_missing_labels(run.data, labels, "labels")


def game_of(
    run: Run,
    games: dict[str, Config],
    row: str,
    seed: int,
    trainer: Config | None = None,
    **options: Any,
) -> Game:
    """A game that fits the run's data, with its number of classes or with labels."""
    config = fitting(games[NETWORKS[row]], run.data).with_(**options)
    return run.game(config, seed, trainer=trainer)


def add_sorting(
    run: Run,
    games: dict[str, Config],
    row: str,
    k: int,
    seed: int,
    trainer: Config | None = None,
) -> None:
    """The clusters of the game, of its control and of k-means, none of which has seen a label.

    Args:
        run: with the data.
        games: by their keys.
        row: of each, with a place for its name.
        k: the number of clusters.
        seed: of the trainings.
        trainer: where it is not the run's.
    """
    n = len(run.data.test)
    units = {"clusters_used": "clusters"}
    for name in (GAME, CONTROL):
        game = game_of(run, games, name, seed, trainer, classes=k)
        found = run.measure(network_sorting, run.derive(categories, game), run.data)
        run.table.add(row.format(name), found, seed=seed, n=n, unit=units)
        add_entropies(run, row.format(name), game)
        if name == GAME:
            rule = trainer or run.models.trainer
            moved = run.measure(competition, game, run.data, rule)
            n_seen = rule["batch_size"]
            run.table.add(row.format(name), moved, seed=seed, n=n_seen, unit=SHARE)
    found = run.measure(k_means_sorting, run.data, k, seed)
    run.table.add(row.format(CENTERS), found, seed=seed, n=n, unit=units)


def add_labeled(run: Run, games: dict[str, Config], count: Labeled, seed: int) -> None:
    """The errors with so many labels, and how many labels the trainings have seen."""
    test, trainer = run.test(), run.models.trainer
    shown = trainer["batch_size"], trainer["max_epochs"], updates_of(run)
    for name in NETWORKS:
        row = LABELED.format(name, count)
        game = game_of(run, games, name, seed, labeled=count)
        error = run.measure(error_rate, run.derive(categories, game), test)
        run.table.add(row, {ERROR: error}, seed=seed, n=len(test))
        seen = run.measure(labels_seen, game, run.data, seed, *shown)
        run.table.add(row, labels_seen=seen, seed=seed, n=len(run.data.train), unit="labels")
        if name != ALONE:
            add_entropies(run, row, game)


def updates_of(run: Run) -> int:
    """Updates in an epoch of the run's trainer."""
    trainer = run.models.trainer
    return trainer["epoch_updates"] or max(1, len(run.data.train) // trainer["batch_size"])


def add_entropies(run: Run, row: str, game: Game) -> None:
    """The three entropies in the first epoch and in the last, and the warnings of a game."""
    n = game.recipe.trainer["batch_size"]
    for under, epoch in ((FIRST, 0), (LAST, -1)):
        found = run.measure(entropies_of_epoch, game, epoch)
        run.table.add(row, found, setting=under, seed=game.seed, n=n, unit=SHARE)
    if "generator_units" in game.recipe.model:
        add_warnings(run, row, game)


def draw(
    run: Run,
    on_plane: dict[str, Run],
    plane_games: dict[str, Config],
    trainer: Config,
    games: dict[str, Config],
    labeled: Labeled,
) -> None:
    """The first seed's regions, entropy and samples in the plane; its samples of digits."""
    seed = run.seeds[0]
    arrays: dict[str, np.ndarray] = {}
    for name, each in on_plane.items():
        trained = {row: game_of(each, plane_games, row, seed, trainer) for row in (GAME, CONTROL)}
        made = run.attempt(partial(plane_arrays, each, trained, seed))
        arrays |= {f"{key}_{name}": array for key, array in (made or {}).items()}
    digits = game_of(run, games, GAME, seed, labeled=labeled)
    images = run.attempt(partial(samples_by_class, run, digits))
    if images is not None:
        arrays["images"] = gray_levels(images)
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        planes=list(on_plane),
        classes=run.data.classes,
        caption=f"Samples of the game with {number(labeled)} labels, a column a class that D "
        "gives, empty where it gives none",
        finding=finding(run.numbers(), list(on_plane), labeled),
        provenance=run.heading(),
    )


def plane_arrays(run: Run, trained: dict[str, Game], seed: int) -> figure.Arrays:
    """What the figure shows of one data set of the plane, `SIDE` cells a side.

    Args:
        run: with the points.
        trained: the game and its control.
        seed: of k-means.
    """
    data = run.data
    reach = 1.25 * data.test.images.abs().max().item()
    grid = grid_points(reach).to(run.device)
    game, control = (categories(trained[row].value) for row in (GAME, CONTROL))
    sorters: dict[str, Callable[[Tensor], Tensor]] = {
        CENTERS: k_means(data, data.classes, seed),
        CONTROL: partial(predictions, control),
        GAME: partial(predictions, game),
    }
    regions = [named_regions(run, each, grid) for each in sorters.values()]
    few = data.test.take(data.test.spaced(SHOWN))
    return {
        "regions": torch.stack(regions).cpu().numpy(),
        "entropy": relative_entropy(game, grid).view(SIDE, SIDE).cpu().numpy(),
        "points": few.images.cpu().numpy(),
        "labels": few.labels.cpu().numpy(),
        "samples": generated_examples(trained[GAME].value, SHOWN).cpu().numpy(),
        "entropies": entropies_over_training(trained[GAME].value).numpy(),
        "reach": torch.tensor(reach).numpy(),
    }


def grid_points(reach: float) -> Tensor:
    """The middles (SIDE², 2) of the cells of a square, row by row, from −reach."""
    places = (torch.arange(SIDE) + 0.5) / SIDE * 2 * reach - reach
    y, x = torch.meshgrid(places, places, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)


def named_regions(run: Run, clusters_of: Callable[[Tensor], Tensor], grid: Tensor) -> Tensor:
    """The majority label (SIDE, SIDE) of the cluster of every cell; −1 where none has been seen."""
    naming = naming_examples(run.data)
    cells_of, named_by = clusters_of(grid), clusters_of(naming.images)
    k = int(torch.cat([cells_of, named_by]).max()) + 1
    return majority_labels(named_by, naming.labels, k)[cells_of].view(SIDE, SIDE)


def samples_by_class(run: Run, game: Game, count: int = 2_000, rows: int = 3) -> Tensor:
    """The first samples of every class that D gives, (rows · classes, *shape); white for none."""
    made = generated_examples(game.value, count)
    classes = predictions(categories(game.value), made)
    shown = torch.ones(rows, run.data.classes, *made.shape[1:])
    for k in range(run.data.classes):
        few = made[classes == k][:rows]
        shown[: len(few), k] = few.cpu()
    return shown.flatten(0, 1)


def finding(results: Numbers, planes: list[str], labeled: Labeled) -> str:
    """Errors of clusters in the first plane, and with the fewest labels, from means."""
    first = [
        results.mean(ON.format(row, planes[0]), "majority_label_error")
        for row in (GAME, CONTROL, CENTERS)
    ]
    few = [results.mean(LABELED.format(row, labeled), ERROR) for row in NETWORKS]
    return (
        f"On {planes[0].replace('_', ' ')} the game's clusters err on {percentage(first[0])}, "
        f"without its generator on {percentage(first[1])}, k-means on {percentage(first[2])}; with "
        f"{number(labeled)} labels, digits are misclassified in {percentage(few[0])} of the cases, "
        f"without the generator in {percentage(few[1])}, by the labels alone in "
        f"{percentage(few[2])}"
    )


def number(labeled: Labeled) -> str:
    """A number of labels, for a sentence."""
    return f"{labeled:,}" if isinstance(labeled, int) else f"{labeled}"
