"""The pages on networks, data, attacks and experiments of one's own: their files and commands run.

KMNIST's files are small ones in its format, written here.
"""

import gzip
import hashlib
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from advx.config.compose import composed
from advx.data.dataset import Dataset
from advx.errors import DataError
from advx.run import Run, check, check_models
from tests.paths import ROOT
from tests.printed import README, SMOKE, commands, kind

OWN_PAGES = ["own-models.md", "own-data.md"]

FEW = ["figure_examples=1"]
NO_EXAMPLES = re.compile("my_table|my_game|dcgan|censored|domain")
"""In commands of experiments whose figures show no examples."""


def files_of(page: str) -> dict[str, str]:
    """The files that a page of `docs/` prints: blocks after a line with the name and a colon."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(
        r"`([\w/]+\.(?:py|yaml))`[^`]*:\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    )
    return dict(found)


@pytest.fixture
def kmnist(tmp_path, monkeypatch) -> list[str]:
    """Small files in KMNIST's format under `data/`; the words that have a command read them."""
    monkeypatch.setenv("ADVX_CACHE", str(tmp_path / "cache"))
    raw = tmp_path / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    digests = {}
    for part, count in (("train", 120), ("t10k", 40)):
        labels = bytes(k % 10 for k in range(count))
        images = b"".join(bytes([25 * k + place % 20 for place in range(784)]) for k in labels)
        size, side = count.to_bytes(4, "big"), (28).to_bytes(4, "big")
        for name, content in (
            ("images-idx3", bytes([0, 0, 8, 3]) + size + 2 * side + images),
            ("labels-idx1", bytes([0, 0, 8, 1]) + size + labels),
        ):
            packed = gzip.compress(content, mtime=0)
            (raw / f"{part}-{name}-ubyte.gz").write_bytes(packed)
            digests[f"{part}-{name}-ubyte.gz"] = hashlib.md5(packed).hexdigest()
    (tmp_path / "digests.json").write_text(json.dumps(digests), encoding="utf-8")
    sizes = ["dataset.train=80", "dataset.validation=40"]
    return ["data_dir=data", "dataset.digests=digests.json", *sizes]


@pytest.fixture
def reader(readers_files, kmnist, monkeypatch) -> Path:
    """The folder of a reader who has copied all files of both pages, with data for the loaders."""
    for page in OWN_PAGES:
        for name, text in files_of(page).items():
            (readers_files / name).parent.mkdir(parents=True, exist_ok=True)
            (readers_files / name).write_text(text, encoding="utf-8")
            monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    images, labels = torch.randint(256, (80, 1, 8, 8), dtype=torch.uint8), torch.arange(80) % 3
    torch.save((images, labels, images[:9], labels[:9]), readers_files / "arrays.pt")
    return readers_files


def is_kmnist(words: list[str]) -> bool:
    """Whether a command reads KMNIST."""
    return any(re.search(r"kmnist|my_table", word) for word in words)


@pytest.mark.parametrize("page", OWN_PAGES)
def test_every_command_of_a_page_on_own_code_runs_as_printed(page, reader, kmnist, command) -> None:
    ran = [words for words in commands(ROOT / "docs" / page) if words[1:] and words not in README]
    if find_spec("foolbox") is None:
        ran = [words for words in ran if not any("foolbox" in word for word in words)]
    for words in ran:
        few = [] if any(map(NO_EXAMPLES.search, words)) else FEW
        done = command(*words, *SMOKE, *few, *(kmnist if is_kmnist(words) else []))
        assert done.status == 0, (words, done.err)
        assert not is_kmnist(words) or "kmnist (80 training, 40 test examples; 4 data" in done.out
    assert len(ran) > 2
    if page == "own-models.md":
        assert "nearest neighbor resists" in done.out
        words = next(words for words in ran if "attack=momentum" in words)
        done = command(*words, "attack.steps=0")
        assert (done.status, len(done.err.splitlines())) == (2, 1)
        assert "attack.steps=0" in done.err


def loaded(words: list[str], *more: str) -> Dataset:
    """The data set of a command's run."""
    config, main = composed([*words[1:], "device.threads=1", "store=store", *more])
    check(config, main)
    run = Run(config, Path("out"), "advx")
    check_models(run)
    return run.data


def command_with(page: str, word: str) -> list[str]:
    """The first command of a page that has this word."""
    return next(words for words in commands(ROOT / "docs" / page) if word in words)


def test_the_pages_loader_of_a_data_set_of_torchvisions(reader, kmnist, monkeypatch) -> None:
    monkeypatch.chdir(reader)
    monkeypatch.syspath_prepend(str(reader))
    words = command_with("own-models.md", "dataset._target_=my_kmnist.load")
    data = loaded(words, *kmnist)
    assert (data.name, len(data.train), len(data.validation)) == ("kmnist", 80, 40)
    assert data.test.labels.tolist() == [*range(10)] * 4
    assert torch.equal(data.test.images[3, 0, 0, :2], torch.tensor([75, 76]) / 255)
    with pytest.raises(DataError, match=r"dataset=kmnist: .* has MD5 .*dataset.digests=FILE"):
        loaded(words, *(word for word in kmnist if "digests" not in word))


def test_the_pages_loader_of_arrays(reader, monkeypatch) -> None:
    monkeypatch.chdir(reader)
    monkeypatch.syspath_prepend(str(reader))
    words = command_with("own-data.md", "dataset._target_=my_arrays.load")
    data = loaded(words)
    images = torch.load("arrays.pt")[0]
    assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 20, 9]
    assert torch.equal(data.train.images, images[:60].float() / 255)
    assert (data.name, data.classes) == ("my arrays", 3)
    few = loaded(words, "dataset.limit={train: 30}")
    assert len(few.train) == 30
    assert few.fingerprint != data.fingerprint


def test_no_other_page_has_commands_with_own_files() -> None:
    """They would be run by no test: those of README are, in `test_commands.py`."""
    for page in (ROOT / "docs").rglob("*.md"):
        own = [words for words in commands(page) if kind(words) == "own files"]
        assert not own or page.name in OWN_PAGES, page
