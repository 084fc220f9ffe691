"""97, 22 and 79%: are they the network's, or the search's? Section 1.3.

    advx run experiment=search_strength                  # digits that ship with a package
    advx run experiment=search_strength scale=chapter    # MNIST, three seeds

By "gradient descent on the true model" the chapter finds that the adversarially trained network's
error is 97% within ε = .25 and 22% within ε = .1, where the plain network's is 79%. It does not say
how many steps were taken, how long, along what and from where, nor which point on the way counted.

The procedure: train the maxout network plainly and on fast-gradient-sign examples; search with
every combination of these choices; see how far the farthest of the three errors is from the
chapter's. Then the same on networks trained for fewer epochs and by the authors' own schedule, with
those searches that follow the log-odds' sign from the example itself.
"""

import math
from collections.abc import Iterator
from dataclasses import astuple
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from advx.config.cells import Cell, Cells, parts_of, setting
from advx.config.config import Config
from advx.evaluation.search_grid import (
    COUNTED,
    NO_CHANGE,
    Figure,
    Steps,
    Table,
    combinations,
    distance,
    every_length,
    few_changes,
    in_words,
    nearest_first,
    settings,
)
from advx.evaluation.searches import Search, found
from advx.evaluation.transfer import error_rate
from advx.figures.panels import Curve, Panel
from advx.figures.searches import searches_figure
from advx.figures.style import SERIES, percentage, size
from advx.run import Run
from advx.run.model import Model
from advx.types import NonNegative, NonNegativeInt, Positive, PositiveInt, Some

ERROR = "search_error_rate"
TOGETHER = "all errors"
ROWS = {"adversarial": "adversarially trained"}
"""What networks are called where it is not their defense."""

SHORT, PUBLISHED = "short", "published_schedule"

DIVERGED = (math.nan,) * len(COUNTED)
"""What a search finds on a network whose training diverged."""


def cells(
    figures: list[tuple[str, float, float]],
    steps: list[int],
    path_lengths: list[float],
    step_sizes: list[float],
    short_epochs: int | None,
    published_seeds: int,
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    chapter = [Figure(*each) for each in figures]
    lengths = every_length(steps, path_lengths, step_sizes)
    every, few = settings(lengths, combinations(), COUNTED), few_changes(lengths)
    others = [each for each in every if each not in set(few)]
    trainings = [*([SHORT] if short_epochs else []), *([PUBLISHED] if published_seeds else [])]
    later = [setting(each, under) for under in trainings for each in settings(lengths)]
    for figure in chapter:
        row, at = called(figure), [figure.epsilon]
        yield Cells([row], [ERROR], at, [*few, *later])
        yield Cells([row], [ERROR], at, others, always=False)
        yield Cells([row], ["least_error_rate", "largest_error_rate"], at, ["", *trainings])
    rows = list(dict.fromkeys(called(figure) for figure in chapter))
    yield Cells(rows, ["clean_error_rate"], settings=["", *trainings])
    yield Cells([TOGETHER], ["distance"], settings=few)
    yield Cells([TOGETHER], ["distance"], settings=others, always=False)
    choices = dict.fromkeys(part for each in every for part in parts_of(each))
    yield Cells([TOGETHER], ["least_distance"], settings=["", *choices])
    yield Cells(
        [TOGETHER], ["least_distance"], settings=[setting(NONE, t) for t in ["", *trainings]]
    )
    yield Cells([TOGETHER], ["searches", "searches_within"])


NONE = "no_change"
"""Searches that follow the log-odds' sign from the example, unclipped, whichever point counts."""


def main(
    run: Run,
    models: dict[str, Config],
    defenses: dict[str, Config],
    figures: Some[tuple[str, Positive, NonNegative]],
    steps: Some[PositiveInt],
    path_lengths: list[Positive],
    step_sizes: list[Positive],
    examples: PositiveInt,
    within: Positive,
    nearest: PositiveInt,
    short_epochs: PositiveInt | None,
    published_trainer: Config,
    published_seeds: NonNegativeInt,
) -> None:
    """Errors under every search, and their distance from the chapter's.

    Args:
        run: the run to measure on.
        models: the one network.
        defenses: by name.
        figures: the chapter's: a defense, a size of the perturbation, an error.
        steps: numbers of steps.
        path_lengths: of all steps of a search together, in ε.
        step_sizes: of a step, in the max norm.
        examples: test examples that are searched around.
        within: points from the chapter's figure that count as near.
        nearest: so many of the nearest searches are listed, beside those with one change.
        short_epochs: of the short training; None for none.
        published_trainer: the authors' own schedule.
        published_seeds: number of seeds trained with it.
    """
    (name,) = models
    examples = len(run.test(examples))
    lengths = every_length(steps, path_lengths, step_sizes)
    chapter = [Figure(*each) for each in figures]
    usual = run.models.trainer
    tables: list[Table] = []

    def networks(seed: int, trainer: Config) -> dict[str, Model]:
        return {
            each.defense: run.model(name, seed, defense=defenses[each.defense], trainer=trainer)
            for each in chapter
        }

    def trainers(place: int) -> dict[str, Config]:
        short = {SHORT: usual.with_(max_epochs=short_epochs)} if short_epochs else {}
        return short | ({PUBLISHED: published_trainer} if place < published_seeds else {})

    trainings = sum(1 + len(trainers(place)) for place in range(len(run.seeds)))
    with run.progress(models=len(networks(0, usual)) * trainings):
        for place, seed in enumerate(run.seeds):
            trained = networks(seed, usual)
            table = searched(run, trained, chapter, lengths, combinations(), examples)
            extremes(run, trained, chapter, table, examples)
            distances(run, chapter, lengths, table, seed, within)
            write(run, chapter, table, few_changes(lengths), seed, examples)
            tables.append(table)
            for under, trainer in trainers(place).items():
                trained = networks(seed, trainer)
                table = searched(run, trained, chapter, lengths, NO_CHANGE, examples)
                extremes(run, trained, chapter, table, examples, under)
                far = min(distance(chapter, errors) for errors in table.values())
                add_distance(run, far, seed, setting(NONE, under))
                write(run, chapter, table, settings(lengths), seed, examples, under)
    near = nearest_first(chapter, tables)
    for seed, table in zip(run.seeds, tables, strict=True):
        rest = [search for search in near[:nearest] if search not in few_changes(lengths)]
        write(run, chapter, table, rest, seed, examples)
    draw(run, chapter, lengths, tables, near[0], within)
    run.finish()


def searched(
    run: Run,
    networks: dict[str, Model],
    figures: list[Figure],
    lengths: list[Steps],
    changes: dict[str, dict[str, Any]],
    examples: int,
) -> Table:
    """The errors under every search: steps of one size make one walk, whatever their number."""
    table: Table = {each: [] for each in settings(lengths, changes, COUNTED)}
    for figure, (changed, otherwise) in product(figures, changes.items()):
        network, epsilon = networks[figure.defense], figure.epsilon
        for step_size in dict.fromkeys(each.size(epsilon) for each in lengths):
            some = [each for each in lengths if each.size(epsilon) == step_size]
            counts = sorted({each.count for each in some})
            walk = Search(epsilon, step_size, **otherwise)
            results = run.measure(found, network, run.test(examples), walk, counts)
            rates = dict(zip(counts, map(astuple, results), strict=False))
            for each in some:
                for counted, rate in zip(COUNTED, rates.get(each.count, DIVERGED), strict=True):
                    table[setting(each.setting, changed, counted)].append(rate)
    return table


def extremes(
    run: Run,
    networks: dict[str, Model],
    figures: list[Figure],
    table: Table,
    examples: int,
    under: str = "",
) -> None:
    """Each network's clean error, and the least and the largest error that a search finds."""
    for defense, network in networks.items():
        add = partial(run.table.add, ROWS.get(defense, defense), setting=under, seed=network.seed)
        add(clean_error_rate=run.measure(error_rate, network, run.test()), n=len(run.test()))
        for place, figure in enumerate(figures):
            if figure.defense == defense:
                rates = [errors[place] for errors in table.values()]
                add(least_error_rate=min(rates), epsilon=figure.epsilon, n=examples)
                add(largest_error_rate=max(rates), epsilon=figure.epsilon, n=examples)


def distances(
    run: Run,
    figures: list[Figure],
    lengths: list[Steps],
    table: Table,
    seed: int,
    within: float,
) -> None:
    """How near searches come: all of them, those of one choice, and those without a change."""
    far = {search: distance(figures, errors) for search, errors in table.items()}
    near = sum(each <= within for each in far.values())
    run.table.add(TOGETHER, searches=len(far), searches_within=near, seed=seed, unit="searches")
    for choice in dict.fromkeys(["", *(part for search in far for part in parts_of(search))]):
        some = [far[each] for each in far if not choice or choice in parts_of(each)]
        add_distance(run, min(some), seed, choice)
    add_distance(run, min(far[each] for each in settings(lengths, counted=COUNTED)), seed, NONE)


def add_distance(run: Run, far: float, seed: int, under: str) -> None:
    """The distance of the nearest of some searches."""
    run.table.add(TOGETHER, least_distance=far, setting=under, seed=seed, unit="points")


def write(
    run: Run,
    figures: list[Figure],
    table: Table,
    searches: list[str],
    seed: int,
    examples: int,
    under: str = "",
) -> None:
    """The errors under some searches, and their distance from the chapter's.

    Args:
        run: the run, with its table.
        figures: the chapter's.
        table: of this seed.
        searches: by setting.
        seed: of the networks.
        examples: searched around.
        under: the setting of the networks' training.
    """
    for search in searches:
        for figure, rate in zip(figures, table[search], strict=True):
            run.table.add(
                called(figure),
                {ERROR: rate},
                epsilon=figure.epsilon,
                setting=setting(search, under),
                seed=seed,
                n=examples,
            )
        if not under:
            far = distance(figures, table[search])
            run.table.add(TOGETHER, distance=far, setting=search, seed=seed, unit="points")


def draw(
    run: Run,
    figures: list[Figure],
    lengths: list[Steps],
    tables: list[Table],
    nearest: str,
    within: float,
) -> None:
    """The errors against the number of steps, and every search beside the chapter's figures.

    Args:
        run: the run, with its numbers.
        figures: the chapter's.
        lengths: of the searches.
        tables: of all seeds.
        nearest: the search that comes nearest.
        within: points from the chapter's figure that count as near.
    """
    numbers = run.numbers()
    kinds = {each.kind: each.words for each in lengths}
    panels = []
    for place, figure in enumerate(figures):
        panel = Panel(named(figure), y="" if place else "error rate (%)")
        panel.x, panel.logarithmic, panel.names = "gradient steps", "x", "inside"
        drawn = []
        for dash, (kind, words) in enumerate(kinds.items()):
            some = [each for each in lengths if each.kind == kind]
            at = [Cell(called(figure), ERROR, figure.epsilon, each.setting) for each in some]
            values = numbers.over_seeds(at)
            counts = [each.count for each in some]
            panel.curves.append(Curve(words, counts, values, SERIES[dash], dash))
            drawn += at
        panel.basis = numbers.basis(drawn)
        panels.append(panel)
    searches_figure(
        run.folder,
        panels,
        [figure.error for figure in figures],
        np.array([list(table.values()) for table in tables]),
        named=[named(figure) for figure in figures],
        within=within,
        finding=finding(figures, tables, nearest, within),
        provenance=f"{run.heading()}. Dashed: the chapter's figures",
    )


def called(figure: Figure) -> str:
    """The network's row."""
    return ROWS.get(figure.defense, figure.defense)


def named(figure: Figure) -> str:
    """What one of the chapter's figures is of."""
    return f"{called(figure)}, ε = {size(figure.epsilon)}"


def finding(figures: list[Figure], tables: list[Table], nearest: str, within: float) -> str:
    """Which searches give the chapter's figures, and what the nearest gives.

    Args:
        figures: the chapter's.
        tables: of all seeds.
        nearest: the search that comes nearest.
        within: points from the chapter's figure that count as near.
    """
    near = sum(
        all(distance(figures, table[search]) <= within for table in tables) for search in tables[0]
    )
    chapter = ", ".join(f"{figure.error:g}" for figure in figures)
    means = np.mean([table[nearest] for table in tables], axis=0)
    return (
        f"{near or 'None'} of {len(tables[0]):,} searches {'give' if near > 1 else 'gives'} the "
        f"chapter's {chapter}% within {within:g} points with every seed; the nearest "
        f"({in_words(nearest)}) gives {', '.join(map(percentage, means))}"
    )
