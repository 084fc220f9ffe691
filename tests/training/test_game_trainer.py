"""The loop of a game between two networks, replayed by hand."""

import copy

import pytest
import torch
from torch import nn

from advx.config.build import build
from advx.config.compose import composed
from advx.data.dataset import Dataset, Split
from advx.games.conditional_gan import ConditionalGAN
from advx.games.generative import GenerativeGame
from advx.games.losses import discriminator_loss, generator_loss
from advx.training.game_trainer import GameTask, GameTrainer
from advx.training.optimizers import SGD, Adam
from tests.toy_games import RING, small


class Fixed(GenerativeGame):
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
    rates = {"generator": {"learning_rate": 1e-9}, "discriminator": {"learning_rate": 0.1}}
    trainer = GameTrainer(max_epochs=20, optimizers=rates, batch_size=50)
    trainer.fit(game, RING, seed=0)
    fake = game.generate(game.draw(200))
    assert game.discriminate(RING.test.images).sigmoid().mean() > 0.95
    assert game.discriminate(fake).sigmoid().mean() < 0.05


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_three_rounds_by_hand(updates, loss) -> None:
    """k = 2, falling rate, momentum: against v ← μv − λ∇, θ ← θ + v written out."""
    data = Dataset("twelve", 2, RING.train.take(torch.arange(12)), *[RING.test] * 2)
    game = small(discriminator_steps=2, updates=updates, loss=loss)
    mine = copy.deepcopy(game)
    sgd = SGD(learning_rate=0.3, learning_rate_divisor=1.5, momentum=0.4, final_momentum=0.4)
    trainer = GameTrainer(
        optimizer=sgd,
        optimizers={"discriminator": {"learning_rate": 0.2}},
        batch_size=2,
        max_epochs=1,
    )
    seen, drawn = [], []
    game.draw = lambda n, device="cpu": drawn.append(GenerativeGame.draw(mine, n)) or drawn[-1]  # type: ignore[method-assign]
    original = game.minibatches
    game.minibatches = lambda *given: (seen.append(b) or b for b in original(*given))  # type: ignore[method-assign]
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
                answer = generator_loss(mine.discriminate(mine.generate(noise)), loss)
                g = gradient(answer, mine.generator)
            cost = discriminator_loss(
                mine.discriminate(x), mine.discriminate(mine.generate(noise).detach())
            )
            move("discriminator", gradient(cost, mine.discriminator), 0.2 * decay)
        if updates == "alternating":
            answer = generator_loss(mine.discriminate(mine.generate(next(z))), loss)
            g = gradient(answer, mine.generator)
        move("generator", g, 0.3 * decay)
    assert next(z, None) is None
    for a, b in zip(game.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_the_original_schedule() -> None:
    config, _ = composed(["experiment=gan_samples", "scale=chapter"])
    trainer = build(config["trainer"])
    assert trainer.optimizer == SGD()
    assert (trainer.batch_size, trainer.max_epochs) == (100, 100)
    assert build(config["game"]).updates == "simultaneous"
    attached = GameTask(trainer, small(), RING).optimizers
    for name, rate in (("generator", 0.1), ("discriminator", 0.05)):
        rule, optimizer = trainer.optimizer_of(name), attached[name].optimizer
        rule.schedule(optimizer, 499, 126)
        rule.schedule(optimizer, 500, 126)
        (group,) = optimizer.param_groups
        assert group["lr"] == pytest.approx(rate / 1.000004**500)
        share = 125 / 249
        assert group["momentum"] == pytest.approx((0.5 + 0.2 * share) * 1.000004)
    trainer.optimizer.schedule(attached["generator"].optimizer, 10**8, 1000)
    assert attached["generator"].optimizer.param_groups[0]["lr"] == 1e-6


def test_a_moving_average_is_what_is_kept() -> None:
    game, states = small(), []
    trainer = GameTrainer(max_epochs=1, epoch_updates=3, average=0.5, batch_size=20)
    original = game.update

    def spy(*given) -> dict[str, torch.Tensor]:
        values = original(*given)
        states.append({k: v.clone() for k, v in game.generator.state_dict().items()})
        return values

    game.update = spy  # type: ignore[method-assign]
    trainer.fit(game, RING, seed=0)
    for name, value in game.generator.state_dict().items():
        first, second, third = (s[name] for s in states)
        torch.testing.assert_close(value, 0.25 * first + 0.25 * second + 0.5 * third)


def test_the_average_remembers_by_its_decay() -> None:
    """a ← .9 a + .1 θ after every update of G, from the first update's θ on."""
    trainer = GameTrainer(
        max_epochs=4,
        epoch_updates=1,
        average=0.9,
        batch_size=20,
        optimizers={"generator": {"learning_rate": 0.5}},
    )
    states: list[dict[str, torch.Tensor]] = []
    game = small()

    def note(_, checkpoint) -> None:
        own = {k: v.clone() for k, v in checkpoint()["model"].items() if k.startswith("generator.")}
        states.append({k.removeprefix("generator."): v for k, v in own.items()})

    trainer.fit(game, RING, seed=0, on_epoch=note)
    for name, value in game.generator.state_dict().items():
        by_hand = states[0][name]
        for state in states[1:]:
            by_hand = 0.9 * by_hand + 0.1 * state[name]
        torch.testing.assert_close(value, by_hand)
        if value.dim() > 1:
            assert (value - states[-1][name]).abs().max() > 10 * (value - by_hand).abs().max()


@pytest.mark.parametrize("optimizer", [Adam(), SGD()])
@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_fewer_images_than_a_minibatch(optimizer, updates) -> None:
    split = Split(torch.rand(40, 1, 8, 8), torch.arange(40) % 10)
    game = ConditionalGAN(input_shape=(1, 8, 8), classes=10, updates=updates)
    sizes: list[int] = []
    game.draw = lambda n, device="cpu": sizes.append(n) or GenerativeGame.draw(game, n)  # type: ignore[method-assign]
    GameTrainer(max_epochs=1, optimizer=optimizer).fit(
        game, Dataset("few", 10, split, split, split), seed=0
    )
    assert set(sizes[1:]) == {40}  # the first are the snapshots'
