"""Measures of examples that are nearly alike, too few, or no numbers."""

import math

import pytest
import torch

from advx.errors import ConfigError, Diverged
from advx.evaluation.distances import distances
from advx.evaluation.image_quality import image_quality, nearest
from advx.evaluation.parzen import k_means_centers, parzen
from advx.evaluation.sample_quality import (
    frechet_distance,
    manifolds,
    radii,
    two_sample_accuracy,
)
from advx.experiments.norm_balls import smallest_distance


def test_distances_of_examples_that_are_nearly_alike() -> None:
    """By a matrix product the squares of near distances are the rounding of far ones."""
    alike = (100 + torch.rand(1, 784)).repeat(100, 1)
    assert radii(alike, 5).abs().max() == 0
    assert radii(torch.cat([alike, alike[:3] + 50]), 2).max() == 0
    torch.manual_seed(0)
    x = 100 + torch.rand(60, 784)
    for size in (1e-2, 1e-3):
        y = x + size * torch.randn(60, 784)
        direct = (x[:, None].double() - y[None].double()).norm(dim=2)
        torch.testing.assert_close(distances(x, y), direct, rtol=1e-8, atol=1e-12)
        found, exact = manifolds(x, y), manifolds(x.double(), y.double())
        assert found == exact
        inside = direct <= radii(x.double(), 5)[:, None]
        assert found.density == pytest.approx(inside.double().sum().item() / (5 * len(y)))
    few = torch.rand(400, 12)
    few[7] = few[300]
    direct = (few[:, None].double() - few[None].double()).norm(dim=2)
    torch.testing.assert_close(distances(few, few), direct, rtol=1e-8, atol=1e-12)
    assert distances(few, few)[7, 300] == 0


def test_generated_examples_that_are_copies_lie_inside() -> None:
    real = torch.rand(50, 20)
    found = manifolds(real, real[torch.randint(50, (80,))])
    assert found.precision == 100
    fallen = manifolds(real, real[:1].repeat(80, 1))
    assert fallen.precision == 100
    assert fallen.recall == pytest.approx(2)  # the one example that it is


def test_the_nearest_of_images_that_are_nearly_alike_is_the_image_itself() -> None:
    base = torch.rand(1, 1, 28, 28)
    pool = base + 1e-4 * torch.randn(200, 1, 28, 28)
    assert torch.equal(nearest(pool[50:90], pool), torch.arange(50, 90))


def test_classes_that_nearly_touch_are_at_their_distance() -> None:
    here = torch.rand(30, 1, 28, 28)
    there = here.flip(0) + 1e-4 * torch.randn(30, 1, 28, 28)
    direct = (here.flip(0) - there).flatten(1).double().norm(dim=1).min().item()
    assert smallest_distance(here, there, "l2") == pytest.approx(direct, rel=1e-6)


HOLED = torch.rand(30, 8).index_fill(0, torch.tensor([4]), math.nan)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (
            lambda: manifolds(torch.rand(5, 8), torch.rand(9, 8)),
            "5 real examples: a ball that reaches to neighbor number 5 .*; valid: from 6",
        ),
        (
            lambda: manifolds(torch.rand(9, 8), torch.rand(3, 8), neighbors=3),
            "3 generated examples: .* number 3 needs more; valid: from 4",
        ),
        (
            lambda: manifolds(torch.rand(30, 8), HOLED),
            "1 of 30 generated examples hold NaN or infinity, the first of them in row 4",
        ),
        (lambda: manifolds(HOLED / 0, torch.rand(30, 8)), "30 of 30 real examples hold NaN or inf"),
        (lambda: radii(torch.rand(5, 8), 5), "5 given examples: .*; valid: from 6"),
        (
            lambda: two_sample_accuracy(torch.rand(1, 8), torch.rand(1, 8)),
            "1 real examples: .*; valid: from 2",
        ),
        (lambda: two_sample_accuracy(torch.rand(30, 8), HOLED), "1 of 30 generated examples hold"),
        (lambda: frechet_distance(torch.rand(30, 8), HOLED), "1 of 30 second examples hold NaN"),
        (
            lambda: parzen(HOLED, torch.rand(9, 8), torch.rand(9, 8), [0.1, 0.2, 0.3]),
            "1 of 30 generated examples hold NaN",
        ),
        (
            lambda: parzen(torch.rand(9, 8), torch.rand(0, 8), torch.rand(9, 8), [1.0] * 3),
            "0 validation examples: a Parzen window needs more; valid: from 1",
        ),
        (lambda: k_means_centers(torch.rand(9, 8), 0), "0 centers of 9 examples; valid: from 1"),
        (lambda: k_means_centers(torch.rand(9, 8), 10), "9 given examples: k-means with 10"),
    ],
)
def test_examples_of_which_nothing_can_be_measured_are_one_line(measure, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        measure()
    assert "\n" not in str(caught.value)


def test_generated_images_with_nan_are_a_game_that_diverged(tiny) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    with pytest.raises(Diverged, match="generated images hold NaN"):
        image_quality(network, "1", tiny, torch.full((20, 1, 4, 4), math.nan))
