"""What a network's first layer sees of its images."""

import pytest
import torch
from torch import nn

from advx.models.base import adapt
from advx.models.inputs import InputName, scaled_inputs
from advx.models.layers import Dropout
from advx.models.maxout import MaxoutNetwork
from advx.models.relu import ReLUNetwork
from advx.models.softmax_regression import SoftmaxRegression
from advx.models.tanh import TanhNetwork

SHAPE = (1, 4, 4)

NETWORKS = [
    lambda **given: MaxoutNetwork(units=(6, 5), init_range=0.5, **given),
    lambda **given: ReLUNetwork(units=(6, 5), init_range=0.5, **given),
    lambda **given: TanhNetwork(units=(6, 5), init_range=0.5, **given),
    lambda **given: SoftmaxRegression(init_range=0.5, **given),
]


@pytest.fixture
def images() -> torch.Tensor:
    x = torch.rand(50, *SHAPE)
    x[:, 0, 0, 0] = 0.25  # a pixel that never varies
    return x


def expected(name: InputName, x: torch.Tensor, fitted: torch.Tensor) -> torch.Tensor:
    mean, deviation = fitted.double().mean(0), fitted.double().std(0, correction=0)
    whole = fitted.double()
    return {
        "unit": lambda: x,
        "signed": lambda: 2 * x - 1,
        "centered": lambda: x - mean,
        "standardized": lambda: (x - whole.mean()) / whole.std(correction=0),
        "standardized_by_pixel": lambda: (x - mean) / (deviation + 1e-4),
    }[name]().flatten(1)


@pytest.mark.parametrize(
    "name", ["unit", "signed", "centered", "standardized", "standardized_by_pixel"]
)
@pytest.mark.parametrize("make", NETWORKS)
def test_the_first_layer_sees_what_the_name_says(name, make, images) -> None:
    plain, scaled = (make(input_shape=SHAPE, classes=3, inputs=n) for n in ("unit", name))
    scaled.load_state_dict(plain.state_dict(), strict=False)  # the same weights
    adapt(scaled, images)
    plain, scaled = plain.double().eval(), scaled.double().eval()
    x = torch.rand(9, *SHAPE).double()
    seen = expected(name, x, images).view(-1, *SHAPE)
    torch.testing.assert_close(scaled(x), plain(seen), rtol=1e-4, atol=1e-4)
    if hasattr(scaled, "split"):
        affine, after = scaled.split()
        torch.testing.assert_close(after(affine(x)), scaled(x))


def test_the_map_travels_with_the_weights(images) -> None:
    one, other = (
        ReLUNetwork(input_shape=SHAPE, classes=3, units=(6,), inputs="standardized_by_pixel")
        for _ in range(2)
    )
    adapt(one, images)
    other.load_state_dict(one.state_dict())
    x = torch.rand(5, *SHAPE)
    assert torch.equal(one.eval()(x), other.eval()(x))


def test_pixels_as_they_are_leave_names_of_parameters_alone() -> None:
    assert isinstance(scaled_inputs("unit", SHAPE), nn.Identity)
    names = ReLUNetwork(input_shape=SHAPE, classes=3, units=(6,)).state_dict()
    assert set(names) == {"layers.1.weight", "layers.1.bias", "layers.4.weight", "layers.4.bias"}
    assert set(SoftmaxRegression(input_shape=SHAPE, classes=3).state_dict()) == {
        "linear.weight",
        "linear.bias",
    }


@pytest.mark.parametrize("make", NETWORKS)
def test_input_dropout_keeps_and_scales_what_the_layer_sees(make) -> None:
    model = make(input_shape=SHAPE, classes=3, inputs="signed", keep_input=0.5, scale_input=4.0)
    dropout = next(layer for layer in model.modules() if isinstance(layer, Dropout))
    assert (dropout.keep, dropout.scale) == (0.5, 4.0)
    seen = []
    dropout.register_forward_hook(lambda _, given, made: seen.append(made.clone()))
    model.train()(torch.full((200, *SHAPE), 0.75))
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}  # (2 · .75 − 1) · 4, and gray
