"""Claims and rows of an experiment's YAML, read before training; verdicts only on the chapter."""

import json
from pathlib import Path

import pytest

from advx.config.chapter import departures, differences
from advx.config.compose import composed
from advx.errors import ConfigError
from advx.run import check
from tests.running import table


@pytest.mark.parametrize(
    ("predicate", "breaks"),
    [
        ("`a` =< 5", "at '=< 5': < or > is needed"),
        ("`a` <= 5", "at '<= 5'"),
        ("`a` << 5", "at '<< 5'"),
        ("`a` > 5 percent", "at 'percent'"),
        ("`a` > 5 and `b`.error_rate > 9", "at 'and `b`"),
        ("`a` > 5 and", "at 'and'"),
        ("`a`-`b` > 1", "< or > is needed, or + or - between spaces"),
        ("`a` < 5,", "at its end"),
        ("`a` <", "at its end"),
        ("`a`", "at its end: < or > is needed"),
        ("`a", "at '`a'"),
        ("`a`. < 5", "at '. < 5'"),
        ("`a`.error rate < 5", "at 'rate < 5'"),
        ("`a` < 5%", "at '%'"),
        ("`a` < 1.2.3", "at '1.2.3'"),
        ("`a` < 1e", "at '1e'"),
        ("`a` < 9e1x", "at '9e1x'"),
        ("`a` < nan", "at 'nan'"),
        ("`a` < 1e999", "at '1e999'"),
        ("`a` < 5 > 3", "only < may follow <"),
        ("`a`, `b` < 5", "only the last side may be a list"),
        ("1 < 2", "at its end: it compares no row"),
        ("0 < `a` < 5 < 3", "at '5 < 3': it compares two numbers"),
        ("`a` > 5 > 1 + 2", "at '5 > 1 + 2': it compares two numbers"),
        ("`b`, `a` < `a`", "only the last side may be a list"),
        ("`a` < `b`, `a`", "it is compared with itself"),
        ("`a` < 17,5", "at '5': two numbers in one list: 17.5, with a point?"),
        ("`a` < 17, `b`, 5.", "at '5.': two numbers in one list: a list says no more than"),
        ("a < 5", "at 'a < 5'"),
        ("` ` < 5 5", "at '5'"),
        ("`a`.error_rate@0.1 < 5", "at '@0.1 < 5': sizes and settings stand in brackets"),
        ("`a`[] < 5", "at '[] < 5': in brackets stand"),
        ("`a`[epsilon=x] < 5", "at '[epsilon=x] < 5'"),
        ("`a`[epsilon=1, epsilon=1] < 5", "at '[epsilon=1, epsilon=1] < 5'"),
        ("`a`[a b] < 5", "at '[a b] < 5'"),
        ("`a`[a=] < 5", "at '[a=] < 5'"),
        ("`a`[a < 5", "at '[a < 5'"),
    ],
)
def test_a_predicate_is_read_to_its_end_before_anything_is_made(predicate, breaks) -> None:
    config, experiment = composed(["experiment=transfer"])
    config["claims"] = [{"claim": "mine", "says": "x", "predicate": predicate}]
    with pytest.raises(ConfigError) as error:
        check(config, experiment)
    line = str(error.value)
    assert line.startswith(f"claims.0: predicate {predicate!r} of 'mine' breaks ")
    assert breaks in line
    assert "valid: e.g. `relu`" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("+claims=[{claim: c, predicate: '`a` =< 5'}]", "predicate '`a` =< 5' of 'c' breaks"),
        ("+claims=[{claim: c}]", "claims.0.predicate: not given, e.g. `relu`"),
        ("+claims=[{claim: c, predicate: 5}]", "claims.0.predicate=5: text is needed"),
        ("+claims=[{predicate: '`a` < 5'}]", "claims.0.claim: not given"),
        ("+claims=[{claim: c, predicat: '`a` < 5'}]", "did you mean predicate?"),
        ("+claims=[c]", "claims.0=c: keys are needed; valid: claim, says, source, predicate, "),
        ("+claims={claim: c}", "a list is needed"),
        (
            "+claims=[{claim: c, predicate: '`a` < 5'},{claim: c, predicate: '`a` < 6'}]",
            "claims.1.claim=c: listed twice",
        ),
        (
            "+rows=[{row: R, metric: error_rate, direction: nope}]",
            "rows.0.direction=nope: no such claim; there is none to choose",
        ),
        ("+rows=[{row: R, metric: m, epsilon: x}]", "rows.0.epsilon=x: a number is needed"),
        ("+rows=[{row: R, metric: m, setting: 3}]", "rows.0.setting=3: text is needed"),
        ("+rows=[{row: R, metric: m@0.1}]", "rows.0.metric=m@0.1: sizes and settings have keys"),
        (
            "+rows=[{row: R, metric: m, setting: b+a},{row: R, metric: m, setting: a+b}]",
            "rows.1: `R`.m[a, b] is listed twice",
        ),
        ("+rows=[{row: R, metric: error_rate, chapte: 3}]", "did you mean chapter?"),
        ("+rows=[{row: R, metric: error_rate, chapter: x}]", "rows.0.chapter=x: a number"),
        ("+rows=[{row: R, metric: m, chapter: nan}]", "rows.0.chapter=nan: a finite number"),
        ("+rows=[{row: R, metric: m, chapter: -inf}]", "rows.0.chapter=-inf: a finite number"),
        (
            "+claims=[{claim: c, predicate: '`a` < 5', source: 3}]",
            "claims.0.source=3: text is needed",
        ),
        (
            "+claims=[{claim: c, predicate: '`a` < 5', changed: [{date: d, was: x}]}]",
            "claims.0.changed.0.why: not given",
        ),
        (
            "+claims=[{claim: c, predicate: '`a` < 5', changed: [{date: d, why: x}]}]",
            "claims.0.changed.0: neither was (the old predicate) nor said (the old sentence)",
        ),
        (
            "+claims=[{claim: c, predicate: '`a` < 5', changed: [{date: d, said: 3, why: x}]}]",
            "claims.0.changed.0.said=3: text is needed",
        ),
        (
            "+rows=[{row: R, metric: m, published: 3}]",
            "rows.0.source: not given; it names the paper",
        ),
        ("+rows=[{row: R, metric: m, note: [x]}]", "rows.0.note=['x']: text is needed"),
        ("+rows=[{row: R, metric: m, set: 3}]", "rows.0.set=3: true or false is needed"),
        ("+rows=[{row: R, metric: m, judged: 3}]", "rows.0.judged=3: true or false is needed"),
        ("+rows=[{row: R}]", "rows.0.metric: not given"),
        ("+rows=[{row: R, metric: m},{row: R, metric: m}]", "rows.1: `R`.m is listed twice"),
    ],
)
def test_claims_and_rows_are_refused_in_one_line_before_training(advx, word, expected) -> None:
    status, _, said = advx("run", "experiment=transfer", "scale=smoke", word)
    assert status == 2
    assert expected in said
    assert said.count("\n") == 1
    assert not list(Path.cwd().glob("outputs/store/models/*"))


def test_a_sweeps_claims_are_read_before_its_first_job(advx) -> None:
    claims = (
        "+claims=[{claim: c, predicate: '`relu`.clean_error_rate < 5'}],"
        "[{claim: d, predicate: '`a` = 5'}]"
    )
    status, _, said = advx("run", "-m", "experiment=transfer", "scale=smoke", claims)
    assert status == 2
    assert "of 'd' breaks at '= 5'" in said
    assert not Path("outputs").exists()


def test_what_was_never_measured_is_said_and_nothing_is_lost(advx) -> None:
    """A smaller scale may leave out rows that the experiment makes at the chapter's."""
    status, printed, said = advx(
        "run",
        "experiment=transfer_table",
        "scale=smoke",
        "seeds=[0]",
        "protocols=[unclipped]",
        "hydra.run.dir=out",
    )
    assert (status, said) == (0, "")
    line = (
        "not measured at scale=smoke: `smoothed_nearest_neighbor -> nearest_neighbor`.error_rate"
        "[objective=cross_entropy], `maxout`.clean_error_rate[all_training_data]"
    )
    assert f"\n{line}\n" in printed
    assert f"\n- {line}\n" in Path("out/summary.md").read_text(encoding="utf-8")
    assert "  not tested (0/0 seeds)  training on the validation examples too" in printed
    missing = "maxout.clean_error_rate[all_training_data] not measured"
    assert missing in Path("out/claims.csv").read_text(encoding="utf-8")


def test_what_the_experiment_does_not_make_is_refused_before_training(advx) -> None:
    status, _, said = advx(
        "run",
        "experiment=transfer",
        "scale=smoke",
        "+claims=[{claim: c, predicate: '`relu`.eror_rate < 5'}]",
    )
    assert status == 2
    assert "`relu`.eror_rate is not measured; the nearest that is: `relu`." in said


def test_what_was_measured_before_an_error_is_kept(advx, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no figure today")

    monkeypatch.setattr("advx.experiments.transfer.transfer_figure", broken)
    words = ["run", "--config-dir", "conf", "experiment=mine", "scale=chapter", "seeds=[0]"]
    with pytest.raises(ValueError, match="no figure today"):
        advx(*words, "hydra.run.dir=outputs/runs/mine/a")
    folder = Path("outputs/runs/mine/a")
    assert "no figure today" in (folder / "FAILED").read_text()
    assert len((folder / "results.csv").read_text().splitlines()) > 2
    assert "- unfinished: no figure today\n" in (folder / "summary.md").read_text()
    assert json.loads((folder / "manifest.json").read_text())["command"]
    assert {row["verdict"] for row in table(folder / "summary.csv")} == {""}
    status, printed, _ = advx("report")
    assert status == 1
    assert "outputs/runs/mine/a: failed: ValueError: no figure today" in printed


def chapter_run(advx, *words: str) -> tuple[str, str]:
    """The verdict of `mine` at the chapter's scale, and the remark that withholds it."""
    status, printed, said = advx(
        "run",
        "--config-dir",
        "conf",
        "experiment=mine",
        "scale=chapter",
        "hydra.run.dir=out",
        *words,
    )
    assert status == 0, said
    rows = table(Path("out/summary.csv"))
    remarks = [line for line in printed.splitlines() if line.startswith("no verdicts: ")]
    listed = [f"- {line}" for line in remarks]
    assert listed == [
        s for s in Path("out/summary.md").read_text(encoding="utf-8").splitlines() if s in listed
    ]
    return next((r["verdict"] for r in rows if r["chapter"]), "no row"), "".join(remarks)


def test_the_chapters_own_protocol_is_judged(advx) -> None:
    verdict, remark = chapter_run(
        advx,
        "seeds=[3,4]",
        "device.threads=1",
        "device=cpu",
        "store=elsewhere",
        "data_dir=data",
        "hydra.job.name=other",
    )
    assert verdict in {"reproduced", "near", "not reproduced", "inconclusive"}
    assert remark == ""


@pytest.mark.parametrize(
    ("word", "remark"),
    [
        ("attack.epsilon=0.02", "attack.epsilon=0.02 differs"),
        ("model@crafting=smoothed_nearest_neighbor", "crafting=smoothed_nearest_neighbor differs"),
        ("dataset.limit={train: 200, validation: 100, test: 100}", "dataset.limit="),
        ("figure_examples=1", "figure_examples=1 differs"),
        ("scale=quick", "scale=quick differs"),
    ],
)
def test_a_run_that_changes_anything_else_is_not(advx, word, remark) -> None:
    verdict, told = chapter_run(advx, "seeds=[0]", word)
    assert verdict in ("", "no row")
    assert told.startswith(f"no verdicts: {remark}")
    assert told.endswith(" from scale=chapter")


CHANGES = [
    "experiment=transfer_table dataset=mnist5k seeds=[0] trainer.max_epochs=1 "
    "protocols=[unclipped] retraining_seeds=0 attack.epsilon=0.02",
    "experiment=transfer_table attack.epsilon=0.02",
    "experiment=transfer_table attack=pgd",
    "experiment=transfer_table model@models.relu=tanh",
    "experiment=transfer_table models.relu.units=[20,20]",
    "experiment=transfer_table dataset=mnist5k",
    "experiment=transfer_table dataset.limit=1000",
    "experiment=transfer_table trainer=published",
    "experiment=transfer_table trainer.patience=3",
    "experiment=transfer_table ~models.tanh",
    "experiment=transfer_table rows.0.chapter=30",
    "experiment=label_smoothing smoothed.smoothing=0.2",
    "experiment=gan_samples game.latent=5",
]


@pytest.mark.parametrize("words", CHANGES)
def test_no_verdict_on_another_protocol(words) -> None:
    config, _ = composed([*words.split(), "scale=chapter"])
    assert departures(config) != []


def test_an_argument_at_its_default_is_no_difference() -> None:
    """A run is older than an argument that has been added since, and is still the same run."""
    node = {"_target_": "advx.games.domain_adversarial.DomainAdversarial", "strength": 2.0}
    young, changed = node | {"channels": [32, 48]}, node | {"channels": [32, 64]}
    assert differences(node, young) == differences(young, node) == []
    assert differences(changed, node) == ["channels=[32, 64]"]
    assert differences(node, changed) == ["~channels"]
    assert differences(node | {"chanels": 1}, node) == ["chanels=1"]
    assert differences({}, {"channels": [32, 48]}) == ["~channels"]


def test_where_files_lie_is_no_difference_under_any_key() -> None:
    node = {"name": "mnist", "data_dir": None, "digests": None, "train": 5}
    other = node | {"data_dir": "elsewhere", "digests": "mine.json"}
    for key in ("dataset", "digits", "targets"):
        assert differences({key: node}, {key: other}) == []
        assert differences({key: {"mine": node}}, {key: {"mine": other}}) == []
        assert differences({key: other | {"train": 6}}, {key: node}) == [f"{key}.train=6"]
