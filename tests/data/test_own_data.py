"""A loader of a user's own: what it makes is checked before anything is trained on it."""

from dataclasses import replace

import pytest
import torch

from advx.data.dataset import Dataset, Split, from_arrays
from advx.data.own import usable
from advx.errors import DataError


def test_a_usable_data_set_is_handed_on(tiny) -> None:
    assert usable(tiny, "mine.load") is tiny


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda x, y: (x.double(), y), r"train examples have images of type float64 and shape"),
        (lambda x, y: (x.numpy(), y), r"images in a ndarray; valid: a float32 tensor"),
        (lambda x, y: (x, y.int()), r"labels of type int32 and shape \(60,\); valid: an int64"),
        (lambda x, y: (x, y[:-1]), r"labels of shape \(59,\) for 60 images"),
        (lambda x, y: (x.where(x < 0.9, torch.nan), y), r"pixels that are no numbers"),
        (lambda x, y: (x, y + 1), r"labels from 1 to 3; valid: 0 … 2 \(its classes are 3\)"),
        (lambda x, y: (x, y, y.float()), r"groups of type float32 and shape \(60,\); valid: None"),
    ],
)
def test_what_cannot_be_used_is_said(tiny, part, message) -> None:
    broken = replace(
        tiny, fingerprint="x", train=Split(*part(tiny.train.images, tiny.train.labels))
    )
    with pytest.raises(DataError, match=r"dataset\._target_=mine\.load: its .*" + message):
        usable(broken, "mine.load")


def test_other_shapes_and_an_empty_test_set_are_refused(tiny) -> None:
    smaller = Split(tiny.test.images[:, :, 1:], tiny.test.labels)
    with pytest.raises(DataError, match=r"test examples have images of shape \(1, 3, 4\)"):
        usable(replace(tiny, test=smaller), "mine.load")
    with pytest.raises(DataError, match="no test examples"):
        usable(replace(tiny, test=tiny.test.take(torch.arange(0))), "mine.load")
    with pytest.raises(DataError, match=r"makes a dict, an advx\.data\.dataset\.Dataset is needed"):
        usable({"images": 1}, "mine.load")


def test_the_check_is_part_of_a_run(tmp_path, monkeypatch) -> None:
    text = (
        "import torch\nfrom advx.data.dataset import Dataset, Split\n\n\ndef load():\n"
        "    part = Split(torch.rand(9, 1, 4, 4), torch.arange(9))\n"
        '    return Dataset("mine", 3, part, part, part)\n'
    )
    (tmp_path / "loader_of_mine.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    from advx.config.compose import composed
    from advx.run import Run

    config, _ = composed(
        [
            "experiment=transfer",
            "~dataset",
            "+dataset={name: mine, _target_: loader_of_mine.load, classes: 3, "
            "input_shape: [1, 4, 4]}",
        ]
    )
    with pytest.raises(DataError, match=r"loader_of_mine\.load: .* labels from 0 to 8"):
        _ = Run(config, tmp_path, "").data


def test_a_data_set_without_training_examples_is_usable() -> None:
    empty = Split(torch.zeros(0, 1, 4, 4), torch.zeros(0, dtype=torch.int64))
    some = Split(torch.rand(3, 1, 4, 4), torch.arange(3))
    assert usable(Dataset("mine", 3, empty, empty, some), "mine.load")


LABELS = torch.arange(6) % 3
BYTES = torch.arange(6 * 16, dtype=torch.uint8).view(6, 1, 4, 4) * 2


def split_up(images, labels=LABELS) -> Dataset:
    return from_arrays("mine", images, labels, images, labels, classes=3, train=4, validation=2)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_floats_are_taken_as_they_are_and_stay_as_they_were(kind) -> None:
    images = (BYTES.float() / 255).to(kind)
    before = images.clone()
    first, second = split_up(images), split_up(images)  # two jobs of a sweep
    for data in (first, second):
        assert torch.equal(data.test.images, before.float())
        assert torch.equal(data.train.images, before[:4].float())
    first.train.images.zero_()
    assert torch.equal(images, before)
    assert torch.equal(split_up(BYTES).test.images, BYTES.float() / 255)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (BYTES.float(), r"of type float32 lie in 0 … 190; valid: floats in \[0, 1\], .*by 255"),
        (BYTES.float() / 100 - 0.5, r"lie in -0\.5 … 1\.4; valid: floats in \[0, 1\], or uint8$"),
        (BYTES.float() * torch.nan, r"lie in nan … nan; valid: floats"),
        (BYTES.long(), r"of type int64; valid: uint8, or floats in \[0, 1\]$"),
        (BYTES > 3, r"of type bool; valid: uint8"),
        (BYTES.numpy(), r"are a ndarray; valid: a tensor, as torch\.from_numpy"),
    ],
)
def test_images_in_another_range_or_format_are_refused(images, message) -> None:
    with pytest.raises(DataError, match=r"^dataset=mine: its training images .*" + message):
        split_up(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS.float() + 0.5, r"of type float32 and shape \(6,\); valid: whole numbers \(6,\)"),
        (LABELS[:5], r"of type int64 and shape \(5,\); valid: whole numbers \(6,\), one for"),
    ],
)
def test_labels_that_are_no_whole_numbers_are_refused(labels, message) -> None:
    with pytest.raises(DataError, match=r"^dataset=mine: its training labels are " + message):
        split_up(BYTES, labels)
