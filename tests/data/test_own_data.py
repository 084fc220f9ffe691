"""A loader of a user's own: what it makes is checked before anything is trained on it."""

from dataclasses import replace

import pytest
import torch

from advx.data.dataset import Dataset, Split
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
