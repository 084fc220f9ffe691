"""A bare search against a loop written out by hand, and against attacks in corners of the grid."""

import copy
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks.base import Attack
from advx.attacks.fgsm import FGSM
from advx.attacks.noise import in_ball
from advx.attacks.pgd import PGD
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.searches import Search, found
from advx.evaluation.transfer import craft, error_rate

EPSILON = 0.1
STEPS = [1, 2, 5]


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sin()


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Rough, so that a search goes up and down: what counts of its points matters."""
    torch.manual_seed(0)
    layers = (nn.Flatten(), nn.Linear(16, 40), Sine(), nn.Linear(40, 8))
    made = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        made[1].weight.mul_(8)
    return made


@pytest.fixture(scope="module")
def examples(network: nn.Module) -> Split:
    torch.manual_seed(1)
    images = torch.rand(300, 1, 4, 4, dtype=torch.float64)
    labels = network(images).argmax(1)
    labels[::10] = (labels[::10] + 1) % 8  # some are mistaken already
    return Split(images, labels)


def objective_of(name: str, logits: Tensor, label: int) -> Tensor:
    if name == "cross_entropy":
        return F.cross_entropy(logits[None], torch.tensor([label]))
    p = logits.softmax(0)
    return torch.log(1 - p[label]) - torch.log(p[label])


def by_hand(network: nn.Module, x: Tensor, label: int, search: Search, steps: int) -> list[bool]:
    """One example's search, point by point: what `Found` has, as yes or no."""

    def look(point: Tensor) -> tuple[float, bool, Tensor]:
        point = point.clone().requires_grad_(True)
        logits = network(point[None])[0]
        value = objective_of(search.objective, logits, label)
        (slope,) = torch.autograd.grad(value, point)
        return value.item(), logits.argmax().item() != label, slope

    def inside(point: Tensor) -> Tensor:
        point = torch.maximum(torch.minimum(point, x + search.epsilon), x - search.epsilon)
        return point if search.clip is None else point.clamp(*search.clip)

    _, _, slope = look(x)
    fgsm_value, fgsm_wrong, _ = look(inside(x + search.epsilon * slope.sign()))
    point = x
    if search.random_start:
        point = inside(x + search.epsilon * in_ball(x[None], "linf", 0)[0])
    visited = []
    for k in range(steps + 1):
        value, wrong, slope = look(point)
        visited.append((value, wrong))
        if k < steps:
            way = slope.sign() if search.direction == "sign" else slope / slope.abs().max()
            point = inside(point + search.step_size * way)
    last_value, last_wrong = visited[-1]
    best_value, best_wrong = max(visited, key=lambda each: each[0])
    some = any(wrong for _, wrong in visited)
    return [
        last_wrong,
        best_wrong,
        some,
        fgsm_wrong if fgsm_value > last_value else last_wrong,
        fgsm_wrong if fgsm_value > best_value else best_wrong,
        some or fgsm_wrong,
    ]


BASE = Search(epsilon=EPSILON, step_size=0.04)
VARIANTS = {
    "as it is": BASE,
    "cross-entropy": replace(BASE, objective="cross_entropy"),
    "clipped": replace(BASE, clip=(0.0, 1.0)),
    "random start": replace(BASE, random_start=True),
    "gradient": replace(BASE, direction="gradient", step_size=0.2),
    "far too long": replace(BASE, step_size=0.2),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_loop_by_hand_finds_the_same(name: str, network: nn.Module, examples: Split) -> None:
    search = VARIANTS[name]
    results = found(network, examples, search, STEPS, batch_size=64)
    for steps, result in zip(STEPS, results, strict=True):
        pairs = zip(examples.images, examples.labels.tolist(), strict=True)
        expected = np.mean([by_hand(network, x, y, search, steps) for x, y in pairs], axis=0)
        assert astuple(result) == pytest.approx(100 * expected, abs=1e-9)


def test_every_variant_changes_something(network: nn.Module, examples: Split) -> None:
    """In float32, with confident answers: else the two objectives have gradients of one sign."""
    sure = nn.Sequential(copy.deepcopy(network).float(), Times(30))
    seen = Split(examples.images.float(), examples.labels)
    results = [tuple(found(sure, seen, search, STEPS)) for search in VARIANTS.values()]
    assert len(set(results)) == len(results)


def test_what_counts_changes_something(network: nn.Module, examples: Split) -> None:
    """Each of the six rates differs from each other one in some search.

    Where several classes are about as likely, a mistake can be likelier than not at a point that is
    none: the best point is not wrong although another one is.
    """
    unsure = nn.Sequential(network, Times(0.2))
    searches = [*VARIANTS.values(), replace(BASE, epsilon=0.3, step_size=0.3)]
    rates = np.array([astuple(each) for s in searches for each in found(unsure, examples, s, [5])])
    for one in range(6):
        for other in range(one):
            assert (rates[:, one] != rates[:, other]).any(), (one, other)


@pytest.mark.parametrize("search", VARIANTS.values(), ids=VARIANTS)
def test_one_search_passes_through_all_numbers_of_steps(
    search: Search, network: nn.Module, examples: Split
) -> None:
    together = found(network, examples, search, STEPS)
    assert together == [found(network, examples, search, [k])[0] for k in STEPS]
    assert found(network, examples, search, [5, 1]) == [together[0], together[2]]


@pytest.mark.parametrize("objective", ["log_odds", "cross_entropy"])
@pytest.mark.parametrize("clip", [None, (0.0, 1.0)])
def test_corners_of_the_grid_are_the_attacks(
    objective: str, clip: tuple[float, float] | None, network: nn.Module, examples: Split
) -> None:
    """One step of ε is FGSM; the best point with FGSM beside is PGD; any point, PGD that stops."""

    def rate(attack: Attack) -> float:
        return error_rate(network, craft(attack, network, examples))

    same = {"epsilon": EPSILON, "objective": objective, "clip": clip}
    step = Search(**same, step_size=EPSILON)
    assert found(network, examples, step, [1])[0].last == rate(FGSM(**same))
    longer = Search(**same, step_size=0.04, random_start=True)
    pgd = {"steps": 5, "step_size": 0.04}
    (result,) = found(network, examples, longer, [5])
    stopping = rate(PGD(**same, **pgd, stop_on_success=True))
    from_example = rate(PGD(**same, **pgd, random_start=False))
    assert stopping >= result.any_or_fgsm - 1e-9  # PGD has the example itself besides
    alone = found(network, examples, replace(longer, random_start=False), [5])[0]
    assert from_example == alone.best_or_fgsm


def test_steps_of_epsilon_in_all_cannot_leave_a_straight_way() -> None:
    """On a linear model of two classes every search that adds up to ε ends at the FGSM point."""
    torch.manual_seed(2)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).double()
    images = torch.rand(300, 1, 4, 4, dtype=torch.float64)
    examples = Split(images, linear(images).argmax(1))
    one = found(linear, examples, Search(epsilon=EPSILON, step_size=EPSILON), [1])[0].last
    assert 0 < one < 100
    for steps in (2, 10):
        search = Search(epsilon=EPSILON, step_size=EPSILON / steps)
        assert found(linear, examples, search, [steps])[0].last == one
        short = found(linear, examples, search, [steps // 2])[0].last
        assert short < one


class SometimesNan(nn.Module):
    """No number for images that are bright in the first corner."""

    def __init__(self, network: nn.Module, above: float) -> None:
        super().__init__()
        self.network = network
        self.above = above

    def forward(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        return torch.where(x[:, 0, 0, :1] > self.above, logits.new_tensor(torch.nan), logits)


def test_examples_without_an_answer_are_left_out(network: nn.Module, examples: Split) -> None:
    corner = examples.images[:, 0, 0, 0]
    edge = corner.topk(2).values.mean().item()  # one image is beyond it from the start
    far = Search(epsilon=1e-6, step_size=1e-6)
    whole = found(SometimesNan(network, 2.0), examples, far, [1])[0]
    rest = corner <= edge
    fewer = Split(examples.images[rest], examples.labels[rest])
    assert (
        found(SometimesNan(network, edge), examples, far, [1])[0]
        == (found(network, fewer, far, [1])[0])
    )
    assert whole == found(network, examples, far, [1])[0]
    with pytest.raises(ConfigError, match="are NaN"):
        found(SometimesNan(network, 0.5), examples, far, [1])
