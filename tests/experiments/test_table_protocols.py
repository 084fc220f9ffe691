"""The protocols of Table 1.1: each changes something, and the numbers that compare them."""

import math

import pytest
import torch
from torch import Tensor

from advx.config.compose import composed
from advx.config.config import Config
from advx.config.joined import joined
from advx.errors import ConfigError
from advx.experiments import table_protocols, transfer_table
from advx.experiments.table_protocols import (
    PAIRS,
    ROWS,
    Change,
    chosen,
    explained,
    models_by,
    rms_distance,
    shown_by,
)
from advx.models.call import logits_of
from advx.run import Run
from tests.running import ran, started

PROTOCOLS = composed(["experiment=table_protocols"])[0]["protocols"]

TINY = [
    "experiment=table_protocols",
    "seeds=[0]",
    "models.maxout={units:[12,12],init_range:0.7,max_column_norm:null}",  # confident: it saturates
    "models.relu={units:[12,12],init_range:0.2}",  # filters longer than the bound
    "models.tanh={units:[12,12],init_range:0.2}",
    "models.softmax_regression.init_range=0.2",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> tuple[Run, dict, dict[tuple[str, ...], list[Tensor]]]:
    run, config, _ = started(tmp_path_factory.mktemp("protocols"), *TINY)
    return run, config, {}


def outcome(tiny, parts: tuple[str, ...]) -> list[Tensor]:
    """What every target is shown by a protocol of these changes, and what it answers."""
    run, config, known = tiny
    if parts not in known:
        made = chosen(config["models"], config["changes"], ["+".join(parts)])
        change = list(made.values())[-1]
        each = models_by(run, change, 0)
        known[parts] = []
        for crafting, target in PAIRS:
            attack = Config(config["attack"])
            model = each[target].value
            shown = shown_by(run, attack, change, each[crafting], each[target]).value
            with torch.no_grad():
                known[parts] += [shown.images, logits_of(model, shown.images)]
    return known[parts]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_change_of_every_protocol_changes_something(tiny, protocol) -> None:
    parts = tuple(protocol.split("+"))
    found = outcome(tiny, parts)
    for left_out in parts:
        without = outcome(tiny, tuple(part for part in parts if part != left_out))
        assert not all(
            a.shape == b.shape and torch.equal(a, b) for a, b in zip(found, without, strict=True)
        ), left_out


@pytest.mark.parametrize("scale", ["smoke", "quick"])
def test_the_unchanged_protocol_is_that_of_the_table_with_the_same_networks(
    scale, tmp_path
) -> None:
    keys = {}
    for name in ("table_protocols", "transfer_table"):
        config, _ = composed([f"experiment={name}", f"scale={scale}", f"store={tmp_path}"])
        run = Run(config, tmp_path, "")
        each = models_by(run, Change(), 0)
        crafted = run.craft(Config(config["attack"]), each["maxout"])
        keys[name] = {model: run.model(model, 0).key for model in config["models"]}
        assert keys[name] == {model: each[model].key for model in each}
        keys[name]["crafted"] = crafted.key
    assert keys["table_protocols"] == keys["transfer_table"]
    rows = {
        f"{source} -> {target}"
        for source, names in transfer_table.TARGETS.items()
        for target in names
        if source != target
    }
    assert set(ROWS) == rows


def test_both_experiments_name_the_same_things_at_the_chapters_scale() -> None:
    configs = [
        composed([f"experiment={name}", "scale=chapter"])[0]
        for name in ("table_protocols", "transfer_table")
    ]
    for key in ("models", "attack", "trainer", "dataset", "seeds"):
        assert configs[0][key] == configs[1][key]


def test_the_numbers_of_a_run_follow_from_its_rows(tmp_path) -> None:
    words = ["scale=smoke", "device.threads=1", f"store={tmp_path / 'store'}"]
    only = "protocols=[right_before,clipped+rounded]"
    run = ran(tmp_path, [*TINY, *words, only])
    value = {row.cell: row.value for row in run.table.results.rows}
    n = {row.cell: row.n for row in run.table.results.rows}
    under = ["", "change=right_before", "change=clipped+change=rounded"]
    cell = table_protocols.Cell
    tables = [{row: value[cell(row, "error_rate", None, name)] for row in ROWS} for name in under]
    chapter = {row.row: row.chapter for row in run.table.results.rows if row.chapter is not None}
    for name, table in zip(under, tables, strict=True):
        squares = [(table[row] - chapter[row]) ** 2 for row in ROWS]
        assert value[cell("all rows", "rms_distance", None, name)] == pytest.approx(
            math.sqrt(sum(squares) / 5)
        )
    for name, table in zip(under[1:], tables[1:], strict=True):
        largest = max(abs(table[row] - tables[0][row]) for row in ROWS)
        assert value[cell("all rows", "largest_change", None, name)] == pytest.approx(largest)
    right = n[cell("maxout -> relu", "error_rate", None, "change=right_before")]
    clean = value[cell("relu", "clean_error_rate")]
    assert right == round(len(run.data.test) * (1 - clean / 100))
    least = min(value[cell("all rows", "rms_distance", None, name)] for name in under[1:])
    assert value[cell("nearest protocol", "rms_distance")] == least
    apart = max(table["maxout -> tanh"] - table["maxout -> relu"] for table in tables)
    assert value[cell("any protocol", "tanh_minus_relu")] == pytest.approx(apart)


CHAPTER = dict(zip(ROWS, (25.0, 47.0, 47.0, 99.0, 89.0), strict=True))
BEFORE = dict(zip(ROWS, (24.0, 65.0, 99.0, 99.0, 99.0), strict=True))


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({}, []),
        ({"maxout -> relu": 52.0}, ["maxout -> relu"]),
        ({"maxout -> relu": 52.1}, []),  # beyond 5 points
        ({"maxout -> relu": 50.0, "maxout -> tanh": 93.0}, []),  # another row leaves
        ({"maxout -> relu": 50.0, "maxout -> tanh": 94.0}, ["maxout -> relu"]),
        (
            {"maxout -> relu": 50.0, "maxout -> softmax_regression": 90.0},
            ["maxout -> relu", "maxout -> softmax_regression"],
        ),
        ({"maxout -> relu": math.nan}, []),
        ({"maxout -> nearest_neighbor": 26.0}, []),  # it was near before
    ],
)
def test_a_row_is_explained_if_it_alone_comes_near(change, rows) -> None:
    assert explained(BEFORE | change, BEFORE, CHAPTER) == rows


def test_the_distance_is_the_root_mean_square_over_all_rows() -> None:
    assert rms_distance(CHAPTER, CHAPTER) == 0
    one = CHAPTER | {"maxout -> relu": 57.0}
    assert rms_distance(one, CHAPTER) == pytest.approx(10 / math.sqrt(5))
    assert math.isnan(rms_distance(CHAPTER | {"maxout -> relu": math.nan}, CHAPTER))


def test_changes_are_joined_level_by_level() -> None:
    one = {"models": {"relu": {"keep_input": 1.0}}, "attack": {"clip": [0, 1]}}
    other = {"models": {"relu": {"inputs": "signed"}, "tanh": {}}, "attack": {"clip": [0, 1]}}
    both = joined(one, other, "")
    assert both["models"] == {"relu": {"keep_input": 1.0, "inputs": "signed"}, "tanh": {}}
    assert both["attack"] == {"clip": [0, 1]}
    assert one == {"models": {"relu": {"keep_input": 1.0}}, "attack": {"clip": [0, 1]}}
    with pytest.raises(ConfigError, match=r"p: attack\.epsilon: one change sets 0\.1, another"):
        joined({"attack": {"epsilon": 0.1}}, {"attack": {"epsilon": 0.2}}, "p: ")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("protocols=[cliped]", "protocols=cliped: no such change; did you mean clipped? valid: "),
        ("protocols=[clipped+rounde]", "did you mean rounded? valid: "),
        ("protocols=[epsilon_.1+epsilon_.125]", "attack.epsilon: one change sets 0.1, another"),
        ("+changes.own={models:{rleu:{}}}", "changes.own.models.rleu: did you mean relu?"),
        ("+changes.own={model:{}}", "changes.own.model={}: unexpected keyword argument"),
        ("+changes.wide_init.models.relu.int_range=1", "int_range=1: no such key; did you mean"),
        ("changes.clipped.attack={clipp:1}", "clipp"),
    ],
)
def test_a_wrong_protocol_is_one_line_before_any_training(word, message, tmp_path, command) -> None:
    done = command("run", "experiment=table_protocols", "scale=smoke", "device.threads=1", word)
    assert done.status == 2
    printed = (done.out + done.err).strip()
    assert message in printed
    assert "\n" not in printed
    assert not list(tmp_path.rglob("*.safetensors"))
