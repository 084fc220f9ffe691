"""Digits that are read without one pair of an image and a label. Section 1.4.5.

    advx run experiment=distribution_matching                  # digits that ship with a package
    advx run experiment=distribution_matching scale=chapter    # MNIST, three seeds

The procedure: put digits in the order of a language whose symbols follow one another with known
probabilities, and draw label sequences of the same language for themselves. Train a reader against
a discriminator of label sequences until what it reads is distributed as labels are, from several
starts; keep the start whose table of bigrams is nearest to the labels', for which no pair is
needed. Read test digits. Beside it the same network trained by tables of bigrams, and by labels.
All of it for several strengths of the language's structure: at 0 labels are equally likely and
independent, and nothing says which symbol is which. So it is in a language where a rotation of the
symbols changes nothing. Every seed has a language of its own. Last, two autoencoders, of digits and
of other digits whose pixels are permuted, find the permutation by the distributions of their codes.
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.data.dataset import Split
from advx.data.label_sequences import digits_of
from advx.errors import ConfigError
from advx.evaluation.bigram_matching import counted_bigrams
from advx.evaluation.pixel_permutation import (
    by_mean_and_deviation,
    permuted,
    pixels_recovered,
    recovered_permutation,
    varying_pixels,
)
from advx.evaluation.readers import matched_reader, supervised_reader
from advx.evaluation.reading import (
    ReadingRates,
    blind_symbols,
    chosen_start,
    matching_divergence,
    reading_rates,
    symbols_read,
)
from advx.figures import reading as figure
from advx.figures.samples import gray_levels
from advx.figures.saved import save_and_draw
from advx.figures.style import percentage
from advx.games.distribution_matching import DistributionMatching
from advx.randomness import seeded
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Game
from advx.run.named import Derived
from advx.types import PositiveInt, Probability, Some

ADVERSARY, START, STARTS = "adversary", "adversary, start {}", "adversary, mean of starts"
"""The start that is chosen without labels, each of them, and their mean."""

MATCHING, SUPERVISED, BLIND = "bigram matching", "supervised", "images ignored"
"""What has no adversary; the ceiling; a reader that answers the labels' frequencies everywhere."""

AUTOENCODERS, ALONE, PAIRED = "two autoencoders", "each pixel alone", "two autoencoders, paired"
"""What finds permuted pixels: codes; no code, the baseline; codes of the same images, a ceiling."""

CYCLIC = "structure=cyclic"
"""The setting of the language that a rotation of the symbols leaves as it is."""

UNITS = {"bigram_divergence": "nats"}

SHOWN, PERMUTED = 2, 20
"""In the figure: test sequences of each language, and digits whose pixels are permuted."""


class Language(NamedTuple):
    """What a run's sequences are changed to.

    Attributes:
        setting: of its rows.
        options: of the data set.
    """

    setting: str
    options: dict[str, object]


def languages(strengths: list[float]) -> list[Language]:
    """The run's own structure at every strength, and the cycle."""
    graded = [Language(setting(strength=float(s)), {"strength": s}) for s in strengths]
    return [*graded, Language(CYCLIC, {"structure": "cyclic", "strength": 1.0})]


def cells(strengths: list[float], starts: int) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    settings = [each.setting for each in languages(strengths)]
    rates = metrics_of(ReadingRates)
    rows = [ADVERSARY, *map(START.format, range(starts)), MATCHING, BLIND]
    yield Cells(rows, [*rates, "bigram_divergence"], settings=settings)
    yield Cells([ADVERSARY], ["lost_by_choice"], settings=settings)
    yield Cells([STARTS, SUPERVISED], rates, settings=settings)
    yield Cells([AUTOENCODERS, ALONE, PAIRED], ["pixels_recovered"])


def main(
    run: Run,
    game: Config,
    matching: Config,
    strengths: list[Probability],
    starts: PositiveInt,
    supervised_steps: PositiveInt,
    components: Some[PositiveInt],
    rounds: PositiveInt,
) -> None:
    """What every reader makes of the test digits of every language.

    Args:
        run: the run to measure on.
        game: a reader and a discriminator of label sequences.
        matching: how the reader without an adversary is trained.
        strengths: of the structure; 0 among them, as the control.
        starts: trainings of the game in each language, among which one is chosen.
        supervised_steps: of the reader that has labels.
        components, rounds: of the autoencoders; see `recovered_permutation`.
    """
    check(run, strengths)
    shown: dict[str, Split] = {}
    read: dict[str, Tensor] = {}
    spoken = languages(strengths)
    with run.progress(models=starts * len(spoken) * len(run.seeds)):
        for seed in run.seeds:
            for language in spoken:
                on = run.on(run.source.config.with_(language_seed=seed, **language.options))
                games = [on.game(game, starts * seed + k) for k in range(starts)]
                kept = add_games(on, games, language.setting, seed)
                add_others(on, game, matching, language.setting, seed, supervised_steps)
                if seed == run.seeds[0]:
                    few = on.data.test.take(torch.arange(SHOWN))
                    answers = run.attempt(partial(symbols_of, games[kept], few))
                    if answers is not None:
                        shown[language.setting], read[language.setting] = few, answers
    digits = [add_permutation(run, seed, components, rounds) for seed in run.seeds]
    draw(run, strengths, starts, shown, read, digits[0])
    run.finish()


def check(run: Run, strengths: list[float]) -> None:
    """Refuse data without a language, and strengths without the control or the full structure.

    Raises:
        ConfigError: the key, the value, what is valid.
    """
    if run.data.name != "label_sequences":
        raise ConfigError(
            f"dataset={run.data.name}: has no label sequences; valid: dataset=label_sequences"
        )
    for needed, why in ((0, "the control"), (1, "the whole structure")):
        if needed not in strengths:
            raise ConfigError(f"strengths={strengths}: {needed} must be among them, {why}")


def symbols_of(game: Game, sequences: Split) -> Tensor:
    """The most probable symbols (n, length) of a few sequences."""
    return symbols_read(game.value, sequences).argmax(2)


def add_games(run: Run, games: list[Game], under: str, seed: int) -> int:
    """The rows of every start, of their mean and of the chosen one, whose index is returned."""
    found = [measured(run, game) for game in games]
    for k, each in enumerate(found):
        add(run, START.format(k), each, under, seed)
    chosen = chosen_start([each["bigram_divergence"] for each in found])
    best = max(each["accuracy"] for each in found)
    lost = best - found[chosen]["accuracy"]
    add(run, ADVERSARY, found[chosen] | {"lost_by_choice": lost}, under, seed)
    means = {
        metric: float(np.mean([each[metric] for each in found]))
        for metric in metrics_of(ReadingRates)
    }
    add(run, STARTS, means, under, seed)
    return chosen


def add_others(
    run: Run, game: Config, matching: Config, under: str, seed: int, supervised_steps: int
) -> None:
    """The rows of the readers without an adversary."""
    how = matching.with_(seed=seed).build()
    matched = run.derive(matched_reader, game, run.data, how)
    add(run, MATCHING, measured(run, matched), under, seed)
    digits = half_of(run, 0)
    supervised = run.derive(supervised_reader, game, digits, how, supervised_steps)
    test = run.data.test
    rates = run.measure(reading_rates, run.derive(symbols_read, supervised, test), test)
    run.table.add(SUPERVISED, rates, setting=under, seed=seed, n=test.labels.numel())
    frequencies = counted_bigrams(run.data.train.labels, run.data.classes).sum(1)
    add(run, BLIND, measured(run, frequencies), under, seed)


def half_of(run: Run, which: Literal[0, 1]) -> Split:
    """The training digits that sequences show, or the others."""
    options = {key: run.source.config[key] for key in ("source", "data_dir", "digests")}
    return digits_of(**options, which=which).train.to(run.device)


def add_permutation(run: Run, seed: int, components: list[int], rounds: int) -> dict[str, Tensor]:
    """The rows of permuted pixels; a few digits as they were, permuted and put back, by name."""
    first, second = half_of(run, 0), half_of(run, 1)
    ours, others = first.images, second.images
    with seeded(seed):
        order = torch.randperm(ours[0].numel())
    mixed, same = permuted(others, order), permuted(ours, order)
    how = (components, rounds)
    found = {
        AUTOENCODERS: run.derive(recovered_permutation, ours, mixed, *how),
        ALONE: run.derive(by_mean_and_deviation, ours, mixed),
        PAIRED: run.derive(recovered_permutation, ours, same, *how),
    }
    n = int(varying_pixels(ours).sum())
    for row, place in found.items():
        rate = run.measure(pixels_recovered, place, order, ours)
        run.table.add(row, pixels_recovered=rate, seed=seed, n=n)
    shown = second.spaced(PERMUTED)
    few = mixed[shown]
    back = permuted(few, found[AUTOENCODERS].value)
    return {"as it was": others[shown], "permuted": few, "put back": back}


def measured(run: Run, reader: Game | Derived[DistributionMatching] | Tensor) -> dict[str, float]:
    """Accuracy on the test sequences, and divergence on the training sequences, of a reader.

    Args:
        run: with the reader's data.
        reader: or the probabilities (k,) that it answers to every image.
    """
    data = run.data
    wanted = counted_bigrams(data.train.labels, data.classes)
    function = blind_symbols if isinstance(reader, Tensor) else symbols_read
    unpaired, test = (run.derive(function, reader, part) for part in (data.train, data.test))
    rates = run.measure(reading_rates, test, data.test)
    return vars(rates) | {"bigram_divergence": run.measure(matching_divergence, unpaired, wanted)}


def add(run: Run, row: str, found: dict[str, float], under: str, seed: int) -> None:
    """A row's numbers; accuracy is over all test digits."""
    n = run.data.test.labels.numel()
    run.table.add(row, found, setting=under, seed=seed, n=n, unit=UNITS)


def draw(
    run: Run,
    strengths: list[float],
    starts: int,
    shown: dict[str, Split],
    read: dict[str, Tensor],
    digits: dict[str, Tensor],
) -> None:
    """Accuracy over the strength; test sequences with what was read; permuted digits."""
    found = run.numbers()
    graded = [setting(strength=float(s)) for s in strengths]
    arrays: dict[str, np.ndarray] = {"strengths": np.array(strengths, dtype=float)}

    def over_strengths(row: str, metric: str = "accuracy") -> np.ndarray:
        return found.over_seeds([Cell(row, metric, setting=under) for under in graded])

    for row in (ADVERSARY, MATCHING, SUPERVISED):
        arrays[row] = over_strengths(row)
    arrays["best permutation"] = over_strengths(ADVERSARY, "best_permutation_accuracy")
    arrays["starts"] = np.concatenate([over_strengths(START.format(k)) for k in range(starts)])
    names = {}
    for under, few in shown.items():
        arrays[f"images {under}"] = gray_levels(few.images.flatten(0, 1))
        arrays[f"labels {under}"] = few.labels.flatten().cpu().numpy()
        arrays[f"read {under}"] = read[under].flatten().cpu().numpy()
        names[under] = under.replace("=", " ").replace("structure cyclic", "cyclic")
    arrays |= {f"digits {name}": gray_levels(images) for name, images in digits.items()}
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        languages=names,
        digits=list(digits),
        finding=finding(found),
        provenance=run.heading(),
    )


def finding(found: Numbers) -> str:
    """How many digits are read right with the whole structure and without any, from means."""
    whole, none = setting(strength=1.0), setting(strength=0.0)
    with_it, without = (found.mean(ADVERSARY, "accuracy", setting=s) for s in (whole, none))
    tables = found.mean(MATCHING, "accuracy", setting=whole)
    return (
        f"Without one pair, the adversary’s reader reads {percentage(with_it)} of the digits where "
        f"labels have structure, and {percentage(without)} where they have none; tables of bigrams "
        f"alone give {percentage(tables)}"
    )
