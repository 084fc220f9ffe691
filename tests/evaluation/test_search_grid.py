"""Which searches there are, and how far they are from the chapter's figures."""

import math
from dataclasses import replace

import pytest

from advx.config.cells import parts_of
from advx.config.compose import composed
from advx.evaluation.search_grid import (
    COUNTED,
    Figure,
    Steps,
    combinations,
    distance,
    every_length,
    few_changes,
    in_words,
    nearest_first,
    settings,
)
from advx.evaluation.searches import Search, found
from advx.experiments import search_strength
from tests.running import started

FIGURES = [
    Figure("adversarial", 0.25, 97),
    Figure("adversarial", 0.1, 22),
    Figure("plain", 0.1, 79),
]


def test_lengths_of_steps() -> None:
    lengths = every_length([1, 4], [1.0, 2.5], [0.01])
    assert [(n.setting, n.size(0.2)) for n in lengths] == [
        ("path=1+steps=1", 0.2),
        ("path=2.5+steps=1", 0.5),
        ("step=epsilon+steps=1", 0.2),
        ("step=0.01+steps=1", 0.01),
        ("path=1+steps=4", 0.05),
        ("path=2.5+steps=4", 0.125),
        ("step=epsilon+steps=4", 0.2),
        ("step=0.01+steps=4", 0.01),
    ]


def test_what_figures_call_the_lengths() -> None:
    words = [each.words for each in every_length([4], [1.0, 2.5], [0.01])]
    assert words == ["ε together", "2.5 ε together", "each ε", "each .01"]


def test_every_combination_stands_there_once() -> None:
    ways = combinations()
    assert next(iter(ways)) == ""
    assert len(ways) == 2**3 + 1
    whole = {"objective": "cross_entropy", "clip": (0.0, 1.0), "random_start": True}
    assert whole in ways.values()
    base = Search(epsilon=0.1, step_size=0.1)
    assert len({replace(base, **changed) for changed in ways.values()}) == len(ways)
    lengths = every_length([1, 4], [1.0], [])
    every, few = settings(lengths, ways, COUNTED), few_changes(lengths)
    assert len(set(every)) == len(every) == 4 * 9 * 6
    assert set(few) <= set(every)
    assert len(set(few)) == len(few) == 4 * (1 + 4 + 3)
    assert all(len(parts_of(each)) in (2, 3) for each in few)


def test_the_distance_is_that_of_the_farthest_figure() -> None:
    assert distance(FIGURES, [97.0, 22.0, 79.0]) == 0
    assert distance(FIGURES, [96.0, 32.0, 81.0]) == 10
    assert distance(FIGURES, [91.0, 20.0, 79.0]) == 6
    assert math.isnan(distance(FIGURES, [97.0, math.nan, 79.0]))


def test_the_nearest_by_the_mean_over_the_seeds_come_first() -> None:
    first = {"a": [97.0, 22.0, 80.0], "b": [97.0, 26.0, 79.0], "c": [math.nan] * 3}
    second = {"a": [97.0, 22.0, 99.0], "b": [97.0, 26.0, 79.0], "c": [97.0, 22.0, 79.0]}
    assert nearest_first(FIGURES, [first]) == ["a", "b", "c"]
    assert nearest_first(FIGURES, [first, second]) == ["b", "a", "c"]  # 4 and 10.5


def test_the_figures_are_those_of_the_experiment_on_adversarial_training() -> None:
    listed = composed(["experiment=search_strength"])[0]["figures"]
    chapter = {
        (row["row"], row["epsilon"]): row["chapter"]
        for row in composed(["experiment=adversarial_training"])[0]["rows"]
        if row["metric"] == "iterative_error_rate" and "chapter" in row
    }
    figures = [Figure(*each) for each in listed]
    assert {(search_strength.called(f), f.epsilon): f.error for f in figures} == chapter


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("step=epsilon+steps=40", "40 steps of ε each"),
        ("path=1+steps=1", "1 step of ε together"),
        ("counted=best+path=2.5+steps=3", "3 steps of 2.5 ε together, counted best"),
        ("clipped+random_start+step=0.01+steps=10", "10 steps of 0.01 each, clipped, random start"),
    ],
)
def test_a_search_is_named_in_words(search, words) -> None:
    assert in_words(search) == words


def test_walks_that_are_shared_give_what_each_search_gives(tmp_path) -> None:
    """A search by its own, and the same number out of the table of all."""
    run, config, _ = started(tmp_path, "experiment=search_strength", "trainer.max_epochs=15")
    defenses = {key: search_strength.Config(node) for key, node in config["defenses"].items()}
    networks = {key: run.model("maxout", 0, defense=node) for key, node in defenses.items()}
    figures = [Figure("plain", 0.06, 0), Figure("plain", 0.03, 0), Figure("adversarial", 0.05, 0)]
    lengths = every_length([1, 3], [1.0, 2.5], [0.02])
    ways = combinations()
    table = search_strength.searched(run, networks, figures, lengths, ways, 50)
    assert list(table) == settings(lengths, ways, COUNTED)
    names = ["last", "best", "any", "last_or_fgsm", "best_or_fgsm", "any_or_fgsm"]
    for place, figure in enumerate(figures):
        network = networks[figure.defense].value
        for n in (Steps("path=2.5", 3, 2.5 / 3), Steps("step=0.02", 1, 0.02, relative=False)):
            for changed, otherwise in ways.items():
                search = Search(figure.epsilon, n.size(figure.epsilon), **otherwise)
                (alone,) = found(network, run.test(50), search, [n.count])
                for name, counted in zip(names, COUNTED, strict=True):
                    (key,) = settings([n], [changed], [counted])
                    assert table[key][place] == pytest.approx(getattr(alone, name), abs=1e-9)
    assert len({tuple(errors) for errors in table.values()}) > 20
