"""Measures of predicted frames and of ears, against closed forms and brute force."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from advx.data import heads
from advx.data.heads import Twins
from advx.errors import ConfigError
from advx.evaluation.ear_probe import augmented, blurred, trained_probe
from advx.evaluation.ears import (
    Frames,
    area,
    ear_measures,
    ears_preferred,
    pixels_in_ears,
    predicted_twins,
    real_frames,
    without_ears,
)
from advx.evaluation.predicted_frames import (
    energy,
    frame_measures,
    last_frame,
    linear_extrapolation,
    predicted_frames,
)
from advx.games.predictive_gan import PredictiveGAN
from advx.training.load_or_train import TrainedGame


@pytest.fixture
def twins() -> Twins:
    """Six gray heads, textured so that every gradient differs; ears are two bright pixels."""
    draw = torch.Generator().manual_seed(2)
    earless = 0.4 * torch.rand(6, 3, 1, 8, 8, generator=draw).double()
    mask = torch.zeros(6, 3, 8, 8, dtype=torch.bool)
    mask[..., 3, 1] = mask[..., 3, 6] = True
    return Twins(torch.where(mask[:, :, None], 0.9, earless), earless, mask)


class Brightest(nn.Module):
    """Sees ears where a pixel is brighter than .6."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).amax(1) - 0.6


def test_the_area_is_the_share_of_right_pairs() -> None:
    draw = torch.Generator().manual_seed(0)
    for n, m in ((1, 1), (7, 12), (40, 3)):
        a = torch.randint(0, 6, (n,), generator=draw).double() + 1
        b = torch.randint(0, 6, (m,), generator=draw).double()
        pairs = [(x > y) + 0.5 * (x == y) for x, y in product(a.tolist(), b.tolist())]
        assert area(a, b) == pytest.approx(sum(pairs) / len(pairs))
    assert area(torch.ones(5), torch.ones(4)) == 0.5
    assert area(torch.tensor([2.0, 3]), torch.tensor([0.0, 1])) == 1
    assert area(torch.tensor([0.0, 1]), torch.tensor([2.0, 3])) == 0


def test_the_energy_of_a_ramp_is_its_slopes_square() -> None:
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(7.0), indexing="ij")
    ramp = (0.02 * x - 0.03 * y + 0.5).expand(2, 3, 9, 7)
    expected = torch.full((2, 9, 7), 3 * (0.02**2 + 0.03**2)).double()
    torch.testing.assert_close(energy(ramp), expected, atol=1e-8, rtol=1e-5)
    assert energy(torch.ones(1, 1, 4, 4)).sum() == 0


def test_frame_measures_in_closed_form() -> None:
    real = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    half = frame_measures(0.5 * real + 0.1, real)
    assert half.sharpness == pytest.approx(0.25, rel=1e-5)
    assert frame_measures(real + 0.25, real).squared_error == pytest.approx(0.0625, rel=1e-5)
    assert frame_measures(real + 0.25, real).sharpness == pytest.approx(1, rel=1e-5)


def test_baselines_go_on_as_before() -> None:
    steps = torch.linspace(0, 0.5, 6).view(1, 6, 1, 1, 1)
    clips = 0.3 + steps * torch.rand(4, 1, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(linear_extrapolation(clips), clips[:, -1])
    assert torch.equal(last_frame(clips), clips[:, 4])
    leaving = torch.tensor([0.9, 0.2, 0.7]).view(1, 3, 1, 1, 1)
    assert linear_extrapolation(leaving).item() == 0
    assert linear_extrapolation(1 - leaving).item() == 1
    with pytest.raises(ConfigError, match="clips of 2 frames; valid: from 3"):
        linear_extrapolation(clips[:, :2])


def test_perfect_predictions_and_earless_ones(twins) -> None:
    real = ear_measures(real_frames(twins), twins, Brightest())
    assert (real.hits, real.false_ears, real.auc) == (100, 0, 1)
    assert real.ear_energy == pytest.approx(1)
    assert math.isnan(real.error_in_ears)
    bare = ear_measures(without_ears(twins), twins, Brightest())
    assert (bare.hits, bare.false_ears, bare.auc) == (0, 0, 0.5)
    assert bare.error_in_ears == pytest.approx(100)
    mask = twins.mask[:, -1]
    ears, none = (energy(f[:, -1])[mask].sum() for f in (twins.eared, twins.earless))
    assert bare.ear_energy == pytest.approx((none / ears).item())


def test_ears_on_everyone_are_hits_and_false_ears_alike(twins) -> None:
    """What hits alone would praise."""
    eared = real_frames(twins).eared
    found = ear_measures(Frames(eared, eared), twins, Brightest())
    assert (found.hits, found.false_ears, found.auc) == (100, 100, 0.5)


def test_noise_that_looks_like_ears_is_no_prediction(twins) -> None:
    """A frame counts if it is nearer to the real one than the frame before is on average."""
    real = real_frames(twins)
    good = ear_measures(real, twins, Brightest())
    assert (good.hits, good.predicted_ears) == (100, 100)
    noisy = real.eared.clone()
    still = (twins.eared[:, -2] - real.eared).square().mean()
    noisy[:2] += 1.01 * still.sqrt()
    noisy[2:4] += 0.99 * still.sqrt()
    found = ear_measures(Frames(noisy, real.earless), twins, Brightest())
    assert found.hits == 100
    assert found.predicted_ears == pytest.approx(100 * 4 / 6)


def test_an_even_error_has_the_ears_share_of_the_pixels(twins) -> None:
    real = real_frames(twins)
    found = ear_measures(Frames(real.eared + 0.05, real.earless + 0.05), twins, Brightest())
    assert found.error_in_ears == pytest.approx(pixels_in_ears(twins))
    assert pixels_in_ears(twins) == pytest.approx(100 * 2 / 64)


def test_only_the_last_frame_and_the_one_before_count(twins) -> None:
    other = Twins(twins.eared.clone(), twins.earless.clone(), twins.mask.clone())
    other.eared[:, 0] = 0.5
    other.mask[:, :-1] = True
    frames = Frames(last_frame(twins.eared), last_frame(twins.earless))
    found = (ear_measures(frames, each, Brightest()) for each in (twins, other))
    assert next(found) == next(found)
    nowhere = Twins(twins.eared, twins.earless, torch.zeros_like(twins.mask))
    with pytest.raises(ConfigError, match="no ear is seen"):
        ear_measures(frames, nowhere, Brightest())


def test_predictions_do_not_look_at_the_last_frame(twins) -> None:
    torch.manual_seed(0)
    game = PredictiveGAN(
        input_shape=(3, 1, 8, 8), history=2, filters=2, units=3, discriminator_filters=2
    )
    trained = TrainedGame(game.double().eval(), "key", [], [], torch.zeros(0))
    found = predicted_twins(trained, twins)
    hidden = twins.eared.clone()
    hidden[:, -1] = 0
    assert torch.equal(predicted_frames(trained, hidden), found.eared)
    assert not torch.equal(found.eared, found.earless)
    assert found.eared.shape == (6, 1, 8, 8)
    assert not found.eared.requires_grad


def test_what_d_prefers(twins) -> None:
    """By a discriminator that asks for brightness, by one that asks for the contrary, by none."""
    game = PredictiveGAN(input_shape=(3, 1, 8, 8), history=2)
    trained = TrainedGame(game, "key", [], [], torch.zeros(0))
    for sign, expected in ((1, 100), (-1, 0), (0, 50)):
        game.discriminate = lambda x, y, sign=sign: sign * y.flatten(1).amax(1)
        assert ears_preferred(trained, twins) == expected


def test_a_blur_is_a_gaussian() -> None:
    """An impulse keeps its sum and gets the Gaussian's variance; the edge goes on outside."""
    impulse = torch.zeros(1, 2, 21, 21).double()
    impulse[:, :, 10, 10] = 1
    for deviation in (1.0, 2.0):
        found = blurred(impulse, deviation)
        torch.testing.assert_close(found.sum((-2, -1)), torch.ones(1, 2).double())
        at = torch.arange(-10.0, 11).double()
        variance = (found[0, 0].sum(0) * at.square()).sum().item()
        assert variance == pytest.approx(deviation**2, rel=0.05)
    constant = torch.full((3, 1, 8, 8), 0.3).double()
    torch.testing.assert_close(blurred(constant, 1.5), constant)
    torch.testing.assert_close(blurred(impulse, 0.0), impulse)


def test_augmented_images_stay_images() -> None:
    torch.manual_seed(1)
    x = torch.rand(64, 1, 16, 16)
    found = augmented(x)
    assert found.shape == x.shape
    assert 0 <= found.min() < found.max() <= 1
    near = [(found - y).abs().flatten(1).mean(1) for y in (x, x.flip(-1))]
    mirrored = (near[1] < near[0]).sum().item()
    assert 16 < mirrored < 48


def test_a_probe_learns_what_an_ear_is(tmp_path, monkeypatch) -> None:
    """A few hundred heads at a small size: far better than chance on heads it does not know."""
    monkeypatch.setattr("advx.data.files.cache_dir", lambda: tmp_path)
    known = heads.twins("train", 500, side=16, frames=(5,))
    new = heads.twins("test", 100, side=16, frames=(4, 5))
    probe = trained_probe(known, epochs=10)
    assert not probe.training
    found = ear_measures(real_frames(new), new, probe)
    assert found.auc > 0.85
    assert found.hits > found.false_ears + 40
    again = trained_probe(known, epochs=1), trained_probe(known, epochs=1)
    assert all(map(torch.equal, *(each.state_dict().values() for each in again)))
