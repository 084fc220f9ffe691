"""A second data set's errors name the key that it stands under."""

import pytest

from advx.config.config import Config
from advx.errors import ConfigError, DataError
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


def test_a_refused_value_is_named_by_its_key(tmp_path) -> None:
    run, _, _ = started(tmp_path, "experiment=train")
    balls = {"_target_": "advx.data.bouncing_balls.load", "name": "balls", "balls": 9}
    with pytest.raises(ConfigError, match=r"^balls\.balls=9: "):
        _ = run.on(Config(balls, "balls")).data
