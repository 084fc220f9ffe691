"""Who sees which images and which labels, and what is refused."""

import dataclasses

import pytest
import torch

from advx.config.check import keywords
from advx.config.config import Config
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.audit import networks_of
from advx.experiments.domain_adaptation import (
    Domains,
    Kind,
    game_of,
    kinds,
    scheduled,
)
from tests.running import RESULTS, lines, started

SMOKE = "experiment=domain_adaptation"


@pytest.fixture
def parts(tmp_path):
    """A run, its game, and its first two domains."""
    run, config, _ = started(tmp_path, SMOKE)
    target = run.on(Config(config["targets"]["other_hands"], "targets.other_hands")).data
    return run, Config(config["game"], "game"), Domains.of(run.data, target, 50)


def test_the_source_alone_is_all_that_its_network_sees(parts) -> None:
    _, _, domains = parts
    alone = domains.trained_on["source only"]
    images = torch.cat([domains.source.train.images] * 2)
    assert torch.equal(alone.train.images, images)
    assert torch.equal(alone.validation.images, domains.source.validation.images)
    assert domains.trained_on["no game"] is domains.trained_on["gradient reversal"]
    ceiling = domains.trained_on["trained on target"]
    assert torch.equal(ceiling.train.images, torch.cat([domains.target.train.images] * 2))
    played = domains.trained_on["gradient reversal"]
    assert torch.equal(played.test.images, domains.target.test.images)
    assert torch.equal(played.validation.images, domains.source.validation.images)


def test_poisoned_labels_of_the_target_change_no_byte_of_an_adapted_network(parts) -> None:
    run, game, domains = parts

    def poisoned(split: Split) -> Split:
        return dataclasses.replace(split, labels=(split.labels + 1) % 10)

    target = domains.target
    other = dataclasses.replace(
        target,
        train=poisoned(target.train),
        validation=poisoned(target.validation),
        fingerprint="",
    )
    again = Domains.of(run.data, other, 50)
    for training, same in (("gradient reversal", True), ("trained on target", False)):
        made = []
        for each in (domains, again):
            trained = game_of(run, game, Kind(training, "plain"), each, 0)
            made.append(networks_of(trained.value).state_dict())
        equal = [torch.equal(made[0][key], made[1][key]) for key in made[0]]
        assert all(equal) == same, training


def test_a_row_is_its_own_game(parts) -> None:
    run, game, domains = parts
    every = kinds({"plain": ["reversal", "alternating"], "bn": ["reversal"]})
    assert [kind.row for kind in every] == [
        "source only, plain",
        "no game, plain",
        "gradient reversal, plain",
        "alternating, plain",
        "trained on target, plain",
        "source only, bn",
        "no game, bn",
        "gradient reversal, bn",
        "trained on target, bn",
    ]
    made = {kind.row: game_of(run, game, kind, domains, 0).recipe.model for kind in every}
    assert {row: model["strength"] for row, model in made.items()} == {
        row: 1.0 if "reversal" in row or "alternating" in row else 0.0 for row in made
    }
    assert {row: model["network"] for row, model in made.items()} == {
        row: row.rpartition(" ")[2] for row in made
    }
    assert made["alternating, plain"]["way"] == "alternating"
    assert len({game_of(run, game, kind, domains, 0).key for kind in every}) == len(every)


def test_the_schedule_ends_with_the_training(parts) -> None:
    run, _, _ = parts
    trainer = run.models.trainer.with_(max_epochs=3, epoch_updates=7)
    assert scheduled(trainer)["optimizer"]["updates"] == 21
    with pytest.raises(ConfigError, match=r"trainer\.epoch_updates=null: .* valid: "):
        scheduled(trainer.with_(epoch_updates=None))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["shown_network=bn", "~networks.bn"], "shown_network=bn: is not trained; valid: plain"),
        (["~targets.backgrounds", "~targets.other_hands"], "targets={}: names no target"),
    ],
)
def test_what_cannot_be_adapted_is_refused_before_training(words, complaint, tmp_path) -> None:
    run, config, main = started(tmp_path, SMOKE, "~rows", "~claims", *words)
    run.models._remembered = lambda *_: pytest.fail("trained")  # type: ignore[method-assign]
    with pytest.raises(ConfigError) as refused:
        main(run, **keywords(config, main))
    assert complaint in str(refused.value)


def test_critics_are_scored_on_images_of_both_domains(tmp_path) -> None:
    run, config, main = started(tmp_path, SMOKE, "~rows", "~claims", "~networks.bn")
    main(run, **keywords(config, main))
    found = lines(run.folder / "results.csv", RESULTS)
    scored = [row for row in found if row["metric"].endswith("critic_accuracy")]
    assert scored
    assert {row["n"] for row in scored} == {str(2 * config["critic_examples"])}
    alone = {row["row"] for row in scored if row["metric"] == "trained_critic_accuracy"}
    assert alone == {
        f"{way}, plain" for way in ("no game", "gradient reversal", "simultaneous", "alternating")
    }
