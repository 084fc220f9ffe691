"""What attacks in general are compared with: against closed forms and brute force."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks.base import Attack
from advx.attacks.fgsm import FGSM
from advx.attacks.linearized_model import LinearizedModel
from advx.attacks.random_noise import RandomNoise
from advx.attacks.virtual_adversarial import VirtualAdversarial
from advx.data.dataset import Split
from advx.defenses.denoising_autoencoder import Stacked
from advx.evaluation.autoencoder_attack import reconstruction
from advx.evaluation.curvature import cost_deviation, cost_off_tangent, needed
from advx.evaluation.largest_divergence import divergences


class Function(nn.Module):
    """Logits from images by a function of theirs."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x.flatten(1))


def of_two(score) -> Function:
    """Two classes; the score is the log-odds of the first."""
    return Function(lambda x: torch.stack([score(x), torch.zeros_like(x[:, 0])], 1))


def images(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)[:, None, None, :]


def test_the_log_odds_of_a_linear_model_are_their_tangent() -> None:
    weights = torch.randn(6, dtype=torch.float64)
    model = of_two(lambda x: x @ weights + 0.3)
    split = Split(torch.rand(9, 1, 2, 3).double(), torch.arange(9) % 2)
    found = cost_deviation(model, split, [0.1, 1.0], cost="log_odds")
    assert found == pytest.approx([0, 0], abs=1e-9)


def test_the_training_cost_of_a_linear_model_is_softplus_and_bends() -> None:
    """J = softplus(−m), m = w·x the margin: its slope along the line is σ(−m) ‖w‖₁."""
    weights = torch.tensor([1.0, -2.0]).double()
    model, split = (
        of_two(lambda x: x @ weights),
        Split(images([0.9, 0.1], [2.0, -1.0]), torch.zeros(2).long()),
    )
    margin, size = torch.tensor([0.7, 4.0]).double(), 0.5
    rise = F.softplus(-(margin - size * 3)) - F.softplus(-margin)
    tangent = size * 3 * torch.sigmoid(-margin)
    expected = (rise - tangent).abs() / rise
    away = cost_off_tangent(
        model, split, -weights.sign().expand(2, 1, 1, 2), [size], "cross_entropy"
    )
    torch.testing.assert_close(away[:, 0], expected)
    (median,) = cost_deviation(model, split, [size], cost="cross_entropy")
    assert median == pytest.approx(expected.min().item())  # the lower of two
    assert 0.3 < expected[0] < expected[1] < 1


def test_a_cost_that_does_not_move_has_no_deviation() -> None:
    model = of_two(lambda x: x[:, 0])
    away = cost_off_tangent(
        model, Split(images([0.5, 0.5]), torch.tensor([0])), images([0.0, 1.0]), [0.1], "log_odds"
    )
    assert away.isnan().all()


def test_examples_whose_cost_does_not_move_are_left_out_of_the_median() -> None:
    model = of_two(lambda x: x[:, 0] * x[:, 1] ** 2)  # no slope at all where the second is 0
    split = Split(images([0.5, 0.0], [0.5, 1.0], [0.0, 0.0]), torch.tensor([0, 0, 0]))
    (median,) = cost_deviation(model, split, [0.1], cost="log_odds")
    # the step is −.1 in both: .4 · .81 − .5 = −.176, and the tangent's −.1 (1 + 2 · .5) = −.2
    assert median == pytest.approx((0.2 - 0.176) / 0.176)


def test_one_step_needs_what_the_nearest_point_needs_on_a_linear_model() -> None:
    weights = torch.randn(8, dtype=torch.float64)
    model = Function(lambda x: torch.stack([x @ weights, -x @ weights], 1))
    x = torch.randn(40, 1, 2, 4).double()
    split = Split(x, (x.flatten(1) @ weights < 0).long())
    nearest = LinearizedModel(norm="linf", overshoot=1e-6)
    found = needed(model, nearest, split, largest=4.0, steps=4000, probe=0.1)
    assert found.n == 40
    assert found.ratios == pytest.approx([1] * 5, abs=0.05)
    assert min(found.ratios) >= 1 - 1e-4  # the grid is not left below


class Given(Attack):
    """Moves the first pixel down by what the third one says."""

    def perturb(self, model: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
        moved = x.clone()
        moved[..., 0] -= x[..., 2]
        return moved


def test_examples_are_sorted_by_how_far_they_are_off_the_tangent() -> None:
    """The score bends by the second pixel; the other attack's sizes are all 2."""
    anchor = 1.0

    def score(x: Tensor) -> Tensor:
        down = anchor - x[:, 0]
        return x[:, 0] + x[:, 1] * down.square()  # falls less and less as x₀ falls

    bends = [0.20, 0.0, 0.12, 0.26, 0.04, 0.16, 0.08, 0.24, 0.02, 0.10, 0.06]
    bends = torch.tensor(bends, dtype=torch.float64)
    x = torch.zeros(11, 1, 1, 3).double()
    x[:, 0, 0, 0], x[:, 0, 0, 1], x[:, 0, 0, 2] = anchor, bends, 2.0
    # only the first pixel has a slope: d score / d x₁ = down², zero at the start
    found = needed(
        of_two(score), Given(), Split(x, torch.zeros(11).long()), largest=3.0, steps=3000, probe=0.5
    )
    # the step s solves 1 − s + b s² = 0
    root = torch.where(bends > 0, (1 - (1 - 4 * bends).sqrt()) / (2 * bends.clamp(min=1e-9)), 1)
    broken = score(x.flatten(1) - torch.tensor([2.0, 0, 0])) < 0  # by two: 1 − 2 + 4 b < 0
    expected = (root / 2)[broken][bends[broken].argsort()]
    assert found.n == int(broken.sum()) == 10
    parts = [part.median().item() for part in expected.tensor_split(5)]
    assert found.ratios == pytest.approx(parts, abs=1e-3)
    assert found.rank_correlation == pytest.approx(1)


def test_what_no_step_breaks_counts_and_what_was_wrong_before_does_not() -> None:
    model = of_two(lambda x: x[:, 0])
    x = images([1.0, 0, 2.0], [5.0, 0, 6.0], [0.5, 0, 1.0], [-1.0, 0, 2.0], [0.25, 0, 0.1])
    split = Split(x, torch.zeros(5).long())
    found = needed(model, Given(), split, largest=2.0, steps=2000, probe=0.1)
    assert found.n == 3  # the fourth is wrong, the fifth is not broken by what is given
    assert sorted(found.ratios[:3]) == [pytest.approx(0.5, abs=1e-2)] * 2 + [math.inf]


class Halving(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 2


def test_an_autoencoders_error_is_that_of_a_pixel() -> None:
    stacked = Stacked(Halving(), nn.Flatten())
    split = Split(torch.rand(7, 1, 3, 3).double(), torch.zeros(7).long())
    still = reconstruction(stacked, RandomNoise(epsilon=0.0), split)
    expected = (split.images / 2).square().mean().sqrt().item()
    assert still.reconstruction_error == pytest.approx(expected)
    assert still.error_against_clean == pytest.approx(expected)
    # ½ (x + η) − x = ½ (η − x) is largest where η = −ε, as x is positive
    step = reconstruction(stacked, FGSM(epsilon=0.2, objective="reconstruction_error"), split)
    worse = ((split.images + 0.2) / 2).square().mean().sqrt().item()
    assert step.error_against_clean == pytest.approx(worse)
    own = ((split.images - 0.2) / 2).square().mean().sqrt().item()
    assert step.reconstruction_error == pytest.approx(own)


def bernoulli(p: Tensor, q: Tensor) -> Tensor:
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()


def of_the_ball(x: Tensor, weights: Tensor, epsilon: float) -> Tensor:
    """The largest divergence of a linear model of two classes: at one end of ± ε w / ‖w‖."""
    here = x.flatten(1) @ weights
    ends = [here + sign * epsilon * weights.norm() for sign in (-1, 1)]
    return torch.stack([bernoulli(here.sigmoid(), end.sigmoid()) for end in ends]).amax(0)


def test_the_largest_divergence_of_a_linear_model() -> None:
    weights = torch.randn(12, dtype=torch.float64)
    model = of_two(lambda x: x @ weights)
    split = Split(torch.randn(30, 1, 3, 4).double(), torch.zeros(30).long())
    best = of_the_ball(split.images, weights, 0.7)
    found = divergences(
        model, VirtualAdversarial(epsilon=0.7), split, epsilon=0.7, steps=30, starts=2
    )
    assert found.kl_divergence == pytest.approx(best.mean().item(), rel=1e-6)
    assert found.largest_kl_divergence == pytest.approx(best.mean().item(), rel=1e-6)
    assert found.share_of_largest == pytest.approx(100)


def test_the_search_finds_what_an_attack_does_not() -> None:
    weights = torch.randn(12, dtype=torch.float64)
    model = of_two(lambda x: x @ weights)
    split = Split(torch.randn(30, 1, 3, 4).double(), torch.zeros(30).long())
    noise = RandomNoise(epsilon=0.7, norm="l2", kind="gaussian")
    found = divergences(model, noise, split, epsilon=0.7, steps=60, starts=2)
    best = of_the_ball(split.images, weights, 0.7)
    assert found.largest_kl_divergence == pytest.approx(best.mean().item(), rel=1e-3)
    here, there = (
        x.flatten(1) @ weights for x in (split.images, noise(model, split.images, split.labels))
    )
    reached = bernoulli(here.sigmoid(), there.sigmoid())
    assert found.kl_divergence == pytest.approx(reached.mean().item(), rel=1e-6)
    shares = (reached / best).sort().values
    assert found.share_of_largest == pytest.approx(100 * shares[14].item(), rel=1e-2)
