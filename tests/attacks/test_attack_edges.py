"""Attacks at their edges: logits of any scale, layers of any kind, slopes that are opposed."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.fgsm import FGSM
from advx.attacks.jsma import JSMA
from advx.attacks.lbfgs import LBFGS
from advx.attacks.linearized_model import LinearizedModel
from advx.attacks.noise import gaussian
from advx.attacks.pgd import PGD
from advx.attacks.rubbish import Rubbish
from advx.attacks.virtual_adversarial import VirtualAdversarial
from advx.attacks.virtual_direction import hessian_product
from advx.errors import NoGradientError
from advx.evaluation.linearity import tangent
from tests.attack_cases import ATTACKS
from tests.black_boxes import (
    CLASSES,
    SHAPE,
    Apply,
    Net,
    Scaled,
    each,
    given,
    gradient,
    labeled,
    made,
    one_line,
)


@pytest.fixture
def images() -> Tensor:
    return 0.05 + 0.9 * torch.rand(10, *SHAPE)


@labeled
def test_logits_of_any_scale(name, images) -> None:
    """The same function up to a factor: as many successes, and as small, but for a few."""
    case = ATTACKS[name]
    if case.make is Rubbish or case.given.get("steps") == 1:
        return
    x = torch.cat([images, 1 - images])
    targets = given(case, x)
    model = made(Scaled)
    for scale in (1.0, 1e-7, 1e-3, 1e3, 1e7):
        model.scale = scale
        found = case()(model, x, targets)
        won = (model(found).argmax(1) == targets) == (case.receives == "target_classes")
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
        "epsilon": 0.1 if norm == "linf" else 0.4,
        "norm": norm,
        "objective": objective,
    }
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


@pytest.mark.parametrize(("side", "share", "pixels"), [(20, 0.145, 58), (10, 0.58, 58)])
def test_jsma_may_change_as_many_pixels_as_the_share_says(side, share, pixels) -> None:
    """.145 times 400 is 57.99999999999999 in floating point; the class is never reached."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(side**2, 2)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([-torch.ones(side**2), torch.ones(side**2)]))
        model[1].bias.copy_(torch.tensor([1e6, 0.0]))
    x = torch.zeros(1, 1, side, side).double()
    found = JSMA(share=share, targeted=True)(model, x, torch.ones(1, dtype=torch.int64))
    assert (found != x).sum() == pixels


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("clip", [None, (0.0, 1.0)])
def test_the_linearized_model_leaves_a_tie(norm, clip) -> None:
    """The boundary itself is the label's: a step of no length would never leave it."""
    model = nn.Sequential(nn.Flatten(), nn.Identity())
    x = torch.full((1, 1, 1, 2), 0.5).double()
    attack = LinearizedModel(norm=norm, steps=3, clip=clip)
    found = attack(model, x, torch.zeros(1, dtype=torch.int64))
    assert model(found).argmax(1) == 1
    assert norms.length(found - x, norm) <= 2e-4


class Masked(Net):
    """One class more, with a constant logit."""

    constant = -torch.inf

    def forward(self, x: Tensor) -> Tensor:
        z = self.layers(x)
        return torch.cat([z, torch.full_like(z[:, :1], self.constant)], 1)


@each
def test_a_class_whose_logit_is_minus_infinity_is_never_there(name, images) -> None:
    """The attack goes on as if it were not, or were one of a logit far below all others."""
    case, model, far = ATTACKS[name], made(Masked).double(), made(Masked).double()
    far.constant = -1e30
    x = images.double()
    targets = given(case, x)
    found = case()(model, x, targets)
    assert found.isfinite().all()
    torch.testing.assert_close(found, case()(far, x, targets))


@pytest.mark.parametrize("attack", [LinearizedModel(steps=10), LBFGS(searches=3)])
@pytest.mark.parametrize("value", [-torch.inf, -1e30])
def test_masked_classes_do_not_stand_in_the_way(attack, value, images) -> None:
    model = made(Masked)
    model.constant = value
    y = model(images).argmax(1)
    assert (model(attack(model, images, y)).argmax(1) != y).all()


@pytest.mark.parametrize("power", [-90, -73, 66, 90])
@pytest.mark.parametrize(
    "name",
    [
        "linearized_model",
        "linearized_model, l1",
        "linearized_model, linf",
        "deepfool",
        "jsma",
        "jsma, untargeted",
    ],
)
def test_logits_times_a_power_of_two_give_the_same_images(name, power, images) -> None:
    """Products and squares of the slopes leave float32's range; the slopes do not."""
    case, model = ATTACKS[name], made(Scaled)
    targets = given(case, images)
    plain = case()(model, images, targets)
    assert not torch.equal(plain, images)
    model.scale = 2.0**power
    assert torch.equal(case()(model, images, targets), plain)


def test_the_virtual_direction_of_logits_of_any_scale(images) -> None:
    """The Hessian is of the square of the scale: its direction is that of a small scale."""
    found = []
    for power in (-12, -75):
        model = made(Scaled)
        model.scale = 2.0**power
        found.append((VirtualAdversarial(epsilon=0.5)(model, images) - images).flatten(1))
    assert (nn.functional.cosine_similarity(*found).abs() > 0.999).all()


def test_what_is_done_in_vain_on_a_gpu_changes_nothing(monkeypatch) -> None:
    """There nobody asks whether a row is of extreme size: every row goes the long way."""
    rows = torch.randn(6, 40)
    network = nn.Linear(40, 3)
    rows[4:] *= torch.tensor([[1e-25], [1e25]])
    direction = torch.randn(6, 40)

    def everything(part: torch.Tensor, along: torch.Tensor) -> list[torch.Tensor]:
        found = [norms.length(part, "l2"), norms.steepest(part, "l2"), *norms.ordinary(part)]
        return [*found, hessian_product(network, part.clamp(-5, 5), along)]

    for kept in (slice(0, 4), slice(0, 6)):  # without an extreme row, and with both
        expected = everything(rows[kept], direction[kept])
        with monkeypatch.context() as patched:
            patched.setattr(norms, "may_hold", lambda rare: True)
            found = everything(rows[kept], direction[kept])
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)
    assert found[0][4] > 0
    assert found[0].isfinite().all()


def test_lengths_and_projections_of_any_scale() -> None:
    ones = torch.tensor([3.0, 4.0, 0.0]).repeat(6, 1)
    factors = torch.tensor([1.0, 0.0, 1e-30, 1e-44, 1e20, 1e37])
    found = norms.length(ones * factors[:, None], "l2")
    exact = (ones * factors[:, None]).double().norm(dim=1)
    torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=0)
    inside = norms.projected(ones * factors[:, None], "l2", 1e-3)
    assert (inside.norm(dim=1) <= 1.001e-3).all()
    assert norms.length(torch.tensor([[torch.nan, 1.0]]), "l2").isnan().all()
    assert norms.length(torch.tensor([[torch.inf, 1.0]]), "l2").isinf().all()


class WithoutGradient(Net):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.layers(x)


@gradient
def test_a_model_that_takes_no_gradient_is_named(name, images) -> None:
    case = ATTACKS[name]
    with pytest.raises(NoGradientError) as error:
        case()(made(WithoutGradient), images, given(case, images))
    one_line(error, "no gradient")
