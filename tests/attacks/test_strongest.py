"""Several attacks in a row, and those that only it is made of: closed forms and small models."""

import pytest
import torch
from torch import nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.multi_targeted import MultiTargeted
from advx.attacks.sign_search import SignSearch, blocks
from advx.attacks.strongest import STAGES, Strongest
from advx.data.dataset import Split
from advx.evaluation.robustness import errors_by_stage
from advx.evaluation.transfer import craft


def test_sign_search_reaches_the_best_corner_of_a_linear_model(binary, batch) -> None:
    x, y = batch[0][:8], batch[1][:8] % 2
    with torch.no_grad():
        binary[1].bias.copy_(torch.tensor([50.0, -50.0]).double())  # nothing succeeds early
    y = torch.zeros_like(y)
    found = SignSearch(epsilon=0.3, queries=1 + 1 + len(blocks(25)))(binary, x, y)
    torch.testing.assert_close(found, FGSM(epsilon=0.3)(binary, x, y))


class Staircase(nn.Module):
    """Rounds its input, so that its gradient is zero everywhere."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x + ((20 * x).round() / 20 - x).detach() - (x - x.detach()))


def test_multi_targeted_on_a_linear_model_is_the_closed_form(linear, batch) -> None:
    x, _ = batch
    y = linear(x).argmax(1)
    z, weight = linear(x), linear[-1].weight
    ahead = z.gather(1, y[:, None]) - z  # what class t lacks; ε ‖w_t − w_y‖₁ is all that ε gives
    reach = (weight[None] - weight[y][:, None]).abs().sum(2)
    for epsilon in (0.02, 0.05, 0.1):
        found = MultiTargeted(epsilon=epsilon, steps=20, targets=9)(linear, x, y)
        broken = linear(found).argmax(1) != y
        possible = ((ahead < epsilon * reach) & (ahead > 0)).any(1)
        assert torch.equal(broken, possible)
        assert torch.equal(found[~broken], x[~broken])
        assert norms.length(found - x, "linf").max() <= epsilon + 1e-15


@pytest.mark.parametrize("targets", [1, 2, 9])
def test_multi_targeted_tries_the_likeliest_class_first_and_only_so_many(
    linear, batch, monkeypatch, targets
) -> None:
    x, _ = batch
    order = linear(x).argsort(1, descending=True)
    asked = []

    def nothing(model, images, pairs):
        asked.append(pairs)
        return images

    attack = MultiTargeted(epsilon=0.2, targets=targets)
    monkeypatch.setattr(attack.toward, "perturb", nothing)
    attack(linear, x, order[:, 0])
    assert len(asked) == min(targets, 3)
    for rank, pairs in enumerate(asked):
        assert torch.equal(pairs, order[:, [0, rank + 1]])


class Detour(nn.Module):
    """Three logits of one pixel: on the way to class 1 the prediction becomes class 2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        third = 5 * x.clamp(max=0.1) + 0.5 * (x - 0.1).relu()
        return torch.cat([torch.full_like(x, 0.5), 0.1 + x, third], 1)


def test_multi_targeted_counts_a_mistake_in_a_third_class() -> None:
    x, y = torch.zeros(1, 1, 1, 1, dtype=torch.float64), torch.tensor([0])
    found = MultiTargeted(epsilon=0.3, steps=20, targets=1)(Detour(), x, y)
    assert Detour()(found).argmax(1).item() == 2


class Overshot(nn.Module):
    """Three logits of one pixel: class 1 is likeliest at .1, a mistake is class 2 past .25."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return torch.cat([torch.full_like(x, 0.5), 0.4 - (x - 0.1).abs(), (x > 0.25) * 1.0], 1)


@pytest.mark.parametrize("restarts", [1, 2])
def test_multi_targeted_counts_a_mistake_where_its_objective_is_low(restarts) -> None:
    x, y = torch.zeros(1, 1, 1, 1, dtype=torch.float64), torch.tensor([0])
    attack = MultiTargeted(epsilon=0.3, steps=20, targets=1, restarts=restarts)
    assert Overshot()(attack(Overshot(), x, y)).argmax(1).item() == 2


class OnlyTheLast(nn.Module):
    """Three logits of one pixel: the likeliest wrong class does not move, the other one does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return torch.cat([torch.ones_like(x), torch.full_like(x, 0.9), 10.1 * x], 1)


def test_multi_targeted_tries_the_least_likely_class_too() -> None:
    x, y = torch.zeros(1, 1, 1, 1, dtype=torch.float64), torch.tensor([0])
    assert OnlyTheLast()(x).argsort(descending=True).tolist() == [[0, 1, 2]]
    for targets, said in ((1, 0), (2, 2), (9, 2)):
        found = MultiTargeted(epsilon=0.1, steps=10, targets=targets)(OnlyTheLast(), x, y)
        assert OnlyTheLast()(found).argmax(1).item() == said


class Crowd(nn.Module):
    """Eight classes that fall together outweigh, in the log-odds, the one that rises to success."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = x.flatten(1)[:, :1]
        label, rising = torch.full_like(z, 0.3), 0.01 + 3 * z
        return torch.cat([label, rising, *[-z] * 8], 1)


def test_strongest_ascends_along_the_margin_too() -> None:
    x, y = torch.rand(24, 1, 1, 2, dtype=torch.float64), torch.zeros(24, dtype=torch.int64)
    x[:, :, :, 0] = 0
    attack = Strongest(epsilon=0.2, steps=10, targets=0, restarts=2, queries=0)
    best, stage = attack.traced(Crowd(), x, y)
    assert (stage == STAGES.index("pgd_margin")).all()
    assert (Crowd()(best).argmax(1) == 1).all()


def test_strongest_finds_out_a_masked_gradient(linear, batch) -> None:
    x, _ = batch
    y = linear(x).argmax(1)
    masked = Staircase(linear)
    assert (FGSM(epsilon=0.2)(masked, x, y) == x).all()
    best, stage = Strongest(epsilon=0.2, steps=10).traced(masked, x, y)
    assert (stage == STAGES.index("gradient_free")).double().mean() > 0.3
    assert ((masked(best).argmax(1) != y) == (stage >= 0)).all()


def test_strongest_does_not_search_a_ball_of_one_point(network, batch) -> None:
    x, y = batch
    _, stage = Strongest(epsilon=0.0).traced(network, x, y)
    assert torch.equal(stage == STAGES.index("clean"), network(x).argmax(1) != y)
    assert ((stage == STAGES.index("clean")) | (stage == -1)).all()
    assert not Strongest(epsilon=0.0).attacks


def test_strongest_is_never_below_any_of_its_attacks(network, batch) -> None:
    x, _ = batch
    y = network(x).argmax(1)
    attack = Strongest(epsilon=0.05, steps=10, restarts=1, queries=50)
    found, stage = attack.traced(network, x, y)
    wrong = network(found).argmax(1) != y
    assert torch.equal(wrong, stage >= 0)
    assert torch.equal(found[~wrong], x[~wrong])
    assert norms.length(found - x, "linf").max() <= 0.05 + 1e-15
    for single in attack.attacks.values():
        alone = network(single(network, x, y)).argmax(1) != y
        assert not (alone & ~wrong).any()


def test_gradient_free_search_has_a_bound_on_its_examples(linear, batch) -> None:
    x, _ = batch
    y = linear(x).argmax(1)
    _, stage = Strongest(epsilon=0.2, steps=2, searched=3).traced(Staircase(linear), x, y)
    assert 0 < (stage == STAGES.index("gradient_free")).sum() <= 3


@pytest.mark.parametrize("searched", [1, 3, 7])
def test_the_gradient_free_search_has_as_many_examples_as_it_is_allowed(searched) -> None:
    """Every one that it is tried on falls, and to nothing else: corners alone reach so far."""
    linear = nn.Sequential(nn.Flatten(), nn.Linear(25, 2)).double()
    weight = torch.tensor([1.0, -1.0] * 13)[:25].double()
    x = torch.full((20, 1, 5, 5), 0.5).double()
    with torch.no_grad():
        linear[1].weight.copy_(torch.stack([-weight, weight]))
        lead = 0.8 * 0.2 * 50  # four fifths of what a corner gains
        linear[1].bias.copy_(torch.tensor([2 * float((weight * 0.5).sum()) + lead, 0.0]))
    y = torch.zeros(20, dtype=torch.int64)
    _, stage = Strongest(epsilon=0.2, steps=2, searched=searched).traced(Staircase(linear), x, y)
    assert (stage == STAGES.index("gradient_free")).sum() == searched


def test_the_error_rate_does_not_fall_as_more_examples_are_given() -> None:
    """Rounded logits, which only the search without gradients gets past: it is tried on all."""

    class Rounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(16, 3).double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z = 20 * self.linear(x.flatten(1))
            return z.round() + 0 * z

    model, images = Rounded(), torch.rand(3000, 1, 4, 4).double()
    labels = model(images).argmax(1)
    attack = Strongest(epsilon=0.3, steps=2, restarts=1, targets=1, queries=40)
    few, many = (errors_by_stage(model, attack, Split(images[:n], labels[:n])) for n in (300, 3000))
    assert few.gradient_free > 60
    assert many.gradient_free == pytest.approx(few.gradient_free, abs=10)


def test_crafting_hands_the_whole_set_to_an_attack_that_wants_it(network, batch) -> None:
    sizes = []

    def attack(model, x, y):
        sizes.append(len(x))
        return x

    attack.whole = True
    many = Split(batch[0].repeat(60, 1, 1, 1), batch[1].repeat(60))
    craft(attack, network, many)
    assert sizes == [1920]
