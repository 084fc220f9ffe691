"""Domain-adversarial training: its losses, its three ways, its schedule, its blindness."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.games.domain_adversarial import DomainAdversarial, WayName
from advx.games.players import Players
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD, Optimizer

RATE = 0.05
SHAPE = (1, 16, 16)


def plain(rate: float = RATE) -> Optimizer:
    return SGD(learning_rate=rate, learning_rate_divisor=1, momentum=0, final_momentum=0)


def small(**options) -> DomainAdversarial:
    torch.manual_seed(1)
    made = DomainAdversarial(
        input_shape=SHAPE, classes=3, channels=(3, 4), units=(6,), critic_units=5, **options
    )
    return made.train()


def players_of(game: DomainAdversarial) -> Players:
    rule = plain()
    return Players({n: rule.attach(getattr(game, n), lambda: None) for n in game.players})


def minibatch(n: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(2)
    source, target = (torch.rand(n, *SHAPE, generator=draw) for _ in range(2))
    return source, torch.arange(n) % 3, target


def steps_by_hand(game: DomainAdversarial, way: str, strength: float) -> dict[str, list[Tensor]]:
    """Every player's parameters after one step, from gradients that PyTorch is asked for apart."""
    x, classes, other = minibatch()
    domains = torch.tensor([0] * len(x) + [1] * len(other))
    nll = nn.CrossEntropyLoss()

    def losses() -> tuple[Tensor, Tensor]:
        codes = game.features(torch.cat([x, other]) - game.mean)
        return nll(game.predictor(codes[: len(x)]), classes), nll(game.critic(codes), domains)

    def moved(name: str, loss: Tensor) -> list[Tensor]:
        own = list(getattr(game, name).parameters())
        slopes = torch.autograd.grad(loss, own, retain_graph=True)
        return [p.detach() - RATE * s for p, s in zip(own, slopes, strict=True)]

    label, domain = losses()
    result = {"predictor": moved("predictor", label), "critic": moved("critic", domain)}
    if way == "alternating":
        with torch.no_grad():
            for p, value in zip(game.critic.parameters(), result["critic"], strict=True):
                p.copy_(value)
        label, domain = losses()
    return result | {"features": moved("features", label - strength * domain)}


@pytest.mark.parametrize("way", ["reversal", "alternating", "simultaneous"])
@pytest.mark.parametrize("strength", [0.7, 0.0, -0.5])
def test_one_update_by_hand(way: WayName, strength: float) -> None:
    game = small(way=way, strength=strength, steepness=None)
    expected = steps_by_hand(small(way=way), way, strength)
    found = game.update(iter([minibatch()]), players_of(game))
    for name, values in expected.items():
        for p, value in zip(getattr(game, name).parameters(), values, strict=True):
            torch.testing.assert_close(p.detach(), value)
    assert found["strength"].item() == pytest.approx(strength)
    assert found["label_loss"].item() == pytest.approx(math.log(3), abs=0.3)


class Times(nn.Module):
    """Its one parameter times the input."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([value]))

    def forward(self, x: Tensor) -> Tensor:
        return self.value * x.flatten(1)


class TwoLogits(Times):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.tensor([-0.5, 0.5])


class Anything(nn.Module):
    """Logits that do not depend on the features."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(len(x), 2)


@pytest.mark.parametrize("way", ["reversal", "alternating", "simultaneous"])
def test_critic_and_features_move_in_opposite_directions_around_a_known_saddle(way) -> None:
    """Source at −1, target at +1, features u x, critic v f: L_d = log(1 + exp(−u v)), whose saddle
    is the origin. The critic goes up the product u v and the features go down, so that (u, v) turns
    around the saddle: the two steps are written down here."""
    game = DomainAdversarial(
        input_shape=SHAPE, classes=2, way=way, strength=0.8, steepness=None
    ).train()
    game.mean = torch.zeros(1)
    game.features, game.critic, game.predictor = Times(0.5), TwoLogits(0.4), Anything()
    players = players_of(game)
    batch = (-torch.ones(4, 1), torch.tensor([0, 1, 0, 1]), torch.ones(4, 1))
    u, v = 0.5, 0.4
    for _ in range(20):
        sigma = 1 / (1 + math.exp(u * v))
        new_v = v + RATE * u * sigma
        against = new_v if way == "alternating" else v
        new_u = u - 0.8 * RATE * against / (1 + math.exp(u * against))
        assert (new_v - v) * u > 0 > (new_u - u) * against
        u, v = new_u, new_v
        game.update(iter([batch]), players)
        assert game.features.value.item() == pytest.approx(u, abs=1e-6)
        assert game.critic.value.item() == pytest.approx(v, abs=1e-6)


def test_the_strength_is_its_formula() -> None:
    game = small()
    for p in (0.0, 0.1, 0.5, 1.0):
        assert game.strength_at(p) == pytest.approx(2 / (1 + math.exp(-10 * p)) - 1)
        assert game.strength_at(p) == pytest.approx(math.tanh(5 * p))
    assert small(strength=-2.0).strength_at(1.0) == pytest.approx(-1.99982, abs=1e-4)
    assert small(strength=0.3, steepness=None).strength_at(0.0) == 0.3


def two_domains(n: int = 30, m: int = 20) -> Dataset:
    draw = torch.Generator().manual_seed(0)
    images, groups = torch.rand(n + m, *SHAPE, generator=draw), (torch.arange(n + m) >= n).long()
    images[n:] = 1 - images[n:] / 2
    split = Split(images, torch.arange(n + m) % 3, groups)
    source = split.take(torch.arange(n))
    return Dataset("two", 3, split, source, split, group_names=("source", "target"))


@pytest.mark.parametrize("way", ["reversal", "alternating"])
@pytest.mark.parametrize("network", ["plain", "bn"])
def test_labels_of_the_target_are_never_used(way, network) -> None:
    """Poisoned, they leave every byte of the training as it was, its history included."""
    data = two_domains()
    labels = data.train.labels.clone()
    labels[30:] = 999
    poisoned = replace(data, train=replace(data.train, labels=labels), fingerprint="")
    found = []
    for each in (data, poisoned):
        game = small(way=way, network=network, stop_on_source=True)
        game.adapt(each.train.images)
        trainer = GameTrainer(optimizer=plain(), max_epochs=2, batch_size=8, shown=2)
        found.append((trainer.fit(game, each, seed=3).history, game.state_dict()))
    assert found[0][0] == found[1][0]
    assert all(map(torch.equal, found[0][1].values(), found[1][1].values()))


def test_minibatches_are_half_source_half_target() -> None:
    data = two_domains()
    game = small()
    drawn = game.minibatches(data.train, 12)
    first = data.train.images.flatten(1)
    seen_source, seen_target = set(), set()
    for _ in range(10):
        source, classes, target = next(drawn)
        assert (len(source), len(classes), len(target)) == (6, 6, 6)
        for image, label in zip(source, classes, strict=True):
            row = int((first == image.flatten()).all(1).nonzero())
            assert row < 30
            assert label == data.train.labels[row]
            seen_source.add(row)
        seen_target |= {int((first == x.flatten()).all(1).nonzero()) for x in target}
    assert seen_source == set(range(30))
    assert seen_target == set(range(30, 50))


def test_the_last_epoch_is_left_unless_the_source_is_to_choose() -> None:
    data = two_domains()
    game = small()
    assert math.isnan(game.validation_error(data.validation))
    chosen = small(stop_on_source=True).eval()
    wrong = (chosen(data.validation.images).argmax(1) != data.validation.labels).double().mean()
    assert chosen.validation_error(data.validation) == pytest.approx(100 * wrong.item())
    row = game.eval().observer(data, 5).diagnose()
    assert set(row) == {"source_error", "critic_error"}
    assert all(0 <= value <= 100 for value in row.values())


def test_data_without_two_domains_and_small_images_are_refused() -> None:
    data = two_domains()
    for groups in (None, torch.zeros(50, dtype=torch.int64)):
        alone = replace(data, train=replace(data.train, groups=groups), fingerprint="")
        with pytest.raises(ConfigError, match="needs training examples of two domains"):
            GameTrainer(max_epochs=1).fit(small(), alone, seed=0)
    with pytest.raises(ValueError, match="two convolutions and poolings leave nothing"):
        DomainAdversarial(input_shape=(1, 15, 15))
    assert (
        small().misfit(torch.zeros(2, 3, 16, 16), torch.zeros(2)) == "it is for images (1, 16, 16)"
    )


def test_the_published_layers() -> None:
    game = DomainAdversarial(input_shape=(3, 28, 28))
    sizes = {name: [p.numel() for p in getattr(game, name).parameters()] for name in game.players}
    assert sizes == {
        "features": [32 * 3 * 25, 32, 48 * 32 * 25, 48],
        "predictor": [768 * 100, 100, 100 * 100, 100, 100 * 10, 10],
        "critic": [768 * 100, 100, 100 * 2, 2],
    }
