"""What the tests of several attacks share."""

import pytest
import torch
from torch import Tensor


@pytest.fixture
def images() -> Tensor:
    return torch.rand(50, 1, 6, 6, dtype=torch.float64)
