"""Choices in the wrong place are refused with the place where they stand."""

import re

import pytest

from advx.config.compose import composed, resolved
from advx.errors import ConfigError
from advx.run.checks import check
from tests.processes import advx


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "experiment=transfer crafting_defense=distillation",
            "crafting_defense=distillation: a choice of defense stands there; "
            "valid: defense@crafting_defense=distillation; advx list shows the choices",
        ),
        (
            "experiment=transfer target=relu",
            "target=relu: a choice of model stands there; "
            "valid: model@target=relu; advx list shows the choices",
        ),
        (
            "experiment=transfer_table models.relu=tanh",
            "models.relu=tanh: a choice of model stands there; "
            "valid: model@models.relu=tanh; advx list shows the choices",
        ),
    ],
)
def test_a_word_where_a_choice_stands_names_the_group(words, line) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(line)}$"):
        resolved([*words.split(), "scale=smoke"])


@pytest.mark.parametrize("word", ["target.name=relu", "target.units=[3,3]", "~model@target"])
def test_values_inside_a_choice_and_places_taken_away_are_let_through(word) -> None:
    resolved(["experiment=transfer", "scale=smoke", word, "title=two networks"])


@pytest.mark.parametrize(
    ("chosen", "valid"),
    [
        ({"model": "relu", "model@crafting": "maxout"}, "valid: model@crafting=relu$"),
        (
            {"model": "relu", "model@crafting": "a", "model@target": "b", "model@other": "c"},
            "valid: model@crafting=relu or model@target=relu$",
        ),
        ({"model": "relu", "defense@crafting": "none"}, "valid: attack, claims, "),
        ({}, "valid: attack, claims, "),
    ],
)
def test_a_choice_that_nobody_takes_names_the_places_there_are(chosen, valid) -> None:
    values, main = composed(["experiment=transfer", "scale=smoke"])
    values["model"] = values["target"]  # type: ignore[literal-required]
    called = values["target"]["name"]  # type: ignore[literal-required]
    with pytest.raises(ConfigError) as caught:
        check(values, main, chosen)
    start = f"model={called}: no such key in experiment=transfer; "
    assert str(caught.value).startswith(start)
    assert re.match(valid, str(caught.value)[len(start) :])


def test_the_command_line_says_both(tmp_path) -> None:
    done = advx(tmp_path, "run", "experiment=attack", "model=maxout", "scale=smoke")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "advx: model=maxout: no such key in experiment=attack; valid: model@crafting=maxout"
    )
