"""Recorded updates against single launches: on a GPU where there is one, and everywhere else with
a stand-in for CUDA's graph that repeats what was recorded on the CPU."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from advx.attacks.virtual_direction import virtual_adversarial_direction
from advx.data.dataset import Dataset, Split
from advx.defenses.adversarial_training import AdversarialTraining
from advx.defenses.distillation import HighTemperature
from advx.defenses.label_smoothing import LabelSmoothing
from advx.defenses.none import NoDefense
from advx.defenses.virtual_adversarial import VirtualAdversarial
from advx.defenses.weight_decay import WeightDecay
from advx.models.base import constrain
from advx.models.maxout import MaxoutNetwork
from advx.models.relu_batch_norm import BatchNormReLUNetwork
from advx.training import cuda_graph
from advx.training.cuda_graph import LAUNCHED_FIRST, RecordedUpdates, repeats
from advx.training.loop import one_epoch
from advx.training.optimizers import SGD, LinearDecay
from advx.training.trainer import ClassifierTask, Trainer

SHAPE = (1, 6, 6)


class StandInGraph:
    """What `torch.cuda.CUDAGraph` does: recording moves nothing, replaying repeats the kernels."""

    repeat: Callable[[], None]

    def replay(self) -> None:
        self.repeat()


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ClassifierTask:
    """A network on the CPU whose updates are recorded by the stand-in."""
    made = small_task(SGD(learning_rate=0.05, learning_rate_divisor=1.01, momentum_epochs=4))
    record_on_the_cpu(made, monkeypatch)
    return made


def small_task(optimizer: SGD | LinearDecay, examples: int = 57) -> ClassifierTask:
    torch.manual_seed(0)
    images, labels = torch.rand(examples, *SHAPE), torch.arange(examples) % 3
    split = Split(images, labels)
    network = MaxoutNetwork(input_shape=SHAPE, classes=3, units=(5, 4), pieces=2, init_range=0.3)
    trainer = Trainer(optimizer=optimizer, batch_size=10, max_epochs=3)
    data = Dataset("made up", 3, split, split, split)
    return ClassifierTask(trainer, network, NoDefense(), data, 0)


def record_on_the_cpu(task: ClassifierTask, monkeypatch: pytest.MonkeyPatch) -> RecordedUpdates:
    recorded = RecordedUpdates(task.move, task.optimizer)

    @contextmanager
    def recording(graph: StandInGraph) -> Iterator[None]:
        before = copy.deepcopy((task.module.state_dict(), task.optimizer.optimizer.state_dict()))
        rates = [(group["lr"], group["momentum"]) for group in recorded.groups]
        random = torch.get_rng_state()

        def repeat() -> None:
            now = [(group["lr"], group["momentum"]) for group in recorded.groups]
            set_rates(recorded.groups, rates)
            recorded.cost.copy_(task.move(recorded.images, recorded.labels))
            set_rates(recorded.groups, now)

        graph.repeat = repeat
        yield
        torch.set_rng_state(random)
        with torch.no_grad():
            for name, value in task.module.state_dict().items():
                value.copy_(before[0][name])
            for state, old in zip(
                task.optimizer.optimizer.state.values(), before[1]["state"].values(), strict=True
            ):
                state["momentum_buffer"].copy_(old["momentum_buffer"])

    monkeypatch.setattr(cuda_graph.torch.cuda, "CUDAGraph", StandInGraph)
    monkeypatch.setattr(cuda_graph.torch.cuda, "graph", recording)
    monkeypatch.setattr(cuda_graph.torch.cuda, "device", lambda device: recording(StandInGraph()))
    task.moved = recorded
    return recorded


def set_rates(groups: list[dict], rates: list[tuple]) -> None:
    for group, (rate, momentum) in zip(groups, rates, strict=True):
        group["lr"], group["momentum"] = rate, momentum


def epochs(task: ClassifierTask, count: int = 3) -> tuple[list[float], Tensor]:
    rows = [one_epoch(task, 0, epoch)["training_loss"] for epoch in range(1, count + 1)]
    return rows, torch.cat([p.detach().flatten() for p in task.module.parameters()])


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(learning_rate=0.05, learning_rate_divisor=1.01, momentum_epochs=4),
        LinearDecay(learning_rate=0.05, decay_epochs=5, momentum_epochs=3),
    ],
)
def test_recorded_updates_are_those_of_single_launches(optimizer, monkeypatch) -> None:
    """Rates that fall, momenta that rise, and a last minibatch that is smaller."""
    expected = epochs(small_task(optimizer))
    task = small_task(optimizer)
    record_on_the_cpu(task, monkeypatch)
    found = epochs(task)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    torch.testing.assert_close(found[1], expected[1], rtol=1e-4, atol=1e-6)


def test_momenta_are_recorded_anew_once_an_epoch(task) -> None:
    made = []
    record = task.moved.record
    task.moved.record = lambda *a: (made.append(1), record(*a))
    epochs(task, 5)
    assert len(made) == 4  # momentum_epochs=4: the last two epochs share theirs


def test_rates_are_numbers_again_after_recording(task) -> None:
    """The schedule divides them, and a checkpoint holds them."""
    epochs(task, 1)
    assert all(isinstance(group["lr"], float) for group in task.optimizer.optimizer.param_groups)


def test_what_cannot_be_recorded_leaves_the_rates(task, monkeypatch) -> None:
    @contextmanager
    def refuse(graph: object) -> Iterator[None]:
        yield
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(cuda_graph.torch.cuda, "graph", refuse)
    with pytest.raises(RuntimeError):
        epochs(task, 1)
    assert all(isinstance(group["lr"], float) for group in task.optimizer.optimizer.param_groups)


def test_the_first_updates_are_launched(task) -> None:
    images, labels = torch.rand(10, *SHAPE), torch.arange(10) % 3
    for update in range(LAUNCHED_FIRST):
        task.update((images, labels), update, 1)
        assert task.moved.graph is None
    task.update((images, labels), LAUNCHED_FIRST, 1)
    assert task.moved.graph is not None


class Warmed(NoDefense):
    """A user's loss that changes its mind: its parent's promise is not its own."""

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return super().__call__(model, images, labels)


class OwnLayer(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.mean() > 0 else -x


PROMISING = [
    NoDefense(),
    LabelSmoothing(),
    WeightDecay(coefficient=0.1),
    AdversarialTraining(),
    AdversarialTraining(steps=3, random_start=True),
    AdversarialTraining(perturbation="sign_noise"),
    HighTemperature(temperature=2.0),
]


@pytest.mark.parametrize("loss", [*PROMISING, AdversarialTraining(norm="l2")])
@pytest.mark.parametrize("kind", [MaxoutNetwork, BatchNormReLUNetwork])
def test_who_promises_asks_for_no_number(loss, kind) -> None:
    """On a device that holds no numbers whoever asks for one fails."""
    with torch.device("meta"):
        network = kind(input_shape=SHAPE, classes=3, units=(5,))
        loss(network, torch.empty(10, *SHAPE), torch.zeros(10, dtype=torch.int64)).backward()
        constrain(network)
    assert all(p.grad is not None for p in network.parameters())


def test_a_virtual_direction_asks_for_no_number() -> None:
    with torch.device("meta"):
        network = MaxoutNetwork(input_shape=SHAPE, classes=3, units=(5,))
        images = torch.empty(10, *SHAPE)
        for xi in (None, 0.1):
            found = virtual_adversarial_direction(network, images, images, 1, "l2", xi)
            assert found.shape == images.shape


@pytest.mark.parametrize(
    "asks", [lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: x.any() or 1]
)
def test_asking_is_found(asks) -> None:
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        asks(torch.rand(3, device="meta"))


def test_only_what_always_launches_the_same_is_recorded() -> None:
    network = MaxoutNetwork(input_shape=SHAPE, classes=3, units=(5,), pieces=2)
    assert all(repeats(network, loss) for loss in PROMISING)
    assert repeats(BatchNormReLUNetwork(input_shape=SHAPE, classes=3, units=(5,)), NoDefense())
    others = [Warmed(), VirtualAdversarial(), AdversarialTraining(norm="l2"), lambda *_: None]
    assert not any(repeats(network, loss) for loss in others)


def test_a_network_with_code_of_its_own_is_not_recorded() -> None:
    assert repeats(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), NoDefense())
    own = nn.Sequential(nn.Flatten(), OwnLayer(), nn.Linear(36, 3))
    assert not repeats(own, NoDefense())
    hooked = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    hooked[1].register_forward_hook(lambda *_: None)
    assert not repeats(hooked, NoDefense())


def test_a_layer_that_counts_on_the_gpu_is_not_recorded() -> None:
    for momentum, expected in ((0.1, True), (None, False)):
        layers = (nn.Flatten(), nn.BatchNorm1d(36, momentum=momentum), nn.Linear(36, 3))
        assert repeats(nn.Sequential(*layers), NoDefense()) is expected
    assert not repeats(nn.Sequential(nn.Embedding(3, 3, max_norm=1.0)), NoDefense())


def test_the_usual_minibatch_is_recorded_though_a_smaller_one_comes_after_the_first(task) -> None:
    sizes = [10, 10, 10, 4, 10]
    for update, size in enumerate(sizes):
        task.update((torch.rand(size, *SHAPE), torch.arange(size) % 3), update, 1)
        assert (task.moved.graph is not None) == (update == 4)
    assert len(task.moved.images) == 10


def test_nothing_is_recorded_on_a_cpu() -> None:
    assert not isinstance(small_task(SGD()).moved, RecordedUpdates)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    "loss",
    [NoDefense(), LabelSmoothing(), AdversarialTraining(), AdversarialTraining(steps=3)],
    ids=["none", "smoothing", "one step", "several"],
)
def test_on_a_gpu(loss) -> None:
    """Losses and parameters of two epochs agree, dropout masks and all."""
    found = []
    for recorded in (False, True):
        task = small_task(SGD(learning_rate=0.05), examples=200)
        split = Split(task.data.train.images.cuda(), task.data.train.labels.cuda())
        data = Dataset("made up", 3, split, split, split)
        task = ClassifierTask(task.trainer, task.module.cuda(), loss, data, 0)
        assert isinstance(task.moved, RecordedUpdates)
        if not recorded:
            task.moved = task.move
        found.append(epochs(task, 2))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-3, atol=1e-5)
