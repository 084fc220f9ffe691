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
    names = [f"{each.__name__}.load" for each in (heads, bouncing_balls, mnist)]
    assert all(makes_data({"_target_": name}) for name in [*names, f"{__name__}.own"])
    others = [f"{__name__}.Other", "builtins.len", "builtins.dict.get", "missing.load", "???"]
    assert not any(makes_data({"_target_": name}) for name in others)


def test_a_second_data_set_is_checked_but_for_what_describes_it() -> None:
    """`input_shape` and `classes` are for networks; all else must be the loader's."""
    words = ["experiment=benchmark_gan", "scale=smoke"]
    check(*composed(words))
    with pytest.raises(ConfigError, match=r"other_data.*sides"):
        check(*composed([*words, "+other_data.predictive_gan.sides=16"]))
    with pytest.raises(ConfigError, match=r"other_data\.predictive_gan\.turn=fast"):
        check(*composed([*words, "other_data.predictive_gan.turn=fast"]))
