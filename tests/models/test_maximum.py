"""The maximum over pieces against PyTorch's own: value, gradients of every kind, ties, NaN."""

import math

import pytest
import torch
from torch.autograd import forward_ad

from advx.models.maximum import largest


@pytest.mark.parametrize("shape", [(7, 3, 4), (2, 3, 4, 5, 5), (3, 1, 2)])
def test_value_and_gradient_are_pytorchs_to_the_last_bit(shape) -> None:
    z = torch.randn(shape).round(decimals=1).requires_grad_()  # with ties
    gradient = torch.randn_like(z.amax(1))
    assert torch.equal(largest(z), z.amax(1))
    found, wanted = (torch.autograd.grad(f, z, gradient)[0] for f in (largest(z), z.amax(1)))
    assert torch.equal(found, wanted)


def test_the_first_place_is_shared() -> None:
    z = torch.tensor([[[1.0], [3.0], [3.0], [0.0]]]).requires_grad_()
    (gradient,) = torch.autograd.grad(largest(z).sum(), z)
    assert gradient.flatten().tolist() == [0, 0.5, 0.5, 0]


def test_gradients_of_every_kind_are_the_numerical_ones() -> None:
    z = torch.randn(4, 3, 5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(largest, z, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(largest, z)


def test_directional_derivatives_and_functional_transforms_go_through() -> None:
    z = torch.randn(4, 3, 5).requires_grad_()
    direction = torch.randn(4, 3, 5)
    with forward_ad.dual_level():
        moved = forward_ad.unpack_dual(largest(forward_ad.make_dual(z, direction))).tangent
    winners = z.argmax(1, keepdim=True)
    torch.testing.assert_close(moved, direction.gather(1, winners).squeeze(1))
    jacobian = torch.func.jacrev(lambda one: largest(one[None])[0].sum())(z[0].detach())
    assert torch.equal(jacobian.sum(0), torch.ones(5))


def test_nan_stays_visible() -> None:
    z = torch.zeros(1, 2, 3)
    z[0, 1, 0] = math.nan
    z.requires_grad_()
    assert largest(z).isnan().tolist() == [[True, False, False]]
    (gradient,) = torch.autograd.grad(largest(z).sum(), z)
    assert gradient[0, :, 0].isnan().all()
    assert not gradient[0, :, 1:].isnan().any()
