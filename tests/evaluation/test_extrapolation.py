"""Confidence far from the data, against closed forms and brute force."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from advx.data.dataset import Split
from advx.evaluation.extrapolation import (
    all_log_odds,
    brightened,
    confidence,
    log_odds,
    median_change,
    median_distance,
    one_dimension,
)


class Logits(nn.Module):
    """A linear model of images of one row: logits = W x."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ self.weights.T


def row(*pixels: list[float], labels: list[int] | None = None) -> Split:
    images = torch.tensor(pixels, dtype=torch.float64)[:, None, None, :]
    return Split(images, torch.tensor(labels or [0] * len(images)))


def test_log_odds_are_those_of_the_probabilities() -> None:
    logits = torch.randn(20, 5, dtype=torch.float64)
    p = logits.softmax(1)
    torch.testing.assert_close(log_odds(logits, "softmax"), (p / (1 - p)).log())
    q = logits.sigmoid()
    torch.testing.assert_close(log_odds(logits, "independent"), (q / (1 - q)).log())


def test_log_odds_go_on_where_the_probability_is_one() -> None:
    logits = torch.tensor([[1000.0, 3.0, 3.0], [2000.0, 3.0, 3.0]])
    assert (logits.double().softmax(1)[:, 0] == 1).all()
    expected = torch.tensor([1000 - 3 - math.log(2), 2000 - 3 - math.log(2)]).double()
    torch.testing.assert_close(log_odds(logits, "softmax")[:, 0], expected)


def test_confidence_is_of_the_largest_class_and_medians_are_of_examples() -> None:
    model = Logits(torch.eye(3).double())
    split = row([5.0, 0, 0], [0, 1.0, 0], [0.1, 0, 0], labels=[2, 2, 2])  # labels play no part
    found = confidence(model, split, outputs="softmax", threshold=0.5)
    tops = [math.exp(5) / (math.exp(5) + 2), math.e / (math.e + 2), None]
    assert found.confident_rate == pytest.approx(200 / 3)  # the third is below a half
    assert found.median_confidence == pytest.approx(100 * tops[1])
    assert found.median_log_odds == pytest.approx(1 - math.log(2))
    alone = confidence(model, split, outputs="independent", threshold=0.7)
    assert alone.confident_rate == pytest.approx(200 / 3)  # 1 / (1 + e^-1) is .731
    assert alone.median_log_odds == pytest.approx(1)


def test_an_independent_output_may_find_no_class_at_all() -> None:
    model = Logits(-torch.eye(3).double())
    images = row([4.0, 4.0, 4.0])
    assert confidence(model, images, outputs="independent", threshold=0.5).confident_rate == 0
    assert confidence(model, images, outputs="softmax", threshold=0.3).confident_rate == 100


def test_an_example_without_logits_is_left_out() -> None:
    class Holes(Logits):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).masked_fill(x.flatten(1)[:, :1] < 0, math.nan)

    model = Holes(torch.eye(2).double())
    images = row(*[[3.0, 0]] * 200, [-1.0, 0])
    _, defined = all_log_odds(model, images, "softmax")
    assert defined.tolist() == [True] * 200 + [False]
    found = confidence(model, images, outputs="softmax", threshold=0.5)
    assert found.confident_rate == 100
    assert found.median_log_odds == pytest.approx(3)
    later = row(*[[5.0, 0]] * 200, [1.0, 0])
    assert median_change(model, images, later, outputs="softmax") == pytest.approx(2)


def test_a_linear_models_log_odds_change_by_epsilon_times_the_l1_norm() -> None:
    weights = torch.tensor([[0.5, -1.0, 0.25], [0.0, 0.0, 0.0]]).double()
    model, clean = Logits(weights), row([0.3, 0.2, 0.9], [0.1, 0.8, 0.5], labels=[0, 1])
    moved = Split(clean.images - 0.1 * weights[0].sign(), clean.labels)
    assert median_change(model, clean, moved, outputs="softmax") == pytest.approx(0.1 * 1.75)


def test_change_is_of_the_label_not_of_the_prediction() -> None:
    model = Logits(torch.eye(3).double())
    clean, moved = row([9.0, 0, 0], labels=[1]), row([20.0, 2.0, 0], labels=[1])
    found = median_change(model, clean, moved, outputs="independent")
    assert found == pytest.approx(2)


def test_the_distance_is_that_to_the_nearest_training_example() -> None:
    training = Split(torch.rand(300, 1, 4, 4), torch.zeros(300).long())
    asked = Split(torch.rand(151, 1, 4, 4), torch.zeros(151).long())
    brute = torch.stack(
        [(training.images - x).flatten(1).double().norm(dim=1).min() for x in asked.images]
    )
    assert median_distance(asked, training) == pytest.approx(brute.median().item())
    assert median_distance(training, training) == 0


def test_brightness_is_a_factor_of_every_pixel() -> None:
    split = row([0.25, 0.5], labels=[1])
    made = brightened(split, 4.0)
    assert made.images.flatten().tolist() == [1.0, 2.0]
    assert made.labels.tolist() == [1]


def test_regression_of_one_number_has_the_means_at_minus_one_and_one() -> None:
    """Gaussian classes of variance s² around ±1: the log-odds of x are 2 x / s² + log n₂ / n₁."""
    generator = torch.Generator().manual_seed(0)
    spread, fewer, more = 0.8, 20_000, 60_000
    first = torch.randn(fewer, generator=generator) * spread - 1
    second = torch.randn(more, generator=generator) * spread + 1
    x = torch.cat([first, second]).double()
    axis = torch.tensor([0.6, 0.0, 0.8]).double()
    images = (x[:, None] * 2.5 * axis + 0.3)[:, None, None, :]
    labels = torch.tensor([4] * fewer + [7] * more)
    places = [-1.0, 0.0, 1.0, 2.0]
    found = one_dimension(Split(images, labels), places=places)
    (odds,), (beyond,) = found.log_odds, found.beyond
    assert odds == pytest.approx([2 * p / spread**2 + math.log(3) for p in places], abs=0.12)
    tail = 0.5 * math.erfc(1 / spread / math.sqrt(2))
    assert beyond[3] == pytest.approx(100 * 0.75 * tail, abs=0.5)


def test_every_pair_of_classes_has_its_regression_even_without_an_overlap() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(120) % 3
    images = F.one_hot(labels, 3).float() + 0.01 * torch.randn(120, 3, generator=generator)
    found = one_dimension(Split(images[:, None, None, :], labels), places=[-1.0, 1.0, 2.0])
    assert len(found.log_odds) == 3  # 0 and 1, 0 and 2, 1 and 2
    for odds, beyond in zip(found.log_odds, found.beyond, strict=True):
        assert -math.inf < odds[0] < 0 < odds[1] < odds[2] < math.inf
        assert odds[0] == pytest.approx(-odds[1], abs=0.05)
        assert beyond == [pytest.approx(75, abs=15), pytest.approx(25, abs=15), 0]


def test_hidden_classes_and_equal_means_make_no_regression() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2, -1, -1])
    images = torch.tensor([0.0, 0.2, 0.1, 0.1, 0.8, 1.0, 9.0, 9.0])[:, None, None, None]
    found = one_dimension(Split(images, labels), places=[-1.0, 1.0])
    assert len(found.log_odds) == len(found.beyond) == 2  # 0 and 1 have the same mean
    alone = one_dimension(Split(images[:2], labels[:2]), places=[1.0])
    assert alone.log_odds == alone.beyond == []
