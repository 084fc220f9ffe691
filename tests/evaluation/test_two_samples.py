"""The energy test: its statistic by brute force and by scipy, its level, its power."""

import itertools
import math

import pytest
import torch
from scipy.stats import energy_distance

from advx.errors import ConfigError
from advx.evaluation.two_samples import energy_test


def drawn(count: int, seed: int, dimension: int = 2) -> torch.Tensor:
    return torch.randn(count, dimension, generator=torch.Generator().manual_seed(seed)).double()


def by_pairs(x: list[list[float]], y: list[list[float]]) -> float:
    """The statistic, pair by pair."""

    def mean(a, b):
        return sum(math.dist(p, q) for p in a for q in b) / (len(a) * len(b))

    return 2 * mean(x, y) - mean(x, x) - mean(y, y)


def test_the_statistic_pair_by_pair() -> None:
    x, y = drawn(7, 0), drawn(5, 1) + 0.3
    assert energy_test(x, y).distance == pytest.approx(by_pairs(x.tolist(), y.tolist()))
    assert energy_test(x, x).distance == pytest.approx(0, abs=1e-12)


def test_on_the_line_it_is_scipys_squared() -> None:
    x, y = drawn(40, 0, 1), 2 * drawn(30, 1, 1) + 1
    theirs = energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2
    assert energy_test(x, y).distance == pytest.approx(theirs)


def test_the_floor_is_the_expectation_for_draws_of_one_distribution() -> None:
    tests = [energy_test(drawn(20, k), drawn(30, 1_000 + k), permutations=1) for k in range(400)]
    floor = sum(test.floor for test in tests) / len(tests)
    # the distance of two draws from N(0, I) of the plane is √π on average
    assert floor == pytest.approx((1 / 20 + 1 / 30) * math.sqrt(math.pi), rel=0.02)
    assert sum(test.distance for test in tests) / len(tests) == pytest.approx(floor, rel=0.05)


def test_the_p_value_is_the_share_of_all_divisions() -> None:
    x, y = drawn(4, 2).tolist(), (drawn(3, 3) + 0.8).tolist()
    every, found = x + y, by_pairs(x, y)
    at_least = [
        by_pairs([every[k] for k in part], [every[k] for k in range(7) if k not in part])
        >= found - 1e-9
        for part in itertools.combinations(range(7), 4)
    ]
    exact = sum(at_least) / len(at_least)
    assert 0.05 < exact < 0.6  # else the next line says little
    test = energy_test(torch.tensor(x), torch.tensor(y), permutations=20_000)
    assert test.p_value == pytest.approx(exact, abs=0.015)


def test_no_p_value_is_zero() -> None:
    test = energy_test(drawn(20, 0), drawn(20, 1) + 100, permutations=99)
    assert test.p_value == 1 / 100


def rejected(trials: int, count: int, change) -> int:
    """How often a test at 5% rejects draws of N(0, I) against others of it that are changed."""
    return sum(
        energy_test(
            change(drawn(count, k)), drawn(count, 5_000 + k), permutations=99, seed=k
        ).p_value
        <= 0.05
        for k in range(trials)
    )


def test_its_level_is_five_percent() -> None:
    found = rejected(1_000, 25, lambda x: x)
    # a binomial count of mean 50 and deviation 6.9 lies here but once in two thousand times
    assert 26 < found < 75


@pytest.mark.parametrize(
    ("change", "least"),
    [
        (lambda x: x + torch.tensor([0.3, 0.0]), 0.5),
        (lambda x: 1.35 * x, 0.5),
        (lambda x: x.sign() * x.square(), 0.5),
    ],
    ids=["moved", "wider", "another shape"],
)
def test_its_power_on_slightly_other_distributions(change, least) -> None:
    assert rejected(40, 200, change) > least * 40


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 first examples: an energy distance needs more"):
        energy_test(drawn(1, 0), drawn(9, 1))
    with pytest.raises(ConfigError, match="1 of 9 second examples hold NaN"):
        energy_test(drawn(9, 0), drawn(9, 1).index_fill(0, torch.tensor([3]), math.nan))
