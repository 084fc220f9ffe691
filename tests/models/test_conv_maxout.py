"""The convolutional maxout network, its whitening and its schedule."""

import pytest
import torch
from torch import nn

from advx.errors import ConfigError
from advx.evaluation.space import in_space
from advx.models.conv_maxout import ConvMaxoutNetwork
from advx.models.layers import Dropout, MaxoutConvolution, Sequential
from advx.models.maxout import MaxoutNetwork
from advx.models.whitening import Whitening
from advx.training.optimizers import LinearDecay


def test_whitening_leaves_nothing_to_predict() -> None:
    torch.manual_seed(0)
    mixing = torch.randn(12, 12).double()
    images = (torch.randn(4000, 12).double() @ mixing).view(4000, 3, 2, 2)
    layer = Whitening((3, 2, 2), contrast=5.0, bias=1e-6).double()
    layer.fit(images)
    z = layer(images).flatten(1)
    covariance = torch.cov(z.T, correction=0)
    values = torch.linalg.eigvalsh(covariance)
    assert values[0].abs() < 1e-6  # the mean that every image has lost
    torch.testing.assert_close(values[1:], torch.ones(11).double(), atol=1e-3, rtol=1e-3)
    g = layer.normalized(images)
    torch.testing.assert_close(g.mean(1), torch.zeros(4000).double())
    torch.testing.assert_close(g.norm(dim=1), torch.full((4000,), 5.0).double())


def test_the_bias_shrinks_directions_of_little_variance() -> None:
    images = torch.randn(5000, 1, 1, 4).double() * torch.tensor([3.0, 2.0, 1.0, 0.5]).double()
    layer = Whitening((1, 1, 4), contrast=2.0, bias=0.1).double()
    layer.fit(images)
    g = layer.normalized(images)
    values, vectors = torch.linalg.eigh(torch.cov(g.T, correction=0))
    wanted = (vectors * (values + 0.1).rsqrt()) @ vectors.T
    torch.testing.assert_close(layer.matrix, wanted, atol=1e-6, rtol=1e-6)


def test_images_come_back_from_what_they_lost() -> None:
    images = torch.rand(300, 3, 4, 4).double()
    layer = Whitening((3, 4, 4), contrast=6.0, bias=0.1).double()
    layer.fit(images)
    z = layer(images[:20])
    back = layer.invert(z, *layer.lost(images[:20]))
    torch.testing.assert_close(back, images[:20], atol=1e-9, rtol=0)
    gray = torch.full((1, 3, 4, 4), 0.5).double()
    assert layer(gray).isfinite().all()


def test_a_maxout_convolution_is_the_maximum_of_its_filters() -> None:
    layer = MaxoutConvolution(3, 4, 2, 3, padding=1, init_range=0.5, max_kernel_norm=None).double()
    x = torch.randn(2, 3, 6, 6).double()
    found = layer(x)
    for unit in range(4):
        maps = [
            nn.functional.conv2d(x, layer.weight[[k]], layer.bias[[k]], padding=1)
            for k in (unit, unit + 4)
        ]
        torch.testing.assert_close(found[:, [unit]], torch.maximum(*maps))


def test_filters_are_bounded_as_wholes() -> None:
    layers = Sequential(
        MaxoutConvolution(3, 4, 2, 5, padding=0, init_range=0.5, max_kernel_norm=0.9)
    )
    before = layers[0].weight.detach().clone()
    with torch.no_grad():
        layers[0].weight[0] *= 0.001
        layers.constrain()
    norms = layers[0].weight.flatten(1).norm(dim=1)
    assert norms.max() <= 0.9 * (1 + 1e-6)
    torch.testing.assert_close(layers[0].weight[0], before[0] * 0.001)
    torch.testing.assert_close(
        layers[0].weight[1] / layers[0].weight[1].norm(), before[1] / before[1].norm()
    )


def test_the_published_network_has_the_published_layers() -> None:
    network = ConvMaxoutNetwork(input_shape=(3, 32, 32), classes=10)
    maps, sizes = torch.zeros(1, 3, 32, 32), []
    for layer in network.eval().network:
        maps = layer(maps)
        if isinstance(layer, (nn.MaxPool2d, MaxoutConvolution)):
            sizes.append(tuple(maps.shape[1:]))
    assert sizes == [
        (96, 33, 33),
        (96, 16, 16),
        (192, 15, 15),
        (192, 7, 7),
        (192, 9, 9),
        (192, 5, 5),
    ]
    kept = [(d.keep, d.scale) for d in network.network if isinstance(d, Dropout)]
    assert kept == [(0.8, 1.0), (0.5, 2.0), (0.5, 2.0), (0.5, 2.0), (0.5, 2.0)]
    assert maps.shape == (1, 10)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 9, 8)])
def test_it_fits_any_shape_that_leaves_something(shape) -> None:
    network = ConvMaxoutNetwork(
        input_shape=shape,
        classes=4,
        channels=(3, 5),
        kernels=(5, 3),
        pads=(2, 1),
        pools=(3, 2),
        max_kernel_norms=(0.9, 1.9),
        units=6,
    )
    network.adapt(torch.rand(40, *shape))
    assert network(torch.rand(2, *shape)).shape == (2, 4)


def test_images_too_small_for_it_are_named() -> None:
    with pytest.raises(ValueError, match=r"layer 1 leaves nothing of images \(1, 2, 2\)"):
        ConvMaxoutNetwork(input_shape=(1, 2, 2), classes=4, pads=(0, 0, 0))
    with pytest.raises(ValueError, match="as many of each"):
        ConvMaxoutNetwork(input_shape=(1, 28, 28), classes=4, channels=(3, 5))


def test_the_rate_falls_linearly_and_convolutions_learn_slower() -> None:
    rule = LinearDecay(learning_rate=0.2, final_share=0.1, decay_epochs=11)
    assert [rule.learning_rate_at(0, e) for e in (1, 6, 11, 50)] == pytest.approx(
        [0.2, 0.11, 0.02, 0.02]
    )
    network = ConvMaxoutNetwork(
        input_shape=(1, 8, 8),
        classes=3,
        channels=(2,),
        kernels=(3,),
        pads=(1,),
        pools=(2,),
        max_kernel_norms=(0.9,),
        units=4,
    )
    optimizer = rule.make(rule.groups(network))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for p in network.parameters():
        p.grad = torch.ones_like(p)
    rule.schedule(optimizer, 0, 1)
    optimizer.step()
    for name, p in network.named_parameters():
        rate = 0.2 * 0.05 if name.startswith("network.1.") else 0.2
        torch.testing.assert_close(p, before[name] - rate)


def test_the_velocity_shrinks_with_the_rate() -> None:
    """The authors' v ← μv − λ∇J, x ← x + v, followed by hand over a change of λ."""
    rule = LinearDecay(
        learning_rate=0.2, final_share=0.1, decay_epochs=3, momentum=0.5, final_momentum=0.5
    )
    model = nn.Linear(1, 1, bias=False).double()
    optimizer = rule.make(rule.groups(model))
    x, v = model.weight.item(), 0.0
    for update, epoch in enumerate((1, 1, 2, 2, 3)):
        model.weight.grad = torch.full((1, 1), 1.0 + update).double()
        rule.schedule(optimizer, update, epoch)
        optimizer.step()
        v = 0.5 * v - rule.learning_rate_at(0, epoch) * (1.0 + update)
        x += v
        assert model.weight.item() == pytest.approx(x)


def test_a_space_that_the_model_does_not_have_is_named() -> None:
    images = torch.rand(3, 1, 8, 8)
    model = MaxoutNetwork(input_shape=(1, 8, 8), classes=3, units=(4, 4))
    assert in_space(model, images, "pixels") == (model, images)
    with pytest.raises(ConfigError, match="space=preprocessed: MaxoutNetwork has no"):
        in_space(model, images, "preprocessed")
    network = ConvMaxoutNetwork(
        input_shape=(1, 8, 8),
        classes=3,
        channels=(2,),
        kernels=(3,),
        pads=(1,),
        pools=(2,),
        max_kernel_norms=(0.9,),
        units=4,
        contrast=8.0,
    )
    network.adapt(images)
    inner, points = in_space(network, images, "preprocessed")
    network.eval()
    torch.testing.assert_close(inner(points), network(images))
