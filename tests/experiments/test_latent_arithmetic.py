"""Arithmetic on z, on a plane whose classes are its quadrants."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from advx.evaluation.latent_sums import mean_faces
from advx.experiments.latent_arithmetic import (
    SUMS,
    Classes,
    SumRates,
    chosen,
    codes,
    equations_of,
    sum_rates,
)


class Plane(nn.Module):
    """A game whose images are z itself, two numbers in [−1, 1]; classes are quadrants."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def draw(self, n):
        return 2 * torch.rand(n, 2) - 1

    def generate(self, z):
        return z[:, None, None]


class Quadrants(nn.Module):
    """Logits of ++, +−, −+, −−, nearly sure away from the axes."""

    def forward(self, x):
        signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        return 50 * x.flatten(1) @ signs.T


PLANE, CLASSES = SimpleNamespace(game=Plane()), [1, 3, 2, 0]


def test_sums_of_z_reach_the_quadrant_that_they_must() -> None:
    found = sum_rates(PLANE, Quadrants(), CLASSES, [1, 100], 400, seed=0)
    # a quarter each, but for those on the axes
    assert found.generated == pytest.approx([24] * 4, abs=1.5)
    assert list(found.sums) == list(SUMS)
    assert found.sums["c alone"] == [0, 0]
    assert found.sums["a − b + c"][1] == 100
    assert found.sums["rescaled"] == found.sums["a − b + c"]  # length decides no quadrant
    # one of each: x = a − b + c with x of a in [0, 1], −b in [0, 1], c in [−1, 0]: positive in 5/6
    assert found.sums["a − b + c"][0] == pytest.approx(100 * (5 / 6) ** 2, abs=6)
    assert 0 < found.sums["c + random direction"][0] < 45
    assert found.sums["c + random direction"][1] < 45


def test_without_faces_of_a_class_there_are_no_sums() -> None:
    sure_of_nothing = sum_rates(PLANE, Quadrants(), CLASSES, [1], 4, seed=0, confident=1.1)
    assert sure_of_nothing == SumRates([0, 0, 0, 0], {})
    assert sure_of_nothing.by_sum([1]) == {}
    diverged = SumRates([], {}).by_sum([1, 3])
    assert list(diverged) == ["a − b + c"]
    assert all(map(math.isnan, diverged["a − b + c"]))


def test_codes_are_those_of_which_the_evaluator_is_confident() -> None:
    found = codes(PLANE.game, Quadrants(), [0, 3], 0, 1000, 0.9)
    torch.manual_seed(0)
    z = 2 * torch.rand(1000, 2) - 1
    p = Quadrants()(z).softmax(1)
    for k, part in zip((0, 3), found, strict=True):
        assert torch.equal(part, z[p[:, k] > 0.9])
    assert (found[0] > 0).all()


def test_mean_faces_are_means_of_what_is_generated(monkeypatch) -> None:
    z = chosen(torch.randn(30, 2), 700, 5)
    assert z.shape == (5, 700, 2)
    torch.testing.assert_close(mean_faces(PLANE.game, z), z.mean(1)[:, None, None])


def test_the_figures_equations_are_sums_of_their_parts() -> None:
    shown = equations_of(PLANE, Quadrants(), Classes(*CLASSES), 0)
    assert shown is not None
    a, b, c, d = shown.faces.flatten(1).split(len(shown.right))
    torch.testing.assert_close(d, a - b + c)
    assert torch.equal(shown.right, (d > 0).all(1))
