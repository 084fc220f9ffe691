"""Censored representations: one update by hand, and what is refused."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from advx.data import hiring
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.games.censored_representation import CensoredRepresentation
from advx.games.players import Players
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD, Adam

RATE = 0.1
WEIGHTS = {"reconstruction_weight": 0.7, "prediction_weight": 1.3, "adversary_weight": 0.9}


def small(**options) -> CensoredRepresentation:
    torch.manual_seed(1)
    return CensoredRepresentation(
        **({"input_shape": (5,), "classes": 2, "groups": 3, "code": 2, "units": (4,)} | options)
    ).train()


def rows(n: int = 30) -> Split:
    draw = torch.Generator().manual_seed(0)
    return Split(torch.randn(n, 5, generator=draw), torch.arange(n) % 2, torch.arange(n) % 3)


def players_of(game: CensoredRepresentation) -> Players:
    rule = SGD(learning_rate=RATE, learning_rate_divisor=1, momentum=0, final_momentum=0)
    return Players({n: rule.attach(getattr(game, n), lambda: None) for n in game.players})


@pytest.mark.parametrize("sees", [True, False])
@pytest.mark.parametrize("steps", [1, 2])
def test_one_update_by_hand(sees: bool, steps: int) -> None:
    """The adversary moves first, k times; the others answer what it has become, and it stays."""
    batches = [tuple(t[part] for t in vars(rows()).values()) for part in (slice(15), slice(15, 30))]
    game, twin = (small(decoder_sees_group=sees, adversary_steps=steps, **WEIGHTS) for _ in "ab")
    found = game.update(iter(batches), players_of(game))

    nll = nn.CrossEntropyLoss()
    for x, _, s in batches[:steps]:
        loss = nll(twin.adversary(twin.encoder(x)), s)
        step(twin.adversary, loss)
    x, y, s = batches[steps - 1]
    code = twin.encoder(x)
    groups = torch.eye(3)[s]
    seen = torch.cat([code, groups], 1) if sees else code
    x_loss = ((twin.decoder(seen) - x) ** 2).mean()
    y_loss, s_loss = nll(twin.predictor(code), y), nll(twin.adversary(code), s)
    loss = 0.7 * x_loss + 1.3 * y_loss - 0.9 * s_loss
    step(nn.ModuleList([twin.encoder, twin.decoder, twin.predictor]), loss)
    for mine, other in zip(game.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, other)
    losses = {"reconstruction": x_loss, "prediction": y_loss, "adversary": s_loss}
    for name, value in losses.items():
        torch.testing.assert_close(found[f"{name}_loss"], value.detach())


def step(network: nn.Module, loss: Tensor) -> None:
    """Plain descent, by gradients that PyTorch is asked for."""
    own = list(network.parameters())
    slopes = torch.autograd.grad(loss, own)
    with torch.no_grad():
        for p, slope in zip(own, slopes, strict=True):
            p -= RATE * slope


def test_minibatches_keep_examples_labels_and_groups_together() -> None:
    split = rows()
    drawn = small().minibatches(split, 10)
    places = []
    for _ in range(3):
        x, y, s = next(drawn)
        found = (split.images[:, None] == x).all(2).nonzero()[:, 0]
        where = [int((split.images == each).all(1).nonzero()) for each in x]
        assert torch.equal(split.labels[where], y)
        assert torch.equal(split.groups[where], s)
        assert len(found) == 10
        places += where
    assert sorted(places) == list(range(30))


def test_data_without_groups_or_with_other_ones_is_refused() -> None:
    split = rows()
    data = Dataset("rows", 2, split, split, split, group_names=("a", "b", "c"))
    trainer = GameTrainer(max_epochs=1, batch_size=10)
    trainer.fit(small(), data, seed=0)
    with pytest.raises(ConfigError, match=r"game\.groups=2: .* has 3 groups; set game\.groups=3"):
        trainer.fit(small(groups=2), data, seed=0)
    plain = replace(data, train=Split(split.images, split.labels), fingerprint="")
    with pytest.raises(ConfigError, match="has no protected attribute; valid: dataset=adult"):
        trainer.fit(small(), plain, seed=0)
    assert small().misfit(torch.zeros(2, 6), torch.zeros(2)) == "it is for examples (5,)"


def test_what_the_observer_says_is_counted() -> None:
    split = rows()
    data = Dataset("rows", 2, split, split, split, group_names=("a", "b", "c"))
    game = small().eval()
    row = game.observer(data, 1).diagnose()
    wrong = (game(split.images).argmax(1) != split.labels).double().mean().item()
    assert row["error"] == pytest.approx(100 * wrong)
    adversary = game.adversary(game.represent(split.images)).argmax(1)
    assert row["adversary_error"] == pytest.approx(
        100 * (adversary != split.groups).double().mean().item()
    )


def test_without_an_adversary_it_learns_the_past_decisions() -> None:
    """Up to what anybody could: the closed form of the structural model, less a little."""
    data = hiring.load(train=6_000, validation=500, test=4_000)
    torch.manual_seed(0)
    game = CensoredRepresentation(input_shape=(8,), code=8, units=(32,), adversary_weight=0.0)
    trainer = GameTrainer(optimizer=Adam(), max_epochs=8, batch_size=100, snapshots=1)
    trainer.fit(game, data, seed=0)
    agrees = (game(data.test.images).argmax(1) == data.test.labels).double().mean().item()
    best = hiring.Hiring().best_guess.decision_accuracy
    assert best - 0.02 < agrees < best + 3 * (0.25 / 4_000) ** 0.5
