"""The predictive game: its update by hand, who moves, what is refused."""

import copy

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from advx.config.compose import composed
from advx.data.dataset import Dataset, Split
from advx.data.minibatches import full_minibatches
from advx.errors import ConfigError
from advx.games.predictive_gan import PredictiveGAN, he_initialize
from advx.run import check
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD, Adam

RATE = 0.3
TINY = {"input_shape": (4, 1, 8, 8), "history": 3, "filters": 2, "units": 3}
SMALL_D = {"discriminator_filters": 2}


def clips(count: int = 12, side: int = 8) -> Dataset:
    """A gray square that moves to the right; its brightness tells the clips apart."""
    draw = torch.Generator().manual_seed(7)
    x = torch.zeros(count, 4, 1, side, side)
    for t in range(4):
        x[:, t, :, 2:5, t : t + 3] = torch.rand(count, 1, 1, 1, generator=draw)
    split = Split(x, torch.zeros(count, dtype=torch.int64))
    return Dataset("squares", 1, split, split, split)


def tiny(weight: float, **options) -> PredictiveGAN:
    torch.manual_seed(3)
    return PredictiveGAN(**TINY | SMALL_D | {"adversarial_weight": weight} | options).double()


def stepped(game: PredictiveGAN, data: Dataset, updates: int = 1) -> dict[str, float]:
    """A few updates by plain gradient descent, all clips in every minibatch."""
    plain = SGD(learning_rate=RATE, learning_rate_divisor=1, momentum=0, final_momentum=0)
    rule = {"max_epochs": 1, "epoch_updates": updates, "snapshots": 1}
    trainer = GameTrainer(optimizer=plain, batch_size=len(data.train), **rule)
    return trainer.fit(game, data, seed=0).history[-1]


def moved(parameters: list[Tensor], loss: Tensor) -> list[Tensor]:
    """The parameters after a step of their own down the loss."""
    gradients = torch.autograd.grad(loss, parameters)
    return [(p - RATE * g).detach() for p, g in zip(parameters, gradients, strict=True)]


@pytest.fixture
def data() -> Dataset:
    found = clips()
    double = Split(found.train.images.double(), found.train.labels)
    return Dataset("squares", 1, double, double, double)


def test_an_update_is_two_steps_down_the_losses_of_the_formula(data) -> None:
    """D first, on G's frames as they were; then G, whose loss asks the D that has moved."""
    weight = 0.7
    game, before = tiny(weight), tiny(weight)
    row = stepped(game, data)

    x, y = data.train.images[:, :3], data.train.images[:, 3]
    squared_error = (before.generator(x) - y).square().sum() / y.numel()
    real = before.discriminator(torch.cat([x, y[:, None]], 1)[:, :, 0])
    fake = before.discriminator(torch.cat([x, before.generator(x).detach()[:, None]], 1)[:, :, 0])
    d_loss = softplus(-real).mean() + softplus(fake).mean()
    for found, expected in zip(
        game.discriminator.parameters(),
        moved(list(before.discriminator.parameters()), d_loss),
        strict=True,
    ):
        torch.testing.assert_close(found.detach(), expected)

    asked = copy.deepcopy(game.discriminator)
    frames = torch.cat([x, before.generator(x)[:, None]], 1)[:, :, 0]
    adversarial = softplus(-asked(frames)).mean()
    g_loss = squared_error + weight * adversarial
    for found, expected in zip(
        game.generator.parameters(),
        moved(list(before.generator.parameters()), g_loss),
        strict=True,
    ):
        torch.testing.assert_close(found.detach(), expected)

    assert row["squared_error_loss"] == pytest.approx(squared_error.item())
    assert row["discriminator_loss"] == pytest.approx(d_loss.item())
    assert row["generator_loss"] == pytest.approx(adversarial.item())
    assert row["answer_real"] == pytest.approx(real.sigmoid().mean().item())


def test_without_a_weight_there_is_no_game(data, monkeypatch) -> None:
    """D is not asked and does not move; G descends the squared error."""
    game, before = tiny(0), tiny(0)
    monkeypatch.setattr(game, "discriminate", lambda *_: pytest.fail("D was asked"))
    row = stepped(game, data)
    assert set(row) == {"epoch", "squared_error_loss", "squared_error", "plateau"}
    assert all(map(torch.equal, game.discriminator.parameters(), before.discriminator.parameters()))
    x, y = before.parted(data.train.images)
    expected = moved(list(before.generator.parameters()), (before.predict(x) - y).square().mean())
    for found, wanted in zip(game.generator.parameters(), expected, strict=True):
        torch.testing.assert_close(found.detach(), wanted)


def test_the_first_epochs_may_be_for_the_squared_error_alone(data) -> None:
    """As with weight 0 until they are over, then D moves; its columns begin there."""
    game, without = tiny(0.5, squared_error_epochs=2), tiny(0)
    states = []
    plain = SGD(learning_rate=RATE, learning_rate_divisor=1, momentum=0, final_momentum=0)
    trainer = GameTrainer(optimizer=plain, batch_size=12, max_epochs=3, snapshots=1)
    trainer.fit(without, data, seed=0, on_epoch=lambda *_: states.append(flat(without)))
    found = []
    history = trainer.fit(game, data, seed=0, on_epoch=lambda *_: found.append(flat(game))).history
    assert torch.equal(found[1], states[1])
    assert not torch.equal(found[2], states[2])
    assert ["discriminator_loss" in row for row in history] == [False, False, True]


def flat(game: PredictiveGAN) -> Tensor:
    """All parameters of both networks."""
    return torch.cat([p.detach().flatten() for p in game.parameters()])


def test_no_loss_reaches_the_other_network(data) -> None:
    """D's loss does not depend on G; what waits in D's gradients is that of D's own loss."""
    game, before = tiny(0.5), tiny(0.5)
    x, y = before.parted(data.train.images)
    fake = before.discriminate(x, before.predict(x).detach())
    of_g = torch.autograd.grad(
        fake.sum(), list(before.generator.parameters()), allow_unused=True, retain_graph=True
    )
    assert of_g == (None,) * len(of_g)
    d_loss = softplus(-before.discriminate(x, y)).mean() + softplus(fake).mean()
    expected = torch.autograd.grad(d_loss, list(before.discriminator.parameters()))
    stepped(game, data)
    for parameter, gradient in zip(game.discriminator.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_the_history_is_the_frames_before_the_last(data) -> None:
    game = tiny(0, history=2)
    x, y = game.parted(data.train.images)
    assert torch.equal(x, data.train.images[:, 1:3])
    assert torch.equal(y, data.train.images[:, 3])
    assert game.predict(x).shape == y.shape
    assert game.discriminate(x, y).shape == (12,)
    assert game.discriminator[0].in_channels == 3


def test_d_sees_the_history(data) -> None:
    """The same frame after another history gets another logit."""
    game = tiny(1)
    x, y = game.parted(data.train.images)
    assert not torch.allclose(game.discriminate(x, y), game.discriminate(x.flip(0), y))


@pytest.mark.parametrize("shape", [(6, 1, 16, 16), (6, 3, 32, 32), (3, 1, 64, 64)])
def test_networks_fit_the_frames(shape) -> None:
    game = PredictiveGAN(input_shape=shape, history=2, filters=2, units=4, **SMALL_D)
    images = torch.rand(2, *shape)
    assert game.misfit(images, torch.zeros(2)) == ""
    assert "it is for clips" in game.misfit(images[:, 1:], torch.zeros(2))
    frames = game.predict(game.parted(images)[0])
    assert frames.shape == (2, *shape[1:])
    assert 0 <= frames.min() <= frames.max() <= 1


def test_the_plateau_is_the_mean_image(data) -> None:
    """A network that gives the mean frame stands at 1; one that learns falls below the limit."""
    game = tiny(0)
    observer = game.observer(data, shown=5)
    mean = game.parted(data.train.images)[1].mean(0, keepdim=True)
    game.predict = lambda x: mean.expand(len(x), -1, -1, -1)
    assert observer.diagnose()["plateau"] == pytest.approx(1)
    assert observer.samples().shape == (5, 1, 8, 8)
    learner = tiny(0, filters=8, units=16).float()
    adam = Adam(learning_rate=0.01)
    trainer = GameTrainer(
        optimizer=adam, batch_size=12, max_epochs=3, epoch_updates=200, snapshots=3
    )
    history = trainer.fit(learner, clips(), seed=0).history
    assert history[-1]["plateau"] < game.limits["plateau"].high
    assert history[-1]["squared_error"] < history[0]["squared_error"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"history": 4}, "history=4: clips of 4 frames have no frame left to predict; valid: 1"),
        ({"input_shape": (1, 28, 28)}, r"clips \(frames, channels, side, side\) are needed"),
        ({"input_shape": (4, 1, 24, 24)}, "8, 16, 32, 64 … pixels are needed, not 24 × 24"),
        ({"input_shape": (4, 1, 4, 4)}, "pixels are needed, not 4 × 4"),
        ({"input_shape": (4, 1, 16, 8)}, "pixels are needed, not 16 × 8"),
    ],
)
def test_what_the_networks_cannot_take_is_refused(options, complaint) -> None:
    with pytest.raises(ValueError, match=complaint):
        PredictiveGAN(**TINY | options)


@pytest.mark.parametrize("words", ["game.adversarial_weight=-1", "game.history=0", "game.units=0"])
def test_options_out_of_range_are_refused_by_name(words) -> None:
    parts = ["experiment=latent_arithmetic", "dataset=heads", "game=predictive_gan", words]
    config, main = composed(parts)
    with pytest.raises(ConfigError, match=words):
        check(config, main)


def test_minibatches_are_clips(data) -> None:
    images, _ = next(full_minibatches(data.train, 5))
    assert images.shape == (5, 4, 1, 8, 8)


@pytest.mark.parametrize(
    "layer",
    [
        torch.nn.Linear(600, 400),
        torch.nn.Conv2d(32, 64, 4, 2, padding=1),
        torch.nn.ConvTranspose2d(64, 32, 4, 2, padding=1),
    ],
)
def test_relus_after_he_weights_keep_the_mean_square(layer) -> None:
    """E y² / 2 = E x² for y = W x, E x² being over rectified inputs; padding's edges left out."""
    torch.manual_seed(0)
    he_initialize(layer)
    shape = (64, 600) if isinstance(layer, torch.nn.Linear) else (16, layer.in_channels, 16, 16)
    x = torch.randn(shape).relu()
    y = layer(x).detach()
    inner = y if y.dim() == 2 else y[:, :, 2:-2, 2:-2]
    assert inner.square().mean() / 2 == pytest.approx(x.square().mean().item(), rel=0.05)
    assert not layer.bias.any()


def test_he_weights_are_those_of_g_alone() -> None:
    made = []
    for name in ("uniform", "he"):
        torch.manual_seed(0)
        made.append(PredictiveGAN(input_shape=(6, 1, 16, 16), initialization=name))
    uniform, he = (dict(game.generator.named_parameters()) for game in made)
    for name, parameter in uniform.items():
        assert torch.equal(parameter, he[name]) == name.startswith("memory"), name
