"""Examples of a user's own that no image file holds: other ranges, other channels, points."""

import numpy as np
import pytest
import torch

from advx.errors import ConfigError
from tests.running import ran

MODULE = """
import numpy as np
import torch
from torch import nn

from advx.data.dataset import Dataset, Split


class Net(nn.Module):
    def __init__(self, pixels=16, low=0.0, high=1.0):
        super().__init__()
        self.low, self.high = low, high
        self.layer = nn.Linear(pixels, 3)

    def forward(self, x):
        return self.layer(((x - self.low) / (self.high - self.low)).flatten(1))


def load(low=0.0, high=1.0, limit=None):
    arrays = np.load("mine.npz")
    x = torch.from_numpy(arrays["images"]).float() / 255 * (high - low) + low
    y = torch.from_numpy(arrays["labels"])
    none = Split(x[:0], y[:0])
    return Dataset("mine", 3, none, none, Split(x, y))
"""


@pytest.fixture
def attacked(tmp_path, monkeypatch):
    """Runs `advx attack` on images of so many channels in a range, with a network made for it."""
    (tmp_path / "own_ranges.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import own_ranges

    def attack(*words: str, channels: int = 1, low: float = 0.0, high: float = 1.0):
        torch.manual_seed(0)
        images = np.random.default_rng(0).integers(0, 256, (12, channels, 4, 4), dtype=np.uint8)
        net = own_ranges.Net(16 * channels)
        labels = net(torch.from_numpy(images) / 255).argmax(1).numpy()
        np.savez(tmp_path / "mine.npz", images=images, labels=labels)
        torch.save(net.state_dict(), tmp_path / "weights.pt")
        return ran(
            tmp_path,
            [
                *("experiment=attack", "model@crafting=custom"),
                *("crafting._target_=own_ranges.Net", "crafting.weights=weights.pt"),
                *(f"+crafting.pixels={16 * channels}", f"+crafting.low={low}"),
                *(f"+crafting.high={high}", "~dataset", f"attack.epsilon={0.1 * (high - low)}"),
                f"+dataset={{name: mine, _target_: own_ranges.load, low: {low}, high: {high}}}",
                *("attack=fgsm", "store=store", *words),
            ],
        )

    return attack


def settings(run) -> set[tuple[str, str]]:
    return {(r.metric, r.setting) for r in run.table.results.rows}


@pytest.mark.parametrize(("low", "high"), [(0.0, 255.0), (-1.0, 1.0)])
def test_images_outside_of_a_files_range_are_not_rounded(attacked, low, high) -> None:
    run = attacked(low=low, high=high)
    assert ("error_rate", "") in settings(run)
    assert ("error_rate", "rounded") not in settings(run)
    assert not list((run.folder / "adversarial").iterdir())
    with np.load(run.folder / "adversarial.npz") as kept:
        assert "rounded_prediction" not in kept.files
    (remark,) = run.remarks.texts()
    assert "are outside of [0, 1]" in remark
    assert remark.endswith("no error rate after rounding and no PNG files")
    with np.load(run.folder / "arrays.npz") as drawn:
        shown = drawn["images_clean"]
    assert 0 <= shown.min() < 0.1 < 0.9 < shown.max() <= 1


@pytest.mark.parametrize("channels", [2, 4])
def test_channels_that_are_no_colors_are_not_drawn(attacked, channels) -> None:
    run = attacked("attack.clip=[0,1]", channels=channels)
    assert ("error_rate", "rounded") in settings(run)
    assert not list((run.folder / "adversarial").iterdir())
    assert not (run.folder / "attack.png").exists()
    assert run.remarks.texts() == [
        f"images of {channels} channels are neither gray nor in color: no PNG files and no figure"
    ]


def test_images_that_an_attack_moves_out_of_a_files_range_are_remarked(attacked) -> None:
    run = attacked()
    assert ("error_rate", "rounded") in settings(run)
    assert list((run.folder / "adversarial").iterdir())
    (remark,) = run.remarks.texts()
    assert "the row `rounded` and the PNG files are of images brought into [0, 1]" in remark


def test_images_of_a_file_are_rounded_and_drawn_without_a_remark(attacked) -> None:
    run = attacked("attack.clip=[0,1]")
    assert ("error_rate", "rounded") in settings(run)
    assert len(list((run.folder / "adversarial").iterdir())) == 12
    assert (run.folder / "attack.png").exists()
    assert run.remarks.texts() == []


POINTS = [
    *("dataset=two_moons", "dataset.train=200", "dataset.test=50"),
    *("trainer.max_epochs=1", "store=store", "attack=fgsm"),
]


def test_points_are_attacked_and_not_drawn(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = ran(tmp_path, ["experiment=attack", "model@crafting=softmax_regression", *POINTS])
    assert ("error_rate", "rounded") not in settings(run)
    assert not (run.folder / "attack.png").exists()
    (remark,) = run.remarks.texts()
    assert remark == (
        "examples of shape [2] are no images: no error rate after rounding and no PNG files and "
        "no figure"
    )


def test_points_are_transferred_and_not_drawn(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    both = [f"model@{key}=softmax_regression" for key in ("crafting", "target")]
    run = ran(tmp_path, ["experiment=transfer", *both, *POINTS, "seeds=[0]"])
    assert ("error_rate", "") in settings(run)
    assert not (run.folder / "transfer.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["experiment=table_protocols", "protocols=[rounded]"],
            "gray_levels=255, but the examples of dataset=two_moons are no images",
        ),
        (["experiment=imperceptible"], "dataset=two_moons: examples that are no images"),
    ],
)
def test_points_have_no_gray_levels(tmp_path, monkeypatch, words, message) -> None:
    monkeypatch.chdir(tmp_path)
    model = ["model=relu"] if words == ["experiment=imperceptible"] else []
    points = [word for word in POINTS if not word.startswith(("attack", "trainer"))]
    with pytest.raises(ConfigError, match=message) as caught:
        ran(tmp_path, [*words, *model, *points])
    assert "\n" not in str(caught.value)
