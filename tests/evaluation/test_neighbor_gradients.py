"""Smoothed nearest neighbor's gradient by several formulas, against 60 digits and autograd."""

from decimal import Decimal, getcontext
from itertools import product
from typing import get_args

import pytest
import torch
from torch import Tensor

from advx.attacks.gradient import input_gradient
from advx.attacks.objectives import cross_entropy, log_odds
from advx.data.dataset import Split
from advx.evaluation.neighbor_gradients import (
    UNDEFINED,
    Cost,
    Distances,
    Formula,
    Normalization,
    gradient,
    gradient_signs,
    sign_errors,
    stepped,
)
from advx.models.smoothed_nearest_neighbor import SmoothedNearestNeighbor

EXACT = Formula(
    precision="float64", distances="without_own_norm", normalization="log", cost="log_odds"
)

FORMULAS = [*product(get_args(Distances), get_args(Normalization), get_args(Cost))]


def made(precision: str, distances: str, normalization: str, cost: str, **others) -> Formula:
    return Formula(
        precision=precision, distances=distances, normalization=normalization, cost=cost, **others
    )


def model_of(points: Tensor, classes: Tensor) -> SmoothedNearestNeighbor:
    model = SmoothedNearestNeighbor(input_shape=(1, 2, points.shape[1] // 2), classes=3)
    model.fit(points.view(len(points), 1, 2, -1), classes)
    return model


def exact_gradient(x: Tensor, label: int, points: Tensor, classes: Tensor) -> list[Decimal]:
    """Of the log-odds at one image (features,), in 60 digits: a mean of others less own points."""
    getcontext().prec = 60
    numbers = [Decimal(v) for v in x.tolist()]
    sums = {True: [Decimal(0)] * len(numbers), False: [Decimal(0)] * len(numbers)}
    weights = {True: Decimal(0), False: Decimal(0)}
    for point, k in zip(points.tolist(), classes.tolist(), strict=True):
        values = [Decimal(v) for v in point]
        weight = (-sum((a - b) ** 2 for a, b in zip(numbers, values, strict=True))).exp()
        own = k == label
        weights[own] += weight
        sums[own] = [s + weight * v for s, v in zip(sums[own], values, strict=True)]
    return [
        2 * (o / weights[False] - m / weights[True])
        for o, m in zip(sums[False], sums[True], strict=True)
    ]


@pytest.fixture
def far() -> tuple[Tensor, Tensor]:
    """Points whose weights differ by up to 10⁻¹⁰⁰, some pixels lit by the far ones alone."""
    points = torch.randint(0, 256, (30, 6), dtype=torch.float64) / 255
    points *= torch.linspace(0.5, 9, 30, dtype=torch.float64)[:, None]
    points[:22, 4] = 0
    points[:, 5] = 0
    return points, torch.arange(30) % 3


def test_the_reference_has_the_signs_of_sixty_digits(far) -> None:
    points, classes = far
    images = torch.randint(0, 256, (25, 6), dtype=torch.float64) / 255
    labels = torch.arange(25) % 3
    wanted = torch.tensor(
        [
            [int(g.compare(Decimal(0))) for g in exact_gradient(x, int(y), points, classes)]
            for x, y in zip(images, labels, strict=True)
        ]
    )
    found = gradient_signs(
        model_of(points, classes), Split(images.view(25, 1, 2, 3), labels), EXACT
    )
    assert torch.equal(found.long(), wanted)
    assert (wanted[:, 5] == 0).all()
    assert (wanted[:, 4] != 0).all()
    in_float32 = made("float32", "expanded", "printed", "cross_entropy")
    naive = gradient_signs(
        model_of(points, classes), Split(images.view(25, 1, 2, 3), labels), in_float32
    )
    assert (naive.long() != wanted).any()


@pytest.mark.parametrize(("distances", "normalization", "cost"), FORMULAS)
def test_all_formulas_have_one_gradient_where_nothing_underflows(
    distances, normalization, cost
) -> None:
    points, classes = torch.rand(40, 6).double() / 2, torch.arange(40) % 3
    x, y = torch.rand(7, 6).double() / 2, torch.arange(7) % 3
    for parts in (1, 7):
        formula = made("float64", distances, normalization, cost, parts=parts)
        found = gradient(x, y, points[classes.argsort()], classes.sort().values, formula)
        objective = log_odds if cost == "log_odds" else cross_entropy
        model = model_of(points, classes)
        ours = input_gradient(model, x.view(7, 1, 2, 3), y, objective).flatten(1)
        torch.testing.assert_close(2 * found, ours)


@pytest.mark.parametrize("shift", [False, True])
def test_the_printed_formula_is_what_automatic_differentiation_makes_of_it(shift) -> None:
    """Also in its zeros and in what is left of 0 / 0: at each distance, from near to far."""
    points, classes = torch.rand(50, 6), torch.arange(50) % 3
    points[:, :2] *= torch.linspace(1, 12, 50)[:, None]
    x, y = torch.rand(8, 6) * torch.linspace(1, 30, 8)[:, None], torch.arange(8) % 3
    formula = made("float32", "expanded", "shifted" if shift else "printed", "cross_entropy")
    found = gradient(x, y, points, classes, formula)
    free = x.clone().requires_grad_()
    d = free.square().sum(1, keepdim=True) + points.square().sum(1) - 2 * free @ points.T
    e = torch.exp(d.amin(1, keepdim=True).detach() - d if shift else -d)
    w = e / e.sum(1, keepdim=True)
    p = (w * (classes == y[:, None])).sum(1)
    (wanted,) = torch.autograd.grad(-p.log().sum(), free)
    assert torch.equal(found.isnan().any(1), wanted.isnan().any(1))
    assert found.isnan().any(1).tolist() == (p.isnan() | (p == 0)).tolist()
    assert shift or p.isnan().any()
    defined = ~wanted.isnan().any(1)
    torch.testing.assert_close(2 * found[defined], wanted[defined], rtol=1e-3, atol=1e-4)


def test_gray_levels_are_the_nearest_image_of_each_kind() -> None:
    points, classes = (torch.rand(30, 6) * 255).round() / 255, torch.arange(30) % 3
    images, y = (torch.rand(9, 6) * 255).round() / 255, torch.arange(9) % 3
    formula = made("float64", "without_own_norm", "log", "log_odds", scale=255.0)
    found = gradient_signs(model_of(points, classes), Split(images.view(9, 1, 2, 3), y), formula)
    squared = torch.cdist(images.double(), points.double()).square()
    for row, label in enumerate(y.tolist()):
        own = squared[row].masked_fill(classes != label, torch.inf).argmin()
        other = squared[row].masked_fill(classes == label, torch.inf).argmin()
        wanted = (points[other] - points[own]).sign()
        assert torch.equal(found[row].float()[wanted != 0], wanted[wanted != 0])


def test_half_precision_rounds_what_it_makes() -> None:
    points, classes = torch.rand(30, 6), torch.arange(30) % 3
    x, y = torch.rand(5, 6), torch.arange(5) % 3
    for precision, bits in (("bfloat16", 8), ("float16", 11)):
        formula = made(precision, "expanded", "printed", "cross_entropy")
        found = gradient(x.to(formula.kind), y, points.to(formula.kind), classes, formula)
        exact = gradient(x, y, points, classes, made("float32", "expanded", "log", "cross_entropy"))
        assert found.dtype == formula.kind
        error = (found - exact).abs().max() / exact.abs().max()
        assert 2.0 ** -(bits + 6) < error < 60 * 2.0**-bits


def test_signs_are_counted_by_what_the_exact_ones_are() -> None:
    exact = torch.tensor([[1, -1, 1, 0], [1, 1, -1, 0]], dtype=torch.int8)
    signs = torch.tensor([[1, 1, 0, 1], [1, 1, UNDEFINED, UNDEFINED]], dtype=torch.int8)
    found = sign_errors(signs, exact)
    assert found.wrong_signs == pytest.approx(100 * 3 / 6)
    assert found.zero_signs == pytest.approx(100 / 6)
    assert found.spurious_signs == pytest.approx(50)
    assert found.undefined_rate == 50
    assert found.mostly_wrong == 50  # two of three signs, and one of three
    assert sign_errors(exact, exact).wrong_signs == 0


def test_a_step_moves_no_pixel_whose_sign_is_undefined() -> None:
    split = Split(torch.full((1, 1, 1, 4), 0.5), torch.tensor([0]))
    signs = torch.tensor([[1, -1, 0, UNDEFINED]], dtype=torch.int8)
    moved = stepped(split, signs, 0.25).images.flatten().tolist()
    assert moved == [0.75, 0.25, 0.5, 0.5]
