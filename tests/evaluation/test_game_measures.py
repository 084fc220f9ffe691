"""What games need besides: digits in stacks, smaller images, a discriminator alone."""

import pytest
import torch

from advx.data import stacked_mnist
from advx.data.dataset import Dataset, Split
from advx.data.resize import doubled, halved
from advx.errors import ConfigError
from advx.training.discriminator import train_discriminator


def test_the_first_of_three_digits() -> None:
    data = stacked_mnist.load(source="mnist5k", train=40, test=20)
    digits = stacked_mnist.first_digits(data)
    assert digits.input_shape == (1, 28, 28)
    assert digits.classes == 10
    assert torch.equal(digits.test.images[:, 0], data.test.images[:, 0])
    assert digits.train.labels.tolist() == [label // 100 for label in data.train.labels.tolist()]
    assert digits.fingerprint != data.fingerprint


def test_a_discriminator_becomes_the_best_one() -> None:
    """Between N(−1, 1) and N(1, 1) the log-odds are −2x."""
    torch.manual_seed(0)
    discriminator = torch.nn.Linear(1, 1)
    losses = train_discriminator(
        discriminator,
        lambda n: torch.randn(n, 1) - 1,
        lambda n: torch.randn(n, 1) + 1,
        steps=1500,
        rate=0.05,
        final_rate=1e-3,
        batch_size=1000,
    )
    assert discriminator.weight.item() == pytest.approx(-2, abs=0.06)
    assert discriminator.bias.item() == pytest.approx(0, abs=0.06)
    assert len(losses) == 1500


def test_shrunk_data_are_halved_images() -> None:
    split = Split(torch.rand(5, 1, 8, 8), torch.arange(5) % 2)
    data = Dataset("squares", 2, split, split, split)
    small = data.shrunk(4)
    torch.testing.assert_close(small.test.images, halved(halved(split.images)))
    assert small.input_shape == (1, 2, 2)
    assert small.fingerprint != data.fingerprint
    assert torch.equal(small.train.labels, split.labels)
    with pytest.raises(ConfigError, match="8 × 8 cannot be shrunk by 16"):
        data.shrunk(16)
    flat = torch.full((1, 1, 6, 6), 0.4)
    torch.testing.assert_close(doubled(halved(flat)), flat)
