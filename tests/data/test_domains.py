"""The second domains of digits, and pairs of domains."""

import os
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import interpolate

from advx.data import mnist, mnist_c10, uci_digits
from advx.data.dataset import Dataset, Split
from advx.data.domains import HIDDEN, pair
from advx.errors import ConfigError


def test_digits_on_photographs_are_differences_pixel_by_pixel() -> None:
    draw = torch.Generator().manual_seed(3)
    photographs = (torch.arange(5 * 3 * 32 * 32) % 251).view(5, 3, 32, 32).float() / 255
    behind = mnist_c10.backgrounds(photographs, 40, draw)
    places = set()
    for square in behind:
        found = [
            (i, top, left)
            for i in range(5)
            for top in range(5)
            for left in range(5)
            if torch.equal(photographs[i, :, top : top + 28, left : left + 28], square)
        ]
        assert found
        places.add(found[0])
    assert len(places) > 25
    digits = (torch.randint(256, (40, 1, 28, 28), generator=draw)).float() / 255
    images = mnist_c10.difference(digits, behind)
    torch.testing.assert_close(images, (behind - digits).abs(), atol=1e-6, rtol=0)
    assert torch.equal(images, images.mul(255).round().div(255))


@pytest.mark.skipif("ADVX_DATA" not in os.environ, reason="ADVX_DATA is not set")
def test_mnist_c10_has_mnists_labels_and_repeats() -> None:
    folder = os.environ["ADVX_DATA"]
    options = {
        "data_dir": folder,
        "digests": f"{folder}/cifar10_digests.json",
        "limit": {"train": 300, "validation": 50, "test": 100},
    }
    data, again = mnist_c10.load(**options), mnist_c10.load(**options)
    digits = mnist.load(data_dir=folder, limit=options["limit"])
    assert torch.equal(data.test.labels, digits.test.labels)
    assert data.fingerprint == again.fingerprint
    assert data.input_shape == (3, 28, 28)
    blank = digits.train.images[0, 0] == 0  # where the background shows as it is
    assert data.train.images[0][:, blank].std() > 0.05


def test_uci_digits_are_bilinear_enlargements_in_a_margin() -> None:
    gray = torch.randint(17, (50, 8, 8), generator=torch.Generator().manual_seed(0))
    found = uci_digits.enlarged(gray)
    expected = interpolate(gray[:, None].double() / 16, size=20, mode="bilinear")[:, 0] * 255
    assert (found[:, 4:24, 4:24].double() - expected).abs().max() <= 0.5 + 1e-9
    outside = found.clone()
    outside[:, 4:24, 4:24] = 0
    assert not outside.any()
    data = uci_digits.load()
    assert [len(s) for s in (data.train, data.validation, data.test)] == [1097, 200, 500]
    counts = torch.bincount(torch.cat([data.merged().train.labels, data.test.labels]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.test.images.max() == 1.0


def noise(name: str, shape: tuple[int, ...] = (1, 8, 8), classes: int = 3, n: int = 12) -> Dataset:
    split = Split(torch.rand(n, *shape), torch.arange(n) % classes)
    return Dataset(name, classes, split, split, split)


def test_a_pair_hides_the_targets_labels() -> None:
    gray, color = noise("gray"), noise("color", (3, 8, 8), n=9)
    both = pair(gray, color)
    assert both.input_shape == (3, 8, 8)
    assert both.train.groups.tolist() == [0] * 12 + [1] * 9
    assert torch.equal(both.train.labels[:12], gray.train.labels)
    assert (both.train.labels[12:] == HIDDEN).all()
    assert torch.equal(both.validation.labels, gray.validation.labels)
    assert torch.equal(both.test.images, color.test.images)
    wrong = replace(color.train, labels=color.train.labels.flip(0))
    poisoned = pair(gray, replace(color, train=wrong, validation=wrong, fingerprint=""))
    assert poisoned.fingerprint == both.fingerprint


def test_domains_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"target=b: images \(1, 7, 7\), but source=a has \(1, 8"):
        pair(noise("a"), noise("b", (1, 7, 7)))
    with pytest.raises(ConfigError, match=r"target=b: 4 classes \(0, 1, 2, 3\), but source=a has"):
        pair(noise("a"), noise("b", classes=4))
