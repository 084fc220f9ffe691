"""Images as they come: what lies beside them, what they are made of, what is broken."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from advx.data.dataset import Dataset
from advx.data.images import load
from advx.data.one_image import load_image
from advx.errors import AdvxError, DataError

GRAY = np.random.default_rng(0).integers(0, 256, (8, 6), dtype=np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (8, 6, 3), dtype=np.uint8)
OPAQUE = np.dstack([COLOR, np.full((8, 6), 255, np.uint8)])
DEEP = np.linspace(0, 65_535, 48).reshape(8, 6).astype(np.uint16)


@pytest.fixture
def pets(tmp_path) -> Path:
    """Two classes of one image each."""
    for name, shade in (("cat", 0), ("dog", 200)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.fromarray(GRAY // 4 + np.uint8(shade // 2)).save(tmp_path / "pets" / name / "0.png")
    return tmp_path / "pets"


def labels(path: Path, **more: int) -> list[int]:
    return load(path=str(path), **more).test.labels.tolist()


def one(tmp_path: Path, name: str, image: Image.Image | bytes, **more: object) -> Dataset:
    """The data set of a folder with one image."""
    (tmp_path / "p" / "0").mkdir(parents=True, exist_ok=True)
    file = tmp_path / "p" / "0" / name
    file.write_bytes(image) if isinstance(image, bytes) else image.save(file, **more)
    return load(path=str(tmp_path / "p"))


def refused(path: Path, match: str, **more: object) -> None:
    with pytest.raises(AdvxError, match=match) as caught:
        load(path=str(path), **more)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "left",
    [".ipynb_checkpoints/", ".git/", "bin/", "a/", "__MACOSX/cat/", ".DS_Store", "Thumbs.db"],
)
def test_what_programs_leave_behind_moves_no_class(pets, left) -> None:
    if left.endswith("/"):
        (pets / left).mkdir(parents=True)
        (pets / left / "._0.png").write_bytes(b"")
    else:
        (pets / left).write_bytes(b"?")
        (pets / "cat" / left).write_bytes(b"?")
    (pets / "cat" / "._0.png").write_bytes(b"\0\5\x16\7")
    data = load(path=str(pets))
    assert data.test.labels.tolist() == [0, 1]
    said = "folders without images are no classes: "
    visible = left.endswith("/") and not left.startswith(".")
    assert data.remarks == ((said + left.split("/")[0],) if visible else ())


def test_stray_files_are_passed_over_and_counted(pets) -> None:
    for name in ("readme.txt", "cat/labels.csv", "dog/1.heic"):
        (pets / name).write_bytes(b"?")
    data = load(path=str(pets))
    assert data.test.labels.tolist() == [0, 1]
    assert data.remarks == ("passed over 3 files not named as images, e.g. readme.txt",)


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb", b"$x_$", "caf\u00e9".encode()])
def test_odd_names_that_are_passed_over_do_not_end_a_run(pets, command, name) -> None:
    try:
        (pets / os.fsdecode(name)).mkdir()
        (pets / os.fsdecode(name + b".txt")).write_bytes(b"?")
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)).state_dict(), pets / ".w.pt")
    (pets.parent / "odd_nets.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.Flatten(), nn.Linear(48, 2))\n",
        encoding="utf-8",
    )
    said = load(path=str(pets)).remarks
    spelled = {b"caf\xe9": "caf\\udce9", b"a\nb": "a\\nb", b"$x_$": r"\$x_\$"}.get(
        name, os.fsdecode(name)
    )
    assert [f": {spelled}" in said[0], f"e.g. {spelled}.txt" in said[1]] == [True, True]
    done = command(
        "attack",
        "device.threads=1",
        "figure_examples=1",
        "model@crafting=custom",
        "crafting._target_=odd_nets.net",
        "crafting.weights=pets/.w.pt",
        "dataset=images",
        "dataset.path=pets",
        "dataset.classes=2",
        "attack=fgsm",
    )
    assert (done.status, done.err) == (0, "")
    assert spelled in done.out


def test_suffixes_in_capitals_and_links_count(pets) -> None:
    (pets / "cat" / "0.png").rename(pets / "cat" / "0.PNG")
    (pets / "cat" / "1.png").symlink_to(pets / "dog" / "0.png")
    (pets / "eel").symlink_to(pets / "dog")
    assert labels(pets) == [0, 0, 1, 2]
    (pets / "cat" / "2.png").symlink_to(pets / "nowhere.png")
    refused(pets, r"cat/2.png cannot be read \(.*No such file")


def test_numbered_folders_keep_their_numbers(tmp_path) -> None:
    for name in ("10", "9", "2", "007", ".3"):
        (tmp_path / "n" / name).mkdir(parents=True)
        Image.fromarray(GRAY).save(tmp_path / "n" / name / "a.png")
    (tmp_path / "n" / "4").mkdir()
    assert labels(tmp_path / "n", class_count=11) == [7, 10, 2, 9]
    refused(tmp_path / "n", r"label 10 of image 1 is not one of 0 … 9")
    (tmp_path / "n" / "7").mkdir()
    Image.fromarray(GRAY).save(tmp_path / "n" / "7" / "a.png")
    refused(tmp_path / "n", "folders 007 and 7 are both class 7", class_count=11)
    (tmp_path / "n" / "7").rename(tmp_path / "n" / ("9" * 30))
    refused(tmp_path / "n", r"label \d{19} of image 4 is not one of", class_count=11)
    (tmp_path / "n" / ("9" * 30)).rename(tmp_path / "n" / "²")
    refused(tmp_path / "n", r"some folders are numbers \(7\), some are names \(²\)")


def test_images_that_lie_too_deep_are_not_left_out_in_silence(pets) -> None:
    (pets / "cat" / "more" / "old").mkdir(parents=True)
    Image.fromarray(GRAY).save(pets / "cat" / "more" / "old" / "9.png")
    refused(pets, r"more/old/9.png lies too deep; images are read from .*pets/class/ only")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_folders_that_may_not_be_read_are_named(pets) -> None:
    (pets / "cat").chmod(0)
    refused(pets, "cannot be read .*Permission denied")
    (pets / "cat").chmod(0o700)


def test_every_level_of_deep_images_is_read(tmp_path) -> None:
    pgm = b"P5 6 8 65535\n" + DEEP.astype(">u2").tobytes()
    expected = torch.from_numpy(DEEP.astype(np.float32)) / 65_535
    big_endian = Image.fromarray(DEEP.astype(">u2"))
    for name, image in (
        ("a.png", Image.fromarray(DEEP)),
        ("a.tif", Image.fromarray(DEEP)),
        ("b.tif", big_endian),
        ("a.pgm", pgm),
    ):
        found = one(tmp_path / name, name, image).test.images
        assert torch.equal(found[0, 0], expected), name
    floats = (DEEP / 65_535).astype(np.float32)
    found = one(tmp_path, "a.tif", Image.fromarray(floats)).test.images
    assert torch.equal(found[0, 0], torch.from_numpy(floats))
    Image.fromarray(DEEP).save(tmp_path / "one.png")
    image = load_image(str(tmp_path / "one.png"), (1, 8, 6))
    assert torch.equal(image[0, 0], (expected * 255).round() / 255)


def test_numbers_whose_white_is_not_known_are_refused_or_told(tmp_path) -> None:
    for name, image, message in (
        ("f.tif", (DEEP / 257).astype(np.float32), r"f.tif: pixels from 0 to 255; .*white=255"),
        ("i.tif", DEEP.astype(np.int32), r"i.tif: pixels from 0 to 65535; .*white=65535"),
        ("n.tif", np.full((8, 6), np.nan, np.float32), r"n.tif: pixels that are no numbers"),
    ):
        with pytest.raises(DataError, match=message):
            one(tmp_path / name, name, Image.fromarray(image))
    for name, white in (("f.tif", 255), ("i.tif", 65_535)):
        found = load(path=str(tmp_path / name / "p"), white=white).test.images[0, 0]
        torch.testing.assert_close(found, torch.from_numpy(DEEP / 65_535).float())
    with pytest.raises(DataError, match=r"image=.*f.tif: pixels from 0 to 255; \[0, 1\] is needed"):
        load_image(str(tmp_path / "f.tif" / "p" / "0" / "f.tif"), (1, 8, 6))
    twelve = one(tmp_path, "12.png", Image.fromarray(DEEP // 16))
    assert twelve.remarks == (
        "no pixel is brighter than 4095 of 65535: dataset.white says what is white",
    )


def test_masks_are_not_divided_by_255_in_silence(tmp_path) -> None:
    mask = np.array([GRAY > 128, GRAY < 50])
    arrays = {"uint8": mask.astype(np.uint8), "deep": mask.astype(np.uint16) * 255}
    for name, images in arrays.items():
        np.savez(tmp_path / f"{name}.npz", images=images, labels=[0, 1])
    file = tmp_path / "uint8.npz"
    refused(file, r"no pixel is brighter than 1 of 255, .*dataset.white=1 for .*dataset.white=255")
    assert torch.equal(
        load(path=str(file), white=1).test.images[:, 0], torch.from_numpy(mask) * 1.0
    )
    assert load(path=str(file), white=255).test.images.max().item() == pytest.approx(1 / 255)
    refused(tmp_path / "deep.npz", r"than 255 of 65535, .*dataset.white=255 for .*white=65535")
    with pytest.raises(DataError, match=r"brighter than 1 of 255"):
        one(tmp_path, "a.png", Image.fromarray(mask[0].astype(np.uint8)))
    refused(file, r"pixels from 0 to 1, but dataset.white=0.5; 0 … 0.5 is needed", white=0.5)
    for images in (mask, mask.astype(np.int64), mask.astype(np.float16), mask * 0.5, mask * 0.001):
        np.savez(tmp_path / "plain.npz", images=images, labels=[0, 1])
        found = load(path=str(tmp_path / "plain.npz")).test.images[:, 0]
        assert torch.equal(found, torch.from_numpy(images.astype(np.float32)))
    np.savez(tmp_path / "black.npz", images=np.zeros((2, 8, 6), np.uint8), labels=[0, 1])
    assert load(path=str(tmp_path / "black.npz")).test.images.max() == 0


def png(depth: int, kind: int, rows: np.ndarray) -> bytes:
    """A PNG file that Pillow does not write: rows (h, bytes) uint8."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    size = struct.pack(">IIBBBBB", 6, len(rows), depth, kind, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    )


def test_transparent_pixels_and_deep_colors_are_not_dropped_in_silence(tmp_path) -> None:
    clear = OPAQUE.copy()
    clear[2, 3, 3] = 254
    palette = Image.fromarray(COLOR).quantize(16)
    for name, image, more in (
        ("rgba.png", Image.fromarray(clear), {}),
        ("la.png", Image.fromarray(clear).convert("LA"), {}),
        ("p.png", palette, {"transparency": 0}),
        ("p.gif", palette, {"transparency": 0}),
        ("l.png", Image.fromarray(GRAY), {"transparency": int(GRAY[0, 0])}),
        ("rgb.png", Image.fromarray(COLOR), {"transparency": tuple(map(int, COLOR[0, 0]))}),
    ):
        with pytest.raises(DataError, match=f"{name} has transparent pixels; save it on a backgr"):
            one(tmp_path / name, name, image, **more)
    deep = COLOR.astype(">u2") * 257
    with pytest.raises(DataError, match=r"a.png has 16 bits a color, of which 8 could be read"):
        one(tmp_path, "a.png", png(16, 2, deep.view(np.uint8).reshape(8, -1)))


def test_what_is_opaque_is_read_whatever_its_mode(tmp_path) -> None:
    color, gray = torch.from_numpy(COLOR).permute(2, 0, 1) / 255, torch.from_numpy(GRAY) / 255
    for name, image, expected in (
        ("rgba.png", Image.fromarray(OPAQUE), color),
        ("la.png", Image.merge("LA", [Image.fromarray(GRAY), Image.new("L", (6, 8), 255)]), gray),
        ("one.png", Image.fromarray(GRAY > 128), torch.from_numpy(GRAY > 128) * 1.0),
        ("cmyk.tif", Image.fromarray(COLOR).convert("CMYK"), color),
        ("p.png", Image.fromarray(COLOR).quantize(48), color),
    ):
        found = one(tmp_path / name, name, image).test.images[0]
        torch.testing.assert_close(found, expected.expand_as(found), atol=0.04, rtol=0)


def test_cameras_that_were_turned_give_upright_images(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter clockwise
    ramp = np.tile(np.linspace(0, 255, 6).astype(np.uint8), (8, 1))
    expected = np.rot90(ramp, -1) / 255
    for name in ("a.png", "a.tif", "a.jpg"):
        found = one(tmp_path / name, name, Image.fromarray(ramp), exif=exif).test.images
        np.testing.assert_allclose(found[0, 0], expected, atol=0.03)
    image = load_image(str(tmp_path / "a.png" / "p" / "0" / "a.png"), (1, 6, 8))
    np.testing.assert_allclose(image[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.tif", "a.webp"])
def test_animated_files_are_refused(tmp_path, name) -> None:
    more = {"save_all": True, "append_images": [Image.fromarray(255 - COLOR)]}
    with pytest.raises(DataError, match=rf"{name} has 2 frames; save each as an image of its own"):
        one(tmp_path, name, Image.fromarray(COLOR), **more)


def test_a_telephones_photograph_is_its_first_frame(tmp_path) -> None:
    more = {"save_all": True, "append_images": [Image.fromarray(255 - COLOR)], "format": "MPO"}
    found = one(tmp_path, "a.jpg", Image.fromarray(COLOR), quality=100, **more).test.images
    assert found.mean().item() == pytest.approx(COLOR.mean() / 255, abs=0.02)


def test_images_unlike_each_other_are_refused(pets) -> None:
    Image.fromarray(COLOR).save(pets / "dog" / "1.png")
    refused(pets, r"dog/1.png is in color, the ones before are gray; all alike are needed")
    Image.fromarray(GRAY.T).save(pets / "dog" / "1.png")
    refused(pets, r"dog/1.png has shape \(6, 8\), the ones before \(8, 6\)")
    Image.fromarray(GRAY.astype(np.uint16) * 257).save(pets / "dog" / "1.png")
    found = load(path=str(pets)).test.images
    assert torch.equal(found[2, 0], torch.from_numpy(GRAY) / 255)  # each depth by its own white


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif"])
def test_damaged_images_are_one_line_with_their_name(tmp_path, name) -> None:
    Image.fromarray(COLOR).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for cut in (0, 3, len(content) // 2):
        with pytest.raises(DataError, match=rf"p/0/{name} cannot be read \(") as caught:
            one(tmp_path, name, content[:cut])
        assert "\n" not in str(caught.value)
