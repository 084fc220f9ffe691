"""Entropies of categories by hand, and labels that a training has really seen."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from advx.data.dataset import Dataset, Split
from advx.evaluation.categories import (
    entropies_of_epoch,
    entropies_over_training,
    relative_entropy,
)
from advx.evaluation.labels_seen import labels_seen
from advx.games.categorical_gan import CategoricalGAN, InformationMaximization
from advx.training.game_trainer import GameTrainer

DATA = Dataset("points", 3, *[Split(torch.randn(60, 2), torch.arange(60) % 3)] * 3)


def trained(history, k: int = 4) -> SimpleNamespace:
    return SimpleNamespace(game=SimpleNamespace(classes=k), history=history)


def test_entropies_are_shares_of_the_largest_one() -> None:
    first = {"data_entropy": math.log(4), "generated_entropy": 0.0, "marginal_entropy": math.log(2)}
    last = {"epoch": 2.0, "data_entropy": 0.0, "marginal_entropy": math.log(4)}
    game = trained([first, last])
    found = entropies_of_epoch(game, 0)
    assert found == pytest.approx(
        {"data_entropy": 100, "generated_entropy": 0, "marginal_entropy": 50}
    )
    assert entropies_of_epoch(game, -1) == {"data_entropy": 0, "marginal_entropy": 100}
    expected = torch.tensor([[100, 0], [0, math.nan], [50, 100]])
    torch.testing.assert_close(entropies_over_training(game), expected, equal_nan=True)


def test_what_a_training_reports_is_what_its_answers_have() -> None:
    """Of one update of one whole batch, without noise: the entropies before it."""
    torch.manual_seed(0)
    game = InformationMaximization(
        input_shape=(2,), classes=3, discriminator_units=(5,), input_noise=0.0, hidden_noise=0.0
    )
    p = game.train().discriminator(DATA.train.images).softmax(1).detach()
    progress = GameTrainer(max_epochs=1, batch_size=60).fit(game, DATA, seed=0)
    found = entropies_of_epoch(SimpleNamespace(game=game, history=progress.history), 0)
    mean = p.mean(0)
    expected = {
        "data_entropy": -(p * p.log()).sum(1).mean() / math.log(3),
        "marginal_entropy": -(mean * mean.log()).sum() / math.log(3),
    }
    assert found == pytest.approx({k: 100 * v.item() for k, v in expected.items()}, rel=1e-5)


def test_relative_entropy_of_certain_even_and_two_sided_answers() -> None:
    x = torch.tensor([[90.0, 0, 0, 0], [1, 1, 1, 1], [60, 60, 0, 0]])
    found = relative_entropy(nn.Identity(), x)
    torch.testing.assert_close(found, torch.tensor([0.0, 100, 50]), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("labeled", "expected"), [(6, 6), (30, 30), ("all", 60), (None, 0)])
def test_labels_seen_are_those_that_may_be_used(labeled, expected) -> None:
    torch.manual_seed(0)
    game = CategoricalGAN(
        input_shape=(2,),
        classes=3,
        labeled=labeled,
        labeled_batch_size=4,
        latent=2,
        discriminator_units=(4,),
        generator_units=(4,),
    )
    GameTrainer(max_epochs=5, batch_size=20, epoch_updates=12, shown=5).fit(game, DATA, seed=3)
    found = SimpleNamespace(game=game)
    assert labels_seen(found, DATA, 3, 20, 5, 12) == expected
    assert labels_seen(found, DATA, 3, 20, 1, 1) == min(expected, 4)


def test_which_labels_are_seen_follows_from_the_seed_of_the_training() -> None:
    game = InformationMaximization(input_shape=(2,), classes=3, labeled=6, discriminator_units=(4,))
    chosen = []
    for seed in (1, 2):
        GameTrainer(max_epochs=1, batch_size=20, shown=5).fit(game, DATA, seed=seed)
        in_training = set(game.known.tolist())
        assert labels_seen(SimpleNamespace(game=game), DATA, seed, 20, 2, 3) == 6
        assert set(game.known.tolist()) == in_training
        chosen.append(in_training)
    assert chosen[0] != chosen[1]


class Leaky(InformationMaximization):
    """A game that is shown one more label than it says."""

    def minibatches(self, train, size):
        for x, (images, labels) in super().minibatches(train, size):
            more = train.images[:10], train.labels[:10]
            yield x, (torch.cat([images, more[0]]), torch.cat([labels, more[1]]))


def test_labels_that_leak_are_counted() -> None:
    game = Leaky(input_shape=(2,), classes=3, labeled=3, discriminator_units=(4,))
    game.begin(DATA)
    found = labels_seen(SimpleNamespace(game=game), DATA, 0, 20, 1, 3)
    assert found == 10 + sum(each >= 10 for each in game.known.tolist()) > 3


def test_wrong_labels_are_refused() -> None:
    class Wrong(InformationMaximization):
        def minibatches(self, train, size):
            return ((x, (a, b * 0)) for x, (a, b) in super().minibatches(train, size))

    game = Wrong(input_shape=(2,), classes=3, labeled=3, discriminator_units=(4,))
    with pytest.raises(ValueError, match="another label"):
        labels_seen(SimpleNamespace(game=game), DATA, 0, 20, 1, 3)
