"""How far generated points are from D's boundary, against closed forms."""

import math

import pytest
import torch

from advx.config.config import Config
from advx.evaluation.decision_boundary import (
    BoundarySearch,
    boundary_from,
    boundary_of_ideal,
    boundary_of_trained,
)
from advx.evaluation.divergence import Mixture

DATA, FAR = Mixture((0.0,), 0.5), Mixture((2.0,), 0.5)


def test_the_boundary_of_two_gaussians_is_half_way() -> None:
    """The logit of D* is −8 (x − 1), so that from 2 the boundary is 1 away, and D is σ(−8)."""
    at = boundary_from(
        lambda x: DATA.log_density(x) - FAR.log_density(x), torch.tensor([2.0, 2.0]), 0.25, 5.0
    )
    before, after = 1 / (1 + math.exp(8)), 1 / (1 + math.exp(6))
    assert at.boundary_distance == pytest.approx(1.0, abs=1e-6)
    assert at.nearer == pytest.approx(100 * (after - before) / (0.5 - before), rel=1e-4)


def test_points_beyond_the_boundary_are_all_the_way_there() -> None:
    found = boundary_from(lambda x: x, torch.tensor([0.5, -1.0]).double(), 2.0, 3.0)
    assert found.nearer == 100
    assert found.boundary_distance in (0.0, 1.0)  # a median of two is the lower one
    away = boundary_from(lambda x: 0 * x - 1, torch.tensor([0.5]), 0.5, 3.0)
    assert (away.nearer, away.boundary_distance) == (0.0, 3.0)  # nowhere


def test_a_discriminator_that_is_trained_comes_near_the_ideal_one() -> None:
    game = Config(
        {
            "_target_": "advx.games.multilayer.MultilayerGame",
            "input_shape": [1],
            "discriminator_units": [16],
        }
    )
    search = BoundarySearch(change=0.25, farthest=5.0, points=200, batch=200, rate=2e-2)
    ideal = boundary_of_ideal(DATA, FAR, 0, search)
    assert ideal.boundary_distance == pytest.approx(1.0, abs=0.1)
    trained = boundary_of_trained(game, DATA, FAR, 0, 200, search)
    assert trained.boundary_distance == pytest.approx(ideal.boundary_distance, abs=0.2)
    assert 0 < trained.nearer < 50
