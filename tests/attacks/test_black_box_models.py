"""A model is a black box: what may stand behind `model(images)`, under every attack.

A new attack joins through the table in `test_attack_promises`.
"""

import pytest
import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.feature import Feature
from advx.attacks.gradient import hidden
from advx.attacks.linearized_model import LinearizedModel
from advx.attacks.pgd import PGD
from advx.attacks.strongest import Strongest
from advx.evaluation.image_quality import features
from tests.attack_cases import ATTACKS
from tests.black_boxes import (
    CLASSES,
    SHAPE,
    UNSEEN,
    Bfloat16,
    Counting,
    Dictionary,
    Double,
    Gap,
    InPlace,
    Moved,
    Net,
    Noisy,
    Object,
    Single,
    Transposed,
    Tuple,
    Undefined,
    Viewing,
    each,
    given,
    labeled,
    made,
)


@pytest.fixture
def images() -> Tensor:
    return 0.05 + 0.9 * torch.rand(10, *SHAPE)


@each
def test_the_answers_form_does_not_matter(name, images) -> None:
    case, x = ATTACKS[name], images[:4]
    plain = case()(made(Net), x, given(case, x))
    for kind in (Tuple, Dictionary, Object, Transposed, Counting, Noisy):
        assert torch.equal(case()(made(kind), x, given(case, x)), plain), kind


@each
def test_no_model_is_asked_about_no_images(name, images) -> None:
    case, viewing = ATTACKS[name], made(Viewing)
    wrong = (viewing(images).argmax(1) + 1) % CLASSES
    for x, y in ((images, given(case, images)), (images[:1], given(case, images[:1]))):
        for beside in (y, wrong[: len(x)] if case.receives == "labels" else y):
            found = case()(viewing, x, beside)
            torch.testing.assert_close(found, case()(made(Net), x, beside))


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
    model, targets = made(kind), given(case, images)
    found = case()(model, images, targets)
    assert found.dtype == images.dtype
    assert found.isfinite().all()
    if case.ball is not None:
        assert norms.length(found - images, case.ball).max() <= 0.2 + 1e-6  # type: ignore[arg-type]
    elif kind is Double and name.startswith("deepfool"):
        won = model(found).argmax(1) == targets
        assert (won == (case.receives == "target_classes")).all()


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
    targets = given(case, x)
    found = case()(model, x, targets)
    assert found.dtype == dtype
    assert found.isfinite().all()
    if case.ball is not None:
        assert torch.equal(case(epsilon=0.0)(model, x, targets), x)
        unit = torch.finfo(dtype).eps
        size = norms.length((found - x).double(), case.ball)  # type: ignore[arg-type]
        assert size.max() <= 0.2 + unit * (1 if case.ball == "linf" else 6)


@each
def test_every_mode_of_autograd(name, images) -> None:
    case = ATTACKS[name]
    model, targets = made(Net), given(case, images)
    plain = case()(model, images, targets)
    with torch.inference_mode():
        found = case()(model, images, targets)
        x, y = images.clone(), targets.clone()
    assert not found.is_inference()
    assert torch.equal(found, plain)
    assert torch.equal(case()(model, x, y), plain)
    with torch.no_grad():
        assert torch.equal(case()(model, images, targets), plain)


@each
def test_autocast(name, images) -> None:
    case = ATTACKS[name]
    model, targets = made(Net), given(case, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = case()(model, images, targets)
        nn.functional.cross_entropy(model(images), torch.zeros(10, dtype=torch.int64)).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    if case.ball is not None:
        assert norms.length(found - images, case.ball).max() <= 0.2 + 1e-6  # type: ignore[arg-type]


@each
def test_a_model_is_left_as_it_was_flags_of_its_own_and_buffers_too(name, images) -> None:
    case = ATTACKS[name]
    targets = given(case, images)
    model = made(Noisy).train()
    model.part.eval()
    case()(model, images, targets)
    assert (model.training, model.noisy) == (True, True)
    assert (model.part.training, model.part.noisy) == (False, False)
    model.noisy = False  # by hand
    case()(model, images, targets)
    assert (model.training, model.noisy) == (True, False)
    counting = made(Counting)
    kept = counting.seen
    case()(counting, images, targets)
    assert counting.calls.item() == 0
    assert counting.seen is kept


@each
def test_what_is_undefined_is_no_success(name, images) -> None:
    case = ATTACKS[name]
    targets = given(case, images)
    nowhere = case()(made(Undefined), images, targets)
    assert nowhere.isfinite().all()
    if case.make not in UNSEEN:
        assert torch.equal(nowhere, images)
    found = case()(made(Gap), images, targets)
    assert found.isfinite().all()
    single = case.make is LinearizedModel and case().steps == 1
    if case.make not in UNSEEN and not single:
        gone = made(Gap)(found).isnan().any(1)  # moved into the gap, and not left where they were
        assert (found != images).flatten(1).any(1)[gone].all()


def test_a_gap_does_not_end_the_search(images) -> None:
    y = made(Net)(images).argmax(1)
    attack = PGD(epsilon=0.2, steps=20, schedule="linear")
    wrong = [
        (made(Net)(a(model, images, y)).argmax(1) != y).sum()
        for model, a in ((made(Gap), attack), (made(Net), PGD(epsilon=0.2, clip=(0.0, 1.0))))
    ]
    assert wrong[0] >= wrong[1] / 2 > 0


@labeled
@pytest.mark.parametrize("classes", [2, 1000])
def test_two_classes_and_a_thousand(name, classes, images) -> None:
    case = ATTACKS[name]
    model = made(lambda: Net(classes))
    y = model(images[:3]).argmax(1)
    targets = y if case.receives == "labels" else (y + 1) % classes
    changed = {"classes": 3} if case.make is LinearizedModel and classes > 2 else {}
    found = case(**changed)(model, images[:3], targets)
    assert found.isfinite().all()
    if case.make in (PGD, Strongest) and case.ball == "linf":
        assert (model(found).argmax(1) != y).any()


def test_a_hidden_layer_is_read_before_an_in_place_relu(images) -> None:
    plain, changed = made(Net), made(Net)
    changed.layers[2] = nn.ReLU(inplace=True)
    assert torch.equal(hidden(plain, images, "layers.1"), hidden(changed, images, "layers.1"))
    assert torch.equal(features(plain, "layers.1", images), features(changed, "layers.1", images))
    attack = Feature(epsilon=0.2, layer="layers.1", evaluations=20)
    found = [attack(model, images, images.flip(0)) for model in (plain, changed)]
    assert torch.equal(*found)
