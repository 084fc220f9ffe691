"""Reconstructions, their error and sharpness, and a discriminator's answers, by hand."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.evaluation.discriminators import answers_to_change
from advx.evaluation.reconstructions import (
    gradient_energy,
    mean_image_error,
    reconstructions,
    relative_gradient_energy,
    rms_error,
)
from advx.experiments.sample_fidelity import (
    changed_images,
    equally_changed,
    refuse_other_decoders,
    unchanged_images,
)
from advx.games.vae import Code


class Half(nn.Module):
    """Codes are pixels; the decoder halves them. D's logit is the sum of an image."""

    def encode(self, x):
        return Code(x.flatten(1), torch.zeros(len(x), 4))

    def generate(self, z, condition=None):
        return z.view(-1, 1, 2, 2) / 2

    def reconstruct(self, x):
        return self.generate(self.encode(x).mean)

    def discriminate(self, x):
        return x.flatten(1).sum(1)


TRAINED = SimpleNamespace(game=Half())


def test_reconstructions_and_their_error() -> None:
    images = torch.rand(1_500, 1, 2, 2)
    made = reconstructions(TRAINED, images)
    torch.testing.assert_close(made, images / 2)
    expected = 255 * math.sqrt((images.double() / 2).square().mean().item())
    assert rms_error(images, made) == pytest.approx(expected)


def test_the_mean_image_is_that_of_the_training_images() -> None:
    train, test = torch.rand(30, 1, 2, 2), torch.rand(20, 1, 2, 2)
    splits = [Split(x, torch.zeros(len(x), dtype=torch.int64)) for x in (train, test, test)]
    data = Dataset("noise", 1, splits[0], splits[1], splits[2])
    expected = ((test - sum(train) / 30).double() ** 2).mean().sqrt().item()
    assert mean_image_error(data) == pytest.approx(255 * expected, rel=1e-5)


def test_gradient_energy_of_a_ramp_a_checkerboard_and_a_blur() -> None:
    ramp = torch.linspace(0, 1, 5).expand(3, 1, 5, 5)
    assert gradient_energy(ramp) == pytest.approx(1 / 16)
    board = (torch.arange(6)[:, None] + torch.arange(6)) % 2
    sharp = board.expand(2, 1, 6, 6).float()
    assert gradient_energy(sharp) == 2
    assert relative_gradient_energy(0.5 + 0.1 * sharp, sharp) == pytest.approx(1)
    assert relative_gradient_energy(sharp, sharp) == 100


def test_what_a_change_does_to_a_discriminators_logit() -> None:
    images = torch.rand(2_000, 1, 2, 2)
    changed = images.clone()
    changed[:500] -= 0.25
    changed[500:] += 0.5
    found = answers_to_change(TRAINED, images, changed)
    assert found.logit_change == pytest.approx((500 * -1 + 1500 * 2) / 2000, abs=1e-4)
    assert found.logit_lowered == 25


class Normalizing(nn.Module):
    """A game whose D is the mean pixel, normalized over the minibatch."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1, eps=1e-12)

    def discriminate(self, x: Tensor) -> Tensor:
        return self.norm(x.mean((1, 2, 3))[:, None]).squeeze(1)


def test_a_discriminator_normalizes_each_kind_by_itself() -> None:
    """As in its game: a shift of all images is nothing to it, and a single odd one is something."""
    game = Normalizing().eval()
    images = torch.rand(300, 1, 2, 2)
    asked = SimpleNamespace(game=game)
    assert answers_to_change(asked, images, images + 2).logit_change == pytest.approx(0, abs=1e-4)
    changed = images.clone()
    changed[250] += 3
    parts = [x.mean((1, 2, 3))[200:] for x in (images, changed)]
    before, after = ((x - x.mean()) / x.std(unbiased=False) for x in parts)
    found = answers_to_change(asked, images, changed)
    assert found.logit_change == pytest.approx((after - before).sum().item() / 300, abs=1e-5)
    assert found.logit_lowered == pytest.approx(100 * (after < before).sum().item() / 300)
    assert game.norm.running_mean.item() == 0
    assert not game.norm.training


def test_changes_are_handed_on_by_name() -> None:
    images = torch.rand(6, 1, 8, 8)
    equal = equally_changed(images, 1e-3)
    assert torch.equal(unchanged_images(equal), equal.images)
    for name in ("blur", "noise", "shift"):
        after = changed_images(equal, name)
        assert rms_error(equal.images, after) == pytest.approx(255 * math.sqrt(1e-3), rel=1e-4)


def test_models_with_other_decoders_are_refused() -> None:
    games = {
        "vae": {"latent": 4, "filters": 16},
        "vae_fixed": {"latent": 4, "filters": 8},
        "dcgan": {"latent": 4, "filters": 16},
    }
    with pytest.raises(ConfigError) as refused:
        refuse_other_decoders(games)
    assert str(refused.value) == (
        "games.vae_fixed.filters=8: all models have the same decoder here; valid: that of "
        "games.dcgan.filters=16"
    )
    games["vae_fixed"]["filters"] = 16
    refuse_other_decoders(games)
