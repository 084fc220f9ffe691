"""Games between two networks: losses, the loop, what watches it, and the store."""

import copy
import math

import pytest
import torch
from torch import nn

from advx.data import mixtures
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError, Diverged
from advx.games.base import Game
from advx.games.gan import GAN
from advx.games.losses import discriminator_loss, game_value, generator_loss
from advx.games.multilayer import MultilayerGame
from advx.games.watch import warnings, watched
from advx.store.store import Store
from advx.training.obtain import Recipe
from advx.training.pair import PairTrainer
from advx.training.pair_sgd import SGDPairTrainer
from advx.training.play import game_key, play

RING = mixtures.ring(train=1_000, test=200)


def small(**options) -> MultilayerGame:
    torch.manual_seed(1)
    return MultilayerGame(input_shape=(2,), latent=4, generator_units=(16,),
                          discriminator_units=(16,), **options)  # fmt: skip


def test_losses_are_those_of_the_probabilities() -> None:
    real, fake = torch.randn(50).double() * 3, torch.randn(40).double() * 3
    d_real, d_fake = real.sigmoid(), fake.sigmoid()
    value = d_real.log().mean() + (1 - d_fake).log().mean()
    torch.testing.assert_close(game_value(real, fake), value)
    torch.testing.assert_close(discriminator_loss(real, fake), -value)
    minimax, non_saturating = (1 - d_fake).log().mean(), -d_fake.log().mean()
    torch.testing.assert_close(generator_loss(fake, "minimax"), minimax)
    torch.testing.assert_close(generator_loss(fake, "non_saturating"), non_saturating)
    blended = 0.75 * non_saturating + 0.25 * minimax
    torch.testing.assert_close(generator_loss(fake, "blended", blend=0.25), blended)
    half = torch.zeros(7)
    assert game_value(half, half).item() == pytest.approx(-math.log(4))


@pytest.mark.parametrize(
    ("name", "gradient"),
    [("minimax", lambda d: -d), ("non_saturating", lambda d: d - 1)],
)
def test_gradients_in_the_logit(name, gradient) -> None:
    s = torch.linspace(-30, 30, 61, dtype=torch.float64, requires_grad=True)
    generator_loss(s, name).backward()
    torch.testing.assert_close(s.grad * len(s), gradient(s.detach().sigmoid()))
    s.grad = None
    discriminator_loss(s, s.detach()).backward()  # real examples are to get larger logits
    torch.testing.assert_close(s.grad * len(s), s.detach().sigmoid() - 1)
    far = torch.tensor([-200.0, 200.0], requires_grad=True)
    generator_loss(far, name).backward()
    assert far.grad.isfinite().all()


class Fixed(Game):
    """A generator with nothing to learn but a shift, far from the data."""

    def __init__(self) -> None:
        super().__init__(latent=2)
        self.shift = nn.Parameter(torch.tensor([5.0, 5.0]))
        self.generator = nn.ParameterList([self.shift])
        self.discriminator = nn.Linear(2, 1)

    def generate(self, z, labels=None):
        return z + self.shift


def test_real_is_one_and_generated_is_zero() -> None:
    game = Fixed()
    trainer = PairTrainer(max_epochs=20, generator_rate=1e-9, discriminator_rate=0.1, batch_size=50)
    trainer.fit(game, RING, seed=0)
    fake = game.generate(game.draw(200))
    assert game.judge(RING.test.images).sigmoid().mean() > 0.95
    assert game.judge(fake).sigmoid().mean() < 0.05


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_one_round_by_hand(updates, loss) -> None:
    """One round with k = 2 against the same written out with plain SGD."""
    data = Dataset("four", 2, RING.train.take(torch.arange(4)), *[RING.test] * 2)
    game = small()
    mine = copy.deepcopy(game)
    trainer = SGDPairTrainer(
        batch_size=2, learning_rate=0.3, learning_rate_divisor=1.0, momentum=0.0,
        final_momentum=0.0, discriminator_steps=2, updates=updates, loss=loss, max_epochs=1,
    )  # fmt: skip
    seen, drawn = [], []
    game.draw = lambda n, device="cpu": drawn.append(Game.draw(mine, n)) or drawn[-1]  # type: ignore[method-assign]
    original = trainer.minibatches
    trainer.minibatches = lambda train: (seen.append(b) or b for b in original(train))  # type: ignore[method-assign]
    trainer.fit(game, data, seed=0)
    z = drawn[1:]  # the first are those of the snapshots
    for k in (0, 1):
        if k == 1 and updates == "simultaneous":
            cost = generator_loss(mine.judge(mine.generate(z[1])), loss)
            g = torch.autograd.grad(cost, list(mine.generator.parameters()))
        cost = discriminator_loss(mine.judge(seen[k][0]), mine.judge(mine.generate(z[k]).detach()))
        d = torch.autograd.grad(cost, list(mine.discriminator.parameters()))
        with torch.no_grad():
            for p, slope in zip(mine.discriminator.parameters(), d, strict=True):
                p -= 0.3 * slope
    if updates == "alternating":
        cost = generator_loss(mine.judge(mine.generate(z[2])), loss)
        g = torch.autograd.grad(cost, list(mine.generator.parameters()))
    assert len(z) == (3 if updates == "alternating" else 2)
    with torch.no_grad():
        for p, slope in zip(mine.generator.parameters(), g, strict=True):
            p -= 0.3 * slope
    for a, b in zip(game.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def recipe(**trainer) -> Recipe:
    node = {
        "name": "multilayer", "_target_": "advx.games.multilayer.MultilayerGame",
        "input_shape": [2], "latent": 4, "generator_units": [16], "discriminator_units": [16],
        "batch_norm_generator": True,
    }  # fmt: skip
    rule = {"_target_": "advx.training.pair.PairTrainer", "max_epochs": 4, "batch_size": 50,
            "snapshots": 2, "shown": 30}  # fmt: skip
    return Recipe(node, rule | trainer, {"_target_": "advx.defenses.none.NoDefense"}, 0, "game")


class Killed(Exception):
    pass


@pytest.mark.parametrize("options", [{}, {"average": 0.9}, {"discriminator_steps": 2}])
def test_a_killed_game_continues_to_the_same_bytes(options, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("advx.training.play.CHECKPOINT_SECONDS", 0.0)
    whole = play(recipe(**options), RING, Store(tmp_path / "whole"))

    def kill(progress) -> None:
        if progress.epoch == 2:
            raise Killed

    store = Store(tmp_path / "killed")
    with pytest.raises(Killed):
        play(recipe(**options), RING, store, kill)
    seen = []
    resumed = play(recipe(**options), RING, store, lambda p: seen.append(p.epoch))
    assert seen == [3, 4]
    assert resumed.history == whole.history
    assert resumed.snapshot_epochs == whole.snapshot_epochs == [0, 2, 4]
    torch.testing.assert_close(resumed.snapshots, whole.snapshots, rtol=0, atol=0)
    for a, b in zip(resumed.game.state_dict().values(), whole.game.state_dict().values(),
                    strict=True):  # fmt: skip
        assert torch.equal(a, b)
    again = play(recipe(**options), RING, store, lambda _: pytest.fail("played again"))
    assert again.history == whole.history
    z = torch.randn(5, 4)
    assert torch.equal(again.game.generate(z), whole.game.generate(z))
    files = [s / "models" / game_key(recipe(**options), RING) / "weights.pt"
             for s in (tmp_path / "whole", tmp_path / "killed")]  # fmt: skip
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_nan_stops_the_game_and_its_last_good_epoch_is_kept(tmp_path, monkeypatch) -> None:
    def poisoned(self, z, labels=None):
        made = MultilayerGame.__mro__[1].generate(self, z)
        return made * math.nan if self.training and play.poison else made

    def poison(progress) -> None:
        play.poison = progress.epoch == 2

    play.poison = False
    monkeypatch.setattr(MultilayerGame, "generate", poisoned, raising=False)
    store = Store(tmp_path)
    with pytest.raises(Diverged, match=r"discriminator became nan in epoch 3; the checkpoint"):
        play(recipe(), RING, store, poison)
    kept = store.checkpoint(game_key(recipe(), RING))
    assert kept["progress"]["epoch"] == 2
    assert all(v.isfinite().all() for v in kept["game"].values())
    play.poison = False
    assert len(play(recipe(), RING, store).history) == 4
    del play.poison


def test_a_moving_average_is_what_is_kept() -> None:
    game, states = small(), []
    trainer = PairTrainer(max_epochs=1, epoch_updates=3, average=0.5, batch_size=20)
    original = trainer._average

    def spy(game, progress) -> None:
        states.append({k: v.clone() for k, v in game.generator.state_dict().items()})
        original(game, progress)

    trainer._average = spy  # type: ignore[method-assign]
    trainer.fit(game, RING, seed=0)
    for name, value in game.generator.state_dict().items():
        first, second, third = (s[name] for s in states)
        torch.testing.assert_close(value, 0.25 * first + 0.25 * second + 0.5 * third)


def test_what_the_watch_sees() -> None:
    real = RING.train.images[:256]
    sure, unsure = torch.full((256,), 6.0), torch.zeros(256)
    fine = watched(real, RING.train.images[256:512], unsure, unsure)
    assert fine["diversity"] == pytest.approx(1, abs=0.1)
    assert fine["coverage"] > 0.9
    assert fine["sureness"] == 0
    point = watched(real, real[:1].expand(256, 2), sure, -sure)
    assert point["diversity"] == 0
    assert point["coverage"] < 0.2
    assert point["sureness"] == 1
    assert watched(real, real, sure, sure)["sureness"] == 0.5
    images = torch.rand(64, 1, 4, 4)
    black = watched(images, torch.zeros_like(images), unsure[:64], unsure[:64])
    assert black["contrast"] == 0
    history = [{"epoch": 1} | point, {"epoch": 2} | fine, {"epoch": 3} | point | {"sureness": 0.0}]
    found = {w["warning"]: w for w in warnings(history)}
    assert found["diversity"]["epochs"] == 2
    assert found["diversity"]["at_the_end"]
    assert (found["sureness"]["first"], found["sureness"]["at_the_end"]) == (1, False)
    assert "contrast" not in found
    assert "contrast" not in point


def test_a_game_made_to_collapse_is_flagged() -> None:
    """Minimax against a discriminator that has won already: G stays where it began."""
    game = small(spread=0.0)
    trainer = PairTrainer(max_epochs=3, discriminator_rate=0.05, generator_rate=1e-6,
                          loss="minimax", batch_size=50)  # fmt: skip
    progress = trainer.fit(game, RING, seed=0)
    found = {w["warning"]: w["at_the_end"] for w in warnings(progress.history)}
    assert found["diversity"]
    assert found["coverage"]


def test_the_original_game_starts_as_described() -> None:
    images = torch.rand(100, 1, 5, 5)
    images[:, :, 0] = 0
    game = GAN(input_shape=(1, 5, 5), latent=10, generator_units=(20, 20),
               discriminator_units=(12, 12))  # fmt: skip
    game.adapt(images)
    mean = images.flatten(1).mean(0).clamp(1e-3, 1 - 1e-3)
    torch.testing.assert_close(game.pixels.bias.sigmoid(), mean)
    weights = [p for n, p in game.generator.named_parameters() if n.endswith("weight")]
    assert [tuple(w.shape) for w in weights] == [(20, 10), (20, 20), (25, 20)]
    assert all(0.04 < w.abs().max() <= 0.05 for w in weights)
    critic = [p for n, p in game.discriminator.named_parameters() if n.endswith("weight")]
    assert [tuple(w.shape) for w in critic] == [(60, 25), (60, 12), (1, 12)]
    assert all(w.abs().max() <= 0.005 for w in critic)
    z = game.draw(1000)
    assert z.min() >= -1
    assert z.max() <= 1
    assert z.var().item() == pytest.approx(1 / 3, abs=0.02)
    with torch.no_grad():
        critic[0].mul_(1e4)
    game.constrain(game.discriminator)
    assert critic[0].norm(dim=1).max() <= 1.9365 + 1e-5
    assert game.generate(z[:3]).shape == (3, 1, 5, 5)
    assert game.judge(images[:3]).shape == (3,)


def test_a_game_that_does_not_fit_is_named(tmp_path) -> None:
    three = Dataset("three", 2, *[Split(torch.rand(9, 3), torch.zeros(9).long())] * 3)
    with pytest.raises(ConfigError, match=r"game does not fit dataset=three \(examples \(3,\)\)"):
        play(recipe(), three, Store(tmp_path))
    node = {"_target_": "torch.nn.Identity"}
    with pytest.raises(ConfigError, match="Game is needed"):
        play(Recipe(node, {}, {}, 0, "game"), RING, Store(tmp_path))


@pytest.mark.parametrize("data", [mixtures.ring(train=4000), mixtures.grid(train=4000)])
def test_mixtures_have_their_means_and_deviations(data) -> None:
    assert data.classes in (8, 25)
    for mode in range(data.classes):
        points = data.train.images[data.train.labels == mode]
        spread = 0.02 if data.classes == 8 else 0.05
        angle = torch.tensor(2 * math.pi * mode / 8)
        mean = (
            2 * torch.stack([angle.cos(), angle.sin()])
            if data.classes == 8
            else torch.tensor([-4.0 + 2 * (mode // 5), -4.0 + 2 * (mode % 5)])
        )
        torch.testing.assert_close(points.mean(0), mean, atol=0.02, rtol=0)
        torch.testing.assert_close(points.std(0), torch.tensor([spread] * 2), rtol=0.25, atol=0)
    assert data.fingerprint != mixtures.ring(train=4000, deviation=0.03).fingerprint
    assert data.test.digest() != data.train.digest()
