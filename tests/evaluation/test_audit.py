"""The audit against closed forms, brute force and independent noise."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from advx.data import hiring
from advx.data.dataset import Split
from advx.data.hiring import Hiring, phi
from advx.errors import ConfigError
from advx.evaluation.audit import information, leakage, parity, parity_of, representations

CRITICS = ("logistic_regression", "mlp", "boosted_trees")
ITSELF = nn.Identity()


def applicants(model: Hiring, train: int = 8_000, test: int = 20_000) -> tuple[Split, Split]:
    return tuple(
        model.draw(n, "decisions", torch.Generator().manual_seed(seed))
        for seed, n in enumerate((train, test))
    )


@pytest.mark.parametrize("critic", CRITICS)
def test_the_audit_recovers_the_structural_leak(critic) -> None:
    """Within its standard error of what the best guess recovers; trees lose a little of it."""
    model = Hiring(leak=1.5)
    train, test = applicants(model)
    found = leakage(ITSELF, train, test, critic)
    error = 100 * math.sqrt(model.leakage * (1 - model.leakage) / len(test))
    lost = {"logistic_regression": 0.0, "mlp": 1.0, "boosted_trees": 2.0}[critic]
    assert 100 * model.leakage - 3 * error - lost < found.accuracy
    assert found.accuracy < 100 * model.leakage + 3 * error
    assert found.base_rate == pytest.approx(100 * (test.groups == 0).double().mean().item())
    assert found.low < found.accuracy < found.high
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.05)
    assert found.n == len(test)


def test_the_bits_are_those_of_the_true_probabilities() -> None:
    """From the structural model's own posterior, which the linear critic can express."""
    model = Hiring(leak=1.5)
    train, test = applicants(model)
    columns = test.images @ hiring.rotation(model.columns).T
    proxy = columns[:, 3:6].sum(1) / math.sqrt(3)
    favored = torch.sigmoid(1.5 * proxy.double() + math.log(0.4 / 0.6))
    p = torch.where(test.groups == 1, favored, 1 - favored)
    prior = torch.where(test.groups == 1, 0.4, 0.6)
    expected = (p / prior).log2().mean().item()
    assert leakage(ITSELF, train, test).bits == pytest.approx(expected, abs=0.005)
    true = torch.stack([1 - favored, favored], 1).numpy()
    share = torch.tensor([0.6, 0.4]).double().numpy()
    values = torch.tensor([0, 1]).numpy()
    found = information(true, share, values, test.groups.numpy())
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("critic", CRITICS)
def test_of_independent_noise_the_audit_reports_the_base_rate(critic) -> None:
    draw = torch.Generator().manual_seed(4)
    train, test = (
        Split(
            torch.randn(n, 6, generator=draw),
            torch.zeros(n, dtype=torch.int64),
            (torch.rand(n, generator=draw) < 0.7).long(),
        )
        for n in (6_000, 10_000)
    )
    found = leakage(ITSELF, train, test, critic)
    assert found.low <= found.base_rate <= found.high
    assert found.base_rate == pytest.approx(70, abs=1.5)
    assert -0.02 < found.bits < 0.003


@pytest.mark.parametrize("critic", CRITICS)
def test_a_protected_attribute_with_three_values(critic) -> None:
    """Three Gaussians on a line at distance d: the best guess is right (4 Φ(d/2) − 1) / 3."""
    draw = torch.Generator().manual_seed(5)
    splits = []
    for n in (6_000, 12_000):
        groups = torch.arange(n) % 3
        x = torch.randn(n, 2, generator=draw)
        x[:, 1] += 2.0 * groups
        splits.append(Split(x, torch.zeros(n, dtype=torch.int64), groups))
    best = 100 * (4 * phi(1.0) - 1) / 3
    found = leakage(ITSELF, *splits, critic)
    assert found.accuracy == pytest.approx(best, abs=1.7)
    assert found.base_rate == pytest.approx(100 / 3)
    rates = torch.tensor([1, 0, 0, 1, 1, 0, 1, 1, 1])
    groups = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    differences = parity_of(rates, rates, groups)
    assert differences.demographic_parity_difference == pytest.approx(100 * 2 / 3)
    assert (differences.lowest_rate, differences.highest_rate) == pytest.approx((100 / 3, 100))


def brute_force(decisions: list[int], labels: list[int], groups: list[int]) -> tuple[float, float]:
    """The definitions, example by example and pair of groups by pair of groups."""

    def rate(group: int, among: tuple[int, ...]) -> float:
        chosen = [
            d
            for d, y, a in zip(decisions, labels, groups, strict=True)
            if a == group and y in among
        ]
        return sum(chosen) / len(chosen)

    def worst(among: tuple[int, ...]) -> float:
        pairs = itertools.product(sorted(set(groups)), repeat=2)
        return max(abs(rate(a, among) - rate(b, among)) for a, b in pairs)

    return 100 * worst((0, 1)), 100 * max(worst((1,)), worst((0,)))


@pytest.mark.parametrize("values", [2, 3])
def test_parity_is_fairlearns(values) -> None:
    metrics = pytest.importorskip("fairlearn.metrics")
    draw = torch.Generator().manual_seed(values)
    for n in (40, 400):
        decisions, labels = (torch.randint(2, (n,), generator=draw) for _ in range(2))
        groups = torch.arange(n) % values
        found = parity_of(decisions, labels, groups)
        asked = {"sensitive_features": groups.numpy()}
        y, guess = labels.numpy(), decisions.numpy()
        expected = metrics.demographic_parity_difference(y, guess, **asked)
        assert found.demographic_parity_difference == pytest.approx(100 * expected)
        expected = metrics.equalized_odds_difference(y, guess, **asked)
        assert found.equalized_odds_difference == pytest.approx(100 * expected)


@pytest.mark.parametrize("values", [2, 3, 4])
def test_parity_is_its_definition(values: int) -> None:
    draw = torch.Generator().manual_seed(values)
    for _ in range(5):
        decisions, labels = (torch.randint(2, (200,), generator=draw) for _ in range(2))
        groups = torch.randint(values, (200,), generator=draw)
        found = parity_of(decisions, labels, groups)
        expected = brute_force(decisions.tolist(), labels.tolist(), groups.tolist())
        assert found.demographic_parity_difference == pytest.approx(expected[0])
        assert found.equalized_odds_difference == pytest.approx(expected[1])


def test_decisions_that_follow_the_labels_have_equal_odds_and_the_pasts_gap() -> None:
    model = Hiring(bias=0.8)
    _, test = applicants(model, test=100_000)
    found = parity_of(test.labels, test.labels, test.groups)
    assert found.equalized_odds_difference == 0
    assert found.demographic_parity_difference == pytest.approx(100 * model.past_gap, abs=1.0)
    lonely = parity_of(*(torch.tensor(x) for x in ([1, 0, 1], [1, 0, 1], [0, 0, 1])))
    assert math.isnan(lonely.equalized_odds_difference)


class Halves(nn.Module):
    """A representation of the first columns, a decision by the first one."""

    def represent(self, x: Tensor) -> Tensor:
        return x[:, :2]

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([-x[:, 0], x[:, 0]], 1)


def test_what_is_audited_is_the_representation() -> None:
    train, test = applicants(Hiring(), train=500, test=500)
    model = Halves()
    assert torch.equal(representations(model, test.images), test.images[:, :2])
    assert torch.equal(representations(nn.Flatten(), test.images), test.images)
    narrow = [Split(s.images[:, :2], s.labels, s.groups) for s in (train, test)]
    assert leakage(model, train, test) == leakage(ITSELF, *narrow)
    decisions = (test.images[:, 0] > 0).long()
    assert parity(model, test) == parity_of(decisions, test.labels, test.groups)


def test_examples_without_groups_are_refused() -> None:
    train, test = applicants(Hiring(), train=50, test=50)
    plain = Split(test.images, test.labels)
    with pytest.raises(ConfigError, match=r"examples without groups; valid: .* dataset=hiring"):
        leakage(ITSELF, train, plain)
    with pytest.raises(ConfigError, match="examples without groups"):
        parity(Halves(), plain)
    alone = Split(train.images, train.labels, torch.zeros_like(train.labels))
    with pytest.raises(ConfigError, match="50 training examples are all in one group"):
        leakage(ITSELF, alone, test)
