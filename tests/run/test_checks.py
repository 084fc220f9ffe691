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


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("attack.epsilon=8/255", "attack.epsilon=8/255: a fraction is not computed; write 0.03137"),
        ("attack.step_size=2/255", "attack.step_size=2/255: .*write 0.007843"),
        ("attack.clip=[0,1/2]", "attack.clip.1=1/2: .*write 0.5"),
        ("attack.epsilon=1/0", "attack.epsilon=1/0: input should be a valid number"),
        ("attack.epsilon=x", "attack.epsilon=x: input should be a valid number"),
        ("attack.epsilon=-1", "attack.epsilon=-1: input should be greater than or equal to 0"),
        ("attack.epsilon=true", "attack.epsilon=True: a switch; valid: a number$"),
        ("attack.steps=true", "attack.steps=True: a switch; valid: a number$"),
        ("attack.clip=[false,true]", "attack.clip.0=False: a switch; valid: a number$"),
        ("attack.clip=[0,inf]", "attack.clip.1=inf: input should be a finite number"),
        ("attack.clip=[nan,1]", "attack.clip.0=nan: input should be a finite number"),
    ],
)
def test_what_is_no_number_is_refused_with_what_to_write(word, message) -> None:
    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        check(*composed(["experiment=attack", word]))
    assert "\n" not in str(caught.value)


def test_a_smoothing_is_no_fraction_either() -> None:
    words = ["experiment=transfer", "defense=label_smoothing", "defense.smoothing=1/10"]
    with pytest.raises(ConfigError, match=r"^defense.smoothing=1/10: .*write 0\.1$"):
        check(*composed(words))
