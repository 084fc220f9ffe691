"""Critics of domains, and the plane that features are shown in."""

import numpy as np
import pytest
import torch
from torch import nn

from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.audit import leakage, trained_critic_accuracy
from advx.evaluation.domain_audit import embedding, of_both
from advx.games.domain_adversarial import DomainAdversarial


def numbered(count: int, offset: float = 0.0) -> Split:
    """Examples that are their own numbers."""
    return Split(offset + torch.arange(count).float()[:, None], torch.arange(count) % 3)


def test_both_domains_give_as_many_examples() -> None:
    both = of_both(numbered(10), numbered(40, offset=100), 100)
    assert both.groups is not None
    assert both.groups.tolist() == [0] * 10 + [1] * 10
    assert both.images[:10, 0].tolist() == list(range(10))
    assert both.images[10:, 0].tolist() == [100 + 4 * k for k in range(10)]  # evenly spaced
    assert both.labels[10:].tolist() == [4 * k % 3 for k in range(10)]


class Halves(nn.Module):
    """Represents a number as itself; its critic calls every number from 6 on the target."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = lambda codes: torch.cat([6 - codes, codes - 6 + 0.5], 1)

    def represent(self, x):
        return x


def test_the_trained_critic_is_counted_by_hand() -> None:
    split = Split(
        torch.arange(8).float()[:, None], torch.zeros(8).long(), torch.tensor([0] * 4 + [1] * 4)
    )
    assert trained_critic_accuracy(Halves(), "critic", split) == pytest.approx(100 * 6 / 8)
    with pytest.raises(ConfigError, match="without groups"):
        trained_critic_accuracy(Halves(), "critic", Split(split.images, split.labels))


def test_the_trained_critic_is_the_games_own() -> None:
    """Beside what the game's own modules say, image by image."""
    torch.manual_seed(0)
    game = DomainAdversarial(input_shape=(1, 16, 16), channels=(2, 2), units=(4,), critic_units=4)
    split = Split(torch.rand(20, 1, 16, 16), torch.zeros(20).long(), torch.arange(20) % 2)
    game.eval()
    right = [
        int(game.critic(game.features(image[None] - game.mean)).argmax()) == group
        for image, group in zip(split.images, split.groups.tolist(), strict=True)
    ]
    assert trained_critic_accuracy(game, "critic", split) == pytest.approx(5 * sum(right))


def test_no_model_is_the_examples_themselves() -> None:
    torch.manual_seed(0)
    groups = torch.arange(200) % 2
    examples = Split(torch.randn(200, 3) + 3.0 * groups[:, None], groups, groups)
    seen, unseen = examples.take(torch.arange(100)), examples.take(torch.arange(100, 200))
    assert leakage(None, seen, unseen) == leakage(nn.Identity(), seen, unseen)
    assert leakage(None, seen, unseen).accuracy > 95


def test_two_heaps_stay_two_heaps_in_the_plane() -> None:
    """The nearest neighbor of nearly every point is of its own heap; twice the same points."""
    torch.manual_seed(0)
    groups = torch.arange(80) % 2
    split = Split(torch.randn(80, 5) + 20.0 * groups[:, None], groups, groups)
    made = embedding(nn.Identity(), split)
    apart = np.linalg.norm(made.points[:, None] - made.points, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (groups.numpy()[apart.argmin(1)] == groups.numpy()).all()
    assert np.array_equal(embedding(nn.Identity(), split).points, made.points)
    assert np.array_equal(made.domains, groups.numpy())
