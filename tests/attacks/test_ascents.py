"""What projected gradient descent and Auto-PGD promise alike, against closed forms and FGSM."""

import pytest
import torch

from advx.attacks import norms
from advx.attacks.apgd import APGD
from advx.attacks.fgsm import FGSM
from advx.attacks.objectives import cross_entropy, log_odds, margin
from advx.attacks.pgd import PGD

CLIP = (0.0, 1.0)
OBJECTIVES = {"log_odds": log_odds, "margin": margin, "cross_entropy": cross_entropy}

both = pytest.mark.parametrize("ascent", [PGD, APGD])


@both
@pytest.mark.parametrize("clip", [None, CLIP])
@pytest.mark.parametrize("random_start", [False, True])
def test_max_norm_optimum_of_a_linear_model(ascent, binary, batch, clip, random_start) -> None:
    x, y = batch[0], batch[1] % 2
    attack = ascent(epsilon=0.3, steps=20, random_start=random_start, clip=clip)
    w = binary[1].weight[1] - binary[1].weight[0]
    corner = x + 0.3 * (w.sign() * (1 - 2 * y)[:, None]).view_as(x)
    torch.testing.assert_close(attack(binary, x, y), corner if clip is None else corner.clamp(0, 1))


@pytest.mark.parametrize(("ascent", "steps", "near"), [(PGD, 200, 5e-3), (APGD, 60, 1e-5)])
def test_l2_optimum_of_a_linear_model(ascent, binary, batch, steps, near) -> None:
    x, y = batch[0], batch[1] % 2
    w = binary[1].weight[1] - binary[1].weight[0]
    best = x + 0.3 * ((w / w.norm()) * (1 - 2 * y)[:, None]).view_as(x)
    found = ascent(epsilon=0.3, norm="l2", steps=steps)(binary, x, y)
    torch.testing.assert_close(found, best, rtol=0, atol=near)
    assert norms.length(found - x, "l2").max() <= 0.3 + 1e-12
    reached, most = log_odds(binary(found), y), log_odds(binary(best), y)
    torch.testing.assert_close(reached, most, rtol=1e-4, atol=1e-4)
    assert (reached <= most + 1e-12).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    ("ascent", "own"),
    [
        (PGD, {}),
        (PGD, {"step_size": 5.0}),
        (PGD, {"schedule": "linear"}),
        (APGD, {}),
        (APGD, {"step_size": 5.0}),
        (APGD, {"random_start": False}),
    ],
)
def test_never_below_fgsm_nor_the_example(network, batch, norm, objective, ascent, own) -> None:
    x, y = batch
    value = OBJECTIVES[objective]
    shared = {"epsilon": 0.2, "norm": norm, "objective": objective}
    found = value(network(ascent(**shared, steps=3, **own)(network, x, y)), y)
    assert (found >= value(network(FGSM(**shared)(network, x, y)), y)).all()
    assert (found >= value(network(x), y)).all()


@both
def test_restarts_never_lose_and_steps_win(ascent, network, batch) -> None:
    x, y = batch
    few = log_odds(network(ascent(epsilon=0.2, steps=5)(network, x, y)), y)
    more = log_odds(network(ascent(epsilon=0.2, steps=5, restarts=4)(network, x, y)), y)
    fgsm = log_odds(network(FGSM(epsilon=0.2)(network, x, y)), y)
    assert (more >= few).all()
    assert (more > fgsm).any()


@both
def test_stopping_on_success_finds_the_same_successes(ascent, network, batch) -> None:
    x, _ = batch
    y = network(x).argmax(1)
    shared = {"epsilon": 0.02, "objective": "margin", "steps": 20}
    best = ascent(**shared)(network, x, y)
    first = ascent(**shared, stop_on_success=True)(network, x, y)
    won = margin(network(best), y) > 0
    assert won.any()
    assert not won.all()
    assert torch.equal(margin(network(first), y) > 0, won)
    assert not torch.equal(first, best)


@both
def test_targeted_success_is_the_class_aimed_at(ascent, network, batch) -> None:
    x, _ = batch
    targets = (network(x).argmax(1) + 1) % 4
    attack = ascent(epsilon=0.5, steps=40, targeted=True, stop_on_success=True)
    found = attack(network, x, targets)
    single = FGSM(epsilon=0.5, targeted=True)(network, x, targets)
    reached = network(found).argmax(1) == targets
    assert reached.sum() >= (network(single).argmax(1) == targets).sum() > 0
    assert (log_odds(network(found), targets) < log_odds(network(x), targets)).all()
