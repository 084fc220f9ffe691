"""Splits, subsets and digests."""

import gzip
import hashlib
import json
import math
import os

import pytest
import torch
import torchvision

from advx.data import cifar10, mnist, mnist5k, stacked_mnist
from advx.data.dataset import Dataset, Split, from_arrays, one_of_each_class, stratified
from advx.errors import ConfigError, DataError
from advx.text_files import file_digest
from tests.paths import REFERENCE

needs_data = pytest.mark.skipif("ADVX_DATA" not in os.environ, reason="ADVX_DATA is not set")


def test_mnist5k_is_stratified_and_disjoint() -> None:
    data = mnist5k.load()
    for split, count in ((data.train, 350), (data.validation, 50), (data.test, 100)):
        assert torch.bincount(split.labels).tolist() == [count] * 10
    rows = torch.cat([data.train.images, data.validation.images, data.test.images]).flatten(1)
    assert len(rows.unique(dim=0)) == 5000
    assert data.fingerprint == "195bd19d754a11a3"
    assert data.part_of == "mnist"


def test_stratified_subset_keeps_proportions_and_order() -> None:
    labels = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)[torch.randperm(100)]
    split = Split(torch.arange(100).float(), labels)
    subset = stratified(split, 17)
    assert len(subset) == 17
    assert torch.bincount(subset.labels).tolist() == [9, 5, 3]  # shares 8.5, 5.1, 3.4
    assert (subset.images.diff() > 0).all()
    with pytest.raises(ConfigError, match="only 100"):
        stratified(split, 101)


def test_one_of_each_class_comes_first() -> None:
    labels = torch.tensor([2, 2, 0, 1, 0, 1, 1])
    assert one_of_each_class(labels, 7).tolist() == [2, 3, 0, 4, 5, 1, 6]


@pytest.fixture
def fake_mnist(tmp_path, monkeypatch):
    """Sixteen-example files in MNIST's format whose digests count as published."""
    monkeypatch.setenv("ADVX_CACHE", str(tmp_path / "cache"))
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    resources = []
    for name, _ in torchvision.datasets.MNIST.resources:
        images = "images" in name
        head = bytes([0, 0, 8, 3 if images else 1]) + (16).to_bytes(4, "big")
        head += (28).to_bytes(4, "big") * 2 if images else b""
        body = (
            bytes((i * 7) % 251 for i in range(16 * 784)) if images else bytes(range(10)) + bytes(6)
        )
        (raw / name).write_bytes(gzip.compress(head + body, mtime=0))
        resources.append((name, hashlib.md5((raw / name).read_bytes()).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    return tmp_path / "data"


def load(folder, **more):
    return mnist.load(data_dir=str(folder), train=12, validation=4, **more)


def test_packed_files_are_unpacked_into_the_cache(fake_mnist, tmp_path) -> None:
    data = load(fake_mnist)
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 4, 16)
    assert data.train.images[0, 0, 0, 1].item() == pytest.approx(7 / 255)
    assert sorted(p.suffix for p in fake_mnist.rglob("*-ubyte*")) == [".gz"] * 4
    unpacked = next((tmp_path / "cache").rglob("train-images-idx3-ubyte"))
    unpacked.write_bytes(b"damaged")
    assert torch.equal(load(fake_mnist).train.images, data.train.images)


def test_damaged_file_is_refused_and_can_be_accepted(fake_mnist, tmp_path) -> None:
    path = fake_mnist / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content, compresslevel=1, mtime=1))
    with pytest.raises(
        DataError, match=r"t10k-labels.* has MD5 .* expected .*dataset\.digests=FILE"
    ):
        load(fake_mnist)
    digests = tmp_path / "digests.json"
    digests.write_text(json.dumps({f"MNIST/raw/{path.name}": file_digest(path, "md5")}))
    data = load(fake_mnist, digests=str(digests))
    assert "1 data files differ from the published ones" in data.remarks[0]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="has MD5"):
        load(fake_mnist, digests=str(digests))


def test_missing_files_offline_is_one_helpful_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ADVX_CACHE", str(tmp_path / "cache"))

    def refuse(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DataError) as caught:
        mnist.load(data_dir=str(tmp_path / "none"))
    line = str(caught.value)
    assert "\n" not in line
    for part in ("train-images-idx3-ubyte.gz", str(tmp_path / "none"), "dataset=mnist5k"):
        assert part in line


@needs_data
@pytest.mark.mnist
def test_real_mnist() -> None:
    data = mnist.load(data_dir=os.environ["ADVX_DATA"])
    assert [len(s) for s in (data.train, data.validation, data.test)] == [50_000, 10_000, 10_000]
    assert data.fingerprint == "495db0cdc0051860"
    ours = {row.numpy().tobytes() for row in mnist5k.load().test.images}
    theirs = {row.numpy().tobytes() for row in data.train.images}
    assert ours <= theirs, "mnist5k must be a part of MNIST's first 50,000 training digits"


@needs_data
@pytest.mark.cifar10
def test_real_cifar10_needs_its_digests_named() -> None:
    folder = os.environ["ADVX_DATA"]
    data = cifar10.load(data_dir=folder, digests=f"{folder}/cifar10_digests.json")
    assert data.input_shape == (3, 32, 32)
    assert torch.bincount(data.test.labels).tolist() == [1000] * 10
    assert "6 data files differ" in data.remarks[0]
    assert (data.fingerprint, data.test.digest()[:16]) == ("e7fb38efdf5bd556", "cc6803835060ae26")


NAMES = {
    "training examples": ("195bd19d754a11a3", "ea7607a0b5214732"),
    "training and validation examples": ("eed06de11ac1a1af", "ea7607a0b5214732"),
    "first half": ("a6fb073b5239292c", "ea7607a0b5214732"),
    "second half": ("c73c4ad4d51505c8", "ea7607a0b5214732"),
    "limited": ("4de147f46142c408", "258b72c7aba444f8"),
    "stacked": ("62fe27ab5601b7bd", "f0bb042fc359220f"),
}
"""Fingerprints and digests of the test examples that the store's keys are made of."""


def test_the_chapters_data_keep_their_names() -> None:
    """Another name would train every kept network again."""
    data = mnist5k.load()
    few = mnist5k.load(limit={"train": 200, "validation": 50, "test": 100})
    found = {
        "training examples": data,
        "training and validation examples": data.merged(),
        "first half": data.half(0),
        "second half": data.half(1),
        "limited": few,
        "stacked": stacked_mnist.load(source="mnist5k", train=40, test=20),
    }
    names = {key: (each.fingerprint, each.test.digest()[:16]) for key, each in found.items()}
    assert names == NAMES


@needs_data
@pytest.mark.mnist
def test_the_reference_runs_data_keep_their_names() -> None:
    """What the manifests under outputs/reference say, on the data that they were made on."""
    folder = os.environ["ADVX_DATA"]
    seen = set()
    for path in REFERENCE.glob("*/manifest.json"):
        manifest = json.loads(path.read_text())
        node, said = manifest["config"].get("dataset") or {}, manifest["data"]
        if said["name"] not in ("mnist", "stacked_mnist"):
            continue
        key = (said["name"], json.dumps(node.get("limit")))
        if key in seen:
            continue
        seen.add(key)
        limit = {"limit": node["limit"]} if node.get("limit") else {}
        module = mnist if said["name"] == "mnist" else stacked_mnist
        data = module.load(data_dir=folder, **limit)
        assert (data.fingerprint, data.test.digest()[:16]) == (said["fingerprint"], said["test"])
    assert len(seen) >= 3


def test_images_in_8_bits_are_named_alike_however_they_were_divided() -> None:
    gray, labels = torch.arange(256).view(4, 1, 8, 8), torch.arange(4)
    name = Split(gray.float().div(255), labels).digest()
    for images in (gray.double() / 255, torch.from_numpy(gray.numpy() / 255)):
        assert Split(images.float(), labels).digest() == name
    assert Split(gray.float().div(255) + 0.0, labels).digest() == name


@pytest.mark.parametrize("by", [1e-7, 1e-5, 0.4 / 255, -0.4 / 255, float("nan")])
def test_no_change_of_an_image_is_too_small_for_its_name(by) -> None:
    gray, labels = torch.randint(1, 127, (5, 1, 4, 4)), torch.arange(5)
    split = Split(gray.float() / 255, labels)
    moved = split.images.clone()
    moved[3, 0, 2, 2] = by if math.isnan(by) else moved[3, 0, 2, 2] + by
    other = Split(moved, labels)
    assert other.digest() != split.digest()
    data, changed = (Dataset("own", 5, part, part, part) for part in (split, other))
    assert data.fingerprint != changed.fingerprint
    assert data.merged().fingerprint != changed.merged().fingerprint
    again = moved.clone()
    again[0, 0, 0, 0] += 1e-6
    assert Split(again, labels).digest() != other.digest()


def test_shape_and_number_format_are_part_of_a_name() -> None:
    images, labels = torch.rand(6, 1, 4, 4), torch.arange(6)
    split = Split(images, labels)
    others = [
        images.view(6, 1, 2, 8),
        images.view(6, 4, 2, 2),
        images.double(),
        images.half(),
        images.bfloat16(),
        images > 0.5,
        images - 1,
    ]
    digests = {Split(other, labels).digest() for other in others} | {split.digest()}
    assert len(digests) == len(others) + 1
    assert Split(images, labels.flip(0)).digest() not in digests
    assert Split(images.transpose(2, 3).contiguous().transpose(2, 3), labels).digest() in digests


def test_thumbnails_are_named_by_what_they_are_made_of() -> None:
    """They may look alike in 8 bits where what they are made of does not."""
    gray = torch.randint(1, 255, (8, 1, 8, 8))
    near = gray.clone()
    near[0, 0, 0, 0] += 1
    labels = torch.arange(8)
    first, second = (
        Dataset("own", 8, *[Split(each.float() / 255, labels)] * 3).shrunk(2)
        for each in (gray, near)
    )
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint != first.shrunk(2).fingerprint
    small = [mnist5k.load().shrunk(factor).fingerprint for factor in (2, 4)]
    assert small == ["98e9776c720c795a", "d5a59bcc1aee741f"]  # on any processor


def test_halves_are_disjoint_and_alike(tiny) -> None:
    first, second = tiny.half(0), tiny.half(1)
    for name in ("train", "validation"):
        whole, one, other = (getattr(data, name) for data in (tiny, first, second))
        together = torch.cat([one.images, other.images]).flatten(1)
        assert len(together) == len(whole)
        assert {tuple(x) for x in together.tolist()} == {
            tuple(x) for x in whole.images.flatten(1).tolist()
        }
        counts = [torch.bincount(split.labels, minlength=3) for split in (one, other)]
        assert (counts[0] - counts[1]).abs().max() <= 1
    assert torch.equal(first.test.images, tiny.test.images)
    assert len({tiny.fingerprint, first.fingerprint, second.fingerprint}) == 3


def test_classes_are_called_by_name_where_they_have_one() -> None:
    images, labels = torch.zeros(6, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 2, 0, 1, 2])
    arguments = (images, labels, images, labels)
    sizes = {"classes": 3, "train": 4, "validation": 2}
    assert from_arrays("d", *arguments, **sizes).class_names == ("0", "1", "2")
    named = from_arrays("d", *arguments, **sizes, class_names=("cat", "dog", "ox"))
    assert named.half(0).class_names == named.merged().class_names == ("cat", "dog", "ox")
    assert named.fingerprint == from_arrays("d", *arguments, **sizes).fingerprint
