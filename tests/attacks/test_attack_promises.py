"""What every attack promises, whatever it is: those of `tests/attack_cases.py`."""

import math
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.feature import Feature
from advx.errors import NoGradientError
from advx.models.maxout import MaxoutNetwork
from advx.models.nearest_neighbor import NearestNeighbor
from tests.attack_cases import ATTACKS, Case
from tests.paths import ROOT

SHAPE = (1, 5, 5)

CLIP = (0.0, 1.0)


def named(**wanted: Any) -> Any:
    """Parametrizes over the attacks whose fields have these values."""
    chosen = [
        name
        for name, case in ATTACKS.items()
        if all(getattr(case, field) == value for field, value in wanted.items())
    ]
    return pytest.mark.parametrize("name", chosen)


bounded = pytest.mark.parametrize("name", [n for n, c in ATTACKS.items() if c.ball])


@pytest.fixture
def network() -> nn.Module:
    given = {"input_shape": SHAPE, "classes": 4}
    return MaxoutNetwork(**given, units=(12, 12), init_range=0.7).double().eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(16, *SHAPE, dtype=torch.float64)


def given_beside(case: Case, model: nn.Module, images: Tensor) -> Tensor:
    """What the attack is given besides the images: mostly classified as labeled, some not."""
    with torch.no_grad():
        said = model(images).argmax(1)
    labels = torch.where(torch.arange(len(images)) % 5 == 4, (said + 1) % 4, said)
    return case.beside(images, labels, 4)


def test_every_configured_attack_is_in_the_table() -> None:
    nodes = [yaml.safe_load(p.read_text()) for p in (ROOT / "conf" / "attack").glob("*.yaml")]
    classes = {node["_target_"].split(".")[-1] for node in nodes if "_target_" in node}
    classes.remove("Foreign")  # what another library promises: `test_foreign_attacks.py`
    assert classes <= {case.make.__name__ for case in ATTACKS.values()}


@bounded
@pytest.mark.parametrize("clip", [None, CLIP])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inside_the_ball_to_one_ulp_and_in_the_range(name, clip, dtype, network, images) -> None:
    case, model, x = ATTACKS[name], network.to(dtype), images.to(dtype)
    found = case(clip=clip)(model, x, given_beside(case, model, x))
    assert found.shape == x.shape
    assert found.dtype == dtype
    size = norms.length((found - x).double(), case.ball)  # type: ignore[arg-type]
    slack = torch.finfo(dtype).eps * (1 if case.ball == "linf" else math.sqrt(25))
    assert size.max() <= 0.2 + slack
    assert size.max() > 0.1
    if case.always and clip is None:
        assert size.min() >= 0.2 - slack
    if clip is not None:
        assert found.min() >= 0
        assert found.max() <= 1


@named(ball=None, leaves_the_image=True)
def test_attacks_without_a_ball_keep_to_their_range(name, network, images) -> None:
    case = ATTACKS[name]
    given = given_beside(case, network, images)
    found = case(clip=CLIP)(network, images, given)
    assert found.min() >= 0
    assert found.max() <= 1
    won = (network(found).argmax(1) == given) == (case.receives == "target_classes")
    assert won.any()
    before = (network(images).argmax(1) == given) == (case.receives == "target_classes")
    assert torch.equal(found[before], images[before])  # nothing to do, nothing done
    assert won[before].all()


@bounded
def test_epsilon_zero_is_the_identity(name, network, images) -> None:
    case = ATTACKS[name]
    found = case(epsilon=0.0)(network, images, given_beside(case, network, images))
    torch.testing.assert_close(found, images, rtol=0, atol=0)


@named()
def test_each_example_is_independent_of_its_batch(name, network, images) -> None:
    case = ATTACKS[name]
    given, attack = given_beside(case, network, images), case()
    together = attack(network, images, given)
    alone = torch.cat(
        [attack(network, x, y) for x, y in zip(images.split(1), given.split(1), strict=True)]
    )
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)
    assert attack(network, images[:0], given[:0]).shape == (0, *SHAPE)


@named()
def test_leaves_model_and_input_as_they_were(name, images) -> None:
    case = ATTACKS[name]
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(25, 9), nn.BatchNorm1d(9), nn.Dropout(0.5), nn.Linear(9, 4)
    ).double()
    model[3].eval()
    given = given_beside(case, model, images)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    copies = images.clone(), given.clone()
    attack = case(**({"layer": "2"} if case.make is Feature else {}))
    assert torch.equal(attack(model, images, given), attack(model, images, given))
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert [m.training for m in model] == [True, True, True, False, True]
    assert not any(m._forward_hooks for m in model)
    assert torch.equal(images, copies[0])
    assert torch.equal(given, copies[1])
    assert not images.requires_grad


@named()
def test_works_on_images_that_require_a_gradient_and_without_grad_mode(
    name, network, images
) -> None:
    case = ATTACKS[name]
    given, attack = given_beside(case, network, images), case()
    plain = attack(network, images, given)
    with torch.no_grad():
        torch.testing.assert_close(attack(network, images, given), plain, rtol=0, atol=0)
    asked = attack(network, images.clone().requires_grad_(True), given)
    assert not asked.requires_grad
    torch.testing.assert_close(asked, plain, rtol=0, atol=0)


@named(gradient=True)
def test_refuses_a_model_without_gradient(name, images) -> None:
    case = ATTACKS[name]
    model = NearestNeighbor(input_shape=SHAPE, classes=4)
    model.fit(images, torch.arange(16) % 4)
    given = given_beside(case, model, images)
    with pytest.raises(NoGradientError, match="NearestNeighbor has no gradient"):
        case()(model, images, given)
