"""The rates that an experiment asks a run for."""

import math
from dataclasses import replace

import pytest
import torch

from advx.attacks.fgsm import FGSM
from advx.attacks.objectives import cross_entropy
from advx.errors import ConfigError, Diverged
from advx.evaluation.transfer import guides, target_classes
from advx.run import PARTS
from tests.running import started


def test_rates_are_kept_without_the_models(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=transfer")
    source, victim = (run.recipe(config[key], 0) for key in ("crafting", "target"))
    rate = run.error_rate(victim, config["attack"], crafting=source)
    again, *_ = started(tmp_path, "experiment=transfer")
    again.trained = lambda *_: pytest.fail("a kept rate needs no model")  # type: ignore[method-assign]
    assert again.error_rate(victim, config["attack"], crafting=source) == rate
    images = run.crafted(config["attack"], source).images
    by_hand = run.trained(victim).module(images).argmax(1) != run.data.test.labels
    assert rate == pytest.approx(100 * by_hand.double().mean().item())
    unmoved = run.error_rate(victim, config["attack"] | {"epsilon": 0.0}, crafting=source)
    assert unmoved == run.error_rate(victim)
    assert unmoved != rate


class Reversed:
    """A defence whose cost falls where the cross-entropy rises."""

    def cost(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return -cross_entropy(logits, labels)


def test_training_cost_is_that_of_the_crafting_models_own_defence(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=transfer")
    node = config["attack"] | {"objective": "training_cost"}
    module, test = run.trained(run.recipe(config["crafting"], 0)).module, run.data.test
    costs = {}
    for defense in (config["defense"], {"_target_": "tests.run.test_run.Reversed"}):
        attack = run.attack(node, run.recipe(config["crafting"], 0, defense=defense))
        crafted = attack(module, test.images, test.labels)
        costs[defense["_target_"]] = cross_entropy(module(crafted), test.labels).mean().item()
    clean = cross_entropy(module(test.images), test.labels).mean().item()
    assert costs["tests.run.test_run.Reversed"] < clean < costs["advx.defenses.none.NoDefense"]
    config["target"] |= {"weights": "mine.pt"}
    with pytest.raises(ConfigError, match="relu was not trained here"):
        run.attack(node, run.recipe(config["target"], 0))


def test_targeted_success_means_the_class_aimed_at(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=transfer", "attack.targeted=true")
    source = run.recipe(config["crafting"], 0)
    rate = run.targeted_success_rate(source, config["attack"], crafting=source)
    module, aims = run.trained(source).module, run.target_classes
    crafted = FGSM(epsilon=0.25, targeted=True)(module, run.data.test.images, aims)
    reached = (module(crafted).argmax(1) == aims).double().mean().item()
    assert rate == pytest.approx(100 * reached)


def test_a_guided_attack_is_given_images_of_the_classes_aimed_at(tmp_path) -> None:
    run, config, _ = started(
        tmp_path, "experiment=transfer", "model@crafting=softmax_regression", "attack=feature",
        "attack.layer=linear", "attack.epsilon=1.0", "attack.evaluations=50",
    )  # fmt: skip
    source = run.recipe(config["crafting"], 0)
    assert torch.equal(run.data.test.labels[guides(run.data.test.labels, run.target_classes)],
                       run.target_classes)  # fmt: skip
    crafted = run.crafted(config["attack"], source, examples=40)
    module, rows = run.trained(source).module, run.data.test.spaced(40)
    far = (module(run.tested(40).images) - module(run.guides[rows])).square().sum()
    assert (module(crafted.images) - module(run.guides[rows])).square().sum() < 0.01 * far


def test_target_classes_are_wrong_uniform_and_fixed() -> None:
    labels = torch.arange(9000) % 10
    aims = target_classes(labels, 10)
    assert torch.equal(aims, target_classes(labels, 10))
    shift = torch.bincount((aims - labels) % 10, minlength=10)
    assert shift[0] == 0
    assert (shift[1:] - 1000).abs().max() < 5 * 1000**0.5


def test_strong_attacks_errors_add_up_and_are_kept(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=label_smoothing")
    network = run.recipe("maxout", 0)
    node = config["strongest"] | {"epsilon": 0.1}
    broken = run.broken_by(network, node)
    assert broken["clean"] == run.error_rate(network)
    error = run.error_rate(network, node)
    assert broken["all"] == pytest.approx(error)
    again, *_ = started(tmp_path, "experiment=label_smoothing")
    again.trained = lambda *_: pytest.fail("a kept measurement needs no model")  # type: ignore[method-assign]
    assert again.broken_by(network, node) == broken


def test_a_part_of_the_test_set_is_spread_over_it(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=label_smoothing")
    network = run.recipe("maxout", 0)
    test = run.data.test
    every_fourth = torch.arange(0, len(test), 4)
    assert torch.equal(run.tested(len(test) // 4).images, test.images[every_fourth])
    assert torch.equal(test.spaced(2 * len(test)), torch.arange(len(test)))
    wrong = run.trained(network).module(test.images).argmax(1) != test.labels
    expected = 100 * wrong[every_fourth].double().mean().item()
    assert run.error_rate(network, examples=len(test) // 4) == pytest.approx(expected)
    targeted = config["fgsm"] | {"targeted": True, "epsilon": 0.1}
    part = run.crafted(targeted, network, examples=len(test) // 4).images
    assert torch.equal(part, run.crafted(targeted, network).images[every_fourth])


def test_share_of_vanished_gradients_is_that_of_the_attacks_objective(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=label_smoothing")
    network = run.recipe("maxout", 0)
    module = run.trained(network).module
    with torch.no_grad():  # very sure of everything: the float32 cross-entropy has no gradient left
        module.layers[-1].weight.mul_(1e12)
    labels = module(run.data.test.images).argmax(1)
    run.data.test.labels.copy_(labels)
    shares = {
        name: run.vanished_share(network, config["fgsm"] | {"objective": name})
        for name in ("cross_entropy", "log_odds")
    }
    assert shares["cross_entropy"] > 50
    assert shares["log_odds"] == 0


def test_a_defence_without_a_cost_of_one_example_is_refused(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=transfer", "attack.objective=training_cost",
                             "defense@crafting_defense=distillation")  # fmt: skip
    with pytest.raises(ConfigError, match="Distillation has no training cost of a single example"):
        run.attack(
            config["attack"],
            run.recipe(config["crafting"], 0, defense=config["crafting_defense"]),
        )


def test_a_diverged_model_leaves_gaps_and_is_not_kept(tmp_path, monkeypatch) -> None:
    def diverging(*_: object) -> None:
        raise Diverged("loss became nan")

    monkeypatch.setattr("advx.run.load_or_train_model", diverging)
    run, config, _ = started(tmp_path, "experiment=label_smoothing")
    network = run.recipe("maxout", 0)
    rates = [
        run.error_rate(network),
        run.error_rate(network, config["fgsm"]),
        run.vanished_share(network, config["fgsm"]),
        run.validation_error(network),
        *run.broken_by(network, config["strongest"]).values(),
    ]
    assert all(math.isnan(rate) for rate in rates)
    assert not list((tmp_path / "store" / "rows").glob("*.json"))
    with pytest.raises(Diverged, match=r"^maxout, seed 0: loss became nan$"):
        run.best_epoch(network)


def test_a_recipe_of_another_part_of_the_data_is_another_model(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=cross_dataset")
    whole = run.recipe(config["crafting"], 0)
    parts = {part: replace(whole, part=part) for part in PARTS}
    assert len({run.key(recipe) for recipe in parts.values()}) == len(PARTS)
    assert run.key(whole) == run.key(parts["training examples"])
    sizes = {part: len(run.data_of(recipe).train) for part, recipe in parts.items()}
    assert sizes["first half"] + sizes["second half"] == sizes["training examples"]
    assert sizes["training and validation examples"] == sizes["training examples"] + 100
    halves = [run.trained(parts[part]).module for part in ("first half", "second half")]
    weights = [next(half.parameters()) for half in halves]
    assert not torch.equal(*weights)
