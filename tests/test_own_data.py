"""A loader of a user's own: what it makes is checked before anything is trained on it."""

import gzip
import hashlib
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

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
    ],
)
def test_what_cannot_be_used_is_said(tiny, part, message) -> None:
    broken = replace(tiny, fingerprint="x", train=Split(*part(*vars(tiny.train).values())))
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
        ["experiment=transfer", "~dataset",
         "+dataset={name: mine, _target_: loader_of_mine.load, classes: 3, "
         "input_shape: [1, 4, 4]}"]
    )  # fmt: skip
    with pytest.raises(DataError, match=r"loader_of_mine\.load: .* labels from 0 to 8"):
        _ = Run(config, tmp_path, "").data


def test_a_data_set_without_training_examples_is_usable() -> None:
    empty = Split(torch.zeros(0, 1, 4, 4), torch.zeros(0, dtype=torch.int64))
    some = Split(torch.rand(3, 1, 4, 4), torch.arange(3))
    assert usable(Dataset("mine", 3, empty, empty, some), "mine.load")


def blocks(language: str) -> list[str]:
    """The blocks of a language on the page about images of one's own."""
    page = (Path(__file__).parents[1] / "docs" / "own_data.md").read_text()
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


@pytest.fixture
def loaders(tmp_path, monkeypatch) -> Path:
    """The page's two loaders as files of the working folder."""
    codes = [code for code in blocks("python") if "def load" in code]
    for name, code in zip(("my_kmnist", "my_arrays"), codes, strict=True):
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(command: str, *more: str) -> Dataset:
    """The data set of a command of the page."""
    from advx.config.compose import composed
    from advx.run import Run, check

    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["advx", "run"]
    config, main = composed([*words[2:], "device.threads=1", "store=store", *more])
    check(config, main)
    run = Run(config, Path("out"), command)
    run.check_models()
    return run.data


def test_the_pages_loader_of_arrays(loaders) -> None:
    images = torch.randint(256, (80, 1, 8, 8), dtype=torch.uint8)
    labels = torch.arange(80) % 3
    torch.save((images, labels, images[:9], labels[:9]), "arrays.pt")
    command = next(code for code in blocks("") if "my_arrays.load" in code)
    data = loaded(command)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 20, 9]
    assert torch.equal(data.train.images, images[:60].float() / 255)
    assert (data.name, data.classes) == ("my arrays", 3)
    few = loaded(command, "dataset.limit={train: 30}")
    assert len(few.train) == 30
    assert few.fingerprint != data.fingerprint


def test_the_pages_loader_of_a_data_set_of_torchvisions(loaders, monkeypatch) -> None:
    """KMNIST's files, of sixteen images each, which count as published."""
    import torchvision

    monkeypatch.setenv("ADVX_CACHE", str(loaders / "cache"))
    raw = loaders / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    resources = []
    for name, _ in torchvision.datasets.KMNIST.resources:
        head = bytes([0, 0, 8, 3 if "images" in name else 1]) + (16).to_bytes(4, "big")
        head += (28).to_bytes(4, "big") * 2 if "images" in name else b""
        body = bytes(i % 251 for i in range(16 * 784)) if "images" in name else bytes(range(10))
        (raw / name).write_bytes(gzip.compress(head + body.ljust(16, b"\0"), mtime=0))
        resources.append((name, hashlib.md5((raw / name).read_bytes()).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.KMNIST, "resources", resources)
    command = next(code for code in blocks("") if "my_kmnist.load" in code)
    sizes = ("dataset.train=12", "dataset.validation=4", f"data_dir={loaders / 'data'}")
    data = loaded(command, *sizes)
    assert (data.name, len(data.train), len(data.validation)) == ("kmnist", 12, 4)
    assert data.test.images[0, 0, 0, 1].item() == pytest.approx(1 / 255)
    assert data.test.labels.tolist() == [*range(10), *[0] * 6]
    monkeypatch.setattr(torchvision.datasets.KMNIST, "resources",
                        [(name, "0" * 32) for name, _ in resources])  # fmt: skip
    with pytest.raises(DataError, match=r"dataset=kmnist: .* has MD5 .*dataset.digests=FILE"):
        loaded(command, *sizes)
