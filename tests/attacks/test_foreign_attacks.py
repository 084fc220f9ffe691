"""Other libraries' attacks: closed forms, and that what proves nothing does not count.

A module in the form of adv-lib's stands in for whatever a library may do wrong.
"""

import copy
import random
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.foreign import Foreign
from advx.config.compose import composed
from advx.config.config import with_configs
from advx.config.identity import identified, identity
from advx.errors import ConfigError, NoGradientError
from advx.evaluation.transfer import error_rate, mean_confidence_on_mistakes
from advx.models.nearest_neighbor import NearestNeighbor
from advx.notes import noting
from advx.run import Run
from tests.running import ran, table

ONE_STEP = {
    "foolbox": "foolbox.attacks:LinfFastGradientAttack",
    "torchattacks": "torchattacks:FGSM",
}


def library(monkeypatch: pytest.MonkeyPatch, attack: object) -> str:
    """The name of an attack in a module that stands in for adv-lib."""
    module = types.ModuleType("adv_lib")
    module.attack = attack  # type: ignore[attr-defined]
    module.__version__ = "0.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "adv_lib", module)
    return "adv_lib:attack"


def labeled(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model(images).argmax(1)


@pytest.mark.parametrize("package", ONE_STEP)
@pytest.mark.parametrize("targeted", [False, True])
def test_one_step_on_a_linear_model_is_fgsm(package, targeted) -> None:
    pytest.importorskip(package)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).double()
    images = torch.rand(50, 1, 6, 6, dtype=torch.float64)
    labels = labeled(model, images)
    if package == "foolbox" and targeted:
        return  # its one step has no target classes
    wanted = 1 - labels if targeted else labels
    ours = FGSM(epsilon=0.1, clip=(0, 1), targeted=targeted)(model, images, wanted)
    attack = Foreign(call=ONE_STEP[package], epsilon=0.1, targeted=targeted)
    assert torch.equal(attack(model, images, wanted), ours)
    assert not torch.equal(ours, images)


def hyperplane() -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """A linear model of two classes; images far from 0 and 1, their labels and L2 distances."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).double()
    images = 0.4 + 0.2 * torch.rand(40, 1, 6, 6, dtype=torch.float64)
    weight = (model[1].weight[1] - model[1].weight[0]).detach()
    logits = model(images).detach()
    return model, images, logits.argmax(1), (logits[:, 1] - logits[:, 0]).abs() / weight.norm()


def test_without_epsilon_no_default_radius_is_taken_in_silence(monkeypatch) -> None:
    def bounded(model, inputs, labels, *, ε=0.125):
        return inputs + ε

    def smallest(model, inputs, labels, *, ε=None):
        return inputs if ε is None else inputs + ε

    model, images = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), torch.rand(4, 1, 6, 6) / 2
    labels = labeled(model, images)
    call = library(monkeypatch, bounded)
    with pytest.raises(ConfigError) as caught:
        Foreign(call=call, epsilon=None, norm=None)
    assert str(caught.value) == (
        "attack.epsilon=null: adv_lib:attack has a radius, ε, by default 0.125; valid: "
        "attack.epsilon=RADIUS, or attack.arguments={ε: RADIUS}"
    )
    named = Foreign(call=call, epsilon=None, norm=None, arguments={"ε": 0.25})
    assert torch.equal(named(model, images, labels), images + 0.25)
    assert torch.equal(Foreign(call=call, epsilon=0.25)(model, images, labels), images + 0.25)
    call = library(monkeypatch, smallest)
    assert torch.equal(Foreign(call=call, epsilon=None)(model, images, labels), images)


@pytest.mark.parametrize(
    ("name", "radius"), [("PGD", "eps"), ("FAB", "eps"), ("PIFGSM", "max_epsilon")]
)
def test_torchattacks_default_radius_is_refused(name, radius) -> None:
    pytest.importorskip("torchattacks")
    with pytest.raises(ConfigError, match=f"^attack.epsilon=null: torchattacks:{name} .*{radius}"):
        Foreign(call=f"torchattacks:{name}", epsilon=None)


@pytest.mark.parametrize(
    ("package", "call"),
    [("foolbox", "foolbox.attacks:L2DeepFoolAttack"), ("torchattacks", "torchattacks:DeepFool")],
)
def test_the_smallest_perturbation_ends_at_the_hyperplane(package, call) -> None:
    pytest.importorskip(package)
    model, images, labels, distance = hyperplane()
    attack = Foreign(call=call, arguments={"overshoot": 0.02}, epsilon=None, norm=None)
    found = attack(model, images, labels)
    assert (labeled(model, found) != labels).all()
    torch.testing.assert_close(
        norms.length(found - images, "l2"), 1.02 * distance, rtol=1e-3, atol=1e-6
    )


def test_of_the_smallest_perturbations_those_in_the_ball_count() -> None:
    pytest.importorskip("torchattacks")
    model, images, labels, distance = hyperplane()
    radius = distance.median().item()
    with noting() as notes:
        attack = Foreign(call="torchattacks:DeepFool", epsilon=radius, norm="l2")
        found = attack(model, images, labels)
    near = 1.02 * distance < radius
    assert torch.equal(labeled(model, found) != labels, near)
    assert torch.equal(found[~near], images[~near])
    assert [(n.affected, n.examples) for n in notes] == [(int((~near).sum()), 40)]
    assert f"attack.norm=l2, attack.epsilon={radius:g}" in str(notes[0])


def test_adv_lib_reaches_the_corner_of_a_linear_model() -> None:
    pytest.importorskip("adv_lib")
    model, images, labels, _ = hyperplane()
    attack = Foreign(call="adv_lib.attacks:pgd_linf", epsilon=0.1, arguments={"steps": 60})
    ours = FGSM(epsilon=0.1)(model, images, labels)
    won = labeled(model, ours) != labels
    assert torch.equal(labeled(model, attack(model, images, labels)) != labels, won)


def test_a_function_is_given_what_it_takes(linear, monkeypatch) -> None:
    given = {}

    def attack(model, inputs, labels, ε, norm, num_classes, targeted=False, steps=3):
        given.update(ε=ε, norm=norm, classes=num_classes, targeted=targeted, steps=steps)
        return inputs

    images = torch.rand(4, 1, 5, 5, dtype=torch.float64)
    call = library(monkeypatch, attack)
    foreign = Foreign(call=call, epsilon=0.5, norm="l2", targeted=True, arguments={"steps": 9})
    foreign(linear, images, labeled(linear, images))
    assert given == {"ε": 0.5, "norm": 2, "classes": 4, "targeted": True, "steps": 9}
    Foreign(call=call, epsilon=0.5, norm="l2", arguments={"norm": 1})(
        linear, images, labeled(linear, images)
    )
    assert given["norm"] == 1


def test_an_eps_with_a_default_is_no_radius(linear, monkeypatch) -> None:
    def attack(model, inputs, labels, eps=0.001):
        assert eps == 0.001
        return inputs

    images = torch.rand(4, 1, 5, 5, dtype=torch.float64)
    Foreign(call=library(monkeypatch, attack), epsilon=0.5)(linear, images, torch.zeros(4).long())


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_leaves_the_ball_or_the_range_is_the_original(
    norm, dtype, linear, monkeypatch
) -> None:
    images = 0.3 + 0.4 * torch.rand(6, 1, 5, 5, dtype=dtype)
    images[5, 0, 0, 0] = 0.01
    way = torch.randn(6, 1, 5, 5, dtype=dtype)
    way /= norms.length(way, norm).view(-1, 1, 1, 1)
    sizes = torch.tensor([0.05, 0.1 * (1 + 1e-7), 0.11, 0.05, 0.05, 0.0], dtype=dtype)
    moved = images + sizes.view(-1, 1, 1, 1) * way
    moved[3, 0, 2, 2] = torch.nan
    moved[4, 0, 2, 2] = torch.inf
    moved[5, 0, 0, 0] -= 0.02
    with noting() as notes:
        attack = Foreign(
            call=library(monkeypatch, lambda model, x, y: moved), epsilon=0.1, norm=norm
        )
        found = attack(linear.to(dtype), images, torch.zeros(6).long())
    assert torch.equal(found[0], moved[0])
    torch.testing.assert_close(found[1], moved[1], rtol=0, atol=1e-6)
    assert torch.equal(found[2:], images[2:])
    largest = norms.length((found - images).double(), norm).max().item()
    assert 0.0999 < largest <= 0.1 + 25 * torch.finfo(dtype).eps
    assert [(n.affected, n.examples) for n in notes] == [(4, 6)]
    assert re.search(r"proves? nothing.*valid: .*radius", str(notes[0]))


def test_without_a_norm_only_the_range_is_looked_at(linear, monkeypatch) -> None:
    images = torch.full((2, 1, 5, 5), 0.5).double()
    moved = torch.stack([images[0] + 0.5, images[1] + 0.6])
    call = library(monkeypatch, lambda model, x, y: moved)
    found = Foreign(call=call, epsilon=0.1, norm=None)(linear, images, torch.zeros(2).long())
    assert torch.equal(found, torch.stack([moved[0], images[1]]))


def test_no_radius_is_the_identity(linear, monkeypatch) -> None:
    images = torch.rand(3, 1, 5, 5, dtype=torch.float64)
    call = library(monkeypatch, lambda model, x, y: 1 / 0)
    found = Foreign(call=call, epsilon=0.0)(linear, images, torch.zeros(3).long())
    assert torch.equal(found, images)
    assert len(Foreign(call=call, epsilon=0.1)(linear, images[:0], torch.zeros(0).long())) == 0


def vandal(model, inputs, labels):
    inputs += 0.05
    labels.fill_(0)
    model.train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.neg_().requires_grad_(False)
    return inputs


def test_what_a_library_changes_is_put_back_and_said(linear, monkeypatch) -> None:
    model = nn.Sequential(linear, nn.Dropout(0.5)).eval()
    images = 0.5 * torch.rand(5, 1, 5, 5, dtype=torch.float64)
    labels = torch.arange(5) % 4
    clean, state = images.clone(), copy.deepcopy(model.state_dict())
    with noting() as notes:
        attack = Foreign(call=library(monkeypatch, vandal), epsilon=0.1, batch_size=2)
        found = attack(model, images, labels)
    assert torch.equal(images, clean)
    assert torch.equal(found, clean + 0.05)
    assert labels.tolist() == [0, 1, 2, 3, 0]
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert not any(m.training for m in model.modules())
    assert all(p.requires_grad for p in model.parameters())
    assert [str(n) for n in notes] == [
        "attack.call=adv_lib:attack: 5 of 5 examples are changed in place, which no number depends "
        "on: they are copies"
    ]


@pytest.mark.parametrize(
    "draw", [np.random.rand, random.random, lambda: torch.rand(1).item()], ids=["np", "py", "torch"]
)
def test_random_numbers_follow_pytorchs_generator(draw, linear, monkeypatch) -> None:
    def attack(model, inputs, labels):
        moved = inputs + 0.1 * draw()
        torch.manual_seed(123)
        return moved

    images = torch.full((2, 1, 5, 5), 0.5).double()
    foreign = Foreign(call=library(monkeypatch, attack), epsilon=0.2)

    def drawn(seed: int) -> tuple[Tensor, Tensor]:
        torch.manual_seed(seed)
        return foreign(linear, images, torch.zeros(2).long()), torch.rand(3)

    first, after_first = drawn(7)
    np.random.seed(5)
    random.seed(5)
    before = np.random.get_state()[1].tolist(), random.getstate()
    second, after_second = drawn(7)
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before
    assert torch.equal(first, second)
    assert torch.equal(after_first, after_second)
    other, after_other = drawn(8)
    assert not torch.equal(first, other)
    assert not torch.equal(after_first, after_other)


REFUSED = {
    "call=own.module:Attack: no attack of a library that advx knows; valid: .*foolbox, torchat": {
        "call": "own.module:Attack"
    },
    "call=foolbox: no attack of a library": {"call": "foolbox"},
    "call=foolbox.nothing:PGD: foolbox.nothing cannot be imported .*valid: a module of what": {
        "call": "foolbox.nothing:PGD"
    },
    "call=foolbox.attacks:LinfPDG: no attack of .*did you mean LinfPGD.*valid: a class derived": {
        "call": "foolbox.attacks:LinfPDG"
    },
    "call=torchattacks:Attack: no attack of": {"call": "torchattacks:Attack"},
    "attack.arguments.stepz=3: no such argument of foolbox.*did you mean steps": {
        "arguments": {"stepz": 3}
    },
    "attack.arguments.eps=0.3: valid: attack.epsilon=0.3": {
        "call": "torchattacks:PGD",
        "arguments": {"eps": 0.3},
    },
    r"attack.clip=\[0.0, 2.0\]: torchattacks keeps images in \[0, 1\]; valid: \[0, 1\]": {
        "call": "torchattacks:PGD",
        "clip": (0, 2),
    },
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_called_is_refused_in_one_line(message) -> None:
    pytest.importorskip("foolbox")
    pytest.importorskip("torchattacks")
    node = {"call": "foolbox.attacks:LinfPGD", "epsilon": 0.1} | REFUSED[message]
    with pytest.raises(ConfigError, match=message) as caught:
        Foreign(**node)
    assert "\n" not in str(caught.value)


def test_a_package_that_is_not_installed_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "adv_lib", None)
    with pytest.raises(ConfigError, match=r"cannot be imported.*`pip install adv-lib` installs"):
        Foreign(call="adv_lib:ddn", epsilon=None)


@pytest.mark.parametrize(
    ("attack", "given", "message"),
    [
        (lambda model, x, y, norm: x, {"norm": None}, r"attack.arguments.norm: not given"),
        (lambda model, x, y: x, {"targeted": True}, r"attack.targeted=true: .*valid: false"),
    ],
)
def test_a_function_that_lacks_something_is_refused(attack, given, message, monkeypatch) -> None:
    call = library(monkeypatch, attack)
    with pytest.raises(ConfigError, match=message):
        Foreign(call=call, epsilon=0.1, **given)


def fails(model, inputs, labels):
    raise ValueError("of two\nlines")


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (lambda model, x, y: x[:-1], r"adv_lib:attack: returns float64 of \(3, 1, 5, 5\); valid: "),
        (lambda model, x, y: (x, y), r"adv_lib:attack: returns a tuple; valid: a floating-point"),
        (fails, r"adv_lib:attack: adv_lib 0.0 fails \(ValueError: of two lines\); valid: "),
        (lambda model, x, y: {}[1], r"adv_lib 0.0 fails \(KeyError: 1\)"),
    ],
)
def test_what_goes_wrong_in_the_middle_is_one_line(attack, message, linear, monkeypatch) -> None:
    foreign = Foreign(call=library(monkeypatch, attack), epsilon=0.1)
    with pytest.raises(ConfigError, match=message) as caught:
        foreign(linear, torch.rand(4, 1, 5, 5).double(), torch.zeros(4).long())
    assert "\n" not in str(caught.value)


def test_what_the_model_raises_is_not_the_librarys_error(linear, monkeypatch) -> None:
    call = library(monkeypatch, lambda model, x, y: x + model(x).sum() * 0)
    with pytest.raises(ConfigError, match=r"images: float32, but the parameters"):
        Foreign(call=call, epsilon=0.1)(linear, torch.rand(4, 1, 5, 5), torch.zeros(4).long())


def test_a_model_without_a_gradient_is_named(monkeypatch) -> None:
    images, labels = torch.rand(8, 1, 5, 5), torch.arange(8) % 2
    model = NearestNeighbor(input_shape=(1, 5, 5), classes=2)
    model.fit(images, labels)
    call = library(monkeypatch, fails)
    with pytest.raises(NoGradientError, match="NearestNeighbor has no gradient"):
        Foreign(call=call, epsilon=0.1)(model, images, labels)


def test_the_version_and_the_call_are_in_the_key(monkeypatch) -> None:
    foolbox = pytest.importorskip("foolbox")
    node = {"_target_": "advx.attacks.foreign.Foreign", "call": "foolbox.attacks:LinfPGD"}
    node |= {"epsilon": 0.1, "arguments": {"steps": 3}}
    for named in (identified, lambda node: identity(node, "attack")):
        key = named(node)
        assert key["package"] == {"foolbox.attacks.LinfPGD": f"foolbox {foolbox.__version__}"}
        assert named(node | {"call": "foolbox.attacks:LinfBasicIterativeAttack"}) != key
        assert named(node | {"arguments": {"steps": 4}}) != key
        with monkeypatch.context() as patch:
            patch.setattr(foolbox, "__version__", "9.9")
            assert named(node)["package"] == {"foolbox.attacks.LinfPGD": "foolbox 9.9"}


STAND_IN = '''
calls = []

def far(model, inputs, labels):
    """Moves every second example out of any ball."""
    moved = inputs.clone()
    moved[::2] = 1 - moved[::2]
    return moved

def once(model, inputs, labels):
    """Works for the first network only."""
    calls.append(1)
    if len(calls) > 1:
        raise RuntimeError("no more")
    return inputs
'''

SMALL = ["scale=smoke", "seeds=[0]", "device.threads=1", "store=store"]


@pytest.fixture
def stand_in(tmp_path) -> Path:
    (tmp_path / "adv_lib").mkdir()
    (tmp_path / "adv_lib" / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    return tmp_path


def test_examples_outside_are_remarked_again_from_the_store(stand_in, monkeypatch) -> None:
    monkeypatch.chdir(stand_in)
    monkeypatch.syspath_prepend(str(stand_in))
    words = ["experiment=transfer", "attack=foreign", "attack.call=adv_lib:far", *SMALL]
    words += ["model@crafting=softmax_regression", "trainer.max_epochs=1"]
    config = with_configs(composed(words)[0])
    for crafted in (True, False):
        run = Run(composed(words)[0], stand_in, "advx run")
        source = run.model(config["crafting"], 0, path="crafting")
        run.measure(error_rate, source, run.craft(config["attack"], source))
        assert ("craft" in run.seconds.by_phase()) == crafted
        (remark,) = run.remarks.texts()
        assert "attack.call=adv_lib:far: 100 of 200 examples are moved out of the ball" in remark
    for crafted in (True, False):  # examples remembered are remarked of a later measurement too
        run = Run(composed(words)[0], stand_in, "advx run")
        source = run.model(config["crafting"], 0, path="crafting")
        adversarial = run.craft(config["attack"], source)
        if crafted:
            assert len(adversarial.value) == 200
            assert run.remarks.texts() == [remark]
        run.measure(mean_confidence_on_mistakes, source, adversarial)
        assert ("craft" in run.seconds.by_phase()) == crafted
        assert run.remarks.texts() == [remark]


def test_what_was_measured_before_an_attack_failed_is_kept(stand_in, command) -> None:
    pytest.importorskip("foolbox")
    pytest.importorskip("torchattacks")
    words = ["run", "experiment=independent_attacks", "+attack@libraries.bad=foreign"]
    done = command(*words, "libraries.bad.call=adv_lib:once", *SMALL, "hydra.run.dir=out")
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert re.search(r"adv_lib:once: adv-lib fails \(RuntimeError: no more\)", done.err)
    rows = table(stand_in / "out" / "results.csv")
    assert {row["row"] for row in rows} == {"none"}
    assert {"strongest_error_rate", "bad_error_rate", "missed"} <= {row["metric"] for row in rows}
    assert (stand_in / "out" / "FAILED").exists()


def test_no_defense_falls_to_another_librarys_attack_alone(tmp_path) -> None:
    """No more than half a percent of the examples: what the claims of the experiment say."""
    pytest.importorskip("foolbox")
    pytest.importorskip("torchattacks")
    words = ["experiment=independent_attacks", SMALL[0], "seeds=[1,0]", SMALL[2]]
    words += ["trainer.max_epochs=20", "autoencoder_trainer.max_epochs=20"]
    words += ["dataset.limit.test=400", "examples=400", "epsilons=[0.06]", "foolbox_steps=20"]
    words += ["strongest={steps: 20, targets: 9, restarts: 1, queries: 0}"]
    words += ["+attack@libraries.apgd=foreign", "libraries.apgd.call=torchattacks:APGDT"]
    run = ran(tmp_path, [*words, f"store={tmp_path / 'store'}"])
    found = {((row.row, row.seed), row.metric): row.value for row in run.table.results.rows}
    networks = {network for network, _ in found}
    assert len(networks) == 14  # seven with each seed
    for network in networks:
        assert found[network, "missed"] <= 0.5, network
        ours = found[network, "strongest_error_rate"]
        for library_name in ("foolbox_pgd", "apgd"):
            assert 50 < found[network, f"{library_name}_error_rate"] <= ours + 0.5
    for seed in (0, 1):
        assert 60 < found[("none", seed), "strongest_error_rate"] < 99
