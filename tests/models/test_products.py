"""Affine layers by oneDNN against float64 and PyTorch's own; their gradients of every kind."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F

from advx.models import products
from advx.models.layers import Dropout, Linear, Sequential
from advx.models.maxout import MaxoutNetwork
from advx.models.products import linear

FAST = pytest.mark.skipif(not products.AVAILABLE, reason="this processor has no AVX-512")

SHAPES = [(100, 784, 1200), (50, 256, 128), (64, 130, 300)]


@pytest.fixture
def in_float64(monkeypatch) -> None:
    """The layer's own code on small float64 matrices, without oneDNN."""

    def product(a: Tensor, b: Tensor, bias: Tensor | None = None, activation: str = "none"):
        z = a @ b.t() if bias is None else a @ b.t() + bias
        return z.tanh() if activation == "tanh" else z

    monkeypatch.setattr(products, "product", product)
    monkeypatch.setattr(products, "suits", lambda *_: True)


def factors(batch: int, inputs: int, outputs: int) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = ((batch, inputs), (outputs, inputs), (outputs,))
    return [torch.randn(shape).requires_grad_() for shape in shapes]


@FAST
@pytest.mark.parametrize("activation", ["none", "tanh"])
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradients_equal_those_in_float64(shape, activation) -> None:
    ours = factors(*shape)
    ours[1].data.mul_(shape[1] ** -0.5)
    theirs = [t.detach().double().requires_grad_() for t in ours]
    z = F.linear(*theirs)
    pairs = linear(*ours, activation), z.tanh() if activation == "tanh" else z
    assert "_Linear" in type(pairs[0].grad_fn).__name__
    gradient = torch.randn(shape[0], shape[2])
    found = torch.autograd.grad(pairs[0], ours, gradient)
    wanted = torch.autograd.grad(pairs[1], theirs, gradient.double())
    for a, b in zip((pairs[0], *found), (pairs[1], *wanted), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=3e-4)


@pytest.mark.parametrize("activation", ["none", "tanh"])
def test_gradients_of_every_kind_are_the_numerical_ones(in_float64, activation) -> None:
    inputs = [torch.randn(s, dtype=torch.float64).requires_grad_() for s in ((3, 4), (5, 4), (5,))]

    def layer(*given: Tensor) -> Tensor:
        return linear(*given, activation)

    assert torch.autograd.gradcheck(layer, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(layer, inputs)
    assert torch.autograd.gradgradcheck(lambda x: linear(x, inputs[1].detach()), inputs[:1])


@FAST
def test_the_second_derivative_equals_that_of_pytorch() -> None:
    x, weight, bias = factors(100, 256, 128)
    found = []
    for layer in (linear, F.linear):
        (first,) = torch.autograd.grad(
            layer(x, weight, bias).sigmoid().square().sum(), x, create_graph=True
        )
        found.append(torch.autograd.grad(first.square().sum(), (x, weight, bias)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


@FAST
def test_directional_derivatives_and_functional_transforms_go_through() -> None:
    x, weight, bias = (t.detach() for t in factors(100, 256, 128))
    direction = torch.randn_like(x)
    weight.requires_grad_()
    with forward_ad.dual_level():
        moved = forward_ad.unpack_dual(linear(forward_ad.make_dual(x, direction), weight, bias))
    torch.testing.assert_close(moved.tangent, direction @ weight.t(), rtol=1e-4, atol=1e-4)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: linear(row, weight, bias)))(x[:3])
    torch.testing.assert_close(jacobian, weight.expand(3, -1, -1))
    together = torch.func.vmap(lambda rows: linear(rows, weight, bias))(x.expand(2, -1, -1))
    torch.testing.assert_close(together[1], F.linear(x, weight, bias), rtol=1e-4, atol=1e-4)


@FAST
@pytest.mark.parametrize("layout", ["transposed", "expanded", "sliced"])
def test_matrices_may_lie_as_they_like(layout) -> None:
    torch.manual_seed(1)
    weight = torch.randn(256, 300)
    x = {
        "transposed": torch.randn(300, 100).t(),
        "expanded": torch.randn(1, 300).expand(100, -1),
        "sliced": torch.randn(100, 600)[:, ::2],
    }[layout].requires_grad_()
    y = linear(x, weight)
    torch.testing.assert_close(y, F.linear(x, weight), rtol=1e-4, atol=1e-4)
    (gradient,) = torch.autograd.grad(y.sum(), x)  # the gradient of y is an expanded 1
    torch.testing.assert_close(gradient, weight.sum(0).expand(100, -1), rtol=1e-4, atol=1e-4)


@FAST
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("activation", ["none", "tanh"])
def test_what_is_no_number_stays_visible(value, activation) -> None:
    x, weight, bias = (t.detach() for t in factors(100, 256, 128))
    bias[3] = value
    y = linear(x, weight, bias, activation)[:, 3]
    assert torch.equal(y.isnan(), torch.full((100,), math.isnan(value)))
    if not math.isnan(value):
        assert (y == (value if activation == "none" else math.copysign(1.0, value))).all()


@FAST
def test_the_library_follows_from_shape_number_format_and_setting(monkeypatch) -> None:
    x, weight = torch.randn(100, 256), torch.randn(128, 256)
    assert products.suits(x, weight)
    for other in (x[:99], x[:0], x.double(), x[0], x.view(2, 50, 256), x.to("meta")):
        assert not products.suits(other, weight)
    assert not products.suits(x, weight.double())
    assert not products.suits(x, weight[:100])  # small
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not products.suits(x, weight)
    assert torch.equal(linear(x, weight), F.linear(x, weight))


@FAST
def test_the_same_product_is_the_same_bytes() -> None:
    given = factors(100, 784, 1200)
    y = linear(*given)
    for _ in range(3):
        moved = [torch.cat([torch.zeros(7), t.detach().flatten()])[7:].view(t.shape) for t in given]
        assert torch.equal(linear(*moved), y)  # wherever it lies in memory


def test_a_tangent_joins_the_affine_layer_before_it(monkeypatch) -> None:
    calls = []

    def noting(*given, **keywords):
        calls.append(given[3:])
        return linear(*given, **keywords)

    monkeypatch.setattr("advx.models.layers.linear", noting)
    options = {"init_range": 0.1, "max_column_norm": None}
    ours = Sequential(Dropout(0.8, scale=1.0), Linear(256, 128, **options), nn.Tanh(),
                      Linear(128, 5, **options), nn.Tanh(), nn.Tanh()).eval()  # fmt: skip
    x = torch.rand(100, 256)
    expected = nn.Sequential(*ours)(x)
    calls.clear()
    torch.testing.assert_close(ours(x), expected)
    assert calls == [("tanh",), ("tanh",)]
    seen: list[Tensor] = []
    ours[1].register_forward_hook(lambda _, __, z: seen.append(z))
    calls.clear()
    torch.testing.assert_close(ours(x), expected)
    assert calls == [(), ("tanh",)]  # somebody looks at what lies between the first two
    torch.testing.assert_close(seen[0], F.linear(x, ours[1].weight, ours[1].bias))


def test_a_compiler_is_given_pytorchs_own_products() -> None:
    """It cannot take oneDNN's apart, and chooses the library by itself."""
    graphs = []

    def read(graph: torch.fx.GraphModule, _: list[Tensor]):
        graphs.append(graph.print_readable(print_output=False))
        return graph.forward

    model = MaxoutNetwork(input_shape=(1, 28, 28), classes=10).train()
    torch.compiler.reset()
    torch.compile(model, backend=read)(torch.rand(100, 1, 28, 28)).sum().backward()
    text = "".join(graphs)
    assert "linear(" in text
    assert "_linear_pointwise" not in text
