"""What each row is trained with, and attacked within."""

import pytest

from advx.config.check import keywords
from advx.experiments import training_perturbations
from tests.running import started

SHORT = ["trainer.max_epochs=1", "seeds=[0]", "examples=20"]


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Networks and attacks of every row, and the run."""
    run, config, main = started(tmp_path, "experiment=training_perturbations", *SHORT)
    seen = {}

    def note(run, row, network, strongest, attacked, examples) -> None:
        seen[row] = network
        run.table.add(row, clean_error_rate=1.0, seed=0, n=1)
        for norm, epsilon in attacked:
            under = training_perturbations.under(norm)
            run.table.add(
                row, strongest_error_rate=1.0, epsilon=epsilon, setting=under, seed=0, n=1
            )

    monkeypatch.setattr(training_perturbations, "errors", note)
    main(run, **keywords(config, main))
    return seen


def test_every_row_is_trained_with_what_it_names(measured) -> None:
    balls = {"max norm .25": ("linf", 0.25), "max norm .1": ("linf", 0.1), "L2 2": ("l2", 2.0)}
    kinds = {"one step": (1, False), "random start": (1, True), "several steps": (2, True)}
    assert len(measured) == 1 + 4 * 3 + 1 + 2 * 2
    assert len({str(network.key) for network in measured.values()}) == len(measured)
    for row, network in measured.items():
        model, method, *ball = row.split(", ")
        assert network.name == model
        defense = network.recipe.defense.build()
        if method == "plain":
            assert type(defense).__name__ == "NoDefense"
            continue
        assert (defense.norm, defense.epsilon) == balls[ball[0]]
        if method == "virtual":
            assert type(defense).__name__ == "VirtualAdversarial"
        else:
            assert (defense.steps, defense.random_start) == kinds[method]
            assert defense.validate_on == "clean"
    one = {str(network.recipe.trainer.plain()) for network in measured.values()}
    assert len(one) == 1


def test_each_ball_of_the_attack_has_its_row(tmp_path) -> None:
    run, config, main = started(tmp_path, "experiment=training_perturbations", *SHORT)
    config["trained"] = {"maxout": {"one_step": ["max_norm"]}}
    main(run, **keywords(config, main))
    found = {(r.row, r.metric, r.epsilon, r.setting): r.value for r in run.table.results.rows}
    for row in ("maxout, plain", "maxout, one step, max norm .25"):
        errors = [found[row, "strongest_error_rate", *at] for at in ((0.1, ""), (0.25, ""))]
        assert found[row, "clean_error_rate", None, ""] <= errors[0] + 15  # on other digits
        assert errors == sorted(errors)
        assert (row, "strongest_error_rate", 2.0, "norm=l2") in found
