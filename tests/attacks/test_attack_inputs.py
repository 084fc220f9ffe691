"""What every attack refuses in one line: images, labels, bounds and models that are none."""

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advx.attacks.feature import Feature
from advx.attacks.fgsm import FGSM
from advx.attacks.jsma import JSMA
from advx.attacks.lbfgs import LBFGS
from advx.attacks.multi_targeted import MultiTargeted
from advx.attacks.pgd import PGD
from advx.attacks.random_noise import RandomNoise
from advx.attacks.rubbish import Rubbish
from advx.attacks.strongest import Strongest
from advx.attacks.substitute import SubstituteTraining
from advx.errors import ConfigError, NoGradientError
from tests.attack_cases import ATTACKS
from tests.black_boxes import (
    CLASSES,
    FREE,
    SHAPE,
    Apply,
    Net,
    Noisy,
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


@each
def test_parameters_of_another_number_format_are_named(name, images) -> None:
    case = ATTACKS[name]
    if case.make is RandomNoise:  # it asks no model
        return
    with pytest.raises(ConfigError) as error:
        case()(made(Net).double(), images, given(case, images))
    one_line(error, "images: float32, but the parameters of Net are float64")


@gradient
def test_parameters_made_in_inference_mode_are_named(name, images) -> None:
    case = ATTACKS[name]
    targets = given(case, images)
    with torch.inference_mode():
        model = made(Net)
    if case.make is Rubbish and not case.given.get("steps"):
        return
    with pytest.raises(ConfigError) as error:
        case()(model, images, targets)
    one_line(error, "made under torch.inference_mode")


@labeled
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_labels_of_any_integer_width(name, dtype, images) -> None:
    case = ATTACKS[name]
    targets = given(case, images)
    plain = case()(made(Net), images, targets)
    assert torch.equal(case()(made(Net), images, targets.to(dtype)), plain)


@labeled
def test_labels_of_any_other_kind_are_refused(name, images) -> None:
    case, model = ATTACKS[name], made(Net)
    targets = given(case, images)
    wrong: list[Any] = [
        targets.float(),
        targets > 1,
        nn.functional.one_hot(targets, CLASSES),
        targets[:, None],
        targets[:7],
        targets.repeat(2),
        targets.to_sparse(),
        targets[0],
        targets.numpy(),
        targets.tolist(),
        None,
        torch.full_like(targets, 99),
        torch.full_like(targets, -1),
        torch.full_like(targets, CLASSES),
    ]
    for labels in wrong:
        with pytest.raises(ConfigError) as error:
            case()(model, images, labels)
        one_line(error, "labels: ")


def test_images_that_stand_in_the_labels_place_are_looked_at(images) -> None:
    autoencoder = nn.Sequential(nn.Flatten(), nn.Linear(36, 36), nn.Unflatten(1, SHAPE))
    step = FGSM(epsilon=0.1, objective="reconstruction_error")
    ascent = PGD(epsilon=0.1, steps=2, objective="reconstruction_error", stop_on_success=True)
    for attack in (step, ascent):
        assert attack(autoencoder, images, images).isfinite().all()
    guided = Feature(epsilon=0.1, layer="layers.1")
    for attack, word in (
        (step, "originals: "),
        (ascent, "originals: "),
        (guided, "guide_images: "),
    ):
        for other in (
            images[:7],
            images.to_sparse(),
            torch.zeros(10, dtype=torch.int64),
            images.numpy(),
            None,
        ):
            with pytest.raises(ConfigError) as error:
                attack(made(Net) if attack is guided else autoencoder, images, other)
            one_line(error, word)


@each
def test_images_that_are_none_are_refused(name, images) -> None:
    case, model = ATTACKS[name], made(Net)
    targets = given(case, images)
    hole = images.clone()
    hole[3, 0, 1, 1] = torch.nan
    wrong: list[Any] = [
        (images * 255).to(torch.uint8),
        images.numpy(),
        images[0, 0, 0],
        images.to_sparse(),
        images.to_mkldnn(),
        hole,
        hole.nan_to_num() / 0,
    ]
    for bad in wrong:
        with pytest.raises(ConfigError) as error:
            case()(model, bad, targets)
        one_line(error, "images: ")


@each
def test_images_outside_of_the_range_are_refused_but_for_rounding(name, images) -> None:
    case, model = ATTACKS[name], made(Net)
    targets = given(case, images)
    for wide in (2 * images - 1, 1.001 * images / images.max(), images - 0.5):
        with pytest.raises(ConfigError) as error:
            case(clip=(0.0, 1.0))(model, wide, targets)
        one_line(error, "images: pixels from ")
    edge = images / images.max()
    edge[edge == 1] += 2e-7
    found = case(clip=(0.0, 1.0))(model, edge, targets)
    assert found.max() <= 1
    shifted = 2 * images - 1
    found = case(clip=(-1.0, 1.0))(model, shifted, targets)
    assert found.min() >= -1
    if "clip" in case.given or case.make in (JSMA,):
        return
    assert case(clip=None)(model, shifted, targets).shape == shifted.shape


@each
@pytest.mark.parametrize("clip", [(1, 0), (0.5, 0.5), (0,), (0, float("nan")), "ab"])
def test_bounds_are_refused_where_the_attack_is_made(name, clip) -> None:
    with pytest.raises(ConfigError) as error:
        ATTACKS[name](clip=clip)
    one_line(error, "clip")


def test_every_range_of_the_command_line_holds_in_python() -> None:
    for make, wrong in (
        (FGSM, {"epsilon": -0.1}),
        (FGSM, {"epsilon": float("nan")}),
        (FGSM, {"epsilon": 0.1, "norm": "l3"}),
        (PGD, {"epsilon": 0.1, "steps": 0}),
        (PGD, {"epsilon": 0.1, "step_size": 0}),
        (JSMA, {"share": 1.5}),
        (LBFGS, {"weight": 0}),
        (SubstituteTraining, {"clip": (1, 0)}),
        (SubstituteTraining, {"batch_size": 0}),
    ):
        with pytest.raises(ConfigError) as error:
            make(**wrong)
        one_line(error, "=")
    with pytest.raises(TypeError, match="epsilon"):
        FGSM()
    assert PGD(epsilon=1, clip=[0, 1]).clip == (0.0, 1.0)  # type: ignore[arg-type]


@each
def test_what_is_no_classifier_is_refused(name, images) -> None:
    case = ATTACKS[name]
    if case.receives == "guide_images" or case.make is RandomNoise:
        return
    targets = given(case, images)
    single = nn.Sequential(nn.Flatten(), nn.Linear(36, 1))
    kept = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.Unflatten(1, (5, 1)))
    for model, word in (
        (single, "returns 1 logit"),
        (kept, "returns float32 of shape"),
        (nn.Sequential(single, nn.Flatten(0)), "returns float32 of shape"),
        (lambda x: x, "model: "),
    ):
        with pytest.raises(ConfigError) as error:
            case()(model, images, torch.zeros_like(targets))
        one_line(error, word)


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


class Together(Net):
    """Normalizes over the batch, in evaluation mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.BatchNorm1d(36, track_running_stats=False), nn.Linear(36, CLASSES)
        )


@each
def test_a_model_that_needs_several_images_is_named(name, images) -> None:
    case = ATTACKS[name]
    if case.make is RandomNoise:  # it asks no model
        return
    targets = given(case, images)
    case()(made(Net), images[:1], targets[:1])
    with pytest.raises(ConfigError) as error:
        case()(made(Together), images[:1], targets[:1])
    one_line(error, "cannot classify a single image")


@pytest.mark.parametrize("name", ["multi_targeted", "strongest", "lbfgs, untargeted", "deepfool"])
def test_one_that_fails_on_the_last_image_left_is_named(name, images) -> None:
    model, x = made(Together), images[:3]
    y = (model(x).argmax(1) + 1) % CLASSES
    y[1] = model(x).argmax(1)[1]  # the others are wrong already
    with pytest.raises(ConfigError) as error:
        ATTACKS[name]()(model, x, y)
    one_line(error, "cannot classify a single image")


class Cast(Net):
    """Logits of another kind of number."""

    kind = torch.complex64

    def forward(self, x: Tensor) -> Tensor:
        return (10 * self.layers(x)).to(self.kind)


@each
def test_complex_logits_are_named(name, images) -> None:
    case = ATTACKS[name]
    if case.make is RandomNoise or case.receives == "guide_images":  # they ask for no logits
        return
    with pytest.raises(ConfigError) as error:
        case()(made(Cast), images, given(case, images))
    one_line(error, "Cast returns complex64 logits; needed: real numbers")


@pytest.mark.parametrize("kind", [torch.int64, torch.int8, torch.bool])
def test_whole_logits_do_where_no_gradient_is_needed(kind, images) -> None:
    model = made(Cast)
    model.kind = kind
    y = model(images).int().argmax(1)
    assert ATTACKS["sign_search"]()(model, images, y).isfinite().all()
    with pytest.raises(NoGradientError) as error:
        FGSM(epsilon=0.1)(model, images, y)
    one_line(error, "no gradient")


@pytest.fixture(scope="module")
def compiled() -> dict[str, nn.Module]:
    """A network, scripted and traced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return {
            "script": torch.jit.script(made(Net).layers),
            "trace": torch.jit.trace(made(Net).layers, torch.rand(2, *SHAPE)),
        }


@pytest.mark.parametrize("how", ["frozen", "exported"])
def test_a_model_without_a_mode(how, images) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = made(Net)
        if how == "frozen":
            model: Any = torch.jit.freeze(torch.jit.script(net.layers))
        else:
            batch = {0: torch.export.Dim("batch")}
            model = torch.export.export(net, (images,), dynamic_shapes=(batch,)).module()
    y = net(images).argmax(1)
    for attack in (FGSM(epsilon=0.1), RandomNoise(epsilon=0.1)):
        for asked in (model, nn.Sequential(model, nn.Dropout())):
            torch.testing.assert_close(attack(asked, images, y), attack(net, images, y))
        assert asked[1].training


@each
@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.parametrize("training", [True, False])
def test_a_model_of_torch_jit(name, how, training, compiled, images) -> None:
    case, model = ATTACKS[name], compiled[how].train(training)
    targets = given(case, images)
    if case.receives == "guide_images":
        for layer in ("1", "2"):
            with pytest.raises(ConfigError) as error:
                case(layer=layer)(model, images, targets)
            one_line(error, f"attack.layer={layer}: compiled by torch.jit")
        return
    plain = case()(made(Net), images, targets)
    torch.testing.assert_close(case()(model, images, targets), plain, rtol=1e-3, atol=1e-3)
    assert all(module.training is training for module in model.modules())
    if case.make in FREE:  # they take no labels
        return
    with pytest.raises(ConfigError) as error:
        case()(model, images, torch.full_like(targets, 99))
    one_line(error, "labels: 99")


def test_an_attack_of_ones_own_may_build_on_ours(images) -> None:
    composite = copy.copy(Strongest(epsilon=0.1, steps=3, queries=5))
    assert composite(made(Net), images, np.int64(0) + made(Net)(images).argmax(1)).shape
    best, stage = Strongest(epsilon=0.1, steps=3, queries=5).traced(
        made(Noisy).train(), images, made(Net)(images).argmax(1).to(torch.int16)
    )
    assert stage.dtype == torch.int64
    assert best.shape == images.shape
    with pytest.raises(ConfigError, match="labels"):
        Strongest(epsilon=0.1).traced(made(Net), images, torch.full((10,), 9))
    assert MultiTargeted(epsilon=0.1, steps=2, clip=(0.0, 1.0)).clip == (0.0, 1.0)
