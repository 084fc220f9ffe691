"""The modes that generators have, against brute force and by hand."""

import math
from types import SimpleNamespace

import pytest
import torch

from advx.data import mixtures
from advx.evaluation.modes import (
    NONE,
    MixtureModes,
    StackedModes,
    mode_coverage,
    mode_measures,
    mode_shares,
    modes_over_training,
    modes_seen_by,
    nearest_modes,
    stacked_confidence,
    stacked_modes,
)


def test_modes_against_brute_force() -> None:
    means = mixtures.grid_means(3, 2.0)
    points = torch.randn(400, 2) * 2
    found = nearest_modes(points, means, 0.2)
    for point, mode in zip(points, found.tolist(), strict=True):
        near = [k for k, m in enumerate(means) if math.dist(point.tolist(), m.tolist()) <= 0.6]
        assert near == ([] if mode == NONE else [mode])


def test_mode_measures_by_hand() -> None:
    shares = torch.tensor([0.25, 0.25, 0.5])
    found = mode_measures(torch.tensor([0, 0, 2, NONE]), shares)
    assert found.modes == 2
    assert found.high_quality == 75
    none = 1 / 40  # a tenth of an example
    kl = 0.5 * math.log(0.5 / 0.25) + 0.25 * math.log(0.25 / 0.5) + 0.25 * math.log(0.25 / none)
    assert found.reverse_kl == pytest.approx(kl)
    exact = mode_measures(torch.tensor([0, 1, 2, 2]), shares)
    assert exact.reverse_kl == pytest.approx(0, abs=1e-12)
    ring = mixtures.ring(train=20_000)
    modes = nearest_modes(ring.train.images, mixtures.ring_means(8, 2.0), 0.02)
    inside = (modes != NONE).double().mean().item()
    assert inside == pytest.approx(1 - math.exp(-4.5), abs=0.004)  # 3σ in the plane
    assert (modes == ring.train.labels)[modes != NONE].all()


class Brightest(torch.nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10]


def test_stacked_digits_have_three_classes() -> None:
    images = torch.zeros(2, 3, 28, 28)
    for row, digits in enumerate([(1, 2, 3), (9, 0, 7)]):
        for channel, digit in enumerate(digits):
            images[row, channel, 0, digit] = 1
    assert stacked_modes(Brightest(), images).tolist() == [123, 907]
    images[0, 1] *= 3
    images[1, 2] *= 0.5
    logits = torch.stack([Brightest()(images[:, k : k + 1]) for k in range(3)])
    expected = logits.softmax(2).amax(2).amin(0)
    torch.testing.assert_close(stacked_confidence(Brightest(), images), expected)
    assert expected[0] > expected[1]


def digits(*rows: tuple[int, int, int], brightness: float = 9.0) -> torch.Tensor:
    """Images of three digits each, as `Brightest` sees them."""
    images = torch.zeros(len(rows), 3, 28, 28)
    for row, image in zip(rows, images, strict=True):
        for digit, channel in zip(row, image, strict=True):
            channel[0, digit] = brightness
    return images


LINE = MixtureModes(torch.tensor([[0.0, 0.0], [5.0, 0.0]]), 0.1)


def test_a_mixtures_modes_and_their_shares() -> None:
    points = torch.tensor([[0.0, 0.2], [0.1, 0.0], [5.0, 0.1], [2.0, 2.0]])
    assert (LINE.count, LINE.of(points).tolist()) == (2, [0, 0, 1, NONE])
    shares = mode_shares(points, LINE)
    assert shares.tolist() == [0.5, 0.25]
    found = mode_coverage(points, LINE, shares)
    assert found == mode_measures(torch.tensor([0, 0, 1, NONE]), shares)
    assert (found.modes, found.high_quality) == (2, 75)
    wide = MixtureModes(LINE.means, 0.1, reach=30.0)
    assert wide.of(points).tolist() == [0, 0, 1, 0]


def test_stacked_digits_of_high_quality_are_those_that_are_surely_recognized() -> None:
    images = torch.cat([digits((1, 2, 3), (1, 2, 3), (0, 0, 7)), digits((9, 9, 9), brightness=0.1)])
    modes = modes_seen_by(Brightest())
    assert isinstance(modes, StackedModes)
    assert (modes.count, modes.of(images).tolist()) == (1000, [123, 123, 7, 999])
    shares = mode_shares(images, modes)
    assert (shares[123], shares[7], shares.sum()) == (0.5, 0.25, 1)
    found = mode_coverage(images, modes, shares)
    assert (found.modes, found.high_quality) == (3, 75)
    assert mode_coverage(images, modes_seen_by(Brightest(), 0.1), shares).high_quality == 100


def test_modes_over_training_are_those_of_the_snapshots() -> None:
    nowhere, one, both = [[9.0, 9.0]] * 2, [[0.0, 0.0]] * 2, [[0.0, 0.0], [5.0, 0.0]]
    game = torch.nn.Linear(1, 1)
    trained = SimpleNamespace(game=game, snapshots=torch.tensor([nowhere, one, both]))
    assert modes_over_training(trained, LINE) == [0, 1, 2]
