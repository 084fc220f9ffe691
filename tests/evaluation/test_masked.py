"""Gradients that are exactly zero or NaN, counted by hand."""

import pytest
import torch
from torch import nn

from advx.attacks.fgsm import FGSM
from advx.attacks.pgd import PGD
from advx.attacks.random_noise import RandomNoise
from advx.attacks.sign_search import SignSearch
from advx.attacks.strongest import Strongest
from advx.data.dataset import Split
from advx.evaluation.masked import lost_gradients, note_lost_gradients
from advx.notes import noting


class Linear(nn.Module):
    """Two logits ±s·x of one pixel, as they are or after something."""

    def __init__(self, scale: float = 1.0, after=lambda z: z, before=lambda x: x) -> None:
        super().__init__()
        self.scale, self.after, self.before = scale, after, before
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls.add_(1)
        z = self.scale * self.before(x)
        return self.after(torch.cat([-z, z], 1))


X = torch.tensor([[0.001], [0.01], [0.5], [0.9]])
EXAMPLES = Split(X, torch.ones(4, dtype=torch.int64))


def rounded(x):
    return x.mul(15).round().div(15)


@pytest.mark.parametrize(
    ("model", "zero", "undefined"),
    [
        (Linear(), 0, 0),
        (Linear(1e4), 0, 0),  # confident logits do not saturate along the log-odds
        (Linear(1e4, lambda z: z.log_softmax(1)), 0, 0),
        (Linear(1e4, lambda z: z.softmax(1)), 3, 0),  # e^-20 is still there, e^-200 is not
        (Linear(1e4, lambda z: z.softmax(1).log()), 0, 3),
        (Linear(before=rounded), 4, 0),
        (
            Linear(after=lambda z: torch.where(z.abs() > 0.6, torch.nan, z)),
            0,
            0,
        ),  # undefined logits
    ],
)
def test_lost_gradients_are_counted(model, zero, undefined) -> None:
    assert lost_gradients(model, EXAMPLES) == (zero, undefined)
    assert model.calls == 0
    assert model.training


def test_confident_networks_are_not_noted_and_their_cross_entropy_is() -> None:
    model = Linear(1e3)
    for attack, noted in ((PGD(epsilon=0.1), 0), (PGD(epsilon=0.1, objective="cross_entropy"), 2)):
        with noting() as notes:
            note_lost_gradients(model, attack, EXAMPLES)
        assert [(each.affected, each.examples) for each in notes] == ([(noted, 4)] if noted else [])


@pytest.mark.parametrize(
    "attack", [SignSearch(epsilon=1), Strongest(epsilon=1), RandomNoise(epsilon=1), FGSM(epsilon=0)]
)
def test_an_attack_without_a_gradient_is_not_noted(attack) -> None:
    with noting() as notes:
        note_lost_gradients(Linear(before=rounded), attack, EXAMPLES)
    assert notes == []


def test_it_is_one_gradient_pass_and_draws_no_number() -> None:
    model = Linear(before=lambda x: x + 0 * torch.rand_like(x))
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    state = torch.get_rng_state()
    with noting() as notes:
        note_lost_gradients(model, PGD(epsilon=0.1), EXAMPLES)
    assert notes == []
    assert len(calls) == 1
    assert torch.equal(torch.get_rng_state(), state)


def test_a_targeted_attack_is_asked_about_its_target() -> None:
    """The third logit is constant zero, below which nothing of the first two can be seen."""
    model = Linear(after=lambda z: torch.cat([z, torch.zeros_like(z[:, :1])], 1))
    with noting() as notes:
        note_lost_gradients(model, PGD(epsilon=0.1), EXAMPLES, torch.full((4,), 2))
    assert notes == []
