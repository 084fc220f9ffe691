"""Values that cannot be are refused before anything that they name is imported."""

import re

import pytest
from hydra.errors import ConfigCompositionException

from advx.config.compose import resolved
from advx.config.messages import one_line
from advx.config.plain import NEEDED, check_plain
from advx.errors import ConfigError
from advx.run.device import pick_device


@pytest.mark.parametrize("path", NEEDED)
def test_a_key_that_was_taken_away_is_named(path) -> None:
    config = resolved(["experiment=transfer", "scale=smoke"])
    check_plain(config)
    group, _, key = path.partition(".")
    if key:
        del config[group][key]  # type: ignore[literal-required]
    else:
        del config[group]  # type: ignore[literal-required]
    with pytest.raises(ConfigError, match=f"^{path}: not given, and every run needs it$"):
        check_plain(config)
    config.pop(group, None)  # type: ignore[misc]
    with pytest.raises(ConfigError, match=f"^{group}.*: not given, and every run needs it$"):
        check_plain(config)


@pytest.mark.parametrize(
    ("threads", "line"),
    [
        (True, "device.threads=True: a whole number from 1 is needed"),
        (0, "device.threads=0: a whole number from 1 is needed"),
        (1_000_000, "device.threads=1000000: more than 4,096"),
    ],
)
def test_threads_that_cannot_be(threads, line) -> None:
    config = resolved(["experiment=transfer", "scale=smoke"])
    config["device"]["threads"] = threads
    with pytest.raises(ConfigError, match=f"^{line}$"):
        check_plain(config)


@pytest.mark.parametrize(
    ("key", "value", "valid"),
    [
        ("classes", 0, "a whole number from 1 is needed"),
        ("classes", "ten", "a whole number from 1 is needed"),
        ("classes", None, "a whole number from 1 is needed"),
        ("classes", True, "a whole number from 1 is needed"),
        ("input_shape", 5, r"a list of whole numbers from 1 is needed, e\.g\. \[1,28,28\]"),
        ("input_shape", [], "a list of whole numbers"),
        ("input_shape", [1, 0, 28], "a list of whole numbers"),
        ("input_shape", [1, 2.5], "a list of whole numbers"),
    ],
)
def test_what_a_data_set_cannot_be_is_said_of_the_data_set(key, value, valid) -> None:
    """And not of the first model that takes it from there."""
    config = resolved(["experiment=transfer", "scale=smoke"])
    config["dataset"][key] = value  # type: ignore[index]
    said = re.escape(f"dataset.{key}={value}: ")
    with pytest.raises(ConfigError, match=f"^{said}{valid}"):
        check_plain(config)


def test_other_data_sets_of_a_run_are_named_by_their_key() -> None:
    config = resolved(["experiment=censored_representations", "scale=smoke"])
    config["hiring"]["classes"] = "ten"  # type: ignore[typeddict-item]
    with pytest.raises(ConfigError, match=r"^hiring\.classes=ten: a whole number from 1 is needed"):
        check_plain(config)


def test_a_device_that_is_not_here() -> None:
    with pytest.raises(ConfigError, match=r"device\.name=abacus: PyTorch has no such device here"):
        pick_device("abacus")
    assert pick_device("cpu").type == "cpu"


@pytest.mark.parametrize("word", ["trainer=null", "model@target=null", "device=5"])
def test_no_choice_of_a_group_names_those_that_there_are(word) -> None:
    with pytest.raises((ValueError, ConfigCompositionException)) as caught:
        resolved(["experiment=transfer", "scale=smoke", word])
    said = one_line(caught.value, ["experiment=transfer", word])
    assert said is not None
    assert said.startswith(f"{word}: no such choice; valid: ")
