"""Two models of one name are told apart, and one model is named once."""

import pytest

from tests.running import ran


@pytest.mark.parametrize(
    ("words", "clean"),
    [
        ("model@target=tanh", ["tanh", "relu"]),
        ("model@target=relu", ["relu"]),
        ("model@target=relu crafting.units=[9]", ["relu (target)", "relu (crafting)"]),
        (
            "model@target=relu defense@crafting_defense=label_smoothing",
            ["relu (target)", "relu (crafting)"],
        ),
    ],
)
def test_models_of_one_name(tmp_path, words, clean) -> None:
    given = ["experiment=transfer", "scale=smoke", "seeds=[0]", "model@crafting=relu"]
    run = ran(tmp_path, [*given, *words.split()])
    rows = run.table.results.rows
    assert [row.row for row in rows if row.metric == "clean_error_rate"] == clean
    target, source = clean[0], clean[-1]
    assert [row.row for row in rows if row.metric == "error_rate"] == [
        f"{source} -> {target}",
        f"{source} -> itself",
    ]
