"""Models against brute force and their published definitions."""

import math

import pytest
import torch

from advx.attacks.gradient import input_gradient
from advx.attacks.objectives import log_odds
from advx.models import base
from advx.models.layers import Dropout, Linear, Maxout, random_mask
from advx.models.maxout import MaxoutNetwork
from advx.models.nearest_neighbor import NearestNeighbor
from advx.models.relu_batch_norm import BatchNormReLUNetwork
from advx.models.smoothed_nearest_neighbor import SmoothedNearestNeighbor


def test_classes_of_before_can_be_imported_by_models_of_ones_own() -> None:
    assert base.Fitted is base.FittedClassifier
    assert base.Memory is base.InstanceBasedClassifier
    assert issubclass(NearestNeighbor, base.Memory)


@pytest.fixture
def points() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(70, 1, 3, 3, dtype=torch.float64), torch.randint(3, (70,))


def brute_logits(x: torch.Tensor, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    squared = (x.flatten(1)[:, None] - images.flatten(1)[None]).square().sum(2)
    return torch.stack([(-squared[:, labels == c]).logsumexp(1) for c in range(3)], 1)


@pytest.mark.parametrize("chunk_bytes", [1, 70 * 8 * 4, 2**27])
def test_smoothed_nearest_neighbor_equals_brute_force(points, chunk_bytes) -> None:
    model = SmoothedNearestNeighbor(input_shape=(1, 3, 3), classes=3, chunk_bytes=chunk_bytes)
    model.fit(*points)
    x = torch.rand(11, 1, 3, 3, dtype=torch.float64)
    shift = x.flatten(1).square().sum(1, keepdim=True)
    torch.testing.assert_close(model(x) - shift, brute_logits(x, *points))

    y = torch.arange(11) % 3
    ours = input_gradient(model, x, y, log_odds)
    free = x.clone().requires_grad_()
    (theirs,) = torch.autograd.grad(log_odds(brute_logits(free, *points), y).sum(), free)
    torch.testing.assert_close(ours, theirs)


def test_smoothed_nearest_neighbor_has_no_gradient_where_all_points_are_dark() -> None:
    images, labels = torch.rand(40, 1, 3, 3), torch.arange(40) % 2
    images[:, :, 0, 0] = 0
    model = SmoothedNearestNeighbor(input_shape=(1, 3, 3), classes=2)
    model.fit(images, labels)
    gradient = input_gradient(model, torch.rand(9, 1, 3, 3), torch.zeros(9).long(), log_odds)
    assert (gradient[:, 0, 0, 0] == 0).all()


def test_smoothed_nearest_neighbor_keeps_what_only_far_points_light() -> None:
    images, labels = torch.zeros(3, 1, 2, 2), torch.tensor([0, 0, 1])
    images[1, 0, 0, 0] = 92**0.5  # weight e⁻⁹², subnormal in float32
    images[2, 0, 1, 1] = 1.0
    model = SmoothedNearestNeighbor(input_shape=(1, 2, 2), classes=2)
    model.fit(images, labels)
    x = torch.zeros(1, 1, 2, 2)
    gradient = input_gradient(model, x, torch.tensor([1]), log_odds)
    wanted = 2 * 92**0.5 * math.exp(-92)
    assert gradient[0, 0, 0, 0].item() == pytest.approx(wanted, rel=1e-3)
    assert 0 < wanted < 1.2e-38


def test_nearest_neighbor_equals_brute_force(points) -> None:
    images, labels = points
    model = NearestNeighbor(input_shape=(1, 3, 3), classes=3, chunk_bytes=2000)
    model.fit(images, labels)
    x = torch.rand(50, 1, 3, 3, dtype=torch.float64)
    nearest = torch.cdist(x.flatten(1), images.flatten(1)).argmin(1)
    assert torch.equal(model(x).argmax(1), labels[nearest])


def test_a_class_without_examples_is_never_predicted(points) -> None:
    model = NearestNeighbor(input_shape=(1, 3, 3), classes=5)
    model.fit(*points)
    assert (model(points[0])[:, 3:] == -torch.inf).all()


def test_maxout_is_the_maximum_of_its_pieces() -> None:
    layer = Maxout(6, 4, 3, init_range=0.5, max_column_norm=None)
    x = torch.rand(5, 6)
    pieces = x @ layer.weight.T + layer.bias
    expected = torch.stack([pieces[:, 0:4], pieces[:, 4:8], pieces[:, 8:12]]).amax(0)
    torch.testing.assert_close(layer(x), expected)


def test_column_norms_are_bounded_and_shorter_ones_left_alone() -> None:
    layer = Linear(10, 3, init_range=0.1, max_column_norm=1.5)
    with torch.no_grad():
        layer.weight[0].fill_(3.0)
        before = layer.weight.clone()
        layer.constrain()
    assert torch.linalg.vector_norm(layer.weight[0]).item() == pytest.approx(1.5)
    assert torch.equal(layer.weight[1:], before[1:])
    version = layer.weight._version
    with torch.no_grad():
        layer.weight[0].mul_(0.99)
        layer.constrain()
    assert layer.weight._version == version + 1  # nothing is too long: nothing is written
    with torch.no_grad():
        layer.weight[2, 4] = math.nan
        layer.constrain()
    assert layer.weight[2].isnan().all()  # as by the factor NaN


def test_dropout_keeps_the_named_share_and_scale() -> None:
    x = torch.ones(400, 784)
    inputs, hidden = Dropout(0.8, scale=1.0).train(), Dropout(0.5, scale=2.0).train()
    assert set(inputs(x).unique().tolist()) == {0.0, 1.0}
    assert set(hidden(x).unique().tolist()) == {0.0, 2.0}
    margin = 5 * math.sqrt(0.25 / x.numel())
    assert inputs(x).mean().item() == pytest.approx(0.8, abs=margin)
    assert (hidden(x) > 0).float().mean().item() == pytest.approx(0.5, abs=margin)
    assert torch.equal(inputs.eval()(x), x)


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_a_mask_is_independent_from_component_to_component(keep) -> None:
    count = 400_000
    mask = (random_mask(torch.empty(count), keep).double() - keep) / math.sqrt(keep - keep**2)
    assert abs(mask.mean().item()) < 5 / math.sqrt(count)
    for lag in (1, 2, 3, 4, 8, 16, 64, *(count * k // 8 for k in range(1, 5))):
        assert abs((mask[lag:] * mask[:-lag]).mean().item()) < 5 / math.sqrt(count - lag)


@pytest.mark.parametrize("keep", [0.5, 0.25])
@pytest.mark.parametrize("shape", [(1,), (7, 9), (64,), (3, 5, 2, 2), (0, 4)])
def test_masks_of_any_shape_and_number_format(shape, keep) -> None:
    x = torch.empty(shape, dtype=torch.float64)
    torch.manual_seed(3)
    mask = random_mask(x, keep)
    assert (mask.shape, mask.dtype) == (x.shape, x.dtype)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    torch.manual_seed(3)
    assert torch.equal(random_mask(x.float(), keep).double(), mask)


def test_dropout_passes_the_gradient_of_what_it_keeps() -> None:
    x = torch.rand(20, 30).requires_grad_()
    dropout = Dropout(0.5, scale=2.0).train()
    y = dropout(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(y, x * gradient)
    images = torch.rand(20, 30)
    before = images.clone()
    assert set((dropout(images) / images).unique().tolist()) == {0.0, 2.0}
    assert torch.equal(images, before)


def test_the_maxout_network_is_the_published_one() -> None:
    model = MaxoutNetwork(input_shape=(1, 28, 28), classes=10)
    shapes = [tuple(p.shape) for p in model.parameters() if p.dim() == 2]
    assert shapes == [(1200, 784), (1200, 240), (10, 240)]
    assert all(p.abs().max() <= 0.005 for p in model.parameters())
    assert all((p == 0).all() for p in model.parameters() if p.dim() == 1)


def test_normalized_logits_let_no_class_win_everywhere() -> None:
    network = BatchNormReLUNetwork(
        input_shape=(1, 4, 4), classes=3, units=(6,), normalize_output=True
    ).double()
    with torch.no_grad():
        network.layers[3].bias += torch.tensor([50.0, 0.0, -50.0])
    logits = network(torch.rand(200, 1, 4, 4, dtype=torch.float64))
    zero = torch.zeros(3, dtype=torch.float64)
    torch.testing.assert_close(logits.mean(0), zero)
    torch.testing.assert_close(logits.std(0, correction=0), zero + 1, atol=1e-2, rtol=0)
