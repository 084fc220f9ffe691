"""The protocol of an attack: what it receives, who makes its batches, whether it draws."""

import pytest
import torch
from torch import nn

from advx.attacks.base import Attack
from advx.attacks.fgsm import FGSM
from advx.attacks.own import as_attack
from advx.attacks.pgd import PGD
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation import transfer
from advx.evaluation.transfer import craft
from tests.attack_cases import ATTACKS


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_says_what_it_receives_and_draws_nothing(name) -> None:
    case = ATTACKS[name]
    attack = case()
    assert as_attack(attack) is attack
    assert attack.receives == case.receives
    assert attack.batches_itself == (case.make.__name__ == "Strongest")
    assert not attack.random


@pytest.mark.parametrize("kind", [FGSM, PGD])
def test_originals_are_received_whatever_is_targeted(kind) -> None:
    given = {"epsilon": 0.1, "objective": "reconstruction_error"}
    assert kind(**given).receives == "originals"
    assert kind(**given, targeted=True).receives == "originals"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, ("labels", False, True)),
        ({"targeted": True}, ("target_classes", False, True)),
        ({"guided": True}, ("guide_images", False, True)),
        ({"guided": True, "targeted": True}, ("guide_images", False, True)),
        ({"whole": True}, ("labels", True, True)),
        ({"receives": "target_classes"}, ("target_classes", False, True)),
        ({"receives": "labels", "targeted": True}, ("labels", False, True)),
        ({"batches_itself": True, "random": False}, ("labels", True, False)),
    ],
)
def test_attributes_of_an_own_attack_are_honored(attributes, expected) -> None:
    class Own:
        def __call__(self, model, images, labels):
            return images

    def function(model, images, labels):
        return images

    mine = Own()
    for own in (mine, function):
        for name, value in attributes.items():
            setattr(own, name, value)
        attack = as_attack(own)
        assert (attack.receives, attack.batches_itself, attack.random) == expected
        assert attack.targeted == (attack.receives == "target_classes")


def test_an_own_attack_that_receives_something_else_is_refused() -> None:
    def attack(model, images, labels):
        return images

    attack.receives = "captions"
    with pytest.raises(ConfigError, match=r"attack receives 'captions'; valid: labels, target_c"):
        as_attack(attack)


def test_older_names_of_a_derived_attack_are_honored() -> None:
    class Toward(Attack):
        targeted = True

    class Guided(Attack):
        guided = True

    class Whole(Attack):
        whole = True

        def __init__(self, *, targeted: bool = False) -> None:
            self.targeted = targeted

    assert Toward().receives == "target_classes"
    assert Guided().receives == "guide_images"
    assert Whole().batches_itself
    assert Whole().receives == "labels"
    assert Whole(targeted=True).receives == "target_classes"
    assert not Attack().batches_itself


def test_what_an_own_attack_draws_is_the_same_in_every_run(monkeypatch) -> None:
    monkeypatch.setattr(transfer, "BATCH", 5)
    split = Split(torch.zeros(10, 1, 2, 2), torch.arange(10) % 2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    torch.manual_seed(0)
    numbers = torch.cat([torch.randn(5, 1, 2, 2), torch.randn(5, 1, 2, 2)])
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for _ in range(2):
        moved = craft(lambda model, x, y: x + torch.randn_like(x), network, split)
        assert torch.equal(moved.images, numbers)
        assert torch.equal(torch.get_rng_state(), before)


def test_an_attack_that_draws_nothing_runs_on_the_callers_generator() -> None:
    split = Split(torch.zeros(4, 1, 2, 2), torch.arange(4) % 2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))

    def attack(model, images, labels):
        return images + torch.randn_like(images)

    attack.random = False  # so it says
    torch.manual_seed(7)
    numbers = torch.randn(4, 1, 2, 2)
    torch.manual_seed(7)
    assert torch.equal(craft(attack, network, split).images, numbers)
