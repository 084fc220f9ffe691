"""The optimizer against PyTorch's own, byte for byte, whoever made the first updates."""

import copy

import pytest
import torch
from torch import Tensor, nn

from advx.training.fused_sgd import FusedSGD


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 3))


def groups(module: nn.Module) -> list[dict]:
    return [{"params": module[0].parameters(), "lr": 0.05}, {"params": module[2].parameters()}]


def moved(module: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> list[Tensor]:
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"], group["momentum"] = 0.3 / (1 + step), 0.5 + 0.02 * step
        optimizer.zero_grad()
        used = module[:1] if step == 3 else module
        used(torch.ones(2, 7, dtype=module[0].weight.dtype) * step).square().sum().backward()
        optimizer.step()
    return [p.detach().clone() for p in module.parameters()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_update_is_pytorchs_to_the_last_bit(dtype) -> None:
    """Rates and momenta that change, two groups, and a layer that gets no gradient in one step."""
    ours, theirs = (network().to(dtype) for _ in range(2))
    found = moved(ours, FusedSGD(groups(ours), 0.1, momentum=0.5), range(8))
    their_sgd = torch.optim.SGD(groups(theirs), 0.1, momentum=0.5, fused=True)
    for a, b in zip(found, moved(theirs, their_sgd, range(8)), strict=True):
        assert torch.equal(a, b)


def test_its_state_is_pytorchs() -> None:
    """Saved by one and continued by the other, and by itself in a fresh process's place."""
    makers = (
        lambda p: FusedSGD(p, 0.1, momentum=0.5),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.5, fused=True),
    )
    ends = []
    for first in makers:
        for second in makers:
            module = network()
            optimizer = first(module.parameters())
            moved(module, optimizer, range(5))
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = second(module.parameters())
            optimizer.load_state_dict(state)
            ends.append(moved(module, optimizer, range(5, 9)))
    for end in ends[1:]:
        assert all(torch.equal(a, b) for a, b in zip(end, ends[0], strict=True))


def test_parameters_of_several_kinds_and_closures_are_pytorchs_business() -> None:
    ours, theirs = network(), network()
    for module in (ours, theirs):
        module[2].double()
        for p in module.parameters():
            p.grad = torch.ones_like(p)
    optimizer = FusedSGD(ours.parameters(), 0.1, momentum=0.5)
    other = torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.5, fused=True)
    for _ in range(3):
        optimizer.step()
        other.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)
    assert optimizer.step(lambda: 7) == 7


def test_gradients_are_forgotten_or_set_to_zero() -> None:
    module = network()
    optimizer = FusedSGD(module.parameters(), 0.1, momentum=0.5)
    module(torch.ones(1, 7)).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in module.parameters())
    optimizer.zero_grad()
    assert all(p.grad is None for p in module.parameters())
