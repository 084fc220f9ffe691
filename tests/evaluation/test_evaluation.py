"""Measurements against closed forms and brute force."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from advx.attacks.objectives import cross_entropy, log_odds
from advx.data.dataset import Split
from advx.evaluation.benchmark import operations_of
from advx.evaluation.singular_values import jacobian_singular_values
from advx.evaluation.slopes import input_slope, margins, weight_norm, zero_gradient_rate
from advx.evaluation.smallest import median_smallest
from advx.evaluation.transfer import (
    guides,
    mean_confidence_on_mistakes,
    probabilities,
    target_classes,
)


@pytest.fixture
def binary() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 2)).double()


@pytest.fixture
def split() -> Split:
    return Split(torch.rand(40, 1, 5, 5, dtype=torch.float64), torch.arange(40) % 2)


def test_slope_margin_and_norm_of_a_linear_model(binary, split) -> None:
    w = (binary[1].weight[1] - binary[1].weight[0]).detach()
    assert input_slope(binary, split) == pytest.approx(w.abs().sum().item())
    assert weight_norm(binary) == pytest.approx(binary[1].weight.norm().item())
    logits = binary(split.images)
    expected = (logits[:, 1] - logits[:, 0]) * (2 * split.labels - 1)
    torch.testing.assert_close(margins(binary, split), expected.detach())


def test_zero_gradient_rate_counts_exact_zeros(split) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 2))
    with torch.no_grad():
        model[1].bias.copy_(torch.tensor([300.0, 0.0]))
    single = Split(split.images.float(), split.labels)
    assert (
        zero_gradient_rate(model, single, cross_entropy) == 50
    )  # class 0 is certain, class 1 hopeless
    assert zero_gradient_rate(model, single, log_odds) == 0


def test_median_of_known_sizes() -> None:
    sizes = np.array([0.0, 0.03, 0.11, 0.2, 0.31, 0.4])

    def error_at(epsilon: float) -> float:
        return 100 * float((sizes <= epsilon).mean())

    found = median_smallest(error_at, high=0.5, tolerance=1e-4)
    assert found == pytest.approx(0.11, abs=1e-4)
    assert error_at(found) >= 50
    assert median_smallest(error_at, high=0.1, tolerance=1e-3) == math.inf
    assert median_smallest(lambda _: 60.0, high=0.5, tolerance=1e-3) == 0


def test_singular_values_are_those_of_the_matrix() -> None:
    matrix = torch.randn(6, 4, dtype=torch.float64)
    found = jacobian_singular_values(
        lambda x: x.flatten(1) @ matrix.T, torch.rand(5, 1, 2, 2).double()
    )
    torch.testing.assert_close(found, torch.linalg.svdvals(matrix).expand(5, 4))


def test_singular_values_bound_what_a_map_does_to_small_steps() -> None:
    function = nn.Sequential(nn.Flatten(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 9)).double()
    x = torch.rand(3, 1, 3, 3, dtype=torch.float64)
    largest = jacobian_singular_values(function, x)[:, 0]
    step = 1e-6 * torch.randn(200, 3, 9, dtype=torch.float64)
    for i in range(3):
        moved = function(x[i].flatten() + step[:, i]) - function(x[i : i + 1])
        gain = moved.norm(dim=1) / step[:, i].norm(dim=1)
        assert gain.max() <= largest[i] * (1 + 1e-4)


def test_confidence_is_over_mistakes_only() -> None:
    model = nn.Flatten()
    logits = torch.tensor([[2.0, 0], [0, 1.0], [3.0, 0]]).double()
    split = Split(logits.view(3, 1, 1, 2), torch.tensor([1, 1, 1]))
    p = logits.softmax(1)
    expected = 100 * (p[0, 0] + p[2, 0]) / 2
    assert mean_confidence_on_mistakes(model, split) == pytest.approx(float(expected))
    right = Split(split.images, logits.argmax(1))
    assert math.isnan(mean_confidence_on_mistakes(model, right))


def test_operations_are_counted_through_attacks_on_modules() -> None:
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    x = torch.rand(8, 20, requires_grad=True)
    forward = 2 * 8 * (20 * 30 + 30 * 5)
    assert operations_of(lambda: model(x)) == forward
    both = operations_of(lambda: torch.autograd.grad(model(x).sum(), x))
    assert both == 2 * forward


def test_guides_are_of_the_class_asked_for() -> None:
    labels = torch.arange(60) % 5
    targets = target_classes(labels, 5)
    places = guides(labels, targets)
    assert torch.equal(labels[places], targets)
    assert len(places.unique()) > 20
    assert torch.equal(guides(labels, torch.full_like(labels, 7)), torch.arange(60))


def test_probabilities_are_those_of_evaluation_mode_and_leave_the_mode_as_it_was() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 3))
    x = torch.rand(700, 1, 2, 2)
    expected = (x.flatten(1) @ model[2].weight.T + model[2].bias).softmax(1)
    torch.testing.assert_close(probabilities(model, x), expected)
    assert model.training
