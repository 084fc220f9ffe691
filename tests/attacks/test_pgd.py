"""Iterated attacks against closed forms, brute force and an independent implementation."""

import pytest
import torch
from torch import nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.multi_targeted import MultiTargeted
from advx.attacks.noise import in_ball, uniform
from advx.attacks.objectives import cross_entropy, hard_label_cost, log_odds, margin
from advx.attacks.pgd import PGD
from advx.attacks.sign_search import SignSearch, blocks
from advx.attacks.strongest import STAGES, Strongest
from advx.data.dataset import Split
from advx.evaluation.transfer import craft
from advx.models.maxout import MaxoutNetwork

CLIP = (0.0, 1.0)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(32, 1, 5, 5, dtype=torch.float64), torch.arange(32) % 4


@pytest.fixture
def network() -> nn.Module:
    shape = {"input_shape": (1, 5, 5), "classes": 4}
    return MaxoutNetwork(**shape, units=(12, 12), init_range=0.7).double().eval()


@pytest.fixture
def binary() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 2)).double()


@pytest.mark.parametrize("clip", [None, CLIP])
@pytest.mark.parametrize("random_start", [False, True])
def test_max_norm_optimum_of_a_linear_model(binary, batch, clip, random_start) -> None:
    x, y = batch[0], batch[1] % 2
    attack = PGD(epsilon=0.3, steps=20, random_start=random_start, clip=clip)
    w = binary[1].weight[1] - binary[1].weight[0]
    corner = x + 0.3 * (w.sign() * (1 - 2 * y)[:, None]).view_as(x)
    torch.testing.assert_close(attack(binary, x, y), corner if clip is None else corner.clamp(0, 1))


def test_l2_optimum_of_a_linear_model(binary, batch) -> None:
    x, y = batch[0], batch[1] % 2
    w = binary[1].weight[1] - binary[1].weight[0]
    best = x + 0.3 * ((w / w.norm()) * (1 - 2 * y)[:, None]).view_as(x)
    found = PGD(epsilon=0.3, norm="l2", steps=200)(binary, x, y)
    reached = log_odds(binary(found), y)
    torch.testing.assert_close(reached, log_odds(binary(best), y), rtol=1e-4, atol=1e-4)
    assert (reached <= log_odds(binary(best), y) + 1e-12).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("objective", ["log_odds", "margin", "cross_entropy"])
@pytest.mark.parametrize("ascent", [{}, {"step_size": 5.0}, {"schedule": "linear"}])
def test_never_below_fgsm_nor_the_example(network, batch, norm, objective, ascent) -> None:
    x, y = batch
    value = {"log_odds": log_odds, "margin": margin, "cross_entropy": cross_entropy}[objective]
    shared = {"epsilon": 0.2, "norm": norm, "objective": objective}
    found = value(network(PGD(**shared, steps=3, **ascent)(network, x, y)), y)
    assert (found >= value(network(FGSM(**shared)(network, x, y)), y)).all()
    assert (found >= value(network(x), y)).all()


def test_more_steps_and_restarts_never_lose(network, batch) -> None:
    x, y = batch
    few = log_odds(network(PGD(epsilon=0.2, steps=5)(network, x, y)), y)
    more = log_odds(network(PGD(epsilon=0.2, steps=5, restarts=4)(network, x, y)), y)
    fgsm = log_odds(network(FGSM(epsilon=0.2)(network, x, y)), y)
    assert (more >= few).all()
    assert (more > fgsm).any()


@pytest.mark.parametrize(
    ("schedule", "lengths"),
    [("constant", [0, 0.1, 0.2, 0.3, 0.4]), ("linear", [0, 0.1, 0.175, 0.225, 0.25])],
)
def test_steps_keep_their_length_or_shrink_to_nothing(binary, batch, schedule, lengths) -> None:
    x, y = batch[0], batch[1] % 2
    seen = []
    binary.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach() - x))
    PGD(epsilon=1.0, steps=4, step_size=0.1, schedule=schedule, random_start=False)(binary, x, y)
    found = [norms.length(moved, "linf").mean().item() for moved in seen[-5:]]
    assert found == pytest.approx(lengths, abs=1e-12)


def test_default_first_step(binary) -> None:
    assert PGD(epsilon=0.2, steps=50).step_size == pytest.approx(0.01)
    assert PGD(epsilon=0.2, steps=50, schedule="linear").step_size == pytest.approx(0.4)


def test_stopping_on_success_finds_the_same_successes(network, batch) -> None:
    x, _ = batch
    y = network(x).argmax(1)
    shared = {"epsilon": 0.02, "objective": "margin", "steps": 20}
    best = PGD(**shared)(network, x, y)
    first = PGD(**shared, stop_on_success=True)(network, x, y)
    won = margin(network(best), y) > 0
    assert won.any()
    assert not won.all()
    assert torch.equal(margin(network(first), y) > 0, won)
    assert not torch.equal(first, best)


class Sine(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sin()


@pytest.mark.parametrize("objective", ["log_odds", "cross_entropy", "margin"])
@pytest.mark.parametrize("targeted", [False, True])
def test_stopping_on_success_misses_no_mistake_on_its_way(objective, targeted) -> None:
    """A mistake counts although a point before it, that is none, has a larger objective.

    So it is where several classes are about as likely, as after label smoothing.
    """
    torch.manual_seed(3)
    layers = (nn.Flatten(), nn.Linear(25, 40), Sine(), nn.Linear(40, 8))
    unsure = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        unsure[1].weight.mul_(8)
        unsure[3].weight.mul_(0.2)
    x = torch.rand(500, 1, 5, 5, dtype=torch.float64)
    y = unsure(x).topk(2).indices[:, 1 if targeted else 0]
    kinds = {"log_odds": log_odds, "cross_entropy": cross_entropy, "margin": margin}
    shared = {"epsilon": 0.1, "objective": objective, "targeted": targeted}

    def look(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        points = points.clone().requires_grad_(True)
        logits = unsure(points)
        value = kinds[objective](logits, y) * (-1 if targeted else 1)
        (slope,) = torch.autograd.grad(value.sum(), points)
        return value.detach(), (logits.argmax(1) == y) == targeted, slope.sign()

    most, won, _ = look(FGSM(**shared)(unsure, x, y))
    lower, point = torch.zeros_like(won), x  # than the objective of a point that was no success
    for _ in range(21):
        value, success, way = look(point)
        lower |= success & ~won & (value < most)
        won |= success
        most = most.maximum(value)
        point = x + (point + 0.03 * way - x).clamp(-0.1, 0.1)
    assert lower.any() == (objective != "margin")
    assert not won.all()
    search = PGD(**shared, steps=20, step_size=0.03, random_start=False, stop_on_success=True)
    assert torch.equal(look(search(unsure, x, y))[1], won)


def test_targeted_success_is_the_class_aimed_at(network, batch) -> None:
    x, _ = batch
    targets = (network(x).argmax(1) + 1) % 4
    found = PGD(epsilon=0.5, steps=40, targeted=True, stop_on_success=True)(network, x, targets)
    single = FGSM(epsilon=0.5, targeted=True)(network, x, targets)
    reached = network(found).argmax(1) == targets
    assert reached.sum() >= (network(single).argmax(1) == targets).sum() > 0
    assert (log_odds(network(found), targets) < log_odds(network(x), targets)).all()


def test_a_start_costs_a_pass_for_every_point_and_the_search_two_more(binary, batch) -> None:
    x, y = batch[0], batch[1] % 2
    passes = []
    binary.register_forward_hook(lambda *_: passes.append(1))
    PGD(epsilon=0.3, steps=5, restarts=2)(binary, x, y)
    assert len(passes) == 2 * (5 + 1) + 2  # the example and its FGSM point


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_restart_starts_elsewhere(binary, batch, norm) -> None:
    x, y = batch[0], batch[1] % 2
    seen = []
    binary.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach() - x))
    PGD(epsilon=0.3, norm=norm, steps=1, step_size=1e-9, restarts=4)(binary, x, y)
    starts = {tuple(moved[0].flatten().mul(1e5).round().tolist()) for moved in seen}
    assert len(starts) == 2 + 4  # the example, its FGSM point, and the random ones


def test_never_below_foolbox(network, batch) -> None:
    foolbox = pytest.importorskip("foolbox")
    x, y = batch
    theirs = foolbox.attacks.LinfPGD(steps=30, rel_stepsize=2.5 / 30, random_start=False)
    wrapped = foolbox.PyTorchModel(network.eval(), bounds=CLIP, device="cpu")
    _, last, _ = theirs(wrapped, x, y, epsilons=0.2)
    ours = PGD(epsilon=0.2, steps=30, random_start=False, clip=CLIP)(network, x, y)
    assert (log_odds(network(ours), y) >= log_odds(network(last), y) - 1e-9).all()


def test_noise_is_uniform_and_the_examples_own() -> None:
    images = torch.rand(2000, 1, 4, 4)
    numbers = uniform(images, 0)
    assert torch.equal(numbers[5:7], uniform(images[5:7], 0))
    assert numbers.min() >= -1
    assert numbers.max() < 1
    counts = torch.histc(numbers.double(), 16, -1, 1)
    assert (counts - 2000).abs().max() < 5 * 2000**0.5
    flat = numbers.flatten(1).double()
    correlation = torch.corrcoef(flat.T) - torch.eye(16)
    assert correlation.abs().max() < 5 / 2000**0.5
    other = uniform(images, 1).flatten(1).double()
    assert ((flat * other).mean() * 3).abs() < 5 / 32000**0.5


def test_points_of_the_euclidean_ball_are_uniform() -> None:
    points = in_ball(torch.rand(4000, 1, 1, 3), "l2", 0).flatten(1).double()
    radius = points.norm(dim=1)
    assert radius.max() <= 1 + 1e-6
    assert (radius**3).mean() == pytest.approx(0.5, abs=0.03)  # volume is uniform on [0, 1]
    assert points.mean(0).abs().max() < 0.04


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


def test_multi_targeted_tries_the_likeliest_class_first_and_only_so_many(linear, batch) -> None:
    x, _ = batch
    y = linear(x).argmax(1)
    second = linear(x).scatter(1, y[:, None], -torch.inf).argmax(1)
    single = MultiTargeted(epsilon=0.2, steps=10, targets=1)(linear, x, y)
    said = linear(single).argmax(1)
    toward = PGD(
        epsilon=0.2,
        steps=10,
        objective="margin",
        random_start=False,
        targeted=True,
        stop_on_success=True,
    )(linear, x, second)
    assert torch.equal(single[said != y], toward[said != y])


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


class OnlyTheLast(nn.Module):
    """Three logits of one pixel: the likeliest wrong class does not move, the other one does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return torch.cat([torch.ones_like(x), torch.full_like(x, 0.9), 20 * x], 1)


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


def test_crafting_hands_the_whole_set_to_an_attack_that_wants_it(network, batch) -> None:
    sizes = []

    def attack(model, x, y):
        sizes.append(len(x))
        return x

    attack.whole = True
    many = Split(batch[0].repeat(60, 1, 1, 1), batch[1].repeat(60))
    craft(attack, network, many)
    assert sizes == [1920]


def test_hard_label_cost_is_the_cross_entropy_with_a_gradient_left() -> None:
    logits = torch.randn(50, 6, dtype=torch.float64) * 10
    labels = torch.arange(50) % 6
    torch.testing.assert_close(hard_label_cost(logits, labels), cross_entropy(logits, labels))
    sure = torch.tensor([[40.0, 0, 0]], requires_grad=True)
    (naive,) = torch.autograd.grad(cross_entropy(sure, torch.tensor([0])).sum(), sure)
    (exact,) = torch.autograd.grad(hard_label_cost(sure, torch.tensor([0])).sum(), sure)
    assert naive[0, 0] == 0
    assert exact[0, 0] == pytest.approx(-2 * torch.e**-40, rel=1e-4, abs=0)
