"""What is known of the structural model stands beside what was measured; what is refused."""

import pandas as pd
import pytest

from advx.config.check import keywords
from advx.config.config import Config
from advx.data import hiring
from advx.data.hiring import Hiring
from advx.errors import ConfigError
from advx.evaluation.audit import networks_of
from advx.experiments.censored_representations import game_of
from tests.running import RESULTS, lines, started

SMOKE = "experiment=censored_representations"


def test_the_best_guesses_are_those_of_the_applicants_that_were_drawn(tmp_path) -> None:
    words = ["hiring.leak=1.5", "hiring.bias=0.3", "~rows", "~claims"]
    run, config, main = started(tmp_path, SMOKE, *words)
    main(run, **keywords(config, main))
    found = {
        (row["row"], row["metric"]): float(row["value"])
        for row in lines(run.folder / "results.csv", RESULTS)
        if row["row"].startswith("best guess")
    }
    model = Hiring(leak=1.5, bias=0.3)
    for row, each in (("best guess", model), ("best guess, no leak", model.censored)):
        guess = each.best_guess
        expected = {
            "error_rate": 100 * (1 - guess.decision_accuracy),
            "error_rate_on_truth": 100 * (1 - guess.qualified_accuracy),
            "demographic_parity_difference": 100 * guess.gap,
            "best_critic_accuracy": 100 * each.leakage,
        }
        measured = {metric: found[f"{row}, hiring", metric] for metric in expected}
        assert measured == pytest.approx(expected, abs=1e-4)


def test_the_truth_is_that_of_the_same_applicants(tmp_path) -> None:
    """A model that errs on no label errs on the truth where managers did."""
    run, config, _ = started(tmp_path, SMOKE)
    decided = Config(config["hiring"], "hiring")
    past, truth = run.on(decided).data.test, run.on(decided.with_(labels="qualified")).data.test
    assert past.images.equal(truth.images)
    assert past.groups is not None
    disagree = past.labels != truth.labels
    favored = past.groups == 1
    assert disagree.any()
    assert (past.labels[disagree & favored] == 1).all()  # hired, though not qualified
    assert (past.labels[disagree & ~favored] == 0).all()


def test_errors_on_the_truth_are_counted_against_who_is_qualified(tmp_path) -> None:
    run, config, main = started(tmp_path, SMOKE, "weights=[0]", "~rows", "~claims")
    main(run, **keywords(config, main))
    on = run.on(Config(config["hiring"], "hiring"))
    networks = networks_of(game_of(on, Config(config["game"], "game"), 0.0, 0).value)
    sizes = {key: config["hiring"][key] for key in ("train", "validation", "test")}
    qualified = hiring.load(labels="qualified", **sizes).test
    wrong = (networks(qualified.images).argmax(1) != qualified.labels).double().mean().item()
    (row,) = [
        row
        for row in lines(run.folder / "results.csv", RESULTS)
        if (row["row"], row["metric"]) == ("c = 0, hiring", "error_rate_on_truth")
    ]
    assert float(row["value"]) == pytest.approx(100 * wrong, abs=1e-4)
    past = on.data.test
    assert (past.labels != qualified.labels).any()


def test_a_game_has_the_weight_and_as_many_groups_as_the_data(tmp_path) -> None:
    run, config, _ = started(tmp_path, SMOKE)
    game = game_of(run, Config(config["game"], "game"), 3.0, 0)
    assert game.recipe.model["adversary_weight"] == 3.0
    assert game.recipe.model["groups"] == 2
    assert game.recipe.model["input_shape"] == [20]


def test_a_table_of_ones_own_needs_no_structural_model(tmp_path) -> None:
    table = pd.DataFrame(
        {
            "score": [k * 7 % 23 for k in range(300)],
            "town": ["north", "south", "west"] * 100,
            "group": ["a", "b", "c", "a"] * 75,
            "hired": ["yes" if k * 7 % 23 > 11 else "no" for k in range(300)],
        }
    )
    path = tmp_path / "people.csv"
    table.to_csv(path, index=False)
    words = [f"dataset.path={path}", "dataset.target=hired", "dataset.protected=group"]
    words = ["dataset=table", *words, "hiring=null", "~rows", "~claims"]
    run, config, main = started(tmp_path, SMOKE, *words)
    main(run, **keywords(config, main))
    rows = {row["row"] for row in lines(run.folder / "results.csv", RESULTS)}
    assert rows == {"c = 0", "c = 10", "examples"}
    assert game_of(run, Config(config["game"], "game"), 1.0, 0).recipe.model["groups"] == 3


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["weights=[1]"], "weights=[1]: 0 must be among them, to compare with"),
        (
            ["dataset=mnist5k", "dataset.limit={train: 90}"],
            "dataset=mnist5k: has no protected attribute",
        ),
    ],
)
def test_what_cannot_be_censored_is_refused_before_training(words, complaint, tmp_path) -> None:
    run, config, main = started(tmp_path, SMOKE, "~rows", "~claims", *words)
    run.models._remembered = lambda *_: pytest.fail("trained")  # type: ignore[method-assign]
    with pytest.raises(ConfigError) as refused:
        main(run, **keywords(config, main))
    assert complaint in str(refused.value)
