"""Games between two networks: losses, the loop, what watches it, and the store."""

import copy
import math
import shlex

import pytest
import torch
from torch import nn

from advx.config.build import build
from advx.config.compose import composed
from advx.data import mixtures
from advx.data.dataset import Dataset, Split
from advx.data.resize import doubled, halved
from advx.errors import ConfigError, Diverged
from advx.games.base import Game
from advx.games.conditional_gan import ConditionalGAN
from advx.games.dcgan import DCGAN
from advx.games.gan import GAN
from advx.games.laplacian_gan import LaplacianLevel, collapsed, pyramid
from advx.games.losses import discriminator_loss, game_value, generator_loss
from advx.games.multilayer import MultilayerGame
from advx.games.watch import lasting, warnings, watched
from advx.run import Run, check
from advx.store.store import Store
from advx.training.obtain import Recipe
from advx.training.pair import PairTrainer
from advx.training.pair_sgd import SGDPairTrainer
from advx.training.play import game_key, new_game, play

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

    def generate(self, z, condition=None):
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
def test_three_rounds_by_hand(updates, loss) -> None:
    """k = 2, falling rate, momentum: against v ← μv − λ∇, θ ← θ + v written out."""
    data = Dataset("twelve", 2, RING.train.take(torch.arange(12)), *[RING.test] * 2)
    game = small()
    mine = copy.deepcopy(game)
    trainer = SGDPairTrainer(
        batch_size=2, generator_rate=0.3, discriminator_rate=0.2, learning_rate_divisor=1.5,
        momentum=0.4, final_momentum=0.4, discriminator_steps=2, updates=updates, loss=loss,
        max_epochs=1,
    )  # fmt: skip
    seen, drawn = [], []
    game.draw = lambda n, device="cpu": drawn.append(Game.draw(mine, n)) or drawn[-1]  # type: ignore[method-assign]
    original = trainer.minibatches
    trainer.minibatches = lambda train: (seen.append(b) or b for b in original(train))  # type: ignore[method-assign]
    trainer.fit(game, data, seed=0)
    velocity: dict[str, list[torch.Tensor]] = {}

    def gradient(cost, player):
        return torch.autograd.grad(cost, list(player.parameters()))

    def move(name, slopes, rate) -> None:
        player = getattr(mine, name)
        v = velocity.setdefault(name, [torch.zeros_like(p) for p in player.parameters()])
        with torch.no_grad():
            for p, each, slope in zip(player.parameters(), v, slopes, strict=True):
                each.mul_(0.4).sub_(rate * slope)
                p += each

    z = iter(drawn[1:])  # the first are those of the snapshots
    batches = iter(seen)
    for turn in range(3):
        decay = 1.5**-turn
        for step in (0, 1):
            x, noise = next(batches)[0], next(z)
            if step == 1 and updates == "simultaneous":
                answer = generator_loss(mine.judge(mine.generate(noise)), loss)
                g = gradient(answer, mine.generator)
            cost = discriminator_loss(mine.judge(x), mine.judge(mine.generate(noise).detach()))
            move("discriminator", gradient(cost, mine.discriminator), 0.2 * decay)
        if updates == "alternating":
            answer = generator_loss(mine.judge(mine.generate(next(z))), loss)
            g = gradient(answer, mine.generator)
        move("generator", g, 0.3 * decay)
    assert next(z, None) is None
    for a, b in zip(game.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("noise", "variance"), [("uniform", 1 / 3), ("wide_uniform", 1), ("gaussian", 1)]
)
def test_noise_has_its_variance(noise, variance) -> None:
    torch.manual_seed(0)
    z = MultilayerGame(input_shape=(2,), latent=100, noise=noise).draw(2000)
    assert z.var().item() == pytest.approx(variance, rel=0.01)
    assert abs(z.mean().item()) < 0.01
    if noise != "gaussian":
        assert z.abs().max().item() == pytest.approx((3 * variance) ** 0.5, rel=1e-3)


def test_the_original_schedule() -> None:
    config, _ = composed(["experiment=gan_samples", "scale=chapter"])
    trainer = build(config["trainer"])
    assert vars(trainer) == vars(SGDPairTrainer())
    assert trainer.updates == "simultaneous"
    optimisers = trainer.optimisers(small())
    for name, rate in (("generator", 0.1), ("discriminator", 0.05)):
        optimiser = optimisers[name]
        trainer.schedule(optimiser, 499, 126)
        trainer.schedule(optimiser, 500, 126)
        (group,) = optimiser.param_groups
        assert group["lr"] == pytest.approx(rate / 1.000004**500)
        share = 125 / 249
        assert group["momentum"] == pytest.approx((0.5 + 0.2 * share) * 1.000004)
    trainer.schedule(optimisers["generator"], 10**8, 1000)
    assert optimisers["generator"].param_groups[0]["lr"] == 1e-6


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
    def poisoned(self, z, condition=None):
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


def test_the_average_remembers_by_its_decay() -> None:
    """a ← .9 a + .1 θ after every update of G, from the first update's θ on."""
    trainer = PairTrainer(max_epochs=4, epoch_updates=1, average=0.9, batch_size=20,
                          generator_rate=0.5)  # fmt: skip
    states: list[dict[str, torch.Tensor]] = []
    game = small()

    def note(_, checkpoint) -> None:
        own = {k: v.clone() for k, v in checkpoint()["game"].items() if k.startswith("generator.")}
        states.append({k.removeprefix("generator."): v for k, v in own.items()})

    trainer.fit(game, RING, seed=0, on_epoch=note)
    for name, value in game.generator.state_dict().items():
        by_hand = states[0][name]
        for state in states[1:]:
            by_hand = 0.9 * by_hand + 0.1 * state[name]
        torch.testing.assert_close(value, by_hand)
        if value.dim() > 1:
            assert (value - states[-1][name]).abs().max() > 10 * (value - by_hand).abs().max()


@pytest.mark.parametrize("trainer", [PairTrainer, SGDPairTrainer])
@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_fewer_images_than_a_minibatch(trainer, updates) -> None:
    split = Split(torch.rand(40, 1, 8, 8), torch.arange(40) % 10)
    game = ConditionalGAN(input_shape=(1, 8, 8), classes=10)
    sizes: list[int] = []
    game.draw = lambda n, device="cpu": sizes.append(n) or Game.draw(game, n)  # type: ignore[method-assign]
    trainer(max_epochs=1, updates=updates).fit(
        game, Dataset("few", 10, split, split, split), seed=0
    )
    assert set(sizes[1:]) == {40}  # the first are the snapshots'


class Mute(Game):
    """Networks that raise without a word, or that get their weights in the first pass."""

    def __init__(self, mute: bool = True) -> None:
        super().__init__(latent=2)
        self.mute = mute
        self.generator, self.discriminator = nn.LazyLinear(2), nn.LazyLinear(1)

    def generate(self, z, condition=None):
        if self.mute:
            raise NotImplementedError
        return self.generator(z)


def test_batch_statistics_of_one_example_are_refused_before_the_game(tmp_path) -> None:
    words = ["experiment=gan_collapse", "scale=smoke", "device.threads=1", f"store={tmp_path}",
             "game.batch_norm_generator=true"]  # fmt: skip
    config, main = composed([*words, "trainer.batch_size=1"])
    check(config, main)
    with pytest.raises(ConfigError, match=r"game: cannot be played with a single example .*from 2"):
        Run(config, tmp_path, "advx run").check_models()
    config, _ = composed([*words, "trainer.batch_size=2"])
    Run(config, tmp_path, "advx run").check_models()


def test_own_networks_are_tried_in_float32_under_their_seed() -> None:
    node = {"name": "own", "_target_": "tests.games.test_games.Mute"}
    parts = {"trainer": {"_target_": "advx.training.pair.PairTrainer"},
             "defense": {"_target_": "advx.defenses.none.NoDefense"}}  # fmt: skip
    with pytest.raises(ConfigError, match=r"torch.float32 images \(NotImplementedError\)$"):
        new_game(Recipe(node, seed=0, path="game", **parts), RING)
    made = {}
    torch.set_default_dtype(torch.float64)  # the trial's images stay what the data are
    try:
        with pytest.raises(ConfigError, match="dtype"):
            new_game(Recipe(node | {"mute": False}, seed=0, path="game", **parts), RING)
    finally:
        torch.set_default_dtype(torch.float32)
    for seeds in ([0], [1, 0]):
        for seed in seeds:
            game = new_game(Recipe(node | {"mute": False}, seed=seed, path="game", **parts), RING)
            made.setdefault(seed, []).append(game.generator.weight.clone())
    assert torch.equal(*made[0])
    assert not torch.equal(made[0][0], made[1][0])


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


def test_a_warning_is_told_after_five_epochs_in_a_row() -> None:
    good = {"diversity": 1.0, "coverage": 1.0, "sureness": 0.0}
    bad = good | {"coverage": 0.1}
    assert lasting([bad] * 4) == []
    assert lasting([good] + [bad] * 5) == ["coverage"]
    assert lasting([bad] * 2 + [good] + [bad] * 3) == []
    assert lasting([bad] * 5 + [good]) == []
    assert lasting([bad | {"diversity": 0.0}] + [bad] * 4) == ["coverage"]


def test_a_collapsing_game_says_so_while_it_is_played(tmp_path, caplog) -> None:
    words = ["experiment=gan_collapse", "scale=smoke", f"store={tmp_path / 'store'}",
             "game.spread=0", "trainer.max_epochs=6", "trainer.epoch_updates=2",
             "trainer.loss=minimax", "trainer.generator_rate=1e-9"]  # fmt: skip
    config, _ = composed(words)
    run = Run(config, tmp_path, "advx run")
    run.played(run.recipe(config["game"], 0, path="game"))
    told = [r.message for r in caplog.records if "nearly the same" in r.message]
    assert [m.partition(":")[0] for m in told] == [
        "multilayer, seed 0, epoch 5", "multilayer, seed 0, at the end",
    ]  # fmt: skip


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
    assert z.var().item() == pytest.approx(1, abs=0.03)
    assert game.generate(z[:3]).shape == (3, 1, 5, 5)
    assert game.judge(images[:3]).shape == (3,)


def test_a_bound_on_the_discriminators_filters() -> None:
    game = GAN(input_shape=(1, 5, 5), discriminator_units=(12,), max_column_norm=1.5)
    filters = next(p for n, p in game.discriminator.named_parameters() if n.endswith("weight"))
    with torch.no_grad():
        filters.mul_(1e4)
    game.constrain(game.discriminator)
    torch.testing.assert_close(filters.norm(dim=1).max().item(), 1.5)


def test_a_game_that_does_not_fit_is_named(tmp_path) -> None:
    three = Dataset("three", 2, *[Split(torch.rand(9, 3), torch.zeros(9).long())] * 3)
    with pytest.raises(ConfigError, match=r"game does not fit dataset=three \(examples \(3,\)\)"):
        play(recipe(), three, Store(tmp_path))
    node = {"_target_": "torch.nn.Identity"}
    with pytest.raises(ConfigError, match="Game is needed"):
        play(Recipe(node, {}, {}, 0, "game"), RING, Store(tmp_path))


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ("experiment=gan_samples game.latent=0", "game.latent=0: .* greater than or equal to 1"),
        ("experiment=gan_samples samples=10", "samples=10: .* the 16 features .*; valid: from 17"),
        ("experiment=gan_samples dataset.limit.test=16",
         "dataset.limit.test=16: leaves 16 test images, but .* the 16 features .* from 17 test"),
        ("experiment=gan_samples classifier.units=2 dataset.limit.test=5",
         "dataset.limit.test=5: leaves 5 test images, .* the 2 features .* from 6 test images"),
        ("experiment=gan_samples layer=layers.77", "layer=layers.77: .* did you mean layers.7"),
        ("experiment=gan_collapse game=gan", "game=gan: has no batch_norm_generator; valid: multi"),
        ("experiment=gan_theory dataset=ring", "dataset=ring: .*; valid: dataset=line"),
        ("experiment=laplacian_gan dataset=faces ~dataset.limit dataset.side=30",
         "pictures of 30 × 30 cannot be halved twice"),
        ("experiment=latent_arithmetic plus=beard", "plus=beard: no class .*; valid: short hair; "),
        ("experiment=latent_arithmetic 'plus=long hair'", "four different classes are needed"),
        ("experiment=latent_arithmetic dataset.withheld=2", "valid: dataset=faces, .*=null"),
        ("experiment=latent_arithmetic dataset.withheld=8", "no such class; valid: null, 0"),
    ],
)  # fmt: skip
def test_bad_input_is_named(overrides, complaint, tmp_path) -> None:
    words = [*shlex.split(overrides), "scale=smoke", "device.threads=1", f"store={tmp_path}"]

    def attempt() -> None:
        config, main = composed(words)
        check(config, main)
        own = main.__code__.co_varnames[1 : main.__code__.co_argcount]
        run = Run(config, tmp_path, "advx run")
        run.played = lambda *_: pytest.fail("a game was played first")  # type: ignore[method-assign]
        run.trained = lambda *_: pytest.fail("a model was trained first")  # type: ignore[method-assign]
        main(run, **{key: config[key] for key in own})

    with pytest.raises(ConfigError, match=complaint):
        attempt()


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


@pytest.mark.parametrize("side", [28, 32, 64])
def test_the_convolutional_game_is_the_published_one(side) -> None:
    torch.manual_seed(0)
    game = DCGAN(input_shape=(3, side, side), filters=8)
    z = game.draw(4)
    made = game.generate(z)
    assert made.shape == (4, 3, side, side)
    assert 0 <= made.min() < made.max() <= 1
    assert game.judge(made).shape == (4,)
    norms = [m for m in game.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(m.eps, m.momentum) for m in norms} == {(1e-5, 0.1)}
    kernels = [m.kernel_size for m in game.modules()
               if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]  # fmt: skip
    assert set(kernels) == {(5, 5)}
    assert not isinstance(game.generator[-2], nn.BatchNorm2d)
    assert not isinstance(game.discriminator[1], nn.BatchNorm2d)
    assert len(norms) == {28: 3, 32: 5, 64: 7}[side]
    weight = game.generator[0].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.1)
    widths = [m.out_channels for m in game.discriminator if isinstance(m, nn.Conv2d)]
    assert widths == [8 * 2**k for k in range(len(widths))]
    assert game.features(made).shape == (4, sum(widths) * 16)


def normalized(network: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in network.modules())


@pytest.mark.parametrize("in_g", [False, True])
@pytest.mark.parametrize("in_d", [False, True])
def test_batch_normalization_stands_where_it_is_asked_for(in_g, in_d) -> None:
    """Never in G's last layer, nor, unless asked for, in D's first; without it there is a bias."""
    places = {"batch_norm_generator": in_g, "batch_norm_discriminator": in_d}
    convolutional = DCGAN(input_shape=(3, 28, 28), filters=4, **places)
    assert normalized(convolutional.generator) == 2 * in_g
    assert normalized(convolutional.discriminator) == 1 * in_d
    assert (convolutional.generator[0].bias is None) == in_g
    assert [m.bias is None for m in convolutional.discriminator if isinstance(m, nn.Conv2d)] == [
        False, in_d,
    ]  # fmt: skip
    for first in (False, True):
        plane = MultilayerGame(input_shape=(2,), batch_norm_first=first, **places)
        assert normalized(plane.generator) == 2 * in_g
        assert normalized(plane.discriminator) == (1 + first) * in_d
        assert isinstance(plane.discriminator[2], nn.BatchNorm1d) == (first and in_d)
    small_one = GAN(input_shape=(1, 5, 5), generator_units=(9, 9), batch_norm=in_g)
    assert normalized(small_one.generator) == 2 * in_g
    assert normalized(small_one.discriminator) == 0


def test_a_discriminator_normalized_from_the_first_layer_sees_no_place_and_no_size() -> None:
    """Why it is left out there: the batch moved and doubled gets the same answers."""
    torch.manual_seed(0)
    x = torch.randn(256, 2)
    moved = 2 * x + torch.tensor([5.0, -3.0])
    for first in (True, False):
        game = MultilayerGame(input_shape=(2,), batch_norm_discriminator=True,
                              batch_norm_first=first).train()  # fmt: skip
        same = torch.allclose(game.judge(x), game.judge(moved), atol=1e-3)
        assert same == first


def test_a_game_begins_where_it_is_told_to() -> None:
    torch.manual_seed(0)
    near, far = (MultilayerGame(input_shape=(1,), offset=offset) for offset in (0.0, 12.0))
    far.generator[:-2].load_state_dict(near.generator[:-2].state_dict())
    with torch.no_grad():
        far.generator[-2].weight.copy_(near.generator[-2].weight)
    z = near.draw(50)
    difference = far.generate(z) - near.generate(z)
    torch.testing.assert_close(difference, difference[:1].expand(50, 1))
    assert difference[0].item() == pytest.approx(12, abs=0.2)


def test_a_convolutional_game_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="28, 32 or 64 pixels"):
        DCGAN(input_shape=(3, 30, 30))


def test_a_conditional_game_uses_the_class() -> None:
    torch.manual_seed(0)
    game = ConditionalGAN(input_shape=(1, 4, 4), classes=3, latent=5, generator_init=0.5,
                          discriminator_init=0.5).eval()  # fmt: skip
    z, labels = game.draw(6), torch.tensor([0, 1, 2, 0, 1, 2])
    made = game.generate(z, labels)
    assert made.shape == (6, 1, 4, 4)
    assert (game.generate(z, labels.flip(0)) - made).abs().amax((1, 2, 3))[:1] > 1e-4
    one = game.generate(z[:1].expand(3, 5), torch.arange(3))
    assert (one[0] - one[1]).abs().max() > 1e-4
    said = game.judge(made, labels)
    assert said.shape == (6,)
    assert (game.judge(made, (labels + 1) % 3) - said).abs().min() > 1e-6
    with pytest.raises(ValueError, match="needs the classes"):
        game.generate(z)
    images = torch.rand(50, 1, 4, 4)
    game.adapt(images)
    bias = game.generator["both"][2].bias
    torch.testing.assert_close(bias.sigmoid(), images.flatten(1).mean(0).clamp(1e-3, 1 - 1e-3))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_a_pyramid_reconstructs(shape) -> None:
    x = torch.rand(3, *shape, dtype=torch.float64)
    coarse, residuals = pyramid(x, 2)
    assert coarse.shape == (3, shape[0], shape[1] // 4, shape[2] // 4)
    assert [r.shape[-1] for r in residuals] == [shape[1], shape[1] // 2]
    torch.testing.assert_close(collapsed(coarse, residuals), x, rtol=0, atol=1e-14)
    flat = torch.full((1, *shape), 0.3, dtype=torch.float64)
    coarse, residuals = pyramid(flat, 2)
    torch.testing.assert_close(coarse, torch.full_like(coarse, 0.3))
    assert max(r.abs().max() for r in residuals) < 1e-15
    with pytest.raises(ValueError, match="cannot halve pictures of 7 × 7"):
        pyramid(torch.rand(1, 1, 28, 28), 3)


def test_a_level_adds_a_residual_to_its_coarse_picture() -> None:
    torch.manual_seed(0)
    level = LaplacianLevel(input_shape=(1, 14, 14)).eval()
    x = torch.rand(4, 1, 14, 14)
    coarse = level.condition(x, torch.zeros(4))
    torch.testing.assert_close(coarse, doubled(halved(x)))
    z = level.draw(4)
    made = level.generate(z, coarse)
    torch.testing.assert_close(made - coarse, level.residual(z, coarse), atol=1e-6, rtol=0)
    assert (made - coarse).abs().max() < 0.2
    assert (level.generate(level.draw(4), coarse) - made).abs().max() > 1e-5
    assert level.judge(made, coarse).shape == (4,)
    with pytest.raises(ValueError, match="cannot be halved"):
        LaplacianLevel(input_shape=(1, 7, 7))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ConditionalGAN, {"classes": 2, "joint_units": 20, "class_units": 5}),
        (LaplacianLevel, {"generator_filters": 4, "discriminator_filters": 4}),
        (DCGAN, {"filters": 4}),
        (GAN, {"generator_units": (10,), "discriminator_units": (10,)}),
    ],
)
def test_every_game_can_be_played(kind, options) -> None:
    split = Split(torch.rand(40, 1, 28, 28), torch.arange(40) % 2)
    data = Dataset("noise", 2, split, split, split)
    game = kind(input_shape=(1, 28, 28), **options)
    before = {k: v.clone() for k, v in game.state_dict().items()}
    progress = PairTrainer(max_epochs=1, batch_size=10, shown=7).fit(game, data, seed=0)
    assert progress.snapshots[-1].shape == (7, 1, 28, 28)
    moved = {name for name, value in game.state_dict().items() if (value != before[name]).any()}
    for player in ("generator", "discriminator"):
        assert any(name.startswith(player) for name in moved)
    assert (
        game.generate(game.draw(3), game.condition(split.images[:3], split.labels[:3]))
        .isfinite()
        .all()
    )
