"""What the tests of several attacks share."""

import pytest
import torch
from torch import Tensor, nn

from advx.models.maxout import MaxoutNetwork


@pytest.fixture
def images() -> Tensor:
    return torch.rand(50, 1, 6, 6, dtype=torch.float64)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    return torch.rand(32, 1, 5, 5, dtype=torch.float64), torch.arange(32) % 4


@pytest.fixture
def network() -> nn.Module:
    shape = {"input_shape": (1, 5, 5), "classes": 4}
    return MaxoutNetwork(**shape, units=(12, 12), init_range=0.7).double().eval()


@pytest.fixture
def binary() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 2)).double()
