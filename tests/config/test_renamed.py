"""Names of before mean what they meant: as words, in a YAML of one's own, and in old manifests."""

import pytest
import yaml

from advx.config import moved, renamed
from advx.config.cells import Cell
from advx.config.compose import composed, resolved
from advx.run import check
from tests.config.test_moved import SMOKE, at
from tests.paths import ROOT

WORDS = {
    "experiment=virtual_adversarial_training trainer.labelled=50": {"trainer.labeled": 50},
    "experiment=virtual_adversarial_training trainer.unlabelled_batch_size=7": {
        "trainer.unlabeled_batch_size": 7
    },
    "experiment=virtual_adversarial_training models.relu_batch_norm.normalise_output=false": {
        "models.relu_batch_norm.normalize_output": False
    },
    "experiment=gan_samples trainer=pair/adam": {"trainer.name": "game_adam"},
    "experiment=gan_samples trainer=pair/published": {"trainer.name": "game_published"},
    "experiment=laplacian_gan trainer/pair@coarse_trainer=published": {
        "coarse_trainer.name": "game_published"
    },
    "experiment=transfer_table readings=[clipped]": {"protocols": ["clipped"]},
    "experiment=attack pictures=3": {"saved_images": 3},
    "experiment=church_windows pictures=3": {"image_examples": 3},
    "experiment=gan_collapse critic_steps=3": {"fixed_generator_updates": 3},
    "experiment=gan_collapse_stacked critic_steps=3": {"fixed_generator_updates": 3},
    "experiment=gan_theory critic_steps=3 critic_batch=5": {
        "fixed_generator_updates": 3,
        "fixed_generator_batch_size": 5,
    },
    "experiment=hidden_representation model@judge=relu judge.units=[7]": {
        "evaluator.name": "relu",
        "evaluator.units": [7],
    },
    "experiment=latent_arithmetic model@probe=convolutional probe.units=7": {
        "evaluator.name": "convolutional",
        "evaluator.units": 7,
    },
    "experiment=latent_arithmetic probe_trainer.max_epochs=3": {
        "evaluator_trainer.max_epochs": 3,
        "evaluator_trainer.patience": None,
    },
    "experiment=latent_arithmetic trainer@probe_trainer=published probe_trainer.momentum=.4": {
        "evaluator_trainer.name": "published",
        "evaluator_trainer.optimizer.momentum": 0.4,
    },
    "experiment=latent_arithmetic optimizer@probe_trainer.optimizer=sgd": {
        "evaluator_trainer.optimizer._target_": "advx.training.optimizers.SGD"
    },
    "experiment=church_windows dataset=pictures/chapter": {"dataset.name": "cifar10"},
    "experiment=church_windows model=pictures/chapter": {"model.name": "conv_maxout_small"},
    "experiment=church_windows trainer=pictures/quick": {"trainer.max_epochs": 30},
}


@pytest.mark.parametrize("typed", WORDS)
def test_a_word_of_before_means_what_it_meant(typed) -> None:
    config, main = composed([*typed.split(), *SMOKE])
    assert {path: at(config, path) for path in WORDS[typed]} == WORDS[typed]
    check(config, main)


def test_every_choice_of_before_names_a_file_of_today() -> None:
    for old, new in renamed.CHOICES.items():
        assert (ROOT / "conf" / f"{new}.yaml").is_file()
        assert not (ROOT / "conf" / f"{old}.yaml").exists()


def test_every_key_of_before_is_tried_and_has_a_new_name_in_its_experiment() -> None:
    tried = " ".join(WORDS)
    for name, keys in renamed.KEYS.items():
        config = resolved([f"experiment={name}", *SMOKE])
        for old, new in keys.items():
            assert f"{old}=" in tried or f"{old}." in tried
            assert new in config
            assert old not in config


ROWS = [
    {"row": "generator", "metric": "sure"},
    {"row": "googlenet, the picture", "metric": "error_rate"},
]
CLAIM = {"claim": "c", "predicate": "`k-means centres`.parzen > 2 * `generator`.sure[epsilon=0.1]"}


@pytest.mark.parametrize(
    ("main", "rows", "predicate"),
    [
        (
            "advx.experiments.gan_samples.main",
            [("generator", "confident_rate"), ("googlenet, the image", "error_rate")],
            "`k-means centers`.parzen > 2 * `generator`.confident_rate[epsilon=0.1]",
        ),
        ("mine.main", [tuple(row.values()) for row in ROWS], CLAIM["predicate"]),
    ],
)
def test_rows_and_metrics_of_before_in_a_yaml_or_a_manifest(main, rows, predicate) -> None:
    """Those of advx's experiments; a metric of one's own may have any name."""
    config = {"main": main, "rows": [dict(r) for r in ROWS], "claims": [dict(CLAIM)]}
    assert moved.put_right(config) == []
    assert [tuple(row.values()) for row in config["rows"]] == rows
    assert config["claims"][0]["predicate"] == predicate
    for given, row in zip(ROWS, rows, strict=True):
        assert renamed.cell(Cell(**given), config) == Cell(*row)


MINE = """\
# @package _global_
defaults:
  - /game: gan
  - /trainer/pair@other_trainer: published
  - /model@classifier: convolutional
  - /trainer@classifier_trainer: adam
  - override /trainer: pair/adam
title: Mine
main: advx.experiments.gan_samples.main
layer: layers.8
samples: 200
sigmas: [0.1]
"""


def test_a_yaml_of_ones_own_with_choices_of_before(tmp_path, command) -> None:
    mine = tmp_path / "own" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text(MINE, encoding="utf-8")
    for word, name in (("", "published"), ("trainer/pair@other_trainer=adam", "adam")):
        place = ["--config-dir", str(tmp_path / "own"), "experiment=mine"]
        shown = command("run", *place, *word.split(), "--cfg", "job")
        assert shown.status == 0, shown.err
        config = yaml.safe_load(shown.out)
        assert config["trainer"]["name"] == "game_adam"
        assert config["other_trainer"]["name"] == f"game_{name}"


def test_each_name_of_before_is_remarked() -> None:
    chosen = {"trainer": "pair/adam", "trainer@coarse_trainer": "pair/adam", "dataset": "mnist"}
    chosen["trainer/pair@other"] = "adam"
    assert list(renamed.old_choices(chosen)) == [
        "trainer=pair/adam has a new name: trainer=game/adam",
        "trainer@coarse_trainer=pair/adam has a new name: trainer@coarse_trainer=game/adam",
        "trainer/pair@other=adam has a new name: trainer@other=game/adam",
    ]
    trainer = {"_target_": "advx.training.semi_supervised.SemiSupervisedTrainer", "labelled": 5}
    config = {"trainer": trainer, "models": {"mine": {"_target_": "my.Net", "labelled": 5}}}
    assert moved.put_right(config) == ["trainer.labelled has a new name: trainer.labeled=5"]
    assert config["models"]["mine"] == {"_target_": "my.Net", "labelled": 5}


def test_an_override_in_a_yaml_that_begins_with_another_one_names_the_part_of_today(
    tmp_path, command
) -> None:
    mine = tmp_path / "own" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    text = "defaults: [hidden_representation, {override /model@judge: relu}]"
    mine.write_text(f"# @package _global_\n{text}\n", encoding="utf-8")
    done = command("run", "--config-dir", str(tmp_path / "own"), "experiment=mine")
    assert done.status == 2
    assert done.err == "advx: model@judge has a new name: model@evaluator\n"


def test_a_run_says_the_new_name(command) -> None:
    words = (
        "run experiment=train trainer=semi_supervised trainer.labelled=7000 +trainer/pair@mine=adam"
    )
    done = command(*words.split(), *SMOKE)
    assert done.status == 2
    assert "trainer.labelled has a new name: trainer.labeled=7000" in done.out
    assert "advx: +trainer/pair@mine=adam has a new name: +trainer/game@mine=adam\n" in done.err
