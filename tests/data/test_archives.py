"""Archives of arrays as they come: every number format, and whatever can be broken in them."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from advx.data.images import load
from advx.errors import AdvxError, DataError

GRAY = np.random.default_rng(0).integers(0, 256, (8, 6), dtype=np.uint8)
DEEP = np.linspace(0, 65_535, 48).reshape(8, 6).astype(np.uint16)


def refused(path: Path, match: str, **more: object) -> None:
    with pytest.raises(AdvxError, match=match) as caught:
        load(path=str(path), **more)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", [">u2", "<u2", "u1", ">f4", "f8", "f2", "longdouble"])
def test_every_number_format_gives_the_same_image(tmp_path, kind) -> None:
    levels = np.stack([GRAY, GRAY[::-1]])
    whole = {"u1": levels, ">u2": levels.astype(">u2") * 257, "<u2": levels.astype("<u2") * 257}
    images = whole.get(kind, (levels / 255).astype(kind))
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([1, 0], ">i2"))
    found = load(path=str(tmp_path / "a.npz")).test
    expected = torch.from_numpy(levels).float() / 255
    torch.testing.assert_close(
        found.images[:, 0], expected, atol=1e-3 if kind == "f2" else 1e-7, rtol=0
    )
    assert found.labels.tolist() == [1, 0]
    if kind in ("u1", "f8", "longdouble"):
        assert torch.equal(found.images[:, 0], expected)


def test_whole_numbers_of_other_formats_ask_what_is_white(tmp_path) -> None:
    for images, message in (
        (GRAY.astype(np.int64), r"pixels from \d+ to 2\d\d; .* \(dataset.white=255\)"),
        (DEEP.astype(np.int32), r"pixels from 0 to 65535; .* \(dataset.white=65535\)"),
        (GRAY.astype(np.int16) - 100, r"pixels from -\d+ to \d+; \[0, 1\] is needed$"),
    ):
        np.savez(tmp_path / "a.npz", images=images[None], labels=[0])
        refused(tmp_path / "a.npz", message)
    np.savez(tmp_path / "a.npz", images=GRAY.astype(np.int64)[None], labels=[0])
    found = load(path=str(tmp_path / "a.npz"), white=255).test
    np.savez(tmp_path / "b.npz", images=GRAY[None], labels=[0])
    assert found.digest() == load(path=str(tmp_path / "b.npz")).test.digest()


@pytest.fixture
def archive(tmp_path) -> Path:
    """60 images, compressed."""
    images = np.tile(np.stack([GRAY, GRAY // 2]), (30, 1, 1))
    np.savez_compressed(tmp_path / "good.npz", images=images, labels=np.arange(60) % 10)
    return tmp_path / "good.npz"


def test_archives_that_are_none_are_named(tmp_path, archive) -> None:
    content = archive.read_bytes()
    np.save(tmp_path / "array.npy", np.zeros((3, 8, 8)))
    for name, broken, message in (
        ("empty", b"", "the file is empty"),
        ("text", b"images,labels\n", "cut off, or not made by np.savez"),
        ("cut", content[:200], "cut off, or not made by np.savez"),
        ("array", (tmp_path / "array.npy").read_bytes(), "a single array; np.savez makes an arch"),
        ("pickle", b"\x80\x04N.", "cut off, or not made by np.savez"),
    ):
        (tmp_path / f"{name}.npz").write_bytes(broken)
        refused(tmp_path / f"{name}.npz", rf"cannot be read \({message}")
    (tmp_path / "one.zip").write_bytes(content)
    refused(tmp_path / "one.zip", "one.zip: neither a folder nor a .npz file")
    (tmp_path / "GOOD.NPZ").write_bytes(content)
    assert len(load(path=str(tmp_path / "GOOD.NPZ")).test) == 60


def test_no_damage_to_an_archive_is_a_traceback_or_another_image(tmp_path, archive) -> None:
    content, good = archive.read_bytes(), load(path=str(archive)).test
    broken = tmp_path / "broken.npz"
    said = []
    for place in itertools.chain(range(130), range(130, len(content), 7)):
        damaged = bytearray(content)
        damaged[place] ^= 255
        broken.write_bytes(damaged)
        try:
            found = load(path=str(broken)).test
        except DataError as error:
            said.append(str(error))
        else:  # a date, say
            assert torch.equal(found.images, good.images)
            assert torch.equal(found.labels, good.labels)
    assert len(said) > 50
    assert all(str(broken) in line and "\n" not in line for line in said)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.float32(3), "labels": [0, 1]}, "images is a single value"),
        ({"images": np.full((2, 4, 4), "a"), "labels": [0, 1]}, "images of type <U1; valid: whole"),
        ({"images": np.zeros((2, 4, 4), complex), "labels": [0, 1]}, "images of type complex128"),
        ({"images": np.zeros((2, 4, 4), "M8[s]"), "labels": [0, 1]}, "images of type datetime64"),
        ({"images": np.zeros((2, 4, 4), "i4,f4"), "labels": [0, 1]}, "images of type "),
        (
            {"images": np.array([np.zeros((4, 4)), np.zeros((5, 4))], object), "labels": [0, 1]},
            r"cannot be read \(images holds Python objects, as images of different sizes do",
        ),
        (
            {"images": np.zeros((2, 4, 4)), "labels": np.array([0, "b"], object)},
            "labels holds Pyth",
        ),
        ({"images": np.zeros((2, 4, 4)), "labels": ["a", "b"]}, r"labels of shape \(2,\) and type"),
        ({"images": np.zeros((2, 4, 4)), "labels": np.int64(1)}, r"labels of shape \(\)"),
        ({"images": np.zeros((2, 4, 4)), "labels": np.eye(2)}, r"labels of shape \(2, 2\)"),
        (
            {"images": np.zeros((2, 4, 4)), "labels": np.array([0, 2**63], np.uint64)},
            "label 9223372036854775807 of image 1",
        ),
        ({"images": np.zeros((2, 0, 4)), "labels": [0, 1]}, "no images in it"),
        ({f"x{k}": [1] for k in range(99)}, "no array 'images' in it, only x0, .*x7, …; images"),
        (
            {"images": np.full((2, 4, 4), np.inf), "labels": [0, 1]},
            "image 0 has pixels that are no",
        ),
    ],
)
def test_arrays_of_the_wrong_kind_are_named(tmp_path, arrays, message) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    refused(tmp_path / "bad.npz", message)


def test_a_damaged_archive_on_the_command_line(tmp_path, archive, monkeypatch, capsys) -> None:
    from advx.cli import main

    (tmp_path / "crc.npz").write_bytes(archive.read_bytes()[:-1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["advx", "attack", "dataset=images", "dataset.path=crc.npz"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "dataset.path=crc.npz: cannot be read (" in said[0]
