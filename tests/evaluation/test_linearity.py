"""Linearity along a segment, against networks whose pieces are known."""

import pytest
import torch
from torch import nn

from advx.evaluation.linearity import along_line, crossings, deviation, dual_lengths, tangent
from advx.models.layers import Maxout


def test_a_linear_model_is_its_tangent() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 4)).double()
    x, d = torch.rand(5, 1, 3, 3).double(), torch.randn(5, 1, 3, 3).double()
    sizes = torch.tensor([-0.5, 0.0, 0.3], dtype=torch.float64)
    logits = along_line(model, x, d, sizes)
    start, slope = tangent(model, x, d)
    torch.testing.assert_close(logits[:, 1], start)
    torch.testing.assert_close(logits[:, 0], start - 0.5 * slope)
    torch.testing.assert_close(slope, d.flatten(1) @ model[1].weight.T)
    assert (deviation(logits[:, 2], start, slope, 0.3) < 1e-12).all()
    assert crossings(model, x, d, sizes) is None


def test_the_tangent_is_the_gradient_of_every_class() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    x, d = torch.rand(4, 1, 3, 3).double(), torch.randn(4, 1, 3, 3).double()
    _, slope = tangent(model, x, d)
    for k in range(3):
        free = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(model(free)[:, k].sum(), free)
        torch.testing.assert_close(slope[:, k], (g * d).flatten(1).sum(1))


def test_deviation_is_that_of_what_decides() -> None:
    start = torch.tensor([[1.0, 0.0]]).double()
    slope = torch.tensor([[0.0, 2.0]]).double()
    assert deviation(torch.tensor([[1.0, 1.0]]).double(), start, slope, 0.5).item() < 1e-12
    assert deviation(torch.tensor([[8.0, 8.0]]).double(), start, slope, 0.5).item() < 1e-12
    half = deviation(torch.tensor([[1.0, 2.0]]).double(), start, slope, 0.5).item()
    assert half == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["relu", "maxout"])
def test_crossings_are_counted_where_they_lie(kind) -> None:
    """Units with kinks at .1, .2, ..., .5 along the first pixel."""
    kinks = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]).double()
    if kind == "relu":
        first = nn.Linear(4, 5).double()
        layers = [first, nn.ReLU()]
        first.weight.data.zero_(), first.bias.data.copy_(-kinks)
        first.weight.data[:, 0] = 1
    else:
        first = Maxout(4, 5, 2, init_range=0.1, max_column_norm=None).double()
        layers = [first]
        first.weight.data.zero_(), first.bias.data.zero_()
        first.bias.data[:5] = -kinks
        first.weight.data[:5, 0] = 1
    model = nn.Sequential(nn.Flatten(), *layers)
    x, d = torch.zeros(2, 1, 2, 2).double(), torch.zeros(2, 1, 2, 2).double()
    d[0, 0, 0, 0], d[1, 0, 0, 1] = 1, 1  # the second example moves along another pixel
    counts, units = crossings(model, x, d, torch.tensor([0.0, 0.15, 0.45, 0.6]).double())
    assert units == 5
    assert counts.tolist() == [[1, 3, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("layer", "counts"),
    [
        (nn.LeakyReLU(), [1, 3, 1]),
        (nn.PReLU(), [1, 3, 1]),
        (nn.ReLU6(), [1, 3, 1]),
        (nn.Hardtanh(-1, 0.05), [0, 3, 2]),  # each later by .05
    ],
)
def test_layers_with_kinks_are_all_looked_at(layer, counts) -> None:
    """Units with kinks at .1, .2, ..., .5 along the pixel, if the layer's is at 0."""
    first = nn.Linear(1, 5).double()
    first.weight.data.fill_(1), first.bias.data.copy_(-torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]))
    model = nn.Sequential(nn.Flatten(), first, layer.double())
    x, d = torch.zeros(1, 1, 1, 1).double(), torch.ones(1, 1, 1, 1).double()
    sizes = torch.tensor([0.0, 0.149, 0.449, 0.6]).double()
    found, units = crossings(model, x, d, sizes)
    assert units == 5
    assert found.tolist() == [counts]


@pytest.mark.parametrize(("rectified", "counts"), [(False, [1, 0, 0, 1]), (True, [2, 0, 1, 1])])
def test_a_window_that_chooses_another_value_is_a_kink(rectified, counts) -> None:
    """Windows of x − .1 and .1, and of .3 and x − .5; a ReLU has kinks of its own at .1 and .5."""
    values = nn.Linear(1, 4).double()
    values.weight.data.copy_(torch.tensor([[1.0], [0.0], [0.0], [1.0]]))
    values.bias.data.copy_(torch.tensor([-0.1, 0.1, 0.3, -0.5]))
    layers = [values, nn.ReLU()] if rectified else [values]
    model = nn.Sequential(nn.Flatten(), *layers, nn.Unflatten(1, (1, 4)), nn.MaxPool1d(2))
    model.append(nn.Flatten())
    x, d = torch.zeros(1, 1, 1, 1).double(), torch.ones(1, 1, 1, 1).double()
    sizes = torch.tensor([0.05, 0.25, 0.45, 0.55, 0.85]).double()
    found, units = crossings(model, x, d, sizes)
    assert units == (6 if rectified else 2)
    assert found.tolist() == [counts]
    assert not model[-2].return_indices


def test_the_first_choice_of_a_window_that_was_cut_off_is_the_rectifiers_kink() -> None:
    values = nn.Linear(1, 2).double()
    values.weight.data.copy_(torch.tensor([[0.0], [1.0]]))
    values.bias.data.copy_(torch.tensor([-1.0, -0.2]))
    model = nn.Sequential(nn.Flatten(), values, nn.ReLU(), nn.Unflatten(1, (1, 2)), nn.MaxPool1d(2))
    model.append(nn.Flatten())
    x, d = torch.zeros(1, 1, 1, 1).double(), torch.ones(1, 1, 1, 1).double()
    found, units = crossings(model, x, d, torch.tensor([0.0, 0.1, 0.3, 0.4]).double())
    assert units == 3
    assert found.tolist() == [[0, 1, 0]]


def test_dual_lengths_of_equal_weights() -> None:
    weights = torch.full((20,), -0.5).double()
    sums, roots = dual_lengths(weights, [1, 4, 20], draws=3)
    torch.testing.assert_close(sums, torch.tensor([0.5, 2.0, 10.0]).double())
    torch.testing.assert_close(roots, 0.5 * torch.tensor([1.0, 4.0, 20.0]).double().sqrt())
