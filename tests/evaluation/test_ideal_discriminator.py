"""The game with D* in the discriminator's place, against closed forms."""

import math

import pytest
import torch
from torch.func import grad

from advx.config.config import Config
from advx.evaluation.directed_model import DirectedModel, quantiles, standard_normal
from advx.evaluation.discriminator_cost import CostSearch, below_best, trained_discriminator
from advx.evaluation.divergence import Mixture, jensen_shannon
from advx.evaluation.ideal_discriminator import (
    Descent,
    DescentMetrics,
    ModelUpdates,
    descent_of,
    farthest_centers,
    grid_for,
    ideal_logits,
    over_distributions,
    over_parameters,
    stepped,
)
from advx.games.losses import generator_loss
from advx.randomness import seeded

DATA = Mixture((-1.0, 2.0), 0.5)
GAME = Config(
    {
        "_target_": "advx.games.multilayer.MultilayerGame",
        "input_shape": [1],
        "discriminator_units": [16],
    }
)


def two_distributions() -> tuple[torch.Tensor, torch.Tensor]:
    with seeded(3):
        p, q = torch.rand(2, 7, dtype=torch.float64)
    return (p / p.sum()).log(), (q / q.sum()).log()


def test_a_whole_step_on_the_minimax_loss_is_the_mean_of_both() -> None:
    p, q = two_distributions()
    torch.testing.assert_close(stepped(p, q, "minimax", 1.0).exp(), (p.exp() + q.exp()) / 2)


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_a_step_goes_down_the_losses_slope_in_q(loss) -> None:
    p, q = two_distributions()
    logits = p - q  # of D*, held fixed

    def expected(shares: torch.Tensor) -> torch.Tensor:
        each = torch.stack([generator_loss(logit[None], loss) for logit in logits])
        return (shares * each).sum()

    slope = grad(expected)(q.exp())
    by_hand = q.exp() * (-0.3 * slope).exp()
    torch.testing.assert_close(stepped(p, q, loss, 0.3).exp(), by_hand / by_hand.sum())


@pytest.mark.parametrize("start", [None, 6.0])
def test_whole_steps_halve_what_is_left(start) -> None:
    """q is p + (q₀ − p) / 2ⁿ after n of them."""
    found = over_distributions(DATA, start, "minimax", 5, 12, 1.0)
    grid = grid_for(DATA, 0.0 if start is None else start)
    p = DATA.log_density(grid.x).exp()
    p /= p.sum()
    with seeded(5):
        q = torch.rand(len(p), dtype=torch.float64)
    if start is not None:
        q = Mixture((start,), DATA.deviation).density(grid.x)
    q /= q.sum()
    wanted = [jensen_shannon(p, p + (q - p) / 2**n) for n in range(13)]
    assert found.over_time == pytest.approx(wanted, rel=1e-6, abs=1e-15)
    assert found.rounds == list(range(1, 13))
    assert found.metrics == DescentMetrics(found.over_time[-1], 0.0)
    assert found.center == []


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_both_losses_lead_any_distribution_to_the_data(loss) -> None:
    found = over_distributions(DATA, None, loss, 0, 100, 0.4)
    assert found.metrics.divergence < 1e-6
    other = over_distributions(DATA, None, loss, 1, 100, 0.4)
    assert other.over_time[0] != found.over_time[0]


def test_a_mixtures_logarithm_is_finite_where_its_density_is_none() -> None:
    x = torch.tensor([0.3, 80.0])
    near, far = DATA.log_density(x)
    assert near.item() == pytest.approx(DATA.density(x)[0].log().item())
    by_hand = -0.5 * (78 / 0.5) ** 2 - math.log(2 * 0.5 * math.sqrt(2 * math.pi))
    assert DATA.density(x)[1] == 0
    assert far.item() == pytest.approx(by_hand)


def test_a_directed_models_density_is_that_of_its_samples() -> None:
    with seeded(1):
        model = DirectedModel(units=4, offset=0.5)
        with torch.no_grad():
            x = model(standard_normal(200_000), standard_normal(200_000))
    grid = grid_for(Mixture((0.5,), 1.0), 0.5, count=40)
    with torch.no_grad():
        shares = grid.shares(model.log_density(grid.x))
    low = grid.x[0] - grid.width / 2
    counts = torch.histc(x, 40, low.item(), low.item() + 40 * grid.width)
    torch.testing.assert_close(shares[:-1], counts / len(x), atol=4e-3, rtol=0)
    assert shares[:-1].sum().item() == pytest.approx(1, abs=1e-4)


def test_a_directed_model_without_f_is_a_gaussian_and_mirrored_parameters_are_the_same() -> None:
    with seeded(2):
        model = DirectedModel(units=3, offset=1.0)
    x = torch.linspace(-4, 4, 9, dtype=torch.float64)
    with torch.no_grad():
        before = model.log_density(x)
        model.inner.mul_(-1)  # z has the same distribution as −z
        torch.testing.assert_close(model.log_density(x), before)
        assert not torch.allclose(model.center(quantiles(4)), model.center(-quantiles(4)))
        model.outer.zero_()
        model.log_deviation.fill_(math.log(0.7))
        torch.testing.assert_close(model.log_density(x), Mixture((1.0,), 0.7).log_density(x))


def test_the_ideal_discriminator_is_held_fixed() -> None:
    """Of a Gaussian about b, dL/db is the mean of σ(s) times the slope of s in x alone."""
    data, deviation = Mixture((0.0,), 1.0), 0.6
    with seeded(0):
        model, noise = DirectedModel(units=2, offset=0.8), standard_normal(50)
    with torch.no_grad():
        model.outer.zero_()
        model.log_deviation.fill_(math.log(deviation))
    x = model(torch.zeros(50, dtype=torch.float64), noise)
    logits = ideal_logits(data, model, x)
    x0 = x.detach()
    by_hand = Mixture((0.8,), deviation).log_density(x0)
    torch.testing.assert_close(logits.detach(), data.log_density(x0) - by_hand)
    generator_loss(logits, "minimax").backward()
    slope = -x0 + (x0 - 0.8) / deviation**2
    wanted = -(logits.detach().sigmoid() * slope).mean()
    assert model.offset.grad is not None
    torch.testing.assert_close(model.offset.grad, wanted)


def test_a_directed_model_comes_nearer_from_near_and_not_from_afar() -> None:
    updates = ModelUpdates(units=4, rounds=60, batch=100, rate=0.05, looks=6)
    near = over_parameters(DATA, 0.0, "minimax", 0, updates)
    assert near.rounds == [10, 20, 30, 40, 50, 60]
    assert len(near.over_time) == 7
    assert len(near.center) == len(quantiles())
    assert near.metrics.divergence == near.over_time[-1] < 0.6 * near.over_time[0]
    afar = over_parameters(DATA, 30.0, "minimax", 0, updates)
    assert afar.metrics.divergence == pytest.approx(math.log(2), abs=1e-6)
    moved = over_parameters(DATA, 8.0, "non_saturating", 0, updates)
    assert moved.metrics.divergence < 0.69


def test_a_divergence_of_rounding_is_none() -> None:
    found = descent_of([0.5, 0.6, 1e-10, -2e-17], [1, 2, 3])
    assert found.over_time == [0.5, 0.6, 1e-10, 0.0]
    assert found.metrics == DescentMetrics(0.0, pytest.approx(100 / 3))


def test_games_are_as_far_apart_as_the_farthest_two() -> None:
    ends = [Descent(DescentMetrics(0.0, 0.0), [0.0], [], [0.0, at]) for at in (0.0, 1.0, 3.0, 0.5)]
    assert farthest_centers(ends) == pytest.approx(math.sqrt(9 / 2))
    assert farthest_centers(ends[:1]) == 0


def test_the_value_is_below_the_best_by_twice_the_divergence_where_d_says_one_half() -> None:
    grid, other = grid_for(DATA, 0.0, count=1000), Mixture((0.5,), 1.0)
    log_p, log_q = DATA.log_density(grid.x), other.log_density(grid.x)
    divergence = grid.divergence(log_p, log_q)
    assert below_best(grid, log_p, log_q, log_p - log_q) == pytest.approx(0, abs=1e-6)
    half = below_best(grid, log_p, log_q, torch.zeros_like(log_p))
    assert half == pytest.approx(2 * divergence, abs=1e-6)


@pytest.mark.parametrize(
    ("tolerance", "once", "updates", "unreached"),
    [(10.0, False, 1.0, 0.0), (1e-9, False, 7.0, 100.0), (1e-9, True, 1.0, 0.0)],
)
def test_d_is_updated_until_it_is_near_enough(tolerance, once, updates, unreached) -> None:
    search = CostSearch(units=2, budget=20, batch=50, rate=1e-3, tolerance=tolerance, most=7)
    found = trained_discriminator(GAME, DATA, 0, search, once)
    assert (found.updates, found.unreached) == (updates, unreached)
    assert 0 < found.divergence < math.log(2)


def test_a_trained_discriminator_brings_the_model_nearer() -> None:
    search = CostSearch(units=4, budget=300, batch=100, rate=1e-2, tolerance=0.1, most=100)
    found = trained_discriminator(GAME, DATA, 0, search, False)
    begun = trained_discriminator(
        GAME, DATA, 0, CostSearch(**{**vars(search), "budget": 1, "most": 1}), False
    )
    assert 1 < found.updates < 100
    assert found.divergence < begun.divergence


def test_quantiles_are_those_of_a_standard_gaussian() -> None:
    torch.testing.assert_close(
        quantiles(2), torch.tensor([-0.67449, 0.67449]).double(), atol=1e-5, rtol=0
    )
    assert quantiles(10_000).square().mean().item() == pytest.approx(1, abs=1e-2)
