"""`advx attack`: a model and images of the user's own."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from advx.attacks.pgd import PGD
from advx.config.config import Config
from advx.data.images import load
from advx.errors import AdvxError, ConfigError, DataError
from tests.running import ran

MODULE = """
from torch import nn

class MyNet(nn.Module):
    def __init__(self, hidden=20, probabilities=False, cut=False):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(hidden, 3)
        self.probabilities, self.cut = probabilities, cut

    def forward(self, x):
        z = self.head(self.body(x))
        z = z.detach() if self.cut else z
        return z.softmax(1) if self.probabilities else z
"""


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)


@pytest.fixture
def mine(tmp_path, pixels, monkeypatch) -> list[str]:
    """Overrides that name a module, its weights and a file of images in `tmp_path`."""
    (tmp_path / "my_own_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    torch.manual_seed(0)
    import my_own_module

    torch.save(my_own_module.MyNet().state_dict(), tmp_path / "weights.pt")
    np.savez(tmp_path / "mine.npz", images=pixels, labels=np.arange(30) % 3)
    return [
        "experiment=attack",
        "model@crafting=custom",
        "crafting._target_=my_own_module.MyNet",
        f"crafting.weights={tmp_path / 'weights.pt'}",
        "dataset=images",
        f"dataset.path={tmp_path / 'mine.npz'}",
        "dataset.classes=3",
        "attack.epsilon=0.1",
        "attack.steps=10",
        "attack.clip=[0,1]",
        f"store={tmp_path / 'store'}",
    ]


def test_adversarial_examples_are_saved_as_they_are_and_as_files(tmp_path, mine, pixels) -> None:
    run = ran(tmp_path, mine)
    kept = np.load(run.folder / "adversarial.npz")
    np.testing.assert_allclose(kept["images"][:, 0], pixels / 255, atol=1e-6)
    moved = np.abs(kept["adversarial"] - kept["images"])
    assert moved.max() == pytest.approx(0.1, abs=1e-6)
    model = run.model(Config(run.config["crafting"], "crafting"), 0).value
    said = model(torch.from_numpy(kept["adversarial"])).argmax(1).numpy()
    assert np.array_equal(said, kept["prediction"])
    found = {r.metric: r.value for r in run.table.results.rows}
    assert found["error_rate"] == pytest.approx(100 * np.mean(said != kept["labels"]))
    assert found["error_rate"] > found["clean_error_rate"]
    assert found["mean_linf"] == pytest.approx(moved.max((1, 2, 3)).mean(), abs=1e-6)
    files = sorted((run.folder / "adversarial").iterdir())
    assert len(files) == 30
    gray = np.asarray(Image.open(files[7]))
    np.testing.assert_allclose(gray / 255, kept["adversarial"][7, 0], atol=0.5 / 255 + 1e-6)
    assert f"label{kept['labels'][7]}_predicted{kept['rounded_prediction'][7]}" in files[7].name
    assert (run.folder / "attack.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["crafting.weights=null"], r"crafting.weights=null: dataset=images has nothing to train"),
        (["dataset.classes=2"], r"label 2 of image 2 is not one of 0 … 1"),
        (["dataset.classes=4"], r"crafting does not fit .* \(2, 4\) is needed"),
        (["+crafting.probabilities=true"], r"probabilities; logits are needed"),
        (["+crafting.cut=true"], r": its logits carry no gradient to the images; needed"),
        (["dataset.path=nowhere"], r"dataset.path=nowhere: no such folder or .npz file"),
    ],
)
def test_what_cannot_be_attacked_is_said_in_one_line(tmp_path, mine, change, message) -> None:
    with pytest.raises(AdvxError, match=message) as caught:
        ran(tmp_path, mine + change)
    assert "\n" not in str(caught.value)


def test_layouts_of_arrays_and_folders_agree(tmp_path, pixels) -> None:
    labels = np.sort(np.arange(30) % 3)
    color = np.stack([pixels, 255 - pixels, pixels], 1)
    for name, images in {
        "gray": pixels,
        "first": color,
        "last": color.transpose(0, 2, 3, 1),
        "float": (color / 255).astype(np.float64),
    }.items():
        np.savez(tmp_path / f"{name}.npz", images=images, labels=labels)
    first = load(path=str(tmp_path / "first.npz"), class_count=3)
    assert first.input_shape == (3, 8, 8)
    for name in ("last", "float"):
        again = load(path=str(tmp_path / f"{name}.npz"), class_count=3)
        torch.testing.assert_close(again.test.images, first.test.images)
    assert load(path=str(tmp_path / "gray.npz"), class_count=3).input_shape == (1, 8, 8)
    for kind, images in (("numbers", pixels), ("names", color.transpose(0, 2, 3, 1))):
        for place, (image, label) in enumerate(zip(images, labels, strict=True)):
            name = str(label) if kind == "numbers" else "abc"[label]
            folder = tmp_path / kind / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{place:02d}.png")
    found = load(path=str(tmp_path / "names"), class_count=3).test
    assert torch.equal(found.labels, torch.from_numpy(labels))
    torch.testing.assert_close(found.images, first.test.images)
    assert load(path=str(tmp_path / "numbers"), class_count=3).input_shape == (1, 8, 8)


def test_own_images_are_split_class_by_class_and_the_same_way_every_time(tmp_path) -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 3])
    images = np.arange(153, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    np.savez(tmp_path / "mine.npz", images=images, labels=labels)
    file = str(tmp_path / "mine.npz")
    data = load(path=file, class_count=3, training_share=0.8)
    parts = (data.train, data.validation, data.test)
    found = [torch.bincount(part.labels, minlength=3).tolist() for part in parts]
    assert found == [[80, 40, 2], [10, 5, 1], [10, 5, 0]]
    pixels = torch.cat([part.images[:, 0, 0, 0] for part in parts]).mul(255).round().long()
    assert pixels.sort().values.tolist() == list(range(153))
    for part in parts:
        which = part.images[:, 0, 0, 0].mul(255).round().long()
        assert torch.equal(torch.from_numpy(labels)[which], part.labels)
    assert (data.train.labels.diff() != 0).sum() > 10  # not sorted by class, as the file is
    again = load(path=file, class_count=3, training_share=0.8)
    assert again.fingerprint == data.fingerprint
    assert torch.equal(again.test.images, data.test.images)
    for share, left in ((0.001, "leaves 0 of 153 .* for training"), (0.995, "and 0 for testing")):
        with pytest.raises(AdvxError, match=f"training_share={share}: .*{left}"):
            load(path=file, class_count=3, training_share=share)


def test_a_game_is_played_on_own_images(tmp_path, mine) -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "larger.npz", images=images, labels=np.arange(400) % 3)
    game = [
        "experiment=dcgan_samples",
        "scale=smoke",
        "dataset=images",
        "dataset.classes=3",
        f"dataset.path={tmp_path / 'larger.npz'}",
        "dataset.limit=null",
        f"store={tmp_path / 's'}",
    ]
    message = "game: dataset=images has nothing to train on; set dataset.training_share=0.8"
    with pytest.raises(AdvxError, match=message):
        ran(tmp_path, game)
    (tmp_path / "out").rmdir()
    with pytest.raises(AdvxError, match=r"input_shape=\[3, 28, 28\]: the images are \[1, 28, 28\]"):
        ran(tmp_path, [*game, "dataset.training_share=0.4", "dataset.input_shape=[3,28,28]"])
    (tmp_path / "out").rmdir()
    unlimited = [*game, "dataset.training_share=0.97", "dataset.limit={test: 1000}"]
    with pytest.raises(AdvxError, match=r"dataset.training_share=0.97: leaves \d test images"):
        ran(tmp_path, unlimited)
    (tmp_path / "out").rmdir()
    run = ran(tmp_path, [*game, "dataset.training_share=0.4"])
    assert len(run.data.train) == 160
    found = {(r.row, r.metric): r.value for r in run.table.results.rows}
    assert 0 <= found["generator", "coverage"] <= 100
    assert (run.folder / "dcgan_samples.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 8, 8))}, "no array 'labels' in it, only images"),
        (
            {"images": np.full((2, 8, 8), 200.0), "labels": np.zeros(2, int)},
            r"pixels from 200 to 200; \[0, 1\] is needed; store them in 8 bits or divide them by "
            r"255 \(dataset.white=255\)$",
        ),
        (
            {"images": np.full((2, 8, 8), -0.5), "labels": np.zeros(2, int)},
            r"pixels from -0.5 to -0.5; \[0, 1\] is needed$",
        ),
        (
            {"images": np.array([np.zeros((8, 8)), np.full((8, 8), np.nan)]), "labels": [0, 0]},
            "image 1 has pixels that are no numbers",
        ),
        ({"images": np.zeros((2, 8)), "labels": [0, 0]}, r"images of shape \(2, 8\); valid"),
        ({"images": np.zeros((2, 8, 8)), "labels": [0, 0, 0]}, r"labels of shape \(3,\)"),
        ({"images": np.zeros((2, 8, 8)), "labels": [0.0, 1.0]}, "type float64"),
        ({"images": np.zeros((2, 8, 8)), "labels": [0, -1]}, "label -1 of image 1"),
        ({"images": np.zeros((0, 8, 8)), "labels": np.zeros(0, int)}, "no images in it"),
    ],
)
def test_bad_arrays_are_named(tmp_path, arrays, message) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load(path=str(tmp_path / "bad.npz"))


def test_bad_folders_are_named(tmp_path) -> None:
    with pytest.raises(DataError, match="no subfolders; one a class"):
        load(path=str(tmp_path))
    (tmp_path / "0").mkdir()
    with pytest.raises(DataError, match="no images in its subfolders"):
        load(path=str(tmp_path))
    (tmp_path / "0" / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a.png cannot be read"):
        load(path=str(tmp_path))
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "0" / "a.png")
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "0" / "b.png")
    with pytest.raises(DataError, match=r"b.png has shape \(9, 8\), the ones before \(8, 8\)"):
        load(path=str(tmp_path))


def test_a_file_is_named_by_the_class_that_the_model_gives_to_its_file(tmp_path, mine) -> None:
    """DeepFool stops just across the border: rounding takes most of its examples back."""
    rest = [o for o in mine if o not in ("attack.epsilon=0.1", "attack.steps=10")]
    run = ran(tmp_path, [*rest, "attack=deepfool"])
    model = run.model(Config(run.config["crafting"], "crafting"), 0).value
    kept = np.load(run.folder / "adversarial.npz")
    files = sorted((run.folder / "adversarial").iterdir())
    images = np.stack([np.asarray(Image.open(file)) for file in files])
    seen = model(torch.from_numpy(images)[:, None].float() / 255).argmax(1).tolist()
    named = [
        re.fullmatch(r"(\d+)_label(\d)_predicted(\d)(?:_rounded_from(\d))?.png", f.name)
        for f in files
    ]
    assert [int(name[3]) for name in named] == seen
    before = kept["prediction"].tolist()
    assert [int(name[4] or name[3]) for name in named] == before
    assert sum(name[4] is not None for name in named) == sum(np.not_equal(seen, before)) > 0
    found = {(r.metric, r.setting): r.value for r in run.table.results.rows}
    wrong = 100 * np.mean(np.array(seen) != kept["labels"])
    rounded = found["error_rate", "rounded"]
    assert rounded == pytest.approx(wrong) != found["error_rate", ""]


def test_images_of_an_earlier_run_in_the_same_folder_are_replaced(tmp_path, mine) -> None:
    stale = tmp_path / "out" / "adversarial" / "00029_label2_predicted7.png"
    stale.parent.mkdir(parents=True)
    for name in (stale.name, "mine.png"):
        stale.with_name(name).write_bytes(b"")
    run = ran(tmp_path, mine)
    files = {file.name for file in (run.folder / "adversarial").iterdir()}
    assert stale.name not in files
    assert "mine.png" in files
    assert len(files) == 31


def test_what_was_attacked_is_scored_only_when_it_is_named(tmp_path, mine) -> None:
    run = ran(tmp_path, mine)
    archive = run.folder / "adversarial.npz"
    kept = np.load(archive)
    with pytest.raises(
        ConfigError,
        match=r"adversarial.npz: holds clean images and attacked ones; set dataset.array=images or "
        "dataset.array=adversarial",
    ):
        load(path=str(archive), class_count=3)
    for array in ("images", "adversarial"):
        found = load(path=str(archive), class_count=3, array=array).test.images
        assert torch.equal(found, torch.from_numpy(kept[array]))
    with pytest.raises(DataError, match=r"no array 'x' in it \(dataset.array=x\), only images, "):
        load(path=str(archive), class_count=3, array="x")
    np.savez(
        tmp_path / "figure.npz",
        images=kept["images"],
        perturbed=kept["adversarial"],
        labels=kept["labels"],
    )
    with pytest.raises(ConfigError, match=r"dataset.array=images or dataset.array=perturbed$"):
        load(path=str(tmp_path / "figure.npz"), class_count=3)
    again = [*mine, f"dataset.path={archive}", "dataset.array=adversarial", "attack.epsilon=0"]
    (tmp_path / "second").mkdir()
    second = {r.metric: r.value for r in ran(tmp_path / "second", again).table.results.rows}
    first = {r.metric: r.value for r in run.table.results.rows}
    assert second["clean_error_rate"] == first["error_rate"] > first["clean_error_rate"]


def test_less_than_half_a_gray_level_makes_another_data_set(tmp_path, mine) -> None:
    """Numbers kept for the first were printed for the second."""
    import my_own_module

    model = my_own_module.MyNet()
    model.load_state_dict(torch.load(tmp_path / "weights.pt"))
    model.eval()
    many = torch.randint(256, (3000, 1, 8, 8)).float() / 255
    first, second = model(many).topk(2, 1).values.T
    x = many[(first - second).argsort()[:30]]
    y = model(x).argmax(1)
    moved = PGD(epsilon=0.0019, steps=20, clip=(0, 1))(model, x, y)
    assert torch.equal((moved * 255).round(), (x * 255).round())
    rates = []
    for name, images in (("before", x), ("after", moved)):
        np.savez(tmp_path / f"{name}.npz", images=images.numpy(), labels=y.numpy())
        (tmp_path / name).mkdir()
        rest = [o for o in mine if not o.startswith(("experiment", "dataset.path", "attack.st"))]
        run = ran(
            tmp_path / name,
            [
                "experiment=transfer",
                "model@target=custom",
                "target._target_=my_own_module.MyNet",
                f"target.weights={tmp_path / 'weights.pt'}",
                f"dataset.path={tmp_path / name}.npz",
                "figure_examples=1",
                *rest,
            ],
        )
        found = {(r.row, r.metric): r.value for r in run.table.results.rows}
        rates.append(found["custom", "clean_error_rate"])
    assert rates[0] == 0
    assert rates[1] == pytest.approx(100 * (model(moved).argmax(1) != y).double().mean().item())
    assert rates[1] > 30


def test_a_model_left_in_training_mode_is_attacked_without_its_dropout() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Dropout(0.5), nn.Linear(20, 3))
    x, y = torch.rand(8, 1, 8, 8), torch.arange(8) % 3
    attack = PGD(epsilon=0.1, steps=5)
    assert torch.equal(attack(model, x, y), attack(model, x, y))
    assert model.training
