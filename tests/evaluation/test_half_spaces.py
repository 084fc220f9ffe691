"""What is read off church windows, against windows whose lines are known."""

import math

import pytest
import torch
from torch import nn

from advx.evaluation.half_spaces import (
    AfterSteps,
    after_steps,
    best_line,
    boundary_distance,
    directions_at,
    random_directions,
)


def window(angle: float, offset: float, side: int = 51) -> torch.Tensor:
    at = torch.linspace(-1, 1, side)
    return (at[None] * math.cos(angle) + at[:, None] * math.sin(angle) < offset)[None]


@pytest.mark.parametrize(("angle", "offset"), [(0.0, 0.2), (math.pi / 3, -0.4), (4.0, 0.1)])
def test_a_straight_boundary_is_found(angle, offset) -> None:
    correct = window(angle, offset)
    found, alike = best_line(correct)
    assert found.item() > 0.995
    share = correct.double().mean().item()
    assert alike.item() == pytest.approx(max(share, 1 - share))


def test_no_line_parts_a_cross() -> None:
    quarters = window(0.0, 0.0) ^ window(math.pi / 2, 0.0)  # two opposite quarters
    found, alike = best_line(quarters)
    assert alike.item() == pytest.approx(0.5, abs=0.02)
    assert 0.6 < found.item() < 0.76  # brute force over lines: a corner cut off leaves a quarter


def test_the_best_line_is_that_of_brute_force() -> None:
    torch.manual_seed(3)
    correct = torch.rand(1, 7, 7) < torch.linspace(0.1, 0.9, 7)[None, None, :]
    found, _ = best_line(correct)
    at = torch.linspace(-1, 1, 7).double()
    best = 0.0
    for k in range(180):
        angle = math.pi * k / 180
        along = at[None] * math.cos(angle) + at[:, None] * math.sin(angle)
        for cut in torch.linspace(-1.5, 1.5, 601):
            agreed = ((along < cut) == correct[0]).double().mean().item()
            best = max(best, agreed, 1 - agreed)
    assert found.item() == pytest.approx(best, abs=1 / 49 + 1e-9)
    assert found.item() >= best - 1e-9


def test_the_boundary_is_where_the_class_is_first_wrong() -> None:
    correct = torch.ones(4, 5, 9, dtype=torch.bool)[:, :, :]
    correct = torch.ones(4, 9, 9, dtype=torch.bool)
    correct[1, 4, 6:] = False
    correct[2, 4, 4] = False
    correct[3, 4, :3] = False  # to the left of the center
    correct[3, 0] = False
    assert boundary_distance(correct).tolist() == [math.inf, 0.5, 0.0, math.inf]


@pytest.mark.parametrize("cosine", [-1.0, -0.3, 0.0, 0.5, 1.0])
def test_directions_have_the_cosine_asked_for(cosine) -> None:
    images, slope = torch.rand(6, 1, 8, 8).double(), torch.randn(6, 1, 8, 8).double()
    d = directions_at(images, slope, cosine, 2)
    torch.testing.assert_close(d.flatten(1).norm(dim=1), torch.ones(6).double())
    found = nn.functional.cosine_similarity(d.flatten(1), slope.flatten(1))
    torch.testing.assert_close(found, torch.full((6,), cosine).double())
    again = directions_at(images[3:], slope[3:], cosine, 2)
    torch.testing.assert_close(again, d[3:])
    if abs(cosine) < 1:
        assert (directions_at(images, slope, cosine, 3) - d).norm() > 0.1


def test_random_directions_are_uniform_on_the_sphere() -> None:
    d = random_directions(torch.rand(4000, 1, 2, 2).double(), 0).flatten(1)
    torch.testing.assert_close(d.norm(dim=1), torch.ones(4000).double())
    covariance = d.T @ d / 4000
    assert (covariance - torch.eye(4) / 4).abs().max() < 0.02
    assert d.mean(0).abs().max() < 0.03


def test_steps_are_counted_against_the_label_and_against_the_class_before() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2)).double()
    with torch.no_grad():
        model[1].weight[:, 0], model[1].bias[:] = torch.tensor([0.0, 1.0]), 0.0
    x = torch.tensor([-1.0, -3.0, 2.0, 2.0]).double().view(4, 1, 1, 1)
    labels = torch.tensor([0, 0, 1, 0])
    found = after_steps(model, x, labels, lambda k: torch.full_like(x, 2.0 * (k + 1)), 2)
    # after +2: 1, -1, 4, 4; after +4: 3, 1, 6, 6
    assert found == AfterSteps(error_rate=100 * 5 / 8, changed=100 * 3 / 8)
