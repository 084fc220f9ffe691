"""The attack of Szegedy et al. and its search in a box, against SciPy and closed forms."""

import itertools

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks import box_adam, norms
from advx.attacks.box_lbfgs import minimize
from advx.attacks.lbfgs import LBFGS
from advx.data import mnist5k
from advx.models.relu import ReLUNetwork


@pytest.fixture
def binary() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).double()


@pytest.fixture(scope="module")
def digits() -> tuple[nn.Module, Tensor]:
    """A rectifier network that classifies digits, in float64, and 50 of them."""
    torch.manual_seed(0)
    data = mnist5k.load()
    model = ReLUNetwork(input_shape=(1, 28, 28), classes=10, units=(60, 60)).eval()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(5):
        for rows in torch.randperm(len(data.train)).split(50):
            optimizer.zero_grad()
            logits = model(data.train.images[rows])
            F.cross_entropy(logits, data.train.labels[rows]).backward()
            optimizer.step()
    return model.double(), data.test.images[:50].double()


def smallest_with_scipy(model: nn.Module, image: Tensor, target: int, searches: int) -> float:
    """The same search over λ with SciPy's L-BFGS-B, one image at a time; inf without success."""
    x, label = image.flatten(), torch.tensor([target])
    weight, works, fails, best = 1.0, 0.0, np.inf, np.inf

    def cost(point: np.ndarray) -> tuple[float, np.ndarray]:
        z = torch.tensor(point, requires_grad=True)
        distance = (z - x).square().sum()
        value = F.cross_entropy(model(z.view(1, *image.shape)), label) + weight * distance
        (slope,) = torch.autograd.grad(value, z)
        return value.item(), slope.numpy()

    for _ in range(searches):
        end = optimize.minimize(
            cost, x.numpy(), jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(x)
        )
        z = torch.tensor(end.x)
        if model(z.view(1, *image.shape)).argmax(1).item() == target:
            works, best = weight, min(best, (z - x).norm().item())
        else:
            fails = weight
        weight = weight * 10 if fails == np.inf else weight / 10
        weight = weight if fails == np.inf or works == 0 else (works * fails) ** 0.5
    return best


def test_lbfgs_is_as_good_as_scipys(digits) -> None:
    model, images = digits
    targets = (model(images).argmax(1) + 1 + torch.arange(50) % 9) % 10
    found = LBFGS(targeted=True, searches=5)(model, images, targets)
    won = model(found).argmax(1) == targets
    ours = norms.length(found - images, "l2")
    theirs = torch.tensor(
        [smallest_with_scipy(model, x, int(t), 5) for x, t in zip(images, targets, strict=True)]
    )
    assert theirs.isfinite().sum() >= 48
    assert won[theirs.isfinite()].all()
    assert (ours <= 1.02 * theirs)[theirs.isfinite()].double().mean() >= 0.95


def test_lbfgs_keeps_the_nearest_of_all_points_it_visits(digits) -> None:
    model, images = digits
    images = images[:12]
    targets = (model(images).argmax(1) + 1) % 10
    lengths = [
        norms.length(LBFGS(targeted=True, searches=n)(model, images, targets) - images, "l2")
        for n in range(3, 8)
    ]
    for fewer, more in itertools.pairwise(lengths):
        assert (more <= fewer + 1e-12).all()


def test_lbfgs_leaves_what_it_cannot_reach_as_it_was(images) -> None:
    constant = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).double()
    constant[1].weight.data *= 1e-3
    constant[1].bias.data = torch.tensor([1.0, 0.0]).double()
    found = LBFGS(targeted=True, searches=3)(constant, images, torch.ones(50, dtype=torch.int64))
    assert torch.equal(found, images)


def test_box_lbfgs_finds_the_bounded_optimum_of_quadratics() -> None:
    factor = torch.randn(40, 12, 12, dtype=torch.float64)
    bend = factor @ factor.mT + 0.1 * torch.eye(12, dtype=torch.float64)
    target = torch.randn(40, 12, dtype=torch.float64)

    def function(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        product = (bend[rows] @ (x - target[rows])[:, :, None]).squeeze(2)
        return ((x - target[rows]) * product).sum(1) / 2, product

    low, high = torch.full_like(target, -0.4), torch.full_like(target, 0.3)
    low[:, 0] = -torch.inf
    end = minimize(function, torch.zeros_like(target), low, high, evaluations=500)
    assert ((end >= low) & (end <= high)).all()
    slope = function(end, torch.arange(40))[1]
    # the first-order conditions, which are sufficient: nothing gains by moving inside the box
    inside = (end > low) & (end < high)
    assert slope[inside].abs().max() < 1e-3
    assert (slope[end == low] > -1e-3).all()
    assert (slope[end == high] < 1e-3).all()


def test_lbfgs_on_a_linear_model_ends_at_the_hyperplane(binary, images) -> None:
    y = binary(images).argmax(1)
    found = LBFGS(clip=None, searches=14)(binary, images, y)
    assert (binary(found).argmax(1) != y).all()
    weight = binary[1].weight[1] - binary[1].weight[0]
    logits = binary(images)
    distance = (logits[:, 1] - logits[:, 0]).abs() / weight.norm()
    assert (norms.length(found - images, "l2") / distance < 1.01).all()


def quadratic(batch: int, size: int) -> tuple:
    """b problems ½ Σ c (x − m)², with their curvatures and minima."""
    curvature = torch.rand(batch, size, dtype=torch.float64) + 0.5
    middle = torch.rand(batch, size, dtype=torch.float64) * 2 - 0.5

    def function(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        away = x - middle[rows]
        return (curvature[rows] * away.square()).sum(1) / 2, curvature[rows] * away

    return function, middle


def test_adam_in_a_box_without_bounds_is_pytorchs() -> None:
    function, _ = quadratic(4, 6)
    start = torch.rand(4, 6, dtype=torch.float64)
    low, high = torch.tensor(-torch.inf), torch.tensor(torch.inf)
    found = box_adam.minimize(function, start, low, high, evaluations=31, step=0.02)
    x = start.clone().requires_grad_(True)
    theirs = torch.optim.Adam([x], lr=0.02)
    for _ in range(30):
        theirs.zero_grad()
        x.grad = function(x.detach(), torch.arange(4))[1]
        theirs.step()
    torch.testing.assert_close(found, x.detach())


def test_adam_in_a_box_ends_at_the_nearest_corner_and_is_evaluated_there() -> None:
    function, middle = quadratic(5, 8)
    seen: list[Tensor] = []

    def watched(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(x.clone())
        return function(x, rows)

    start = torch.full((5, 8), 0.5, dtype=torch.float64)
    low, high = torch.tensor(0.0).double(), torch.tensor(1.0).double()
    found = box_adam.minimize(watched, start, low, high, evaluations=2000)
    torch.testing.assert_close(found, middle.clamp(0, 1), atol=1e-3, rtol=0)
    assert len(seen) == 2000
    assert all(x.min() >= 0 and x.max() <= 1 for x in seen)
    assert torch.equal(seen[0], start)
    assert torch.equal(seen[-1], found)
    alone = box_adam.minimize(function, start[2:3], low, high, evaluations=1)
    assert torch.equal(alone, start[2:3])


def test_adam_finds_about_the_perturbation_that_lbfgs_finds(digits) -> None:
    model, x = digits
    labels = model(x).argmax(1)
    targets = (labels + 1) % 10
    sizes = []
    for optimizer in ("lbfgs", "adam"):
        attack = LBFGS(targeted=True, optimizer=optimizer)
        found = attack(model, x, targets)
        assert (model(found).argmax(1) == targets).all()
        assert found.min() >= 0
        assert found.max() <= 1
        sizes.append(norms.length(found - x, "l2"))
    assert sizes[1].median() == pytest.approx(sizes[0].median().item(), rel=0.1)
    assert not torch.equal(sizes[0], sizes[1])
