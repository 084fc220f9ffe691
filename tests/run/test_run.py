"""The rates that an experiment asks a run for."""

import json
import math
from pathlib import Path

import pytest
import torch

from advx.attacks.fgsm import FGSM
from advx.attacks.objectives import cross_entropy
from advx.config.check import keywords
from advx.config.config import Config, with_configs
from advx.errors import ConfigError, Diverged
from advx.evaluation.robustness import (
    errors_by_stage,
    first_gradient_zero_rate,
    targeted_success_rate,
)
from advx.evaluation.transfer import error_rate, guides, target_classes
from advx.run import Run
from advx.run.data import PARTS, fitting
from advx.run.facts import best_epoch, validation_error
from advx.store.store import Store
from advx.training import load_or_train
from tests.running import started


def begun(tmp_path: Path, *words: str) -> tuple[Run, dict[str, Config]]:
    """A run, and the configurations in it."""
    run, config, _ = started(tmp_path, *words)
    return run, with_configs(config)


def without_models(run: Run) -> None:
    """From here on nothing may be trained or loaded."""
    run.models.trained = lambda *_: pytest.fail("a stored value needs no model")  # type: ignore[method-assign]


def test_rates_are_stored_without_the_models(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=transfer")
    source, target = (run.model(config[key], 0) for key in ("crafting", "target"))
    rate = run.measure(error_rate, target, run.craft(config["attack"], source))
    again, _ = begun(tmp_path, "experiment=transfer")
    without_models(again)
    source_again, target_again = (again.model(config[key], 0) for key in ("crafting", "target"))
    crafted = again.craft(config["attack"], source_again)
    assert again.measure(error_rate, target_again, crafted) == rate
    images = run.craft(config["attack"], source).value.images
    by_hand = target.value(images).argmax(1) != run.data.test.labels
    assert rate == pytest.approx(100 * by_hand.double().mean().item())
    unmoved = run.craft(config["attack"].with_(epsilon=0.0), source)
    assert run.measure(error_rate, target, unmoved) == run.measure(error_rate, target, run.test())
    assert run.measure(error_rate, target, unmoved) != rate


def test_rates_name_the_weights_that_they_rest_on_and_follow_them(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=transfer")
    source, target = (run.model(config[key], 0) for key in ("crafting", "target"))
    ensemble = run.model(
        config["target"],
        0,
        defense=Config({"_target_": "advx.defenses.ensemble.Ensemble", "members": 2}, "defense"),
    )
    members = {run.model(config["target"], seed).key for seed in (0, 1)}
    assert ensemble.networks == members
    crafted = run.craft(config["attack"], source)
    assert crafted.networks == source.networks == {source.key}
    assert target.training.networks == {target.key}
    rate = run.measure(error_rate, target, crafted)
    (row,) = (run.store.folder / "rows").glob("*.json")
    found = {key: run.store.meta(key) for key in (source.key, target.key)}
    assert json.loads(row.read_text())["digests"] == {k: m["sha256"] for k, m in found.items() if m}
    weights, meta = run.store.load(target.key) or ({}, {})
    other_store = Store(run.store.folder)  # of another process
    other_store.save(target.key, {key: -value for key, value in weights.items()}, meta)
    again, _ = begun(tmp_path, "experiment=transfer")
    other = again.model(config["target"], 0)
    crafted = again.craft(config["attack"], again.model(config["crafting"], 0))
    by_hand = other.value(crafted.value.images).argmax(1) != again.data.test.labels
    measured = again.measure(error_rate, other, crafted)
    assert measured == pytest.approx(100 * by_hand.double().mean().item())
    assert measured != rate


class Reversed:
    """A defense whose cost falls where the cross-entropy rises."""

    def cost(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return -cross_entropy(logits, labels)


@pytest.mark.parametrize("defense", ["Distillation", "Ensemble"])
def test_a_run_counts_what_its_networks_are_made_of_also_from_the_store(tmp_path, defense) -> None:
    defended = Config({"_target_": f"advx.defenses.{defense.lower()}.{defense}"})
    known = []
    for _ in ("trained", "from the store"):
        run, config = begun(tmp_path, "experiment=transfer")
        network = run.model(config["target"], 0, defense=defended)
        assert 0 <= run.measure(error_rate, network, run.test()) <= 100
        known.append(run.models.training())
        without_models(run)
    assert known[1] == known[0]
    parts = {"Distillation": 2, "Ensemble": 12}[defense]  # the teacher and its pupil; members alone
    assert [facts["seconds"] > 0 for facts in known[0].values()] == [True] * parts


def test_training_cost_is_that_of_the_crafting_models_own_defense(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=transfer")
    ascent, test = config["attack"].with_(objective="training_cost"), run.data.test
    module = run.model(config["crafting"], 0).value
    costs = {}
    for defense in (config["defense"], Config({"_target_": "tests.run.test_run.Reversed"})):
        source = run.model(config["crafting"], 0, defense=defense)
        crafted = run.attack(ascent, source).value(module, test.images, test.labels)
        costs[defense.target_name] = cross_entropy(module(crafted), test.labels).mean().item()
    clean = cross_entropy(module(test.images), test.labels).mean().item()
    assert costs["Reversed"] < clean < costs["NoDefense"]
    mine = run.model(config["target"].with_(weights="mine.pt"), 0)
    with pytest.raises(ConfigError, match="relu was not trained here"):
        run.attack(ascent, mine)


def test_a_defense_without_a_cost_of_one_example_is_refused(tmp_path) -> None:
    run, config = begun(
        tmp_path,
        "experiment=transfer",
        "attack.objective=training_cost",
        "defense@crafting_defense=distillation",
    )
    source = run.model(config["crafting"], 0, defense=config["crafting_defense"])
    with pytest.raises(ConfigError, match="Distillation has no training cost of a single example"):
        run.attack(config["attack"], source)


def test_targeted_success_means_the_class_aimed_at(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=transfer", "attack.targeted=true")
    source, wanted = run.model(config["crafting"], 0), run.crafting.target_classes
    crafted = run.craft(config["attack"], source)
    rate = run.measure(targeted_success_rate, source, crafted, wanted)
    by_hand = FGSM(epsilon=0.25, targeted=True)(source.value, run.data.test.images, wanted)
    reached = (source.value(by_hand).argmax(1) == wanted).double().mean().item()
    assert rate == pytest.approx(100 * reached)


def test_a_guided_attack_is_given_images_of_the_classes_aimed_at(tmp_path) -> None:
    run, config = begun(
        tmp_path,
        "experiment=transfer",
        "model@crafting=softmax_regression",
        "attack=feature",
        "attack.layer=linear",
        "attack.epsilon=1.0",
        "attack.evaluations=50",
    )
    labels, wanted = run.data.test.labels, run.crafting.target_classes
    assert torch.equal(labels[guides(labels, wanted)], wanted)
    source = run.model(config["crafting"], 0)
    crafted = run.craft(config["attack"], source, 40).value
    module, goal = source.value, run.crafting.guides[run.source.rows(40)]
    far = (module(run.test(40).images) - module(goal)).square().sum()
    assert (module(crafted.images) - module(goal)).square().sum() < 0.01 * far


def test_target_classes_are_wrong_uniform_and_fixed() -> None:
    labels = torch.arange(9000) % 10
    wanted = target_classes(labels, 10)
    assert torch.equal(wanted, target_classes(labels, 10))
    shift = torch.bincount((wanted - labels) % 10, minlength=10)
    assert shift[0] == 0
    assert (shift[1:] - 1000).abs().max() < 5 * 1000**0.5


def test_one_model_is_attacked_once_for_all_targets(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=transfer")
    source = run.model(config["crafting"], 0)
    first = run.craft(config["attack"], source).value
    assert run.craft(config["attack"], source).value is first
    assert run.craft(config["attack"].with_(epsilon=0.1), source).value is not first


def test_strong_attacks_errors_add_up_and_are_stored(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=label_smoothing")
    network, strongest = run.model("maxout", 0), config["strongest"].with_(epsilon=0.1)
    attack = run.attack(strongest, network)
    by_stage = run.measure(errors_by_stage, network, attack, run.test())
    assert by_stage.clean == run.measure(error_rate, network, run.test())
    error = run.measure(error_rate, network, run.craft(strongest, network))
    assert by_stage.all == pytest.approx(error)
    again, _ = begun(tmp_path, "experiment=label_smoothing")
    without_models(again)
    network = again.model("maxout", 0)
    attack = again.attack(strongest, network)
    assert again.measure(errors_by_stage, network, attack, again.test()) == by_stage


def test_a_part_of_the_test_set_is_spread_over_it(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=label_smoothing")
    network, test = run.model("maxout", 0), run.data.test
    every_fourth, count = torch.arange(0, len(test), 4), len(test) // 4
    assert torch.equal(run.test(count).images, test.images[every_fourth])
    assert torch.equal(test.spaced(2 * len(test)), torch.arange(len(test)))
    wrong = network.value(test.images).argmax(1) != test.labels
    expected = 100 * wrong[every_fourth].double().mean().item()
    assert run.measure(error_rate, network, run.test(count)) == pytest.approx(expected)
    targeted = config["fgsm"].with_(targeted=True, epsilon=0.1)
    part = run.craft(targeted, network, count).value.images
    assert torch.equal(part, run.craft(targeted, network).value.images[every_fourth])


def test_rate_of_zero_gradients_is_that_of_the_attacks_objective(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=label_smoothing")
    network = run.model("maxout", 0)
    module = network.value
    with torch.no_grad():  # very sure of everything: the float32 cross-entropy has no gradient left
        module.layers[-1].weight.mul_(1e12)
    run.data.test.labels.copy_(module(run.data.test.images).argmax(1))
    rates = {}
    for objective in ("cross_entropy", "log_odds"):
        attack = run.attack(config["fgsm"].with_(objective=objective), network)
        rates[objective] = run.measure(first_gradient_zero_rate, network, attack, run.test())
    assert rates["cross_entropy"] > 50
    assert rates["log_odds"] == 0


def test_a_diverged_model_leaves_gaps_and_is_not_stored(tmp_path, monkeypatch) -> None:
    def diverging(*_: object) -> None:
        raise Diverged("loss became nan")

    monkeypatch.setattr("advx.run.models.load_or_train_model", diverging)
    run, config = begun(tmp_path, "experiment=label_smoothing")
    network = run.model("maxout", 0)
    fgsm = run.attack(config["fgsm"], network)
    strongest = run.attack(config["strongest"], network)
    rates = [
        run.measure(error_rate, network, run.test()),
        run.measure(error_rate, network, run.craft(config["fgsm"], network)),
        run.measure(first_gradient_zero_rate, network, fgsm, run.test()),
        run.measure(validation_error, network.training),
        run.measure(best_epoch, network.training),
        run.measure(errors_by_stage, network, strongest, run.test()).all,
    ]
    assert all(math.isnan(rate) for rate in rates)
    assert not list((tmp_path / "store" / "rows").glob("*"))
    with pytest.raises(Diverged, match=r"^maxout, seed 0: loss became nan$"):
        _ = network.value


def test_another_part_of_the_data_makes_another_model(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=cross_dataset")
    whole = run.model(config["crafting"], 0)
    parts = {part: whole.with_(part=part) for part in PARTS}
    assert len({model.key for model in parts.values()}) == len(PARTS)
    assert whole.key == parts["training examples"].key
    sizes = {part: len(run.source.part(part).train) for part in parts}
    assert sizes["first half"] + sizes["second half"] == sizes["training examples"]
    assert sizes["training and validation examples"] == sizes["training examples"] + 100
    halves = [parts[part].value for part in ("first half", "second half")]
    weights = [next(half.parameters()) for half in halves]
    assert not torch.equal(*weights)


def test_a_run_on_another_data_set_shares_all_but_data_and_models(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=vae_gan")
    other = run.on(config["digits"])
    assert (run.data.name, other.data.name) == ("faces", "mnist5k")
    assert other.table is run.table
    assert other.store is run.store
    games = [each.game(fitting(config["games"]["vae"], each.data), 0) for each in (run, other)]
    assert games[0].key != games[1].key
    assert {game.key for game in games} <= run.models.names.keys()
    assert games[1].value.game.generate(torch.zeros(2, 4)).shape == (2, 1, 28, 28)
    classifier = fitting(config["classifier"], other.data)
    assert (classifier["input_shape"], classifier["classes"]) == ([1, 28, 28], 10)
    assert other.model(classifier, 0).untrained()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_heading_names_no_seeds_where_nothing_depends_on_one(tmp_path) -> None:
    run, _ = begun(tmp_path, "experiment=transfer", "seeds=[3,5]")
    assert run.heading().endswith(", seeds 3, 5")
    run.table.add("clean", error_rate=1.0, seed=None)
    assert "seeds" not in run.heading()
    run.table.add("a -> b", error_rate=2.0, seed=3)
    assert run.heading().endswith(", seeds 3, 5")


@pytest.mark.parametrize(
    ("words", "remark"),
    [
        ("attack.epsilon=25", "attack.epsilon=25: more than the whole range; the images lie in 0"),
        ("attack.norm=l2 attack.epsilon=29", "attack.epsilon=29: more than the whole range"),
        ("attack.norm=l2 attack.epsilon=20", ""),
        ("attack.epsilon=0.9", ""),
        ("attack.clip=[0,255]", "attack.clip=[0, 255]: of other units? the images lie in 0 … 1"),
        ("attack.clip=[0,1]", ""),
        ("attack.clip=[-1,2]", ""),
    ],
)
def test_sizes_in_other_units_than_the_images_are_remarked(tmp_path, words, remark) -> None:
    run, config = begun(tmp_path, "experiment=transfer", *words.split())
    run.crafting.attack(config["attack"], run.model(config["crafting"], 0))
    said = run.remarks.texts()
    assert len(said) == bool(remark)
    assert all(text.startswith(remark) for text in said)


def test_a_model_that_guesses_is_remarked_and_both_models_have_a_clean_error(tmp_path) -> None:
    words = ["trainer.max_epochs=1", "trainer.optimizer.learning_rate=1000", "seeds=[0]"]
    run, config, main = started(tmp_path, "experiment=transfer", *words)
    main(run, **keywords(config, main))
    clean = {row.row: row.value for row in run.table.results.rows if row.metric.startswith("clean")}
    assert clean.keys() == {"maxout", "relu"}
    near = [name for name, error in clean.items() if error >= 81]
    assert near
    said = [text.partition(":")[0] for text in run.remarks.texts() if "near a guess's, 90%" in text]
    assert sorted(said) == sorted(near)


def test_weights_that_change_during_a_run_are_refused(tmp_path) -> None:
    run, config = begun(tmp_path, "experiment=transfer")
    trained = run.model(config["target"], 0).value
    path, named = tmp_path / "mine.pt", config["target"].with_(weights=str(tmp_path / "mine.pt"))
    torch.save(trained.state_dict(), path)
    mine = run.model(named, 0)
    rate = run.measure(error_rate, mine, run.test())
    other = {key: -value for key, value in trained.state_dict().items()}
    torch.save(other, path)
    line = "weights=.*mine.pt: the file has changed since this run first read it"
    with pytest.raises(ConfigError, match=line):
        _ = run.model(named, 0).key
    with pytest.raises(ConfigError, match=line):
        run.measure(error_rate, run.model(named, 0), run.test(10))
    torch.save(trained.state_dict(), path)
    again, _ = begun(tmp_path, "experiment=transfer")
    assert again.measure(error_rate, again.model(named, 0), again.test()) == rate


def test_weights_that_change_while_they_are_read_are_refused(tmp_path, monkeypatch) -> None:
    run, config = begun(tmp_path, "experiment=transfer")
    trained, path = run.model(config["target"], 0).value, tmp_path / "mine.pt"
    torch.save(trained.state_dict(), path)
    mine = run.model(config["target"].with_(weights=str(path)), 0)
    assert mine.key
    load = load_or_train.load_weights

    def late(module, *arguments) -> None:
        torch.save({key: -value for key, value in trained.state_dict().items()}, path)
        load(module, *arguments)

    monkeypatch.setattr(load_or_train, "load_weights", late)
    with pytest.raises(ConfigError, match="has changed since this run first read it"):
        _ = mine.value
