"""What an attack on a model reaches: by stage, toward a class, and the smallest size."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from advx.attacks.fgsm import FGSM
from advx.attacks.linearized_model import LinearizedModel
from advx.attacks.strongest import STAGES, Strongest
from advx.data.dataset import Split
from advx.evaluation.robustness import (
    ErrorsByStage,
    errors_by_stage,
    first_gradient_zero_rate,
    targeted_success_rate,
)
from advx.evaluation.slopes import margins, median_margin
from advx.evaluation.smallest import median_smallest_along, median_smallest_epsilon
from advx.evaluation.transfer import craft, error_rate, predictions, target_classes


@pytest.fixture
def examples() -> Split:
    return Split(torch.rand(200, 1, 5, 5, dtype=torch.float64), torch.arange(200) % 4)


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 40), nn.ReLU(), nn.Linear(40, 4)).double()


def own_labels(model: nn.Module, examples: Split, wrong: int) -> Split:
    """The examples with the model's own classes as labels, but for the first few."""
    labels = predictions(model, examples.images)
    labels[:wrong] = (labels[:wrong] + 1) % 4
    return Split(examples.images, labels)


def test_errors_by_stage_have_the_stages_of_the_attack() -> None:
    assert [field.name for field in dataclasses.fields(ErrorsByStage)] == list(STAGES)


def test_errors_by_stage_are_those_of_the_attacks_one_after_the_other(network, examples) -> None:
    test = own_labels(network, examples, wrong=30)
    attack = Strongest(epsilon=0.02, steps=5, targets=2, restarts=1, queries=20)
    found = errors_by_stage(network, attack, test)
    assert found.clean == 15
    assert found.all == pytest.approx(error_rate(network, craft(attack, network, test)))
    standing = predictions(network, test.images) == test.labels
    for stage, search in attack.attacks.items():
        moved = search(network, test.images, test.labels)
        won = standing & (predictions(network, moved) != test.labels)
        assert getattr(found, stage) == pytest.approx(100 * won.double().mean().item()), stage
        standing &= ~won
    assert found.fgsm > 0
    assert found.all < 100


def test_an_example_without_an_answer_is_in_no_stage(network, examples) -> None:
    class Undefined(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            marked = x.flatten(1)[:, :1] == 0.125
            return network(x).masked_fill(marked, torch.nan)

    test = own_labels(network, examples, wrong=40)
    test.images[0, 0, 0, 0] = 0.125
    found = errors_by_stage(Undefined(), Strongest(epsilon=0.0), test)
    assert found.all == found.clean == pytest.approx(100 * 39 / 199)


def test_the_first_gradient_is_that_of_the_attacks_objective(examples) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 2))
    with torch.no_grad():
        model[1].bias.copy_(torch.tensor([300.0, 0.0]))
    test = Split(examples.images.float(), torch.arange(200) % 2)
    naive = FGSM(epsilon=0.1, objective="cross_entropy")
    assert first_gradient_zero_rate(model, naive, test) == 50  # class 0 is certain, 1 hopeless
    assert first_gradient_zero_rate(model, FGSM(epsilon=0.1), test) == 0


def test_a_targeted_success_is_the_class_that_was_to_be_reached(network, examples) -> None:
    targets = target_classes(examples.labels, 4)
    attack = FGSM(epsilon=0.2, targeted=True)
    adversarial = craft(attack, network, examples, targets)
    found = targeted_success_rate(network, adversarial, targets)
    reached = network(attack(network, examples.images, targets)).argmax(1) == targets
    assert found == pytest.approx(100 * reached.double().mean().item())
    assert 0 < found < 100


def test_the_smallest_epsilon_of_a_line_is_margin_over_slope(examples) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 2)).double()
    test = Split(examples.images[:101], predictions(model, examples.images[:101]))
    w = (model[1].weight[1] - model[1].weight[0]).detach()
    expected = (margins(model, test) / w.abs().sum()).median().item()
    found = median_smallest_epsilon(model, lambda e: FGSM(epsilon=e), test, largest=0.5)
    assert expected < found <= expected + 0.5 / 512
    finer = median_smallest_epsilon(
        model, lambda e: FGSM(epsilon=e), test, largest=0.5, brackets=2**16
    )
    assert finer == pytest.approx(expected, abs=1e-5)
    wrong = Split(test.images, 1 - test.labels)
    assert median_smallest_epsilon(model, lambda e: FGSM(epsilon=e), wrong, largest=0.5) == 0
    short = expected / 2
    assert (
        median_smallest_epsilon(model, lambda e: FGSM(epsilon=e), test, largest=short) == math.inf
    )


def test_along_an_attacks_direction_only_its_direction_counts(examples) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 2)).double()
    test = Split(examples.images[:101], predictions(model, examples.images[:101]))
    w = (model[1].weight[1] - model[1].weight[0]).detach()
    for norm, dual in (("linf", w.abs().sum()), ("l2", w.norm())):
        expected = (margins(model, test) / dual).median().item()
        for overshoot in (0.0, 3.0):  # the closed form's length, and four times as much
            attack = LinearizedModel(norm=norm, overshoot=overshoot)
            found = median_smallest_along(
                model, attack, test, norm=norm, largest=4.0, brackets=2**18
            )
            assert found == pytest.approx(expected, abs=3e-5)
    short = median_smallest_along(model, LinearizedModel(), test, norm="l2", largest=expected / 2)
    assert short == math.inf
    wrong = Split(test.images, 1 - test.labels)  # the attack leaves these where they are
    assert median_smallest_along(model, LinearizedModel(), wrong, norm="l2", largest=4.0) == 0


def test_the_median_margin_is_that_of_all_margins(network, examples) -> None:
    logits = network(examples.images).detach()
    rows = torch.arange(200)
    correct = logits[rows, examples.labels]
    logits[rows, examples.labels] = -torch.inf
    expected = (correct - logits.amax(1)).median().item()
    assert median_margin(network, examples) == pytest.approx(expected)
