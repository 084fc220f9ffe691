"""What sample_fidelity measures by itself."""

import pytest
import torch
from torch import nn

from advx.experiments.sample_fidelity import accuracy_on_others


def test_no_image_is_compared_with_itself() -> None:
    """What is not changed is discriminated by guessing, though every image can be recognized."""
    images = torch.randn(2_001, 1, 1, 8, generator=torch.Generator().manual_seed(0))
    network = nn.Sequential(nn.Flatten())
    same, moved = (accuracy_on_others(network, "0", images, images + by) for by in (1e-4, 2.0))
    error = 100 * (0.25 / 1_000) ** 0.5
    assert abs(same - 50) < 3 * error
    assert moved > 95


def test_changed_images_are_discriminated_from_others() -> None:
    images = torch.zeros(400, 1, 1, 2)
    images[::2, ..., 0] = 1.0  # known apart by their places alone
    found = accuracy_on_others(nn.Sequential(nn.Flatten()), "0", images, images)
    assert found == pytest.approx(100)
