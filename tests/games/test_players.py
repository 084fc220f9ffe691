"""Games that are no GANs, through the loop of all games, against their iterates by hand."""

import copy
import io
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset, Split
from advx.data.minibatches import Minibatch, full_minibatches
from advx.errors import ConfigError
from advx.games.base import Game
from advx.games.players import Players
from advx.games.reversal import reversed_gradient
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD, Optimizer
from tests.toy_games import RING

A, B, C = 0.8, 1.5, 0.6
"""Of f(x, y) = ½ A x² + B x y − ½ C y², whose only saddle is the origin."""

RATE = 0.1


def plain(rate: float = RATE) -> Optimizer:
    """Gradient descent without momentum or schedule."""
    return SGD(learning_rate=rate, learning_rate_divisor=1, momentum=0, final_momentum=0)


class Number(nn.Module):
    """A network of one parameter."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.value


class Plane(Game):
    """min over x, max over y of f: by reversal, by simultaneous or by alternating steps."""

    players = ("x", "y")

    def __init__(self, how: str = "reversal", strength: float = 1.0) -> None:
        super().__init__()
        self.how, self.strength = how, strength
        self.x, self.y = Number(1.0), Number(-0.5)

    def f(self, x: Tensor, y: Tensor) -> Tensor:
        return A / 2 * x**2 + B * x * y - C / 2 * y**2

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        next(data)
        if self.how == "reversal":
            up = reversed_gradient(self.y(), self.strength)
            return {"value": players.descend_jointly(self.f(self.x(), up))}
        value = self.f(self.x(), self.y())
        if self.how == "simultaneous":
            return {"value": players.descend(x=value, y=-value)["x"]}
        players.x.descend(value)
        players.y.descend(-self.f(self.x(), self.y()))
        return {"value": value.detach()}


def iterates(game: Game, updates: int, trainer: GameTrainer | None = None) -> Tensor:
    """The players' numbers after `updates` updates of one epoch."""
    trainer = trainer or GameTrainer(optimizer=plain(), max_epochs=1, epoch_updates=updates)
    trainer.fit(game, RING, seed=0)
    return torch.stack([getattr(game, name).value.detach() for name in game.players])


@pytest.mark.parametrize("updates", [1, 2, 40])
@pytest.mark.parametrize("how", ["reversal", "simultaneous", "alternating"])
def test_steps_around_a_saddle_are_those_of_their_matrix(how, updates) -> None:
    """Every step is linear: x' = x − λ(A x + B y), y' = y + λ(B x − C y), with x' in the second
    where the players alternate. So n steps are the n-th power of a matrix."""
    down = torch.tensor([[1 - RATE * A, -RATE * B], [0, 1]], dtype=torch.float64)
    up = torch.tensor([[1, 0], [RATE * B, 1 - RATE * C]], dtype=torch.float64)
    one = up @ down if how == "alternating" else torch.stack([down[0], up[1]])
    expected = torch.linalg.matrix_power(one, updates) @ torch.tensor([1.0, -0.5]).double()
    torch.testing.assert_close(iterates(Plane(how), updates), expected)


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_the_reversal_has_a_strength_of_its_own(strength) -> None:
    one = torch.tensor([[1 - RATE * A, -RATE * B], [strength * RATE * B, 1 - strength * RATE * C]])
    start = torch.tensor([1.0, -0.5]).double()
    found = iterates(Plane("reversal", strength), 7)
    torch.testing.assert_close(found, torch.linalg.matrix_power(one.double(), 7) @ start)


def test_the_saddle_is_reached_where_the_curvature_is_enough() -> None:
    assert iterates(Plane(), 400).norm() < 1e-9


class Bilinear(Plane):
    """f = x y: simultaneous steps spiral outward, each by √(1 + λ²)."""

    def f(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


def test_simultaneous_steps_on_a_product_spiral_outward_and_alternating_ones_do_not() -> None:
    start = math.hypot(1.0, 0.5)
    spiral = iterates(Bilinear("simultaneous"), 50).norm().item()
    assert spiral == pytest.approx(start * (1 + RATE**2) ** 25)
    assert iterates(Bilinear("alternating"), 50).norm().item() == pytest.approx(start, rel=0.1)


class Three(Game):
    """Three players on a circle, each of whom wants to be where the next one is; c moves twice."""

    players = ("a", "b", "c")

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = Number(0.0), Number(1.0), Number(3.0)

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        moved = players.descend(a=(self.a() - self.b()) ** 2 / 2, b=(self.b() - self.c()) ** 2 / 2)
        for _ in range(2):
            c_loss = players.c.descend((self.c() - self.a()) ** 2 / 2 * (1 - players.progress))
        return {"a_loss": moved["a"], "b_loss": moved["b"], "c_loss": c_loss}


def test_three_players_by_hand() -> None:
    """a and b move at once, c after them and twice; b has a momentum, c a rate of its own."""
    trainer = GameTrainer(
        optimizer=plain(),
        max_epochs=2,
        epoch_updates=5,
        optimizers={"b": {"momentum": 0.5, "final_momentum": 0.5}, "c": {"learning_rate": 0.3}},
    )
    a, b, c, v = 0.0, 1.0, 3.0, 0.0
    for update in range(10):
        slope_a, slope_b = a - b, b - c
        v = 0.5 * v - 0.1 * slope_b
        a, b = a - 0.1 * slope_a, b + v
        for _ in range(2):
            c -= 0.3 * (c - a) * (1 - update / 10)
    found = iterates(Three(), 10, trainer)
    torch.testing.assert_close(found, torch.tensor([a, b, c], dtype=torch.float64))


def test_a_game_without_samples_or_diagnostics_has_its_losses_for_a_history() -> None:
    progress = GameTrainer(optimizer=plain(), max_epochs=3, epoch_updates=2).fit(
        Three(), RING, seed=0
    )
    assert progress.snapshots == []
    assert [list(row) for row in progress.history] == [["epoch", "a_loss", "b_loss", "c_loss"]] * 3


@pytest.mark.parametrize("epoch", [1, 2])
def test_every_players_optimizer_stands_in_the_checkpoint(epoch) -> None:
    """Killed after one epoch, continued to the same bits; a momentum left out would show."""
    momentum = SGD(learning_rate=0.05, momentum=0.9, final_momentum=0.9)
    trainer = GameTrainer(optimizer=momentum, max_epochs=3, epoch_updates=4)
    states = []
    whole = Three()

    def note(progress, checkpoint) -> None:
        if progress.epoch == epoch:
            torch.save(checkpoint(), saved)
            saved.seek(0)
            states.append(torch.load(saved, weights_only=True))

    saved = io.BytesIO()
    trainer.fit(whole, RING, seed=0, on_epoch=note)
    (state,) = states
    assert set(state["optimizers"]) == {"a", "b", "c"}
    again = Three()
    trainer.fit(again, RING, seed=0, resume=state)
    assert all(map(torch.equal, whole.parameters(), again.parameters()))
    for each in state["optimizers"].values():
        each["state"] = {}
    forgetful = Three()
    trainer.fit(forgetful, RING, seed=0, resume=state)
    assert not all(map(torch.equal, whole.parameters(), forgetful.parameters()))


class PartlyLabeled(Three):
    """Only ten labels may be used; the others are hidden as −1."""

    def begin(self, data: Dataset) -> None:
        self.known = torch.randperm(len(data.train))[:10]

    def minibatches(self, train: Split, size: int) -> Iterator[Minibatch]:
        hidden = torch.full_like(train.labels, -1)
        hidden[self.known] = train.labels[self.known]
        return full_minibatches(Split(train.images, hidden), size)

    def update(self, data: Iterator[Minibatch], players: Players) -> dict[str, Tensor]:
        _, labels = next(data)
        return super().update(data, players) | {"known": (labels >= 0).double().sum()}


def test_a_game_draws_its_own_minibatches_from_what_it_chose_at_the_beginning() -> None:
    """Ten labels in an epoch of all the data, the same ones in every epoch and after a resume."""
    trainer = GameTrainer(optimizer=plain(), max_epochs=3, batch_size=100)
    game, again, states = PartlyLabeled(), PartlyLabeled(), []
    progress = trainer.fit(
        game,
        RING,
        seed=5,
        on_epoch=lambda _, checkpoint: states.append(copy.deepcopy(checkpoint())),
    )
    assert [row["known"] * 10 for row in progress.history] == pytest.approx([10, 10, 10])
    trainer.fit(again, RING, seed=5, resume=states[0])
    assert torch.equal(game.known, again.known)
    other = PartlyLabeled()
    trainer.fit(other, RING, seed=6)
    assert not torch.equal(game.known, other.known)


def test_a_players_step_leaves_all_others_alone() -> None:
    """Also the gradients that are waiting there."""
    game = Three()
    movers = {n: plain().attach(getattr(game, n), lambda: None) for n in game.players}
    players = Players(movers)
    players.b.differentiate(game.b() * game.a())
    players.a.descend(game.a() * game.b() + game.c())
    assert game.b.value.grad.item() == 0.0
    assert game.c.value.grad is None
    assert game.a().item() == pytest.approx(-0.1)
    players.b.step()
    assert game.b().item() == 1.0
    with pytest.raises(AttributeError, match="no player d; this game has a, b, c"):
        players.d.step()


def test_the_best_epoch_is_that_of_the_games_own_validation_error() -> None:
    class Watched(Three):
        def validation_error(self, validation) -> float:
            return abs(self.c().item() - 1.0)

    states: list[float] = []
    game = Watched()
    trainer = GameTrainer(optimizer=plain(0.3), max_epochs=30, patience=3, epoch_updates=1)
    progress = trainer.fit(game, RING, seed=0, on_epoch=lambda *_: states.append(game.c().item()))
    errors = [abs(c - 1.0) for c in states]
    assert len(errors) == progress.best_epoch + 3 < 30
    assert progress.best_error == min(errors)
    assert game.c().item() == states[progress.best_epoch - 1]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"optimizers": {"d": {}}}, "trainer.optimizers.d: Three has no such player; valid: a, b"),
        ({"optimizers": {"a": {"rate": 1}}}, "trainer.optimizers.a.rate=1: no such key"),
        ({"optimizers": {"a": {"learning_rate": -1}}}, "trainer.optimizers.a.learning_rate=-1: "),
        ({"average": 0.9}, "trainer.average=0.9: Three has no player to average; valid: null"),
    ],
)
def test_a_trainer_that_does_not_fit_the_game_is_refused(options, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        GameTrainer(max_epochs=1, **options).fit(Three(), RING, seed=0)


def test_a_player_may_have_another_optimizer_altogether() -> None:
    adam = {"_target_": "advx.training.optimizers.Adam", "learning_rate": 0.01}
    trainer = GameTrainer(optimizer=plain(), optimizers={"b": adam}, max_epochs=1, epoch_updates=1)
    a, b, _ = iterates(Three(), 1, trainer).tolist()
    assert a == pytest.approx(0.1)
    assert b == pytest.approx(1.01)  # Adam's first step has the rate's size, whatever the slope


def test_some_players_descend_one_loss_together_and_the_others_stay() -> None:
    game = Three()
    movers = {n: plain().attach(getattr(game, n), lambda: None) for n in game.players}
    players = Players(movers)
    loss = (game.a() - 1) ** 2 / 2 + (game.b() - 3) ** 2 / 2 + game.c()
    assert players.descend_jointly(loss, "a", "b").item() == pytest.approx(0.5 + 2.0 + 3.0)
    assert [getattr(game, n)().item() for n in "abc"] == pytest.approx([0.1, 1.2, 3.0])
    assert game.c.value.grad is None
