"""What is refused of a configuration, wherever a part stands in it."""

import pytest

from advx.config.compose import composed
from advx.data import bouncing_balls, heads, mnist
from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.run.checks import check, makes_data


def own() -> "Dataset":
    raise NotImplementedError


class Other:
    pass


def test_data_sets_are_known_by_what_their_function_returns() -> None:
    assert all(map(makes_data, [heads.load, bouncing_balls.load, mnist.load, own]))
    assert not any(map(makes_data, [Other, len, dict.get, check]))


def test_a_second_data_set_is_checked_but_for_what_describes_it() -> None:
    """`input_shape` and `classes` are for networks; all else must be the loader's."""
    words = ["experiment=benchmark_gan", "scale=smoke"]
    check(*composed(words))
    with pytest.raises(ConfigError, match=r"clips.*sides"):
        check(*composed([*words, "+clips.sides=16"]))
    with pytest.raises(ConfigError, match=r"clips\.turn=fast"):
        check(*composed([*words, "clips.turn=fast"]))
