"""A small network and a minibatch."""

import pytest
import torch
from torch import nn

from advx.models.maxout import MaxoutNetwork


@pytest.fixture
def network() -> nn.Module:
    shape = {"input_shape": (1, 4, 4), "classes": 3}
    return MaxoutNetwork(**shape, units=(9, 8), init_range=0.8).double()


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(12, 1, 4, 4, dtype=torch.float64), torch.arange(12) % 3
