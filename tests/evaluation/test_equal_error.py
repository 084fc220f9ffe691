"""Changes of one squared error: it is reached after clipping, and each change is what it says."""

import math

import pytest
import torch
from torch.nn import functional as F

from advx.errors import ConfigError
from advx.evaluation.equal_error import (
    LUMA,
    blur,
    changed_by,
    changes,
    chroma,
    equal_errors,
    gaussians,
    luminance,
    noise,
    shift,
    squared_errors,
)

ERROR = 2e-3


def textured(count: int = 20, channels: int = 3) -> torch.Tensor:
    """Images with edges, many of whose pixels are 0 or 1."""
    coarse = torch.rand(count, channels, 8, 8).double()
    return (2 * F.interpolate(coarse, scale_factor=4, mode="bilinear") - 0.5).clamp(0, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_all_errors_are_equal_after_clipping(channels) -> None:
    x = textured(channels=channels)
    found = equal_errors(x, ERROR)
    names = ["blur", "chroma", "noise", "shift"] if channels == 3 else ["blur", "noise", "shift"]
    assert [*found.changed] == names
    assert len(found.images) == len(found.places) >= 19
    assert torch.equal(found.images, x[found.places])
    for name, each in found.changed.items():
        assert 0 <= each.images.min() <= each.images.max() <= 1
        errors = squared_errors(found.images, each.images)
        torch.testing.assert_close(
            errors, torch.full_like(errors, ERROR), rtol=1e-6, atol=0, msg=name
        )
        assert (each.size > 0).all()


def test_float32_keeps_them_equal_to_its_own_precision() -> None:
    found = equal_errors(textured().float(), ERROR)
    for each in found.changed.values():
        assert each.images.dtype == torch.float32
        errors = squared_errors(found.images.double(), each.images.double())
        torch.testing.assert_close(errors, torch.full_like(errors, ERROR), rtol=1e-5, atol=0)


def test_chroma_without_clipping_in_closed_form() -> None:
    """A vector of length t on every pixel of three channels: t² / 3."""
    x = 0.5 + 0.1 * (textured() - 0.5)
    found = changed_by(chroma(torch.linspace(0, 6, len(x)).double()), x, ERROR)
    torch.testing.assert_close(found.size, torch.full_like(found.size, math.sqrt(3 * ERROR)))
    moved = found.images - x
    torch.testing.assert_close(moved, moved[:, :, :1, :1].expand_as(moved))
    torch.testing.assert_close(luminance(found.images), luminance(x))


def test_noise_without_clipping_in_closed_form() -> None:
    x = 0.5 + 0.1 * (textured() - 0.5)
    drawn = torch.randn_like(x)
    found = changed_by(noise(drawn), x, 1e-4)
    expected = 1e-2 / drawn.flatten(1).square().mean(1).sqrt()
    torch.testing.assert_close(found.size, expected)


def test_a_blur_changes_luminance_and_no_chroma() -> None:
    x = textured()
    width = torch.linspace(0.5, 3, len(x)).double()
    change = blur(x, width) - x
    torch.testing.assert_close(change, change[:, :1].expand_as(change))
    reach = torch.arange(32).double()
    k = 7
    kernel = torch.exp(-((reach[:, None] - reach) ** 2) / (2 * width[k] ** 2))
    kernel = kernel / kernel.sum(1, keepdim=True)
    y = (x[k] * torch.tensor(LUMA).double()[:, None, None]).sum(0)
    torch.testing.assert_close(
        luminance(blur(x, width))[k, 0], kernel @ y @ kernel.T, rtol=1e-5, atol=1e-7
    )
    assert torch.equal(gaussians(5, torch.zeros(1).double())[0], torch.eye(5).double())
    flat = torch.full((1, 3, 8, 8), 0.3).double()
    torch.testing.assert_close(blur(flat, torch.tensor([2.0]).double()), flat)


def test_a_shift_by_whole_pixels_moves_the_image() -> None:
    x = textured(2)
    along, down = torch.tensor([0.0, math.pi / 2]).double(), torch.tensor([1.0, 2.0]).double()
    moved = shift(along)(x, down)
    torch.testing.assert_close(moved[0, :, :, :-1], x[0, :, :, 1:])
    torch.testing.assert_close(moved[1, :, :-2], x[1, :, 2:])
    torch.testing.assert_close(shift(along)(x, torch.zeros(2).double()), x)


def test_the_same_seed_gives_the_same_changes() -> None:
    x = textured(3)
    first, again, other = (
        equal_errors(x, ERROR, seed).changed["noise"].images for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert "chroma" not in changes((1, 8, 8), 3, torch.Generator())


def test_what_cannot_be_changed_so_much_is_left_out_or_refused() -> None:
    x = textured(4)
    x[1] = 0.5
    found = equal_errors(x, ERROR)
    assert 1 not in found.places.tolist()
    assert found.images.shape[0] == len(found.places) == 3
    with pytest.raises(ConfigError) as refused:
        equal_errors(x, 0.9)
    assert str(refused.value) == (
        "squared_error=0.9: none of 4 images can be changed so much by each of blur, chroma, "
        "noise, shift; valid: a smaller one"
    )
