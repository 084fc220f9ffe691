"""Church windows: directions, maps and what is read off them."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from advx.config.check import keywords
from advx.config.compose import composed
from advx.data import mnist5k
from advx.errors import ConfigError
from advx.evaluation.church_windows import (
    adaptive_maps,
    basis,
    coordinates,
    dense_maps,
    point_classes,
)
from advx.evaluation.slopes import slopes
from advx.evaluation.space import in_pixels
from advx.models.conv_maxout import ConvMaxoutNetwork
from advx.models.maxout import MaxoutNetwork
from advx.models.relu import ReLUNetwork
from advx.models.whitening import Whitening
from advx.run import Run, check
from advx.training.trainer import Trainer

KINDS = ("fgsm_random", "random_random", "fgsm_gradient")


@pytest.mark.parametrize("length", ["sign", "unit"])
@pytest.mark.parametrize("kind", KINDS)
def test_directions_are_orthogonal_and_as_long_as_named(kind, length) -> None:
    images, slope = torch.rand(5, 3, 8, 8).double(), torch.randn(5, 3, 8, 8).double()
    both = basis(kind, images, slope, length=length).flatten(2)
    wanted = 192**0.5 if length == "sign" else 1.0
    torch.testing.assert_close(both.norm(dim=2), torch.full((5, 2), wanted).double())
    inner = (both[:, 0] * both[:, 1]).sum(1)
    assert (inner.abs() < 1e-12 * wanted**2).all()
    if kind != "random_random":
        torch.testing.assert_close(both[:, 0] * 192**0.5 / wanted, slope.sign().flatten(1))
    if kind == "fgsm_gradient":  # in the plane of the gradient and its sign, on the gradient's side
        g = slope.flatten(1)
        parts = [(g * u).sum(1, keepdim=True) * u / wanted**2 for u in both.unbind(1)]
        torch.testing.assert_close(sum(parts), g, atol=1e-12, rtol=0)
        assert ((g * both[:, 1]).sum(1) > 0).all()
    else:
        again = basis(kind, images.flip(0), slope.flip(0), length=length).flip(0)
        torch.testing.assert_close(again.double().flatten(2), both)
        other = basis(kind, images, slope, length=length, draw=1).double().flatten(2)
        assert (other[:, 1] - both[:, 1]).norm() > 0.1 * both[:, 1].norm()


def test_a_gradient_without_two_directions_is_named() -> None:
    images, slope = torch.rand(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    slope[2] = 0
    with pytest.raises(ConfigError, match=r"example 2 .* vanished"):
        basis("fgsm_random", images, slope)
    slope[2], slope[1] = slope[0], 0.3 * slope[1].sign()
    with pytest.raises(ConfigError, match=r"example 1 .* parallel"):
        basis("fgsm_gradient", images, slope)
    assert basis("fgsm_random", images, slope).shape == (3, 2, 1, 4, 4)
    slope[:] = 0
    assert basis("random_random", images, slope).isfinite().all()


def plane(angle: float, offset: float) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A linear classifier that is a known line in the window of the first two pixels."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).double()
    with torch.no_grad():
        model[1].weight.zero_(), model[1].bias.zero_()
        normal = torch.tensor([angle, 0.0]).double()
        model[1].weight[1, 0], model[1].weight[1, 1] = normal[0].cos(), normal[0].sin()
        model[1].bias[1] = -offset
    bases = torch.zeros(1, 2, 1, 4, 4).double()
    bases[0, 0, 0, 0, 0] = bases[0, 1, 0, 0, 1] = 1
    return model, torch.zeros(1, 1, 4, 4).double(), bases


@pytest.mark.parametrize(("angle", "offset"), [(0.0, 0.03), (0.9, -0.1), (2.5, 0.071), (4.0, 0.2)])
def test_a_linear_classifier_shows_its_line(angle, offset) -> None:
    model, images, bases = plane(angle, offset)
    classes = point_classes(model, images, bases, shortcut=False)
    at = coordinates(0.25, 41)
    angle_ = torch.tensor(angle).double()
    right = at[None, :] * angle_.cos() + at[:, None] * angle_.sin() > offset  # rows are v
    for maps in (
        dense_maps(classes, 1, 0.25, 41),
        adaptive_maps(classes, 1, 0.25, 41, stride=8),
    ):
        assert torch.equal(maps[0] == 1, right)


def networks() -> list[nn.Module]:
    torch.manual_seed(5)
    shape = {"input_shape": (3, 16, 16), "classes": 10}
    conv = ConvMaxoutNetwork(
        **shape,
        channels=(6, 8),
        kernels=(5, 3),
        pads=(2, 1),
        pools=(3, 2),
        max_kernel_norms=(0.9, 1.9),
        units=12,
        init_range=0.3,
    )
    return [
        MaxoutNetwork(**shape, units=(30, 30), init_range=0.3),
        ReLUNetwork(**shape, units=(30, 30), init_range=0.3),
        conv.network,
    ]


@pytest.mark.parametrize("which", range(3))
def test_the_first_layer_combined_gives_the_same_classes(which) -> None:
    model = networks()[which].double()
    images = torch.randn(3, 3, 16, 16).double()
    bases = basis("fgsm_random", images, torch.randn_like(images))
    maps = [
        dense_maps(point_classes(model, images, bases, shortcut=s), 3, 0.5, 33)
        for s in (False, True)
    ]
    assert len(maps[0].unique()) > 1
    assert torch.equal(*maps)
    middle = maps[0][:, 16, 16]
    model.eval()
    assert torch.equal(middle, model(images).argmax(1).to(middle))


@pytest.mark.parametrize("stride", [1, 2, 8])
def test_the_adaptive_map_is_the_dense_one_but_for_small_regions(stride) -> None:
    model = networks()[0]
    images = torch.randn(6, 3, 16, 16)
    bases = basis("random_random", images, images)
    asked = 0
    inner = point_classes(model, images, bases, shortcut=True)

    def counted(windows, h, v):
        nonlocal asked
        asked += len(windows)
        return inner(windows, h, v)

    dense = dense_maps(inner, 6, 2.0, 65)
    adaptive = adaptive_maps(counted, 6, 2.0, 65, stride=stride)
    assert (adaptive >= 0).all()
    assert (adaptive == dense).double().mean() > 0.995
    assert asked == dense.numel() if stride == 1 else asked < dense.numel()


@pytest.mark.parametrize("stride", [0, 3, 16])
def test_a_stride_that_does_not_fit_is_named(stride) -> None:
    with pytest.raises(ConfigError, match=f"stride={stride}.*= 40"):
        adaptive_maps(lambda w, h, v: w, 1, 0.25, 41, stride=stride)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("grid=11", r"grid=11, first_example=0: .* 100 test examples"),
        ("first_example=98", r"grid=2, first_example=98: "),
        ("side=1", r"side=1: an odd number from 3"),
        ("side=18", r"side=18: an odd number"),
        ("stride=5", r"stride=5: a power of two that divides side − 1 = 16"),
        ("epsilon=0", r"epsilon=0"),
        ("epsilon=-0.1", r"epsilon=-0\.1"),
        ("cosines=[0.1,1.2]", r"cosines=1\.2"),
        ("space=colors", r"space=colors"),
        ("bases=[diagonal]", r"bases"),
    ],
)
def test_bad_input_is_named_before_anything_is_trained(override, complaint, tmp_path) -> None:
    words = ["experiment=church_windows", "scale=smoke", f"store={tmp_path / 'store'}", override]
    config, main = composed(words)

    def attempt() -> None:
        check(config, main)
        run = Run(config, tmp_path, "advx run")
        run.models.trained = lambda *_: pytest.fail("trained")  # type: ignore[method-assign]
        main(run, **keywords(config, main))

    with pytest.raises(ConfigError, match=complaint):
        attempt()


def test_images_are_points_of_the_windows(tmp_path) -> None:
    config, main = composed(
        ["experiment=church_windows", "scale=smoke", f"store={tmp_path / 'store'}", "draws=1"]
    )
    run = Run(config, tmp_path, "advx run")
    main(run, **keywords(config, main))
    arrays = np.load(tmp_path / "arrays.npz")
    images, predicted, maps = (arrays[k] for k in ("images", "predicted", "maps_fgsm_random"))
    whole = (run.data.test.images[:4] * 255).round().byte().numpy()
    np.testing.assert_array_equal(images[:, 2], whole)  # undone by its own mean and contrast
    half = maps.shape[1] // 2
    at = [
        (half, 0),
        (half, half // 2),
        (half, half),
        (half, half + half // 2),
        (half, -1),
        (0, half),
        (-1, half),
    ]
    for column, (v, h) in enumerate(at):
        np.testing.assert_array_equal(predicted[:, column], maps[:, v, h])
    assert len(images[0]) == len(at)
    change = (images.astype(float) - images[:, 2:3]).reshape(4, len(at), -1).std(2)
    assert (change[:, [0, 1, 3, 4, 5, 6]] > 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_adaptive_and_dense_agree_on_ten_real_windows(kind) -> None:
    """Of a network trained on digits, around test digits, as wide as on the printed page."""
    data = mnist5k.load()
    torch.manual_seed(0)
    model = ReLUNetwork(input_shape=(1, 28, 28), classes=10, units=(60, 60))
    trainer = Trainer(max_epochs=3, patience=None)
    trainer.fit(model, lambda m, x, y: F.cross_entropy(m(x), y), data, seed=0)
    clean = data.test.take(data.test.spaced(10))
    bases = basis(kind, clean.images, slopes(model, clean.images, clean.labels))
    classes = point_classes(model, clean.images, bases, shortcut=True)
    dense = dense_maps(classes, 10, 0.25, 201)
    adaptive = adaptive_maps(classes, 10, 0.25, 201, stride=8)
    agree = (adaptive == dense).double().mean((1, 2))
    assert agree.min() >= 0.995
    assert len(dense.unique()) > 3


def test_steps_in_pixels_undo_the_preprocessing() -> None:
    """The whitened image, moved by a share of a step, is the image moved by that share of it."""
    whitening = Whitening((1, 4, 4)).double()
    images = torch.rand(50, 1, 4, 4, dtype=torch.float64)
    whitening.fit(images)
    model = nn.Module()
    model.preprocessing, model.network = whitening, nn.Flatten()
    some, steps = images[:3], torch.randn(3, 2, 1, 4, 4, dtype=torch.float64)
    pixels = in_pixels(model, some, steps, "preprocessed")
    for share in (-1.0, 0.37, 2.0):
        moved = whitening(some) + share * steps[:, 1]
        undone = whitening.invert(moved, *whitening.lost(some))
        torch.testing.assert_close(some + share * pixels[:, 1], undone)
    assert in_pixels(model, some, steps, "pixels") is steps
