"""FGSM and its parts against closed forms."""

import pytest
import torch
from torch import nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import input_gradient
from advx.attacks.objectives import cross_entropy, log_odds
from advx.config.check import keywords
from advx.config.compose import composed
from advx.config.config import Config
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.robustness import first_gradient_zero_rate
from advx.evaluation.slopes import zero_gradient_rate
from advx.evaluation.smallest import median_smallest_epsilon
from advx.evaluation.transfer import craft
from advx.experiments.attack_comparison import success_by_class
from advx.experiments.imperceptible import moved_by
from advx.models.layers import Dropout
from advx.models.maxout import MaxoutNetwork
from advx.notes import noting
from tests.running import started


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(16, 1, 5, 5, dtype=torch.float64), torch.arange(16) % 4


def test_binary_logit_moves_by_exactly_epsilon_times_the_l1_norm() -> None:
    w = torch.randn(25, dtype=torch.float64)
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 2)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([w, torch.zeros(25)]))
    x, y = torch.rand(8, 1, 5, 5, dtype=torch.float64), torch.zeros(8, dtype=torch.long)
    moved = FGSM(epsilon=0.1)(model, x, y)
    change = (model(moved) - model(x))[:, 0]
    torch.testing.assert_close(change, torch.full((8,), -0.1 * float(w.abs().sum())).double())


def test_l2_step_has_length_epsilon_along_the_gradient(linear, batch) -> None:
    x, y = batch
    step = FGSM(epsilon=0.3, norm="l2")(linear, x, y) - x
    gradient = input_gradient(linear, x, y, log_odds)
    torch.testing.assert_close(norms.length(step, "l2"), torch.full((16,), 0.3).double())
    cosine = nn.functional.cosine_similarity(step.flatten(1), gradient.flatten(1))
    torch.testing.assert_close(cosine, torch.ones(16).double())


def test_l2_direction_survives_underflow() -> None:
    tiny = torch.full((1, 4), 1e-30)
    assert norms.length(norms.steepest(tiny, "l2"), "l2").item() == pytest.approx(1, abs=1e-6)
    assert norms.steepest(torch.zeros(1, 4), "l2").abs().sum() == 0


def test_log_odds_and_cross_entropy_agree_in_direction(batch) -> None:
    x, y = batch
    model = MaxoutNetwork(input_shape=(1, 5, 5), classes=4, units=(12, 12), init_range=0.5).double()
    a = input_gradient(model, x, y, log_odds)
    b = input_gradient(model, x, y, cross_entropy)
    p = model.eval()(x).softmax(1).gather(1, y[:, None])
    torch.testing.assert_close(b, a * (1 - p)[:, :, None, None])


def test_log_odds_survives_where_float32_cross_entropy_vanishes() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 3))
    with torch.no_grad():
        model[1].weight.mul_(50)
        model[1].bias.copy_(torch.tensor([200.0, 0, 0]))
    x, y = torch.rand(4, 1, 5, 5), torch.zeros(4, dtype=torch.long)
    assert norms.vanished(input_gradient(model, x, y, cross_entropy)).all()
    assert not norms.vanished(input_gradient(model, x, y, log_odds)).any()
    assert (FGSM(epsilon=0.1, objective="cross_entropy")(model, x, y) == x).all()
    assert (FGSM(epsilon=0.1)(model, x, y) != x).all()


def test_targeted_raises_the_target_and_untargeted_lowers_the_label(linear, batch) -> None:
    x, y = batch
    before = log_odds(linear(x), y)
    assert (log_odds(linear(FGSM(epsilon=0.1)(linear, x, y)), y) > before).all()
    assert (log_odds(linear(FGSM(epsilon=0.1, targeted=True)(linear, x, y)), y) < before).all()


def test_training_cost_needs_a_cost() -> None:
    with pytest.raises(ConfigError, match="training_cost"):
        FGSM(epsilon=0.1, objective="training_cost")


def test_equals_foolbox_in_float64(linear, batch) -> None:
    foolbox = pytest.importorskip("foolbox")
    x, y = batch
    wrapped = foolbox.PyTorchModel(linear.eval(), bounds=(0, 1), device="cpu")
    _, theirs, _ = foolbox.attacks.FGSM(random_start=False)(wrapped, x, y, epsilons=0.2)
    ours = FGSM(epsilon=0.2, objective="cross_entropy", clip=(0.0, 1.0))(linear, x, y)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("epsilon", [0.03, 0.2])
def test_equals_torchattacks_in_float64(linear, batch, epsilon) -> None:
    torchattacks = pytest.importorskip("torchattacks")
    x, y = batch
    theirs = torchattacks.FGSM(linear.eval(), eps=epsilon)(x, y)
    ours = FGSM(epsilon=epsilon, objective="cross_entropy", clip=(0.0, 1.0))(linear, x, y)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_a_gradient_has_vanished_where_all_of_it_is_zero() -> None:
    """Half of the pixels never matter; the gradient of the dark images is zero altogether."""

    class Half(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen = x.flatten(1)[:, :2].sum(1, keepdim=True).sub(0.5).clamp(min=0)
            return torch.cat([seen, torch.zeros_like(seen)], 1)

    x = torch.cat([torch.full((3, 1, 2, 2), 0.4), torch.full((1, 1, 2, 2), 0.1)])
    split = Split(x, torch.zeros(4, dtype=torch.int64))
    assert zero_gradient_rate(Half(), split, log_odds) == 25.0


def test_dropout_is_on_while_the_gradient_is_taken_where_asked_for() -> None:
    """Along the gradient of the same masks, and every layer's mode as it was."""
    model = nn.Sequential(nn.Flatten(), Dropout(0.5, scale=2.0), nn.Linear(25, 4), nn.Dropout(0.3))
    model = model.double().eval()
    model[3].train()
    x, y = torch.rand(6, 1, 5, 5).double(), torch.arange(6) % 4
    attack = FGSM(epsilon=0.25, dropout=True)
    torch.manual_seed(1)
    found = attack(model, x, y)
    assert [layer.training for layer in model] == [False, False, False, True]
    torch.manual_seed(1)
    free = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(log_odds(model.train()(free), y).sum(), free)
    assert torch.equal(found, x + 0.25 * gradient.sign())
    assert (gradient == 0).any()  # where a pixel was dropped
    assert attack.random
    assert not FGSM(epsilon=0.25).random
    assert not torch.equal(found, FGSM(epsilon=0.25)(model, x, y))
    frozen = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(25), nn.Linear(25, 4)).double().train()
    before = frozen[1].running_mean.clone()
    attack(frozen, x, y)  # only dropout is on
    assert torch.equal(frozen[1].running_mean, before)


def test_a_model_without_dropout_layers_is_noted_where_dropout_is_to_be_on() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(25, 4).double()

        def forward(self, x):
            return self.linear(nn.functional.dropout(x.flatten(1), 0.5, self.training))

    x, y = torch.rand(6, 1, 5, 5).double(), torch.arange(6) % 4
    with noting() as notes:
        FGSM(epsilon=0.25, dropout=True)(Functional(), x, y)
    assert [str(note) for note in notes] == [
        "Functional: no dropout layer (nn.Dropout) is found in it; dropout=true does nothing"
    ]
    with noting() as notes:
        FGSM(epsilon=0.25)(Functional(), x, y)
    assert not notes


@pytest.mark.parametrize(
    ("attack", "aims", "message"),
    [
        (FGSM(epsilon=0.1, targeted=True), False, "receives target classes, and is given the lab"),
        (FGSM(epsilon=0.1), True, "receives labels, and is given something to reach"),
        (
            FGSM(epsilon=0.1, objective="reconstruction_error"),
            False,
            "receives originals, and is given",
        ),
    ],
)
def test_labels_are_never_taken_for_target_classes(attack, aims, message) -> None:
    """With its own class for a target an example comes back almost as it was, and right."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double()
    split = Split(torch.rand(6, 1, 5, 5).double(), torch.arange(6) % 4)
    with pytest.raises(ConfigError, match=message):
        craft(attack, model, split, (split.labels + 1) % 4 if aims else None)


def test_what_gives_no_targets_refuses_an_attack_with_one() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 4)).double()
    split = Split(torch.rand(6, 1, 5, 5).double(), torch.arange(6) % 4)
    targeted = FGSM(epsilon=0.1, targeted=True)
    for measure in (
        lambda: moved_by(model, targeted, split),
        lambda: first_gradient_zero_rate(model, targeted, split),
        lambda: median_smallest_epsilon(model, lambda _: targeted, split, largest=0.5),
        lambda: success_by_class(model, FGSM(epsilon=0.1), split, classes=4),
    ):
        with pytest.raises(ConfigError, match="attack FGSM: receives"):
            measure()


@pytest.mark.parametrize(
    "experiment",
    ["imperceptible", "black_box", "defenses", "label_smoothing", "adversarial_training"],
)
def test_experiments_that_count_mistakes_of_any_kind_take_no_target(experiment, tmp_path) -> None:
    run, config, main = started(tmp_path, f"experiment={experiment}", "fgsm.targeted=true")
    with pytest.raises(ConfigError, match=r"fgsm\.targeted=True: mistakes of any kind"):
        main(run, **keywords(config, main))


def test_dropout_of_the_attack_is_chosen_by_name_and_the_same_in_every_run() -> None:
    config, _ = composed(["experiment=transfer", "attack=fgsm_dropout", "attack.epsilon=0.1"])
    attack = Config(config["attack"]).build()
    assert attack.random
    assert attack.epsilon == 0.1
    model = MaxoutNetwork(input_shape=(1, 5, 5), classes=4, units=(12, 12), init_range=0.5).eval()
    split = Split(torch.rand(8, 1, 5, 5), torch.arange(8) % 4)
    assert torch.equal(craft(attack, model, split).images, craft(attack, model, split).images)
