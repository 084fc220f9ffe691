"""The black-box attack: what it asks, how it moves, and the targets that only answer."""

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from advx.attacks.substitute import SubstituteTraining
from advx.config.build import build
from advx.errors import ConfigError, NoGradientError
from advx.evaluation.oracle import LabelOracle
from advx.models.convolutional import ConvolutionalNetwork
from advx.models.maxout import MaxoutNetwork
from advx.models.scikit_learn import ScikitLearn


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 1, 5, 5, dtype=torch.float64)


def test_every_round_doubles_the_questions(linear, images) -> None:
    oracle = LabelOracle(linear)
    training = SubstituteTraining(rounds=3, epochs=1)
    substitute = nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double()
    asked = [(count, oracle.queries) for count in training.train(substitute, oracle, images, 0)]
    assert asked == [(6, 6), (12, 12), (24, 24), (48, 48)]


def test_images_move_along_the_slope_of_the_probability_of_the_answer(linear, images) -> None:
    labels = torch.arange(6) % 4
    x = images.clone().requires_grad_(True)
    p = linear(x).softmax(1).gather(1, labels[:, None]).sum()
    (slope,) = torch.autograd.grad(p, x)
    training = SubstituteTraining(step=0.1, flip_every=3, clip=None)
    for number, sign in enumerate((1, 1, 1, -1, -1, -1, 1)):
        moved = training.moved(linear, images, labels, number)
        torch.testing.assert_close(moved, images + sign * 0.1 * slope.sign())
    clipped = SubstituteTraining(step=0.5).moved(linear, images, labels, 0)
    torch.testing.assert_close(clipped, (images + 0.5 * slope.sign()).clamp(0, 1))


def test_a_certain_substitute_still_has_a_slope(linear, images) -> None:
    with torch.no_grad():
        linear[1].bias[0] = 1000.0
    labels = torch.zeros(6, dtype=torch.int64)
    moved = SubstituteTraining(clip=None).moved(linear.float(), images.float(), labels, 0)
    assert (moved != images.float()).flatten(1).all(1).all()


def test_random_directions_ignore_the_substitute(linear, images) -> None:
    training = SubstituteTraining(random_direction=True, clip=None)
    labels = torch.zeros(6, dtype=torch.int64)
    moved = training.moved(linear, images, labels, 0)
    other = nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double()
    assert torch.equal(moved, training.moved(other, images, labels, 0))
    torch.testing.assert_close((moved - images).abs(), torch.full_like(images, 0.1))


def test_a_substitute_with_dropout_learns_the_same_whatever_was_drawn_before(
    linear, images
) -> None:
    found = []
    for before in (1, 2):
        substitute = nn.Sequential(nn.Flatten(), nn.Linear(25, 30), nn.Dropout(), nn.Linear(30, 4))
        for layer in (substitute[1], substitute[3]):
            nn.init.constant_(layer.weight, 0.1)
            nn.init.zeros_(layer.bias)
        substitute.double()
        torch.manual_seed(before)
        state = torch.get_rng_state()
        for _ in SubstituteTraining(rounds=1, epochs=2).train(
            substitute, LabelOracle(linear), images, 0
        ):
            pass
        assert torch.equal(torch.get_rng_state(), state)
        found.append(substitute[3].weight.detach().clone())
    assert torch.equal(*found)


def test_the_substitute_adapts_to_its_first_images_and_keeps_its_constraint(images) -> None:
    substitute = MaxoutNetwork(
        input_shape=(1, 5, 5), classes=4, units=(8,), max_column_norm=0.2, inputs="centered"
    ).double()
    target = LabelOracle(nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double())
    learning = SubstituteTraining(rounds=1, epochs=5, learning_rate=0.1)
    list(learning.train(substitute, target, images, 0))
    lengths = [m.weight.norm(dim=1).max() for m in substitute.modules() if hasattr(m, "weight")]
    assert max(lengths) <= 0.2 + 1e-9
    shifts = [value for name, value in substitute.named_buffers() if "shift" in name]
    assert shifts
    for shift in shifts:
        torch.testing.assert_close(shift.abs(), images.flatten(1).mean(0).expand_as(shift).abs())


def test_the_substitute_learns_the_target_and_the_same_again(linear) -> None:
    images = torch.rand(800, 1, 5, 5, dtype=torch.float64)
    fresh = torch.rand(500, 1, 5, 5, dtype=torch.float64)

    def learned() -> tuple[nn.Module, float]:
        torch.manual_seed(1)
        substitute = nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double()
        training = SubstituteTraining(rounds=2, epochs=60, learning_rate=0.01)
        list(training.train(substitute, LabelOracle(linear), images, 7))
        said = [model(fresh).argmax(1) for model in (substitute, linear)]
        return substitute, (said[0] == said[1]).double().mean().item()

    (first, agreement), (second, _) = learned(), learned()
    assert agreement > 0.9
    assert torch.equal(first[1].weight, second[1].weight)


def test_scikit_learn_models_answer_as_they_do_by_themselves() -> None:
    images, labels = torch.rand(60, 1, 4, 4), torch.arange(60) % 3
    model = ScikitLearn(
        input_shape=(1, 4, 4),
        classes=3,
        estimator="sklearn.tree.DecisionTreeClassifier",
        arguments={"random_state": 0, "max_depth": 3},
    )
    model.fit(images, labels)
    own = DecisionTreeClassifier(random_state=0, max_depth=3)
    own.fit(images.flatten(1).numpy(), labels.numpy())
    fresh = torch.rand(40, 1, 4, 4)
    scores = model(fresh)
    np.testing.assert_array_equal(scores.argmax(1), own.predict(fresh.flatten(1).numpy()))
    assert scores.sum(1).eq(1).all()
    with pytest.raises(NoGradientError, match="craft on another model"):
        SubstituteTraining().moved(model, fresh, labels[:40], 0)


@pytest.mark.parametrize(
    ("estimator", "arguments", "complaint"),
    [
        ("sklearn.tree.NoSuchTree", {}, "cannot be made"),
        ("sklearn.svm.SVC", {"kernels": "rbf"}, "cannot be made .*kernels"),
        ("sklearn.preprocessing.StandardScaler", {}, "no scikit-learn classifier"),
        ("tree", {}, "cannot be made"),
    ],
)
def test_what_is_no_classifier_is_named(estimator, arguments, complaint) -> None:
    node = {
        "_target_": "advx.models.scikit_learn.ScikitLearn",
        "input_shape": (1, 4, 4),
        "classes": 3,
        "estimator": estimator,
        "arguments": arguments,
    }
    with pytest.raises(ConfigError, match=complaint):
        build(node)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 9, 7)])
def test_convolutions_fit_any_shape(shape) -> None:
    network = ConvolutionalNetwork(input_shape=shape, classes=5, channels=(3, 4), units=6)
    assert network(torch.rand(2, *shape)).shape == (2, 5)


def test_images_too_small_for_the_poolings_are_named() -> None:
    with pytest.raises(ValueError, match=r"3 poolings leave nothing of images \(1, 9, 7\)"):
        ConvolutionalNetwork(input_shape=(1, 9, 7), classes=5, channels=(2, 3, 4))


def test_a_target_that_gives_some_images_no_class_is_learned_from_the_others(linear) -> None:
    class Undefined(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            dark = x.flatten(1).mean(1, keepdim=True) < 0.5
            return linear(x).masked_fill(dark, torch.nan)

    images = torch.rand(40, 1, 5, 5, dtype=torch.float64)
    substitute = nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double()
    training = SubstituteTraining(rounds=1, epochs=1)
    assert list(training.train(substitute, LabelOracle(Undefined()), images, 0)) == [40, 80]
    assert all(p.isfinite().all() for p in substitute.parameters())


def test_images_outside_of_the_range_that_the_target_takes_are_refused(linear, images) -> None:
    with pytest.raises(ConfigError, match="images: pixels from"):
        SubstituteTraining().moved(linear, 2 * images, torch.zeros(6, dtype=torch.int64), 0)
