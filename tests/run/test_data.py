"""A second data set's errors name the key that it stands under."""

import pytest

from advx.config.config import Config
from advx.errors import ConfigError, DataError
from advx.run.checks import check_models
from tests.running import started

MNIST = {"_target_": "advx.data.mnist.load", "name": "mnist"}


@pytest.mark.parametrize(
    ("path", "says"), [("dataset", "dataset=mnist"), ("targets.mine", "dataset@targets.mine=mnist")]
)
def test_damaged_files_are_accepted_under_the_key_of_their_data(path, says, tmp_path) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte.gz").write_bytes(b"damaged")
    run, _, _ = started(tmp_path, "experiment=train")
    with pytest.raises(DataError) as refused:
        _ = run.on(Config(MNIST | {"data_dir": str(tmp_path / "data")}, path)).data
    assert f"{path}.digests=FILE" in str(refused.value)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("shape", "refused"), [([1, 8, 8], False), ([8, 8, 1], True), ([64], True)]
)
def test_images_of_another_shape_than_is_said_are_refused_before_training(
    tmp_path, monkeypatch, shape, refused
) -> None:
    """A fully connected network would take any order of the pixels."""
    (tmp_path / "own_loader.py").write_text(LOADER)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["dataset._target_=own_loader.load", "~dataset.limit", f"+dataset.shape={shape}"]
    run, *_ = started(tmp_path, "experiment=transfer", "dataset.input_shape=[1,8,8]", *words)
    if not refused:
        check_models(run)
        return
    with pytest.raises(ConfigError, match=r"^dataset.input_shape=\[1, 8, 8\]: the images are"):
        check_models(run)


LOADER = """
import torch

from advx.data.dataset import Dataset, Split


def load(shape: list) -> Dataset:
    parts = [Split(torch.rand(60, *shape), torch.arange(60) % 10) for _ in range(3)]
    return Dataset("mine", 10, *parts)
"""


def test_a_refused_value_is_named_by_its_key(tmp_path) -> None:
    run, _, _ = started(tmp_path, "experiment=train")
    balls = {"_target_": "advx.data.bouncing_balls.load", "name": "balls", "balls": 9}
    with pytest.raises(ConfigError, match=r"^balls\.balls=9: "):
        _ = run.on(Config(balls, "balls")).data
