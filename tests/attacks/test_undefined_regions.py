"""Balls in which a model answers NaN: an attack that fails there does not say that all is well."""

import pytest
import torch
from torch import Tensor, nn

from advx.attacks.apgd import APGD
from advx.attacks.fgsm import FGSM
from advx.attacks.linearized_model import LinearizedModel
from advx.attacks.multi_targeted import MultiTargeted
from advx.attacks.pgd import PGD
from advx.attacks.sign_search import SignSearch
from advx.attacks.strongest import Strongest
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.robustness import errors_by_stage
from advx.evaluation.transfer import craft, error_rate, predictions
from advx.models.call import UNDEFINED
from advx.notes import noting

EPSILON = 0.25

ATTACKS = {
    "fgsm": FGSM(epsilon=EPSILON),
    "pgd": PGD(epsilon=EPSILON, steps=10),
    "pgd, stopping": PGD(epsilon=EPSILON, steps=10, stop_on_success=True),
    "pgd, l2": PGD(epsilon=EPSILON, norm="l2", steps=10),
    "apgd": APGD(epsilon=EPSILON, steps=10),
    "multi_targeted": MultiTargeted(epsilon=EPSILON, steps=10),
    "sign_search": SignSearch(epsilon=EPSILON, queries=30),
    "linearized_model": LinearizedModel(steps=5),
    "strongest": Strongest(epsilon=EPSILON, steps=4, restarts=1, queries=30),
}


class Root(nn.Module):
    """A linear model of the pixels' square roots: no number where a pixel is negative."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(16, 3).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1).sqrt())


@pytest.fixture
def dark() -> Split:
    """Pixels near 0, which every step takes below it."""
    images = 0.001 + 0.05 * torch.rand(100, 1, 4, 4).double()
    return Split(images, predictions(Root(), images))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_meets_a_nan_and_no_success_says_so(name, dark) -> None:
    moved = craft(ATTACKS[name], Root(), dark)
    undefined = predictions(Root(), moved.images) == UNDEFINED
    assert undefined.sum() > (1 if name == "linearized_model" else 10)
    with pytest.raises(ConfigError, match=r"the logits of \d+ of 100 examples are NaN"):
        error_rate(Root(), moved)
    assert moved.images.isfinite().all()


def test_the_stages_of_the_strongest_attack_refuse_it_too(dark) -> None:
    with pytest.raises(ConfigError, match=r"the logits of \d+ of 100 examples are NaN"):
        errors_by_stage(Root(), ATTACKS["strongest"], dark)


@pytest.mark.parametrize("kind", [PGD, Strongest])
def test_in_the_range_where_all_answers_are_numbers_every_example_falls(kind, dark) -> None:
    attack = kind(epsilon=EPSILON, clip=(0.0, 1.0), steps=10)
    assert error_rate(Root(), craft(attack, Root(), dark)) == 100


def test_a_step_that_is_no_number_is_not_taken(dark) -> None:
    """The root's slope at 0 is infinite."""
    moved = craft(LinearizedModel(steps=50, clip=(0.0, 1.0)), Root(), dark)
    assert moved.images.isfinite().all()
    assert (moved.images == 0).any()


def test_the_first_success_counts_although_a_later_start_meets_a_nan() -> None:
    """A start from the example wins; the second one, at a random point, is in the hole."""

    class Edge(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = x.flatten(1)
            hole = (z > 0.02) & (z < 0.08)
            return torch.cat([0 * z, torch.where(hole, torch.nan, z - 0.09)], 1)

    x, y = torch.full((1, 1, 1, 1), 0.01).double(), torch.zeros(1, dtype=torch.int64)
    for attack in (
        PGD(epsilon=0.1, steps=5, restarts=4),
        APGD(epsilon=0.1, steps=5, restarts=4),
        Strongest(epsilon=0.1, steps=5),
        SignSearch(epsilon=0.1),
    ):
        assert predictions(Edge(), attack(Edge(), x, y)).tolist() == [1]


def test_a_model_without_a_number_is_said_where_no_run_counts_it(caplog) -> None:
    """In Python nobody else looks at the answers; a run counts them where it classifies."""
    x, y = torch.full((3, 1, 4, 4), -1.0).double(), torch.zeros(3, dtype=torch.int64)
    PGD(epsilon=0.1, steps=2)(Root(), x, y)
    assert caplog.messages == [
        "Root: the logits of 3 of 3 examples are NaN; they count neither as right nor as wrong"
    ]
    caplog.clear()
    with noting() as notes:
        PGD(epsilon=0.1, steps=2)(Root(), x, y)
    assert not notes
    assert not caplog.messages
