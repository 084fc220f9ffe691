"""A model is a black box: what may stand behind `model(images)`, under every attack.

A new attack joins through the table in `test_attack_promises`.
"""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.feature import Feature
from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import hidden
from advx.attacks.jsma import JSMA
from advx.attacks.lbfgs import LBFGS
from advx.attacks.linearized_model import LinearizedModel
from advx.attacks.multi_targeted import MultiTargeted
from advx.attacks.noise import gaussian
from advx.attacks.pgd import PGD
from advx.attacks.random_noise import RandomNoise
from advx.attacks.rubbish import Rubbish
from advx.attacks.strongest import Strongest
from advx.attacks.substitute import SubstituteTraining
from advx.attacks.virtual_adversarial import VirtualAdversarial
from advx.errors import AdvxError, ConfigError, NoGradientError
from advx.evaluation.judged import features
from advx.evaluation.linearity import tangent
from tests.test_attack_promises import ATTACKS, Case

SHAPE = (1, 6, 6)
CLASSES = 5


class Net(nn.Module):
    """A small classifier; the subclasses change how it answers, not what."""

    def __init__(self, classes: int = CLASSES, width: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(36, width), nn.ReLU(), nn.Linear(width, classes)
        )

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)


class InPlace(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x.sub_(0.5).mul_(2).div_(2).add_(0.5))


class Moved(Net):
    """The same function without a change in place."""

    def forward(self, x: Tensor) -> Any:
        return self.layers((x - 0.5) * 2 / 2 + 0.5)


class Tuple(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x), "attention"


class Dictionary(Net):
    def forward(self, x: Tensor) -> Any:
        return {"loss": None, "logits": self.layers(x)}


class Object(Net):
    def forward(self, x: Tensor) -> Any:
        return SimpleNamespace(logits=self.layers(x))


class Transposed(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x).t().contiguous().t()


class Bfloat16(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x).bfloat16()


class Double(Net):
    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x: Tensor) -> Any:
        return self.layers(x.double())


class Single(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x.float())


class Counting(Net):
    """Counts its calls in a buffer, and in another one that it replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        self.calls += 1
        self.seen = self.seen + len(x)
        return self.layers(x)


class Noisy(Net):
    """Has a training flag of its own, and a part that has one."""

    def __init__(self) -> None:
        super().__init__()
        self.noisy, self.part = True, Part()

    def train(self, mode: bool = True) -> "Noisy":
        super().train(mode)
        self.noisy = mode
        return self

    def forward(self, x: Tensor) -> Any:
        assert not self.noisy
        assert not self.part.noisy
        return self.layers(x)


class Part(nn.Module):
    noisy = True

    def train(self, mode: bool = True) -> "Part":
        super().train(mode)
        self.noisy = mode
        return self


class Gap(Net):
    """Undefined outside of the images' range."""

    def forward(self, x: Tensor) -> Any:
        outside = ((x - 0.5).abs() > 0.5).flatten(1).any(1)
        return torch.where(outside[:, None], torch.nan, self.layers(x))


class Undefined(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x) * torch.nan


class Scaled(Net):
    scale = 1.0

    def forward(self, x: Tensor) -> Any:
        return self.scale * self.layers(x)


FREE = (RandomNoise, VirtualAdversarial)
"""Attacks that are given no labels."""

UNSEEN = (FGSM, Feature, RandomNoise, Rubbish, VirtualAdversarial)
"""Attacks that do not look at what the model says of their result."""

each = pytest.mark.parametrize("name", ATTACKS)
gradient = pytest.mark.parametrize("name", [n for n, c in ATTACKS.items() if c.gradient])
labelled = pytest.mark.parametrize(
    "name", [n for n, c in ATTACKS.items() if c.aims != "guides" and c.make not in FREE]
)


@pytest.fixture
def images() -> Tensor:
    return 0.05 + 0.9 * torch.rand(10, *SHAPE)


def made(kind: Callable[[], Any]) -> Any:
    """A network of a kind, with the same parameters every time."""
    model = kind()
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape) / 3)
    return model.eval()


def given(case: Case, images: Tensor) -> Tensor:
    """What the attack is given beside the images: mostly classified as labelled, some not."""
    with torch.no_grad():
        said = made(Net)(images.float()).argmax(1)
    labels = torch.where(torch.arange(len(images)) % 5 == 4, (said + 1) % CLASSES, said)
    wanted = {"labels": labels, "targets": (labels + 1) % CLASSES, "guides": images.flip(0)}
    return wanted[case.aims]


def one_line(error: pytest.ExceptionInfo[AdvxError], word: str) -> None:
    assert word in str(error.value)
    assert "\n" not in str(error.value)


@each
def test_the_answers_form_does_not_matter(name, images) -> None:
    case, x = ATTACKS[name], images[:4]
    plain = case()(made(Net), x, given(case, x))
    for kind in (Tuple, Dictionary, Object, Transposed, Counting, Noisy):
        assert torch.equal(case()(made(kind), x, given(case, x)), plain), kind


@each
def test_a_model_may_change_its_input(name, images) -> None:
    case = ATTACKS[name]
    mine = images.clone()
    found = case()(made(InPlace), mine, given(case, images))
    assert torch.equal(mine, images)
    assert torch.equal(found, case()(made(Moved), images, given(case, images)))


@each
@pytest.mark.parametrize("kind", [Bfloat16, Double])
def test_logits_of_another_number_format(name, kind, images) -> None:
    case = ATTACKS[name]
    model, aims = made(kind), given(case, images)
    found = case()(model, images, aims)
    assert found.dtype == images.dtype
    assert found.isfinite().all()
    if case.ball is not None:
        assert norms.length(found - images, case.ball).max() <= 0.2 + 1e-6  # type: ignore[arg-type]
    elif kind is Double and name.startswith("deepfool"):
        won = model(found).argmax(1) == aims
        assert (won == (case.aims == "targets")).all()


@each
def test_a_model_that_computes_in_less_than_the_images(name, images) -> None:
    case = ATTACKS[name]
    found = case()(made(Single), images.double(), given(case, images.double()))
    assert found.dtype == torch.float64
    assert found.isfinite().all()


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(name, dtype, images) -> None:
    case = ATTACKS[name]
    model, x = made(Net).to(dtype), images.to(dtype)
    aims = given(case, x)
    found = case()(model, x, aims)
    assert found.dtype == dtype
    assert found.isfinite().all()
    if case.ball is not None:
        assert torch.equal(case(epsilon=0.0)(model, x, aims), x)
        unit = torch.finfo(dtype).eps
        size = norms.length((found - x).double(), case.ball)  # type: ignore[arg-type]
        assert size.max() <= 0.2 + unit * (1 if case.ball == "linf" else 6)


@each
def test_parameters_of_another_number_format_are_named(name, images) -> None:
    case = ATTACKS[name]
    if case.make is RandomNoise:  # it asks no model
        return
    with pytest.raises(ConfigError) as error:
        case()(made(Net).double(), images, given(case, images))
    one_line(error, "images: float32, but the parameters of Net are float64")


@each
def test_every_mode_of_autograd(name, images) -> None:
    case = ATTACKS[name]
    model, aims = made(Net), given(case, images)
    plain = case()(model, images, aims)
    with torch.inference_mode():
        found = case()(model, images, aims)
        x, y = images.clone(), aims.clone()
    assert not found.is_inference()
    assert torch.equal(found, plain)
    assert torch.equal(case()(model, x, y), plain)
    with torch.no_grad():
        assert torch.equal(case()(model, images, aims), plain)


@gradient
def test_parameters_made_in_inference_mode_are_named(name, images) -> None:
    case = ATTACKS[name]
    aims = given(case, images)
    with torch.inference_mode():
        model = made(Net)
    if case.make is Rubbish and not case.given.get("steps"):
        return
    with pytest.raises(ConfigError) as error:
        case()(model, images, aims)
    one_line(error, "made under torch.inference_mode")


@each
def test_autocast(name, images) -> None:
    case = ATTACKS[name]
    model, aims = made(Net), given(case, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = case()(model, images, aims)
        nn.functional.cross_entropy(model(images), torch.zeros(10, dtype=torch.int64)).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    if case.ball is not None:
        assert norms.length(found - images, case.ball).max() <= 0.2 + 1e-6  # type: ignore[arg-type]


@each
def test_a_model_is_left_as_it_was_flags_of_its_own_and_buffers_too(name, images) -> None:
    case = ATTACKS[name]
    aims = given(case, images)
    model = made(Noisy).train()
    model.part.eval()
    case()(model, images, aims)
    assert (model.training, model.noisy) == (True, True)
    assert (model.part.training, model.part.noisy) == (False, False)
    model.noisy = False  # by hand
    case()(model, images, aims)
    assert (model.training, model.noisy) == (True, False)
    counting = made(Counting)
    kept = counting.seen
    case()(counting, images, aims)
    assert counting.calls.item() == 0
    assert counting.seen is kept


@each
def test_what_is_undefined_is_no_success(name, images) -> None:
    case = ATTACKS[name]
    aims = given(case, images)
    nowhere = case()(made(Undefined), images, aims)
    assert nowhere.isfinite().all()
    if case.make not in UNSEEN:
        assert torch.equal(nowhere, images)
    found = case()(made(Gap), images, aims)
    assert found.isfinite().all()
    single = case.make is LinearizedModel and case().steps == 1
    if case.make not in UNSEEN and not single:
        assert made(Gap)(found).isfinite().all()


def test_a_gap_does_not_end_the_search(images) -> None:
    y = made(Net)(images).argmax(1)
    attack = PGD(epsilon=0.2, steps=20, schedule="linear")
    wrong = [
        (made(Net)(a(model, images, y)).argmax(1) != y).sum()
        for model, a in ((made(Gap), attack), (made(Net), PGD(epsilon=0.2, clip=(0.0, 1.0))))
    ]
    assert wrong[0] >= wrong[1] / 2 > 0


@labelled
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_labels_of_any_integer_width(name, dtype, images) -> None:
    case = ATTACKS[name]
    aims = given(case, images)
    plain = case()(made(Net), images, aims)
    assert torch.equal(case()(made(Net), images, aims.to(dtype)), plain)


@labelled
def test_labels_of_any_other_kind_are_refused(name, images) -> None:
    case, model = ATTACKS[name], made(Net)
    aims = given(case, images)
    wrong: list[Any] = [
        aims.float(), aims > 1, nn.functional.one_hot(aims, CLASSES), aims[:, None], aims[:7],
        aims.repeat(2), aims[0], aims.numpy(), aims.tolist(), None, torch.full_like(aims, 99),
        torch.full_like(aims, -1), torch.full_like(aims, CLASSES),
    ]  # fmt: skip
    for labels in wrong:
        with pytest.raises(ConfigError) as error:
            case()(model, images, labels)
        one_line(error, "labels: ")


def test_images_that_stand_in_the_labels_place_are_looked_at(images) -> None:
    autoencoder = nn.Sequential(nn.Flatten(), nn.Linear(36, 36), nn.Unflatten(1, SHAPE))
    step = FGSM(epsilon=0.1, objective="reconstruction_error")
    climb = PGD(epsilon=0.1, steps=2, objective="reconstruction_error", stop_on_success=True)
    for attack in (step, climb):
        assert attack(autoencoder, images, images).isfinite().all()
    guided = Feature(epsilon=0.1, layer="layers.1")
    for attack, word in ((step, "originals: "), (climb, "originals: "), (guided, "guides: ")):
        for other in (images[:7], torch.zeros(10, dtype=torch.int64), images.numpy(), None):
            with pytest.raises(ConfigError) as error:
                attack(made(Net) if attack is guided else autoencoder, images, other)
            one_line(error, word)


@each
def test_images_that_are_none_are_refused(name, images) -> None:
    case, model = ATTACKS[name], made(Net)
    aims = given(case, images)
    hole = images.clone()
    hole[3, 0, 1, 1] = torch.nan
    wrong: list[Any] = [
        (images * 255).to(torch.uint8),
        images.numpy(),
        images[0, 0, 0],
        hole,
        hole.nan_to_num() / 0,
    ]
    for bad in wrong:
        with pytest.raises(ConfigError) as error:
            case()(model, bad, aims)
        one_line(error, "images: ")


@each
def test_images_outside_of_the_range_are_refused_but_for_rounding(name, images) -> None:
    case, model = ATTACKS[name], made(Net)
    aims = given(case, images)
    for wide in (2 * images - 1, 1.001 * images / images.max(), images - 0.5):
        with pytest.raises(ConfigError) as error:
            case(clip=(0.0, 1.0))(model, wide, aims)
        one_line(error, "images: pixels from ")
    edge = images / images.max()
    edge[edge == 1] += 2e-7
    found = case(clip=(0.0, 1.0))(model, edge, aims)
    assert found.max() <= 1
    shifted = 2 * images - 1
    found = case(clip=(-1.0, 1.0))(model, shifted, aims)
    assert found.min() >= -1
    if "clip" in case.given or case.make in (JSMA,):
        return
    assert case(clip=None)(model, shifted, aims).shape == shifted.shape


@each
@pytest.mark.parametrize("clip", [(1, 0), (0.5, 0.5), (0,), (0, float("nan")), "ab"])
def test_bounds_are_refused_where_the_attack_is_made(name, clip) -> None:
    with pytest.raises(ConfigError) as error:
        ATTACKS[name](clip=clip)
    one_line(error, "clip")


def test_every_range_of_the_command_line_holds_in_python() -> None:
    for make, wrong in (
        (FGSM, {"epsilon": -0.1}), (FGSM, {"epsilon": float("nan")}),
        (FGSM, {"epsilon": 0.1, "norm": "l3"}), (PGD, {"epsilon": 0.1, "steps": 0}),
        (PGD, {"epsilon": 0.1, "step_size": 0}), (JSMA, {"share": 1.5}),
        (LBFGS, {"weight": 0}), (SubstituteTraining, {"clip": (1, 0)}),
        (SubstituteTraining, {"batch_size": 0}),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as error:
            make(**wrong)
        one_line(error, "=")
    with pytest.raises(TypeError, match="epsilon"):
        FGSM()
    assert PGD(epsilon=1, clip=[0, 1]).clip == (0.0, 1.0)  # type: ignore[arg-type]


@each
def test_what_is_no_classifier_is_refused(name, images) -> None:
    case = ATTACKS[name]
    if case.aims == "guides" or case.make is RandomNoise:
        return
    aims = given(case, images)
    single = nn.Sequential(nn.Flatten(), nn.Linear(36, 1))
    kept = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.Unflatten(1, (5, 1)))
    for model, word in ((single, "returns 1 logit"), (kept, "returns float32 of shape"),
                        (nn.Sequential(single, nn.Flatten(0)), "returns float32 of shape"),
                        (lambda x: x, "model: ")):  # fmt: skip
        with pytest.raises(ConfigError) as error:
            case()(model, images, torch.zeros_like(aims))
        one_line(error, word)


@labelled
@pytest.mark.parametrize("classes", [2, 1000])
def test_two_classes_and_a_thousand(name, classes, images) -> None:
    case = ATTACKS[name]
    model = made(lambda: Net(classes))
    y = model(images[:3]).argmax(1)
    aims = y if case.aims == "labels" else (y + 1) % classes
    changed = {"classes": 3} if case.make is LinearizedModel and classes > 2 else {}
    found = case(**changed)(model, images[:3], aims)
    assert found.isfinite().all()
    if case.make in (PGD, Strongest) and case.ball == "linf":
        assert (model(found).argmax(1) != y).any()


@labelled
def test_logits_of_any_scale(name, images) -> None:
    """The same function up to a factor: as many successes, and as small, but for a few."""
    case = ATTACKS[name]
    if case.make is Rubbish or case.given.get("steps") == 1:
        return
    x = torch.cat([images, 1 - images])
    aims = given(case, x)
    model = made(Scaled)
    for scale in (1.0, 1e-7, 1e-3, 1e3, 1e7):
        model.scale = scale
        found = case()(model, x, aims)
        won = (model(found).argmax(1) == aims) == (case.aims == "targets")
        size = norms.length(found - x, "l2")[won].mean()
        if scale == 1:
            successes, usual = won.sum(), size
        assert won.sum() >= 0.9 * successes - 1
        assert case.ball is not None or case.make is JSMA or size <= 1.3 * usual


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e7])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("objective", ["log_odds", "cross_entropy", "margin"])
def test_pgd_never_loses_what_its_fgsm_point_wins(scale, norm, objective) -> None:
    x = torch.rand(60, *SHAPE)
    model = made(Scaled)
    model.scale = scale
    y = model(x).argmax(1)
    shared: dict[str, Any] = {
        "epsilon": 0.1 if norm == "linf" else 0.4, "norm": norm, "objective": objective
    }  # fmt: skip
    single = model(FGSM(**shared)(model, x, y)).argmax(1) != y
    found = model(PGD(**shared, steps=8)(model, x, y)).argmax(1) != y
    assert found[single].all()
    if objective != "cross_entropy":
        assert found.sum() >= single.sum() > 0


class Hill(nn.Module):
    """Four logits of one pixel: at .1 the label is left, at −.1 its log-odds are smaller still."""

    def forward(self, x: Tensor) -> Tensor:
        z = x.flatten(1)
        up, down = (z + 1e-3).clamp(min=0), (-z - 1e-3).clamp(min=0)
        third = 9 * down - 5 * up - 1
        return torch.cat([torch.zeros_like(z), 12 * up - 1, third, third], 1)


def test_a_success_of_the_fgsm_point_is_not_given_up_for_a_higher_objective() -> None:
    x, y = torch.zeros(1, 1, 1, 1), torch.zeros(1, dtype=torch.int64)
    model, step = Hill(), torch.full_like(x, 0.1)
    odds = [(z[0, 1:].logsumexp(0) - z[0, 0]).item() for z in (model(step), model(-step))]
    assert odds[1] > odds[0] > 0
    assert torch.equal(FGSM(epsilon=0.1)(model, x, y), step)
    assert model(step).argmax(1) != 0
    assert model(-step).argmax(1) == 0
    for restarts in (1, 2, 8):
        found = PGD(epsilon=0.1, steps=10, restarts=restarts)(model, x, y)
        assert model(found).argmax(1) != 0


def test_a_hidden_layer_is_read_before_an_in_place_relu(images) -> None:
    plain, changed = made(Net), made(Net)
    changed.layers[2] = nn.ReLU(inplace=True)
    assert torch.equal(hidden(plain, images, "layers.1"), hidden(changed, images, "layers.1"))
    assert torch.equal(features(plain, "layers.1", images), features(changed, "layers.1", images))
    attack = Feature(epsilon=0.2, layer="layers.1", evaluations=20)
    found = [attack(model, images, images.flip(0)) for model in (plain, changed)]
    assert torch.equal(*found)


class OwnRelu(torch.autograd.Function):
    """Without a forward-mode derivative; its backward pass can be differentiated."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * (ctx.saved_tensors[0] > 0)


class OnceRelu(OwnRelu):
    """Its backward pass cannot be differentiated."""

    backward = staticmethod(torch.autograd.function.once_differentiable(OwnRelu.backward))


class NoBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)


@gradient
def test_what_has_no_derivative_is_named(name, images) -> None:
    case = ATTACKS[name]
    if case.make is Rubbish and not case.given.get("steps"):
        return
    model = made(Net)
    model.layers = nn.Sequential(model.layers[0], Apply(NoBackward.apply), *model.layers[1:])
    with pytest.raises(NoGradientError) as error:
        case()(model, images, given(case, images))
    one_line(error, "has no gradient")


class Apply(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(x.view(-1, 4, 6), x.view(-1, 4, 6), x.view(-1, 4, 6))[0].flatten(1)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.run = nn.LSTM(6, 6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x.view(-1, 4, 6))[0].flatten(1)


LAYERS = {
    "group norm": lambda: nn.GroupNorm(4, 24),
    "layer norm": lambda: nn.LayerNorm(24),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "lstm": Recurrent,
    "attention": Attention,
    "own function": lambda: Apply(OwnRelu.apply),
    "function differentiated once": lambda: Apply(OnceRelu.apply),
}


def of_layer(name: str) -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), LAYERS[name](), nn.Linear(24, CLASSES))
    return model.double().eval()


def jacobian(model: nn.Module, x: Tensor) -> Tensor:
    """∂ logits / ∂ pixels, (batch, classes, pixels), class by class."""
    x = x.clone().requires_grad_(True)
    rows = [torch.autograd.grad(z.sum(), x, retain_graph=True)[0] for z in model(x).unbind(1)]
    return torch.stack([row.flatten(1) for row in rows], 1)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_virtual_direction_of_any_layer_is_the_power_iterations(layer, images) -> None:
    model, x = of_layer(layer), images.double()
    slopes, p = jacobian(model, x), model(x).softmax(1).detach()
    middle = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    d = gaussian(x, 0).flatten(1)[:, :, None]
    for _ in range(6):
        d = slopes.mT @ middle @ slopes @ d
        d = d / d.norm(dim=1, keepdim=True)
    found = (VirtualAdversarial(epsilon=0.5, iterations=6)(model, x) - x).flatten(1)
    torch.testing.assert_close((found * d.squeeze(2)).sum(1).abs(), torch.full((10,), 0.5).double())


@pytest.mark.parametrize("layer", LAYERS)
def test_the_tangent_of_any_layer(layer, images) -> None:
    model, x = of_layer(layer), images.double()
    d = torch.randn_like(x)
    z, slope = tangent(model, x, d)
    torch.testing.assert_close(z, model(x).detach())
    torch.testing.assert_close(slope, (jacobian(model, x) @ d.flatten(1)[:, :, None]).squeeze(2))
    assert not slope.requires_grad


def test_a_virtual_direction_where_the_probabilities_are_saturated(images) -> None:
    """All round to 0 or 1; in the limit only the two likeliest classes count."""
    model = made(Scaled)
    model.scale = 1e4
    found = VirtualAdversarial(epsilon=0.01, iterations=3)(model, images) - images
    first, second = model(images).topk(2).indices.unbind(1)
    rows, slopes = torch.arange(10), jacobian(model, images)
    exact = slopes[rows, second] - slopes[rows, first]
    cosine = nn.functional.cosine_similarity(exact, found.flatten(1)).abs()
    assert (cosine > 0.999).all()


def test_lbfgs_and_jsma_leave_the_label_unless_told_otherwise(images) -> None:
    model = made(Net)
    y = model(images).argmax(1)
    for make in (LBFGS, JSMA, LinearizedModel):
        found = make()(model, images, y)
        assert not torch.equal(found, images)
        assert torch.equal(found, make(targeted=False)(model, images, y))
        assert (model(found).argmax(1) != y).any()


def test_jsma_needs_no_matrix_of_all_pairs() -> None:
    """Opposed slopes: every pixel is in the first layers, and 5,000² scores would be 200 MB."""
    n = 3 * 41 * 41
    model = nn.Sequential(nn.Flatten(), nn.Linear(n, 10, bias=False))
    base = torch.randn(n)
    model[1].weight.data = base + 1e-3 * torch.randn(10, n)
    x = torch.rand(1, 3, 41, 41)
    y = model(x).argmax(1)
    sizes: list[int] = []

    class Largest(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kw: Any = None):
            out = function(*args, **(kw or {}))
            sizes.append(out.numel() if isinstance(out, Tensor) else 0)
            return out

    with Largest():
        found = JSMA(share=2.5 / n)(model, x, y)
    assert max(sizes) <= 2**22
    moved = (found != x).flatten().nonzero().flatten().tolist()
    other = model(x).scatter(1, y[:, None], -torch.inf).argmax(1).item()
    a = model[1].weight[other].detach()
    c = a - model[1].weight.detach().sum(0)
    allowed = (1 - x.flatten()) > 0.05
    a, c = a.masked_fill(~allowed, -torch.inf), c.masked_fill(~allowed, -torch.inf)
    best = -torch.inf
    for p in range(n):
        score = (a[p] + a[p + 1 :]) * (c[p] + c[p + 1 :])
        good = ((a[p] + a[p + 1 :]) > 0) & ((c[p] + c[p + 1 :]) > 0)
        best = max(best, score.where(good, -torch.inf).max().item() if good.any() else -torch.inf)
    p, q = moved
    assert ((a[p] + a[q]) * (c[p] + c[q])).item() == best


def test_jsma_does_not_pay_for_pixels_that_hardly_change() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2, bias=False)).double()
    weight = torch.tensor([9.0, 8.0, 3.0, 2.0, 1.0, 0.0]).double()
    model[1].weight.data = torch.stack([-weight, weight])
    x = torch.tensor([0.99, 0.96, 0.0, 0.1, 0.2, 0.9]).double().view(1, 1, 2, 3)
    y = torch.ones(1, dtype=torch.int64)
    model[1].weight.data[0, 5] = 100.0  # the label 0 stays ahead
    found = JSMA(share=0.34, targeted=True)(model, x, y)
    assert (found != x).flatten().nonzero().flatten().tolist() == [2, 3]


def test_an_attack_of_ones_own_may_build_on_ours(images) -> None:
    composite = copy.copy(Strongest(epsilon=0.1, steps=3, queries=5))
    assert composite(made(Net), images, np.int64(0) + made(Net)(images).argmax(1)).shape
    best, fell = Strongest(epsilon=0.1, steps=3, queries=5).traced(
        made(Noisy).train(), images, made(Net)(images).argmax(1).to(torch.int16)
    )
    assert fell.dtype == torch.int64
    assert best.shape == images.shape
    with pytest.raises(ConfigError, match="labels"):
        Strongest(epsilon=0.1).traced(made(Net), images, torch.full((10,), 9))
    assert MultiTargeted(epsilon=0.1, steps=2, clip=(0.0, 1.0)).clip == (0.0, 1.0)
