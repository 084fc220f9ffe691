"""The training step against the same networks in plain PyTorch; its limit counted by hand."""

import copy

import pytest
import torch

from advx.data.dataset import Dataset, Split
from advx.defenses.none import NoDefense
from advx.evaluation.benchmark import Factors, operations_of, product_rate
from advx.evaluation.plain_step import plain, plain_updates
from advx.evaluation.step_parts import limit_of, parts_of, products_of
from advx.models.maxout import MaxoutNetwork
from advx.models.relu import ReLUNetwork
from advx.models.softmax_regression import SoftmaxRegression
from advx.models.tanh import TanhNetwork
from advx.training.loop import one_epoch
from advx.training.optimizers import SGD
from advx.training.trainer import ClassifierTask, Trainer

KEPT = {"keep_input": 1.0, "keep_hidden": 1.0}
HIDDEN = {"units": (130, 64), "init_range": 0.1, "max_column_norm": 1.05}
NETWORKS = {
    "maxout": (MaxoutNetwork, HIDDEN | KEPT | {"pieces": 3}),
    "relu": (ReLUNetwork, HIDDEN | KEPT),
    "tanh": (TanhNetwork, HIDDEN | KEPT),
    "softmax_regression": (SoftmaxRegression, {"max_column_norm": 0.4, "init_range": 0.1}),
}


def examples(dtype: torch.dtype) -> Split:
    torch.manual_seed(0)
    return Split(torch.rand(350, 1, 18, 18, dtype=dtype), torch.randint(5, (350,)))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-11), (torch.float32, 2e-4)])
def test_an_epoch_moves_the_parameters_as_in_plain_pytorch(name, dtype, close) -> None:
    """Products, maximum, tangent, momentum and column norms, in both number formats."""
    make, options = NETWORKS[name]
    torch.manual_seed(1)
    ours = make(input_shape=(1, 18, 18), classes=5, **options).to(dtype)
    theirs = plain(ours)
    train, rule = examples(dtype), SGD(learning_rate=0.3, learning_rate_divisor=1.0)
    data = Dataset("some", 5, train, train, train, fingerprint="some")
    trainer = Trainer(optimizer=rule, batch_size=100)
    row = one_epoch(ClassifierTask(trainer, ours, NoDefense(), data, 0), seed=0, epoch=1)
    torch.manual_seed(1)
    cost = plain_updates(theirs, NoDefense(), train, rule, 100)()
    assert row["training_loss"] == pytest.approx(cost.item() / 350, rel=1e-5)
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    for mine, other in pairs:
        torch.testing.assert_close(mine, other, rtol=close, atol=close)
    bound = options["max_column_norm"]
    norms = [torch.linalg.vector_norm(p, dim=1) for p in ours.parameters() if p.dim() == 2]
    assert all(bool((norm <= bound * (1 + 1e-6)).all()) for norm in norms)
    assert any(bool((norm > bound * (1 - 1e-6)).any()) for norm in norms)  # it was felt


def test_plain_networks_share_nothing_with_ours() -> None:
    ours = MaxoutNetwork(input_shape=(1, 4, 4), classes=3, units=(8,))
    before = copy.deepcopy(ours.state_dict())
    theirs = plain(ours).eval()
    x = torch.rand(6, 1, 4, 4)
    torch.testing.assert_close(theirs(x), ours.eval()(x))
    with torch.no_grad():
        for p in theirs.parameters():
            p.zero_()
    assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items())


@pytest.mark.parametrize("units", [(30, 20), (400, 300)])
def test_the_products_of_a_step_are_counted(units) -> None:
    """Forward, back to every layer's input but the first, back to every weight; small and large."""
    model = MaxoutNetwork(input_shape=(1, 10, 10), classes=7, units=units, pieces=2)
    batch = torch.rand(100, 1, 10, 10), torch.randint(7, (100,))

    def step() -> None:
        NoDefense()(model, *batch).backward()

    one, two = 2 * units[0], 2 * units[1]
    shapes = [(100, one, 100), (100, two, units[0]), (100, 7, units[1])]  # batch, out, in
    forward = 2 * sum(n * m * k for n, m, k in shapes)
    wanted = 3 * forward - 2 * 100 * one * 100
    found = products_of(step)
    assert len(found) == 8
    assert sum(2 * len(f.a) * len(f.b) * f.a.shape[1] for f in found) == wanted
    assert [(len(f.a), len(f.b), f.a.shape[1]) for f in found[:3]] == shapes
    model.zero_grad()
    assert operations_of(step) == wanted


def test_the_products_of_a_step_are_those_forward_and_back_but_to_the_images() -> None:
    model = ReLUNetwork(input_shape=(1, 8, 8), classes=4, units=(40, 30))
    images, labels = torch.rand(50, 1, 8, 8), torch.randint(4, (50,))
    found = products_of(lambda: NoDefense()(model, images, labels).backward())
    shapes = [(len(each.a), len(each.b), each.a.shape[1]) for each in found]
    assert shapes[:3] == [(50, 40, 64), (50, 30, 40), (50, 4, 30)]
    back = [(50, 30, 4), (4, 30, 50), (50, 40, 30), (30, 40, 50), (40, 64, 50)]
    assert {frozenset(each) for each in shapes[3:]} == {frozenset(each) for each in back}
    assert len(shapes) == 8


def test_limit_and_parts_of_a_step_are_work_that_can_be_repeated() -> None:
    model = ReLUNetwork(input_shape=(1, 8, 8), classes=4, units=(40, 30))
    images, labels = torch.rand(50, 1, 8, 8), torch.randint(4, (50,))
    limit = limit_of(model, NoDefense(), images, labels)
    assert (limit.products(), limit.whole()) == (None, None)  # nothing that stays in memory
    before = copy.deepcopy(model.state_dict())
    parts = parts_of(model, images, labels, Split(images, labels))
    for _ in range(2):
        for work in parts.values():
            work()
    for name, value in model.state_dict().items():  # the optimizer's rate is next to nothing
        torch.testing.assert_close(value, before[name], rtol=0, atol=1e-6)


def test_the_faster_library_computes_the_same_product() -> None:
    a, b = torch.randn(100, 300), torch.randn(200, 300)
    torch.testing.assert_close(Factors(a, b).fastest()(), a @ b.t(), rtol=1e-4, atol=1e-4)
    rate = product_rate(torch.device("cpu"), seconds=0.01)
    assert rate > 1e9
