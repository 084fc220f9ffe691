"""The reader without pairs: windows, losses, who moves, and that labels are no pairs."""

import pytest
import torch
from torch import Tensor, nn

from advx.config.build import build
from advx.data.dataset import Dataset, Split
from advx.data.languages import drawn, language
from advx.errors import ConfigError
from advx.games.distribution_matching import DistributionMatching
from advx.games.players import Players
from advx.models.principal_components import PrincipalComponents
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD
from tests.game_nodes import checked

RATE = 1e-2
K, LENGTH = 5, 6


def sequences(count: int = 40) -> Split:
    """Images of 2 × 2 pixels, and labels of another stream."""
    draw = torch.Generator().manual_seed(4)
    spoken = language("sparse", symbols=K)
    images = torch.rand(count, LENGTH, 1, 2, 2, generator=draw)
    return Split(images, drawn(spoken, count, LENGTH, draw))


def small(**options) -> DistributionMatching:
    torch.manual_seed(1)
    narrow = {"window": 3, "components": 3, "reader_units": (7,), "discriminator_units": (9,)}
    game = DistributionMatching(
        **({"input_shape": (LENGTH, 1, 2, 2), "classes": K, "noise": 0.0} | narrow | options)
    )
    game.adapt(sequences().images)
    return game.train()


def plain_steps(game) -> Players:
    rule = SGD(learning_rate=RATE, learning_rate_divisor=1, momentum=0, final_momentum=0)
    return Players({n: rule.attach(getattr(game, n), lambda: None) for n in game.players})


def by_hand(game: DistributionMatching, p: Tensor) -> Tensor:
    """D's answers to all windows, one after the other."""
    rows = [
        game.discriminator(p[i, t : t + 3].reshape(1, -1))
        for i in range(len(p))
        for t in range(LENGTH - 2)
    ]
    return torch.cat(rows).squeeze(1)


def test_losses_and_steps_are_those_of_the_algorithm() -> None:
    game, twin, split = small(softness=0.2), small(softness=0.2), sequences(8)
    found = game.update(iter([(split.images, split.labels)]), plain_steps(game))
    still = plain_steps(twin)
    real = 0.8 * torch.eye(K)[split.labels] + 0.04
    read = twin.reader(split.images.reshape(-1, 1, 2, 2)).view(8, LENGTH, K).softmax(2)
    d = [by_hand(twin, p).sigmoid() for p in (real, read.detach())]
    loss = -d[0].log().mean() - (1 - d[1]).log().mean()
    torch.testing.assert_close(found["discriminator_loss"], loss.detach())
    still.discriminator.descend(loss)
    loss = -by_hand(twin, read).sigmoid().log().mean()
    torch.testing.assert_close(found["reader_loss"], loss.detach())
    still.reader.descend(loss)
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(game.state_dict()[name], value, msg=name)


def test_the_wasserstein_loss_of_a_linear_discriminator() -> None:
    """Its slope is its weight wherever one looks."""
    game, split = small(adversary="wasserstein", penalty=3.0), sequences(8)
    d = nn.Linear(3 * K, 1)
    game.discriminator = nn.Sequential(nn.Flatten(), d)
    real, fake = game.windows(game.soft(split.labels)), torch.rand(32, 3, K)
    expected = (fake.flatten(1) @ d.weight[0]).mean() - (real.flatten(1) @ d.weight[0]).mean()
    expected = expected + 3 * (d.weight.norm() - 1) ** 2
    loss = game.discriminator_loss(real, fake)
    torch.testing.assert_close(loss, expected)
    slopes = [torch.autograd.grad(x, d.weight, retain_graph=True)[0] for x in (loss, expected)]
    torch.testing.assert_close(*slopes)
    found = game.update(iter([(split.images, split.labels)]), plain_steps(game))
    assert all(value.isfinite() for value in found.values())


@pytest.mark.parametrize("adversary", ["non_saturating", "wasserstein"])
def test_the_discriminator_learns_to_answer_higher_on_labels(adversary) -> None:
    game, split = small(adversary=adversary), sequences()
    players = plain_steps(game)
    real, fake = game.windows(game.soft(split.labels)), torch.full((160, 3, K), 1 / K)
    for _ in range(200):
        players.discriminator.descend(game.discriminator_loss(real, fake))
    assert game.discriminate(real).mean() > game.discriminate(fake).mean() + 0.05


def test_images_and_labels_side_by_side_are_no_pairs() -> None:
    labels = torch.arange(50)[:, None].expand(50, LENGTH)
    images = labels[:, :, None, None, None].float().expand(50, LENGTH, 1, 2, 2)
    torch.manual_seed(0)
    x, y = next(small().minibatches(Split(images, labels), 50))
    assert sorted(x[:, 0, 0, 0, 0].tolist()) == sorted(y[:, 0].tolist()) == list(range(50))
    assert (x[:, 0, 0, 0, 0] == y[:, 0]).double().mean() < 0.2


def test_the_order_of_the_labels_in_the_data_does_not_matter_for_what_is_a_pair() -> None:
    """Labels in another order are the same stream: nothing but the drawn minibatches changes."""
    split, trainer = sequences(), GameTrainer(max_epochs=1, batch_size=40)
    turned = Split(split.images, split.labels.roll(7, 0))
    histories = []
    for each in (split, turned):
        game = small()
        data = Dataset("sequences", K, each, each, each)
        histories.append(trainer.fit(game, data, seed=0).history[0])
    assert histories[0]["discriminator_loss"] == pytest.approx(histories[1]["discriminator_loss"])


def test_the_noise_vanishes_as_training_goes_on() -> None:
    game, split = small(noise=0.5), sequences(8)
    players = plain_steps(game)
    players.progress = 1.0
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        twin = small(noise=0.5)
        players = plain_steps(twin)
        players.progress = 1.0
        torch.manual_seed(seed)
        found.append(twin.update(iter([(split.images, split.labels)]), players))
    assert found[0] == found[1]


def test_principal_components_are_the_directions_of_most_variance() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(5000, 4, generator=draw) * torch.tensor([1.0, 5.0, 0.1, 3.0]) + 7
    module = PrincipalComponents((4,), 2)
    module.fit(x)
    y = module(x)
    torch.testing.assert_close(y.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    assert y.var(0).mean().item() == pytest.approx(1, rel=1e-3)
    assert (y.var(0)[0] / y.var(0)[1]).item() == pytest.approx(25 / 9, rel=0.1)
    assert abs(torch.corrcoef(torch.stack([y[:, 0], x[:, 1]]))[0, 1]) > 0.99
    with pytest.raises(ValueError, match="components=5: an example has 4"):
        PrincipalComponents((4,), 5)


def test_sequences_without_structure_are_refused() -> None:
    with pytest.raises(ValueError, match="sequences of 1 image have no structure") as refused:
        small(input_shape=(1, 1, 2, 2))
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match=r"window=7: sequences have 6 images; valid: 2 … 6"):
        small(window=7)
    with pytest.raises(ConfigError, match=r"game\.window=1: input should be greater"):
        checked("distribution_matching", window=1)


def test_the_configuration_makes_the_game() -> None:
    shape = [6, 1, 28, 28]
    game = build(checked("distribution_matching", input_shape=shape, reader_units=[6]))
    assert game.misfit(torch.rand(2, *shape), torch.zeros(2)) == ""
    assert game.read(torch.rand(2, *shape)).shape == (2, 6, 10)
