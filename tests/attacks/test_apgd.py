"""Auto-PGD against closed forms, ascents by hand, and its algorithm written out once more."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from advx.attacks.apgd import APGD, checkpoints
from advx.attacks.fgsm import FGSM
from advx.attacks.noise import in_ball
from advx.attacks.objectives import cross_entropy, log_odds, margin
from advx.attacks.pgd import PGD
from advx.evaluation.transfer import predictions
from advx.models.call import UNDEFINED
from advx.models.maxout import MaxoutNetwork

CLIP = (0.0, 1.0)
OBJECTIVES = {"log_odds": log_odds, "margin": margin, "cross_entropy": cross_entropy}


def visited(model: nn.Module, attack: APGD, images: Tensor, labels: Tensor) -> list[Tensor]:
    """The points of a search from the images, without the example and its FGSM point."""
    seen: list[Tensor] = []
    handle = model.register_forward_hook(lambda _, given, __: seen.append(given[0].detach()))
    attack(model, images, labels)
    handle.remove()
    return seen[2:]


@pytest.mark.parametrize(
    ("steps", "places"),
    [
        (100, [22, 41, 57, 70, 80, 87, 93, 99]),
        (50, [11, 21, 29, 35, 40, 44, 47, 50]),
        (10, [3, 5, 6, 7, 8, 9, 10]),
        (1, [1]),
    ],
)
def test_checkpoints_come_closer_and_closer(steps, places) -> None:
    assert checkpoints(steps) == places


class Rooftop(nn.Module):
    """Logits of one pixel: the log-odds of a mistake are −|x − .3|, where the label is 0."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return torch.cat([torch.zeros_like(x), -(x - 0.3).abs()], 1)


def test_steps_halve_from_the_best_point_by_hand() -> None:
    """Ten steps, the first of 2, which pass over the ridge; looked at after 3, 5, 6, 7, 8, 9.

    A move is .75 of the gradient's and .25 of the one before, within [−1, 1].
    """
    x, y = torch.zeros(1, 1, 1, 1, dtype=torch.float64), torch.tensor([0])
    wanted = [0.0, 1.0]  # η = 2, down
    wanted += [1 - 0.75 * 2 + 0.25 * 1]  # −.25, up
    wanted += [-0.25 + 0.75 * 1.25 - 0.25 * 1.25]  # .375, up: 2 of 3 are few
    wanted += [0.375 - 0.75 * 1.375 + 0.25 * 0.625]  # −.5, and back to .375 with η = 1
    wanted += [0.375 - 0.75 * 1 + 0.25 * 0]  # −.375, down: 0 of 2 are few
    wanted += [-0.375 + 0.75 * 1 - 0.25 * 0.75]  # .1875, and back to .375 with η = .5: up
    wanted += [0.375 - 0.75 * 0.5 + 0.25 * 0.75]  # .1875, down: 0 of 1 are few
    wanted += [0.1875 + 0.75 * 0.5 - 0.25 * 0.1875]  # .516, and back to .375 with η = .25: up
    wanted += [0.375 - 0.75 * 0.25 + 0.25 * 0.1875]  # .234, up, the best
    wanted += [0.234375 + 0.75 * 0.25 - 0.25 * 0.140625]
    attack = APGD(epsilon=1.0, steps=10, random_start=False)
    points = [point.item() for point in visited(Rooftop(), attack, x, y)]
    assert points == pytest.approx(wanted, abs=1e-15)
    assert attack(Rooftop(), x, y).item() == pytest.approx(0.234375, abs=1e-15)


class Cliff(nn.Module):
    """Its objective rises everywhere but just after 0, where it falls by 10."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return torch.cat([torch.zeros_like(x), x + 10 * (x < 0.005)], 1)


def test_steps_halve_where_rising_finds_nothing_better() -> None:
    x, y = torch.zeros(1, 1, 1, 1, dtype=torch.float64), torch.tensor([0])
    attack = APGD(epsilon=1.0, steps=100, step_size=0.01, random_start=False)
    points = [point.item() for point in visited(Cliff(), attack, x, y)]
    assert all(after > before for before, after in pairwise(points[:23]))
    assert points[24] == pytest.approx(0.75 * 0.005 - 0.25 * points[22], abs=1e-15)


Slope = Callable[[Tensor], tuple[float, Tensor]]


def written_out(
    slope: Slope,
    start: Tensor,
    project: Callable[[Tensor], Tensor],
    unit: Callable[[Tensor], Tensor],
    size: float,
    steps: int,
) -> tuple[list[Tensor], Tensor]:
    """Algorithm 1 of Croce and Hein 2020 for one example: the points asked about, and x_max.

    Both conditions are looked up in the whole history, as they are printed.
    """
    shares = [0.0, 0.22]
    while len(shares) < 30:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    w = sorted({math.ceil(round(p * steps, 9)) for p in shares if p <= 1 + 1e-9})
    x = [start, project(start + size * unit(slope(start)[1]))]
    asked, f = list(x), [slope(point)[0] for point in x]
    x_max, f_max, eta = x[f.index(max(f))], [f[0], max(f)], [size]
    for k in range(1, steps):
        eta.append(size)
        z = project(x[k] + size * unit(slope(x[k])[1]))
        following = project(x[k] + 0.75 * (z - x[k]) + 0.25 * (x[k] - x[k - 1]))
        asked.append(following)
        value = slope(following)[0]
        f_max.append(max(f_max[-1], value))
        if value > f_max[-2]:
            x_max = following
        if k in w:
            last = w[w.index(k) - 1]
            rises = sum(f[i + 1] > f[i] for i in range(last, k))
            if rises < 0.75 * (k - last) or (eta[last] == eta[k] and f_max[last] == f_max[k]):
                size, following, value = size / 2, x_max, f_max[-1]
        x.append(following)
        f.append(value)
    return asked, x_max


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(
    ("objective", "steps", "random_start", "clip"),
    [("log_odds", 30, True, CLIP), ("margin", 55, False, None), ("cross_entropy", 7, True, None)],
)
def test_every_point_is_that_of_the_algorithm_written_out(
    network, batch, norm, targeted, objective, steps, random_start, clip
) -> None:
    radius, way = 0.3 if norm == "linf" else 1.0, -1 if targeted else 1

    def project(x: Tensor) -> Tensor:
        away = x - image
        size = torch.linalg.vector_norm(away)
        away = (
            away.clamp(-radius, radius) if norm == "linf" else away * min(1, radius / float(size))
        )
        return image + away if clip is None else (image + away).clamp(*clip)

    def unit(gradient: Tensor) -> Tensor:
        return gradient.sign() if norm == "linf" else gradient / torch.linalg.vector_norm(gradient)

    def slope(point: Tensor) -> tuple[float, Tensor]:
        point = point.clone().requires_grad_(True)
        value = way * OBJECTIVES[objective](network(point), label).sum()
        return float(value.detach()), torch.autograd.grad(value, point)[0]

    attack = APGD(
        epsilon=radius,
        norm=norm,
        objective=objective,
        steps=steps,
        random_start=random_start,
        clip=clip,
        targeted=targeted,
    )
    together = attack(network, *batch)
    for place, (image, label) in enumerate(
        zip(batch[0][:12].split(1), batch[1].split(1), strict=False)
    ):
        start = project(image + radius * in_ball(image, norm, 0)) if random_start else image
        wanted, best = written_out(slope, start, project, unit, 2 * radius, steps)
        found = visited(network, attack, image, label)
        torch.testing.assert_close(torch.cat(found), torch.cat(wanted), rtol=0, atol=1e-9)
        single = FGSM(epsilon=radius, norm=norm, objective=objective, clip=clip, targeted=targeted)(
            network, image, label
        )
        best = max((image, single, best), key=lambda point: slope(point)[0])
        torch.testing.assert_close(together[place][None], best, rtol=0, atol=1e-9)


def test_every_restart_is_an_ascent_of_its_own(network, batch) -> None:
    """Not one that goes on from an earlier start's best point."""
    x, y = batch
    steps = 12
    both = visited(network, APGD(epsilon=0.2, steps=steps, restarts=2), x, y)
    assert len(both) == 2 * (steps + 1)
    first = visited(network, APGD(epsilon=0.2, steps=steps), x, y)
    assert all(torch.equal(one, other) for one, other in zip(both, first, strict=False))
    one, two = (
        log_odds(network(torch.stack(part, 1).flatten(0, 1)), y.repeat_interleave(13))
        .view(len(y), 13)
        .amax(1)
        for part in (both[:13], both[13:])
    )
    assert (one > two + 1e-6).any()
    assert (two > one + 1e-6).any()
    found = log_odds(network(APGD(epsilon=0.2, steps=steps, restarts=2)(network, x, y)), y)
    assert (found >= torch.maximum(one, two) - 1e-12).all()


class Hole(nn.Module):
    """Logits of one pixel: no numbers between .2 and .4, a mistake between .6 and .68."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        self.asked.append(x.detach().flatten())
        value = torch.where(x < 0.68, x, 0.5)
        hole = (x > 0.2) & (x < 0.4)
        return torch.cat([torch.full_like(x, 0.6), torch.where(hole, torch.nan, value)], 1)


@pytest.mark.parametrize(("kind", "shrinking"), [(APGD, {}), (PGD, {"schedule": "linear"})])
def test_a_nan_ends_no_search_when_another_example_succeeds(kind, shrinking) -> None:
    """Both at the first step; shorter ones stay before the hole, and higher than the example.

    What comes back is a point in the hole: nobody can say that the example withstands the ball.
    """
    x, y = torch.tensor([0.15, 0.55]).double().view(2, 1, 1, 1), torch.zeros(2, dtype=torch.int64)
    shared = {"step_size": 0.1, "random_start": False, "stop_on_success": True} | shrinking
    attack = kind(epsilon=0.2, steps=20, **shared)
    network = Hole()
    together = attack(network, x, y)
    assert predictions(Hole(), together).tolist() == [UNDEFINED, 1]
    assert together[0].item() == pytest.approx(0.35)  # of the whole step
    shorter = torch.cat(network.asked)
    assert ((shorter > 0.16) & (shorter <= 0.2)).any()
    assert torch.equal(together[:1], attack(Hole(), x[:1], y[:1]))


def test_a_start_that_is_a_nan_goes_on_from_the_best_point() -> None:
    x, y = torch.linspace(0.1, 0.19, 10).double().view(10, 1, 1, 1), torch.zeros(10).long()
    starts = x + 0.2 * in_ball(x, "linf", 0)
    hidden = ((starts > 0.2) & (starts < 0.4)).flatten()
    assert hidden.any()
    network = Hole()
    found = APGD(epsilon=0.2, steps=30, step_size=0.1)(network, x, y)
    assert (predictions(Hole(), found) == UNDEFINED)[hidden].all()
    later = network.asked[-29:]  # of each step but the first
    for at, where in enumerate(x.flatten().tolist()):
        if hidden[at]:
            points = torch.stack(later)[:, at]
            assert ((points > where + 0.001) & (points <= 0.2)).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_as_strong_as_torchattacks_and_higher_than_pgd(norm) -> None:
    torchattacks = pytest.importorskip("torchattacks")
    epsilon, name = (0.06, "Linf") if norm == "linf" else (0.25, "L2")
    shared = {"epsilon": epsilon, "norm": norm, "objective": "cross_entropy", "clip": CLIP}
    theirs = ours = differing = 0
    for seed in range(6):
        torch.manual_seed(seed)
        x = torch.rand(64, 1, 5, 5, dtype=torch.float64)
        net = MaxoutNetwork(input_shape=(1, 5, 5), classes=4, units=(12, 12), init_range=0.7)
        net = net.double().eval()
        y = net(x).argmax(1)
        other = torchattacks.APGD(net, norm=name, eps=epsilon, steps=40)(x, y)
        found, steady = (kind(**shared, steps=40)(net, x, y) for kind in (APGD, PGD))
        assert cross_entropy(net(found), y).mean() > cross_entropy(net(steady), y).mean()
        broken, won = (net(points).argmax(1) != y for points in (other, found))
        theirs, ours = theirs + int(broken.sum()), ours + int(won.sum())
        differing += int((broken != won).sum())
    assert 100 < ours < 300
    assert abs(ours - theirs) <= 3
    assert differing <= 8  # 2% of the examples
