"""The black-box attack's rounds, followed by hand, and what cannot be asked for."""

import pytest
import torch
from torch import nn

from advx.attacks.fgsm import FGSM
from advx.attacks.substitute import SubstituteTraining
from advx.config.config import Config
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.experiments.black_box import Attacker, rounds_of_questions
from advx.models.relu import ReLUNetwork
from tests.running import ran

SUBSTITUTE = {
    "input_shape": [1, 5, 5],
    "classes": 4,
    "units": [30],
    "max_column_norm": None,
    "keep_input": 1.0,
    "keep_hidden": 1.0,
}
TRAINING = {"rounds": 2, "epochs": 20, "learning_rate": 0.01}


@pytest.fixture
def target() -> nn.Module:
    """Gives each of four classes to some images."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(25, 4, bias=False))
    with torch.no_grad():
        network[1].weight.sub_(network[1].weight.mean(1, keepdim=True))
    return network


def test_every_round_is_tried_on_the_target(target) -> None:
    examples = Split(torch.rand(200, 1, 5, 5), torch.arange(200) % 4)
    validation = Split(torch.rand(50, 1, 5, 5), torch.zeros(50).long())
    found = rounds_of_questions(
        target,
        examples,
        validation,
        own_digits=20,
        substitute=Config({"_target_": "advx.models.relu.ReLUNetwork"} | SUBSTITUTE),
        training=Config({"_target_": "advx.attacks.substitute.SubstituteTraining"} | TRAINING),
        attack=Config({"_target_": "advx.attacks.fgsm.FGSM", "epsilon": 0.0}),
        epsilons=[0.1, 0.3],
        curve_epsilon=0.2,
        seed=5,
    )
    assert [each.queries for each in found] == [20, 40, 80]
    assert [each.epsilons for each in found] == [[0.2], [0.2], [0.1, 0.3]]
    torch.manual_seed(5)
    network = ReLUNetwork(**SUBSTITUTE)
    own = validation.images[torch.randperm(50)[:20]]
    training = SubstituteTraining(**TRAINING)
    answered = target(examples.images).argmax(1)
    oracle = training.train(network, lambda x: target(x).argmax(1), own, 5)
    for each, _ in zip(found, oracle, strict=True):
        network.eval()
        differ = network(examples.images).argmax(1) != answered
        assert each.disagreement == pytest.approx(100 * differ.double().mean().item())
        for epsilon, rate in zip(each.epsilons, each.error_rates, strict=True):
            moved = FGSM(epsilon=epsilon)(network, examples.images, examples.labels)
            wrong = target(moved).argmax(1) != examples.labels
            assert rate == pytest.approx(100 * wrong.double().mean().item())


def test_a_variant_changes_what_it_names_and_nothing_else() -> None:
    training = Config({"_target_": "x.Training", "epochs": 10, "rounds": 6})
    substitute, other = Config({"_target_": "x.A"}), Config({"_target_": "x.B", "units": 3})
    usual = Attacker(150, substitute, training)
    assert usual.with_({"own_digits": 9, "rounds": 1}) == Attacker(
        9, substitute, training.with_(rounds=1)
    )
    assert usual.with_({"substitute": other}) == Attacker(150, other, training)
    assert training["rounds"] == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("curve_epsilon=0.2", r"curve_epsilon=0.2: not in epsilons; valid: \[0.1, 0.25, 0.3\]"),
        ("own_digits=101", "own_digits=101: dataset=mnist5k has 100 validation examples"),
        ("+variants.even_more={own_digits:300}", "own_digits=300: dataset=mnist5k has 100"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(tmp_path, change, message) -> None:
    words = ["experiment=black_box", "scale=smoke", f"store={tmp_path / 'store'}", change]
    with pytest.raises(ConfigError, match=message):
        ran(tmp_path, words)
    assert not list(tmp_path.glob("store/models/*/weights*"))
