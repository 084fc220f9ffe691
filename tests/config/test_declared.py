"""What experiments say that they measure, against what they measured, and what claims name."""

import csv
import importlib
from pathlib import Path

import pytest

from advx.config.cells import Cell
from advx.config.choices import choices
from advx.config.compose import composed
from advx.config.declared import check_declared, declared
from advx.errors import ConfigError
from tests.paths import REFERENCE

CHAPTER = {
    name: composed([f"experiment={name}", "scale=chapter"]) for name in choices()["experiment"]
}

SINCE = {
    "virtual_adversarial_training": lambda cell: cell.metric == "chosen",
    "gan_collapse_stacked": lambda cell: cell.row == "unseen data",
}
"""What is measured since a reference run was made: it has none of it."""


@pytest.mark.parametrize("experiment", CHAPTER)
def test_every_experiment_says_what_it_measures(experiment) -> None:
    """At every scale, nothing twice, and all that its claims and rows name."""
    for scale in ("smoke", "quick", "chapter"):
        config, main = composed([f"experiment={experiment}", f"scale={scale}"])
        assert declared(config, main)
        check_declared(config, main)


@pytest.mark.parametrize("experiment", [name for name in CHAPTER if (REFERENCE / name).is_dir()])
def test_the_reference_runs_have_what_is_declared(experiment) -> None:
    with (REFERENCE / experiment / "results.csv").open(encoding="utf-8") as stream:
        made = {
            Cell(r["row"], r["metric"], float(r["epsilon"]) if r["epsilon"] else None, r["setting"])
            for r in csv.DictReader(stream)
        }
    known = declared(*CHAPTER[experiment])
    assert known is not None
    since = SINCE.get(experiment, lambda _: False)
    assert not any(map(since, made)), "this run is new: remove it from SINCE"
    always = {cell for cell, always in known.items() if always and not since(cell)}
    assert always <= made <= known.keys()


@pytest.mark.parametrize(
    ("predicate", "where", "nearest"),
    [
        (
            "`maxout -> relu`.eror_rate < 5",
            "`maxout -> relu`.eror_rate",
            "`maxout -> relu`.error_rate",
        ),
        (
            "`maxout -> tan`[clipped] < 5",
            "`maxout -> tan`.error_rate[clipped]",
            "`maxout -> tanh`.error_rate[clipped]",
        ),
        (
            "`maxout -> relu`[epsilon=0.1] < 5",
            "`maxout -> relu`.error_rate[epsilon=0.1]",
            "`maxout -> relu`.error_rate",
        ),
        (
            "`maxout`.clean_error_rate[clipped] < 5",
            "`maxout`.clean_error_rate[clipped]",
            "`maxout`.clean_error_rate",
        ),
    ],
)
@pytest.mark.parametrize("scale", ["smoke", "chapter"])
def test_a_claim_that_names_anything_else_is_refused(predicate, where, nearest, scale) -> None:
    config, main = composed(["experiment=transfer_table", f"scale={scale}"])
    config["claims"] = [{"claim": "mine", "predicate": predicate}]
    with pytest.raises(ConfigError) as error:
        check_declared(config, main)
    assert str(error.value) == (
        f"claims.0: claim 'mine': {where} is not measured; the nearest that is: {nearest}"
    )


def test_so_is_a_row_before_anything_is_trained(command) -> None:
    rows = "rows=[{row: maxout, metric: clean_error_rate, epsilon: 0.1}]"
    done = command("run", "experiment=transfer_table", "scale=smoke", rows, "claims=[]")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "rows.0: `maxout`.clean_error_rate[epsilon=0.1] is not measured" in done.err
    assert not Path("outputs/store").exists()


def test_what_only_the_chapters_scale_measures_may_be_named() -> None:
    config, main = composed(["experiment=gan_theory", "scale=smoke"])
    known = declared(config, main)
    assert known is not None
    assert Cell("k = 100", "divergence") not in known
    config["claims"] = [{"claim": "c", "predicate": "`k = 100`.divergence > `k = 5`.divergence"}]
    check_declared(config, main)


def test_what_a_changed_run_measures_may_be_named() -> None:
    words = ["experiment=transfer_table", "scale=smoke", "+model@models.second=relu"]
    config, main = composed(words)
    config["claims"] = [{"claim": "c", "predicate": "`second`.clean_error_rate > 1"}]
    check_declared(config, main)


SAYS = "from advx.config.cells import Cells\ndef cells(seeds): yield Cells([str(seeds)], ['m'])\n"


@pytest.mark.parametrize(
    ("name", "says", "known"),
    [
        ("silent", "", None),
        ("saying", SAYS, {Cell("[0, 1]", "m"): True}),
        ("importing", "from advx.evaluation.divergence import cells\n", None),
    ],
)
def test_an_experiment_of_ones_own_need_not_say(name, says, known, tmp_path, monkeypatch) -> None:
    """Nor is a function of that name asked which its module imports."""
    text = f"{says}def main(run): ...\n"
    (tmp_path / f"{name}_table.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    main = importlib.import_module(f"{name}_table").main
    assert declared({"experiment": name, "seeds": [0, 1]}, main) == known


@pytest.mark.parametrize(
    "words",
    [
        ["experiment=imperceptible", "levels=[0.5]"],
        ["experiment=imperceptible", "model=torchvision", "model.name=googlenet", "image=cat.jpg"],
        ["experiment=adversarial_training", "epsilons=[0.3]"],
        ["experiment=same_mistake", "epsilons=[0.05]"],
    ],
    ids=" ".join,
)
def test_other_settings_leave_the_experiments_own_claims_untested(words) -> None:
    check_declared(*composed([*words, "scale=smoke"]))
    mine = "+claims=[{claim: mine, predicate: '`nobody`.error_rate < 5'}]"
    with pytest.raises(ConfigError, match=r"claim 'mine': `nobody`\.error_rate is not measured"):
        check_declared(*composed([*words, "scale=smoke", mine.replace("+", "")]))
