"""Iterated attacks against closed forms, brute force and an independent implementation."""

import pytest
import torch
from torch import nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.noise import in_ball, uniform
from advx.attacks.objectives import (
    cross_entropy,
    hard_label_cost,
    log_odds,
    margin,
    targeted_ratio,
)
from advx.attacks.pgd import PGD

CLIP = (0.0, 1.0)


@pytest.mark.parametrize(
    ("schedule", "lengths"),
    [("constant", [0, 0.1, 0.2, 0.3, 0.4]), ("linear", [0, 0.1, 0.175, 0.225, 0.25])],
)
def test_steps_keep_their_length_or_shrink_to_nothing(binary, batch, schedule, lengths) -> None:
    x, y = batch[0], batch[1] % 2
    seen = []
    binary.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach() - x))
    PGD(epsilon=1.0, steps=4, step_size=0.1, schedule=schedule, random_start=False)(binary, x, y)
    found = [norms.length(moved, "linf").mean().item() for moved in seen[-5:]]
    assert found == pytest.approx(lengths, abs=1e-12)


def test_default_first_step(binary) -> None:
    assert PGD(epsilon=0.2, steps=50).step_size == pytest.approx(0.01)
    assert PGD(epsilon=0.2, steps=50, schedule="linear").step_size == pytest.approx(0.4)


class Sine(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sin()


@pytest.mark.parametrize("objective", ["log_odds", "cross_entropy", "margin"])
@pytest.mark.parametrize("targeted", [False, True])
def test_stopping_on_success_misses_no_mistake_on_its_way(objective, targeted) -> None:
    """A mistake counts although a point before it, that is none, has a larger objective.

    So it is where several classes are about as likely, as after label smoothing.
    """
    torch.manual_seed(3)
    layers = (nn.Flatten(), nn.Linear(25, 40), Sine(), nn.Linear(40, 8))
    unsure = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        unsure[1].weight.mul_(8)
        unsure[3].weight.mul_(0.2)
    x = torch.rand(500, 1, 5, 5, dtype=torch.float64)
    y = unsure(x).topk(2).indices[:, 1 if targeted else 0]
    kinds = {"log_odds": log_odds, "cross_entropy": cross_entropy, "margin": margin}
    shared = {"epsilon": 0.1, "objective": objective, "targeted": targeted}

    def look(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        points = points.clone().requires_grad_(True)
        logits = unsure(points)
        value = kinds[objective](logits, y) * (-1 if targeted else 1)
        (slope,) = torch.autograd.grad(value.sum(), points)
        return value.detach(), (logits.argmax(1) == y) == targeted, slope.sign()

    most, won, _ = look(FGSM(**shared)(unsure, x, y))
    lower, point = torch.zeros_like(won), x  # than the objective of a point that was no success
    for _ in range(21):
        value, success, way = look(point)
        lower |= success & ~won & (value < most)
        won |= success
        most = most.maximum(value)
        point = x + (point + 0.03 * way - x).clamp(-0.1, 0.1)
    assert lower.any() == (objective != "margin")
    assert not won.all()
    search = PGD(**shared, steps=20, step_size=0.03, random_start=False, stop_on_success=True)
    assert torch.equal(look(search(unsure, x, y))[1], won)


def test_a_start_costs_a_pass_for_every_point_and_the_search_two_more(binary, batch) -> None:
    x, y = batch[0], batch[1] % 2
    passes = []
    binary.register_forward_hook(lambda *_: passes.append(1))
    PGD(epsilon=0.3, steps=5, restarts=2)(binary, x, y)
    assert len(passes) == 2 * (5 + 1) + 2  # the example and its FGSM point


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_restart_starts_elsewhere(binary, batch, norm) -> None:
    x, y = batch[0], batch[1] % 2
    seen = []
    binary.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach() - x))
    PGD(epsilon=0.3, norm=norm, steps=1, step_size=1e-9, restarts=4)(binary, x, y)
    starts = {tuple(moved[0].flatten().mul(1e5).round().tolist()) for moved in seen}
    assert len(starts) == 2 + 4  # the example, its FGSM point, and the random ones


def test_never_below_foolbox(network, batch) -> None:
    foolbox = pytest.importorskip("foolbox")
    x, y = batch
    theirs = foolbox.attacks.LinfPGD(steps=30, rel_stepsize=2.5 / 30, random_start=False)
    wrapped = foolbox.PyTorchModel(network.eval(), bounds=CLIP, device="cpu")
    _, last, _ = theirs(wrapped, x, y, epsilons=0.2)
    ours = PGD(epsilon=0.2, steps=30, random_start=False, clip=CLIP)(network, x, y)
    assert (log_odds(network(ours), y) >= log_odds(network(last), y) - 1e-9).all()


def test_noise_is_uniform_and_the_examples_own() -> None:
    images = torch.rand(2000, 1, 4, 4)
    numbers = uniform(images, 0)
    assert torch.equal(numbers[5:7], uniform(images[5:7], 0))
    assert numbers.min() >= -1
    assert numbers.max() < 1
    counts = torch.histc(numbers.double(), 16, -1, 1)
    assert (counts - 2000).abs().max() < 5 * 2000**0.5
    flat = numbers.flatten(1).double()
    correlation = torch.corrcoef(flat.T) - torch.eye(16)
    assert correlation.abs().max() < 5 / 2000**0.5
    other = uniform(images, 1).flatten(1).double()
    assert ((flat * other).mean() * 3).abs() < 5 / 32000**0.5


def test_points_of_the_euclidean_ball_are_uniform() -> None:
    points = in_ball(torch.rand(4000, 1, 1, 3), "l2", 0).flatten(1).double()
    radius = points.norm(dim=1)
    assert radius.max() <= 1 + 1e-6
    assert (radius**3).mean() == pytest.approx(0.5, abs=0.03)  # volume is uniform on [0, 1]
    assert points.mean(0).abs().max() < 0.04


def test_a_point_of_the_euclidean_ball_belongs_to_the_whole_image() -> None:
    """Images whose first pixel is 0, as MNIST's, have radii of their own."""
    images = torch.rand(1000, 1, 1, 2)
    images[..., 0] = 0
    radius = in_ball(images, "l2", 0).flatten(1).double().norm(dim=1)
    assert (radius**2).mean() == pytest.approx(0.5, abs=0.05)
    assert (radius**2).std() == pytest.approx(12**-0.5, abs=0.03)


def test_targeted_ratio_by_hand() -> None:
    """(z_t − z_y) / (z₁ − (z₃ + z₄) / 2), and z_t − z_y where that is no divisor."""
    rows = [[3.0, 1, 8, 2, 0], [5.0, 5, 5, 5, 0], [4.0, 3, -torch.inf, -torch.inf, -torch.inf]]
    logits = torch.tensor(rows, requires_grad=True)
    pairs = torch.tensor([[0, 3], [1, 4], [0, 1]])
    values = targeted_ratio(logits, pairs)
    assert values.tolist() == pytest.approx([(2 - 3) / (8 - (2 + 1) / 2), -5, -1])
    (slope,) = torch.autograd.grad(values.sum(), logits)
    assert slope[0].tolist() == pytest.approx(
        [-1 / 6.5, -0.5 / 6.5**2, 1 / 6.5**2, 1 / 6.5 - 0.5 / 6.5**2, 0]
    )
    assert slope[1].tolist() == [0, -1, 0, 0, 1]
    assert slope[2].tolist() == [-1, 1, 0, 0, 0]
    assert targeted_ratio(logits[:, :3], pairs[2:].expand(3, 2)).tolist() == [-2, 0, -1]


def test_hard_label_cost_is_the_cross_entropy_with_a_gradient_left() -> None:
    logits = torch.randn(50, 6, dtype=torch.float64) * 10
    labels = torch.arange(50) % 6
    torch.testing.assert_close(hard_label_cost(logits, labels), cross_entropy(logits, labels))
    sure = torch.tensor([[40.0, 0, 0]], requires_grad=True)
    (naive,) = torch.autograd.grad(cross_entropy(sure, torch.tensor([0])).sum(), sure)
    (exact,) = torch.autograd.grad(hard_label_cost(sure, torch.tensor([0])).sum(), sure)
    assert naive[0, 0] == 0
    assert exact[0, 0] == pytest.approx(-2 * torch.e**-40, rel=1e-4, abs=0)
