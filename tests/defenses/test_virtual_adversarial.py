"""The virtual adversarial direction against the Hessian, and its loss against its equation."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from advx.attacks.virtual_direction import (
    divergence,
    divergence_gradient,
    hessian_product,
    virtual_adversarial_direction,
)
from advx.defenses.virtual_adversarial import VirtualAdversarial, frozen_statistics
from advx.models.relu_batch_norm import BatchNormReLUNetwork
from advx.training.semi_supervised import UNLABELED


@pytest.fixture
def smooth() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def kl_hessian(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Hessian of KL(p(x) ‖ p(x + r)) at r = 0 by automatic differentiation, (16, 16)."""

    def kl(r: torch.Tensor) -> torch.Tensor:
        return divergence(model(x).detach(), model(x + r.view_as(x))).sum()

    return torch.autograd.functional.hessian(kl, torch.zeros(16, dtype=torch.float64))


def test_first_order_gradient_of_the_kl_vanishes(smooth, batch) -> None:
    x = batch[0]
    r = torch.zeros_like(x).requires_grad_(True)
    (gradient,) = torch.autograd.grad(divergence(smooth(x).detach(), smooth(x + r)).sum(), r)
    assert gradient.abs().max() < 1e-15


def test_virtual_direction_converges_to_the_dominant_eigenvector(smooth, batch) -> None:
    x = batch[0][:5]
    found = virtual_adversarial_direction(smooth, x, torch.randn_like(x), 300)
    for i in range(5):
        hessian = kl_hessian(smooth, x[i : i + 1])
        values, vectors = torch.linalg.eigh(hessian)
        d = torch.randn(1, 1, 4, 4, dtype=torch.float64)
        product = hessian_product(smooth, x[i : i + 1], d).flatten()
        torch.testing.assert_close(product, hessian @ d.flatten())
        assert abs(found[i].flatten() @ vectors[:, -1]) == pytest.approx(1, abs=1e-6)
        assert values[-1] > 0


def test_one_vanished_gradient_leaves_the_other_directions_alone(batch) -> None:
    x = batch[0][:4].clone()
    x[2] = -5  # below the rectifier: nothing reaches the logits
    layers = [nn.Flatten(), nn.ReLU(), nn.Linear(16, 3)]
    model = nn.Sequential(*layers).double()
    start = torch.randn_like(x)
    found = virtual_adversarial_direction(model, x, start, 2)
    alone = virtual_adversarial_direction(model, x[:2], start[:2], 2)
    torch.testing.assert_close(found[:2], alone)
    torch.testing.assert_close(found[2], start[2] / start[2].norm())


def test_a_small_xi_gives_the_exact_virtual_direction_a_large_one_does_not(smooth, batch) -> None:
    x, _ = batch
    start = torch.randn_like(x)
    exact = virtual_adversarial_direction(smooth, x, start, 1)
    near = virtual_adversarial_direction(smooth, x, start, 1, xi=1e-5)
    torch.testing.assert_close(near, exact, rtol=0, atol=1e-3)
    far = virtual_adversarial_direction(smooth, x, start, 1, xi=10.0)
    assert (far * exact).flatten(1).sum(1).abs().mean() < 0.95
    unit = torch.ones(len(x), dtype=x.dtype)
    torch.testing.assert_close(far.flatten(1).norm(dim=1), unit)
    # the gradient itself against its definition, differenced in float64
    moved, eps = x + 0.5 * start, 1e-6

    def cost(shift: torch.Tensor) -> torch.Tensor:
        return divergence(smooth(x), smooth(moved + shift))

    slope = (divergence_gradient(smooth, x, moved) * start).flatten(1).sum(1)
    torch.testing.assert_close(
        slope, (cost(eps * start) - cost(-eps * start)) / (2 * eps), rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_virtual_adversarial_loss_needs_labels_only_for_its_first_term(smooth, batch, norm) -> None:
    x, y = batch
    defense = VirtualAdversarial(epsilon=0.5, iterations=2, norm=norm)
    hidden = torch.cat([y[:4], torch.full((8,), UNLABELED)])
    torch.manual_seed(1)
    loss = defense(smooth, x, hidden)
    torch.manual_seed(1)
    start = torch.randn_like(x[4:])
    direction = virtual_adversarial_direction(smooth, x[4:], start, 2, norm)
    kl = divergence(smooth(x[4:]), smooth(x[4:] + 0.5 * direction)).mean()
    torch.testing.assert_close(loss, F.cross_entropy(smooth(x[:4]), y[:4]) + kl)
    order = 2 if norm == "l2" else math.inf
    sizes = direction.flatten(1).norm(dim=1, p=order)
    torch.testing.assert_close(sizes, torch.ones(8).double())


def test_virtual_training_records_statistics_of_labeled_examples_only(batch) -> None:
    x, y = batch[0].float(), batch[1].clone()
    y[6:] = UNLABELED
    model = BatchNormReLUNetwork(input_shape=(1, 4, 4), classes=3, units=(6,)).train()
    norm = model.layers[1]
    VirtualAdversarial(epsilon=0.5)(model, x, y).backward()
    seen = model.layers[0](x[:6].flatten(1)).mean(0)
    torch.testing.assert_close(norm.running_mean, 0.1 * seen.detach())
    assert norm.track_running_stats
    assert int(norm.num_batches_tracked) == 1
    with frozen_statistics(model):
        model(x)
    assert int(norm.num_batches_tracked) == 1
