"""What several tests share: a small linear model with known weights, tiny data, seeds."""

import pytest
import torch
from torch import nn

from advx.data.dataset import Dataset, Split


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def linear() -> nn.Module:
    """Float64 linear classifier of 4 classes on (1, 5, 5) images."""
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double()


@pytest.fixture
def tiny() -> Dataset:
    """60 / 20 / 20 separable images of 3 classes, (1, 4, 4)."""
    labels = torch.arange(100) % 3
    images = torch.rand(100, 1, 4, 4) * 0.3
    images[torch.arange(100), 0, labels, :] += 0.7
    images = images.mul(255).round().div(255)
    parts = [Split(images[a:b], labels[a:b]) for a, b in ((0, 60), (60, 80), (80, 100))]
    return Dataset("tiny", 3, *parts)
