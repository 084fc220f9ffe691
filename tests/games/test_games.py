"""Games between two networks: their losses, and each against its published definition."""

import math

import pytest
import torch
from torch import nn

from advx.data.dataset import Dataset, Split
from advx.data.resize import doubled, halved
from advx.games.conditional_gan import ConditionalGAN
from advx.games.dcgan import DCGAN
from advx.games.gan import GAN
from advx.games.laplacian_gan import LaplacianLevel, collapsed, pyramid, with_classes
from advx.games.losses import discriminator_loss, game_value, generator_loss
from advx.games.multilayer import MultilayerGame
from advx.training.game_trainer import GameTrainer


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


def test_the_original_game_starts_as_described() -> None:
    images = torch.rand(100, 1, 5, 5)
    images[:, :, 0] = 0
    game = GAN(
        input_shape=(1, 5, 5), latent=10, generator_units=(20, 20), discriminator_units=(12, 12)
    )
    game.adapt(images)
    mean = images.flatten(1).mean(0).clamp(1e-3, 1 - 1e-3)
    torch.testing.assert_close(game.pixels.bias.sigmoid(), mean)
    weights = [p for n, p in game.generator.named_parameters() if n.endswith("weight")]
    assert [tuple(w.shape) for w in weights] == [(20, 10), (20, 20), (25, 20)]
    assert all(0.04 < w.abs().max() <= 0.05 for w in weights)
    weights = [p for n, p in game.discriminator.named_parameters() if n.endswith("weight")]
    assert [tuple(w.shape) for w in weights] == [(60, 25), (60, 12), (1, 12)]
    assert all(w.abs().max() <= 0.005 for w in weights)
    z = game.draw(1000)
    assert z.var().item() == pytest.approx(1, abs=0.03)
    assert game.generate(z[:3]).shape == (3, 1, 5, 5)
    assert game.discriminate(images[:3]).shape == (3,)


def test_a_bound_on_the_discriminators_filters() -> None:
    game = GAN(input_shape=(1, 5, 5), discriminator_units=(12,), max_column_norm=1.5)
    filters = next(p for n, p in game.discriminator.named_parameters() if n.endswith("weight"))
    with torch.no_grad():
        filters.mul_(1e4)
    game.constrain(game.discriminator)
    torch.testing.assert_close(filters.norm(dim=1).max().item(), 1.5)


@pytest.mark.parametrize("side", [28, 32, 64])
def test_the_convolutional_game_is_the_published_one(side) -> None:
    torch.manual_seed(0)
    game = DCGAN(input_shape=(3, side, side), filters=8)
    z = game.draw(4)
    made = game.generate(z)
    assert made.shape == (4, 3, side, side)
    assert 0 <= made.min() < made.max() <= 1
    assert game.discriminate(made).shape == (4,)
    norms = [m for m in game.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(m.eps, m.momentum) for m in norms} == {(1e-5, 0.1)}
    kernels = [
        m.kernel_size for m in game.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))
    ]
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
        False,
        in_d,
    ]
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
        game = MultilayerGame(
            input_shape=(2,), batch_norm_discriminator=True, batch_norm_first=first
        ).train()
        same = torch.allclose(game.discriminate(x), game.discriminate(moved), atol=1e-3)
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
    game = ConditionalGAN(
        input_shape=(1, 4, 4), classes=3, latent=5, generator_init=0.5, discriminator_init=0.5
    ).eval()
    z, labels = game.draw(6), torch.tensor([0, 1, 2, 0, 1, 2])
    made = game.generate(z, labels)
    assert made.shape == (6, 1, 4, 4)
    assert (game.generate(z, labels.flip(0)) - made).abs().amax((1, 2, 3))[:1] > 1e-4
    one = game.generate(z[:1].expand(3, 5), torch.arange(3))
    assert (one[0] - one[1]).abs().max() > 1e-4
    said = game.discriminate(made, labels)
    assert said.shape == (6,)
    assert (game.discriminate(made, (labels + 1) % 3) - said).abs().min() > 1e-6
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
    with pytest.raises(ValueError, match="cannot halve images of 7 × 7"):
        pyramid(torch.rand(1, 1, 28, 28), 3)


def test_a_level_adds_a_residual_to_its_coarse_image() -> None:
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
    assert level.discriminate(made, coarse).shape == (4,)
    with pytest.raises(ValueError, match="cannot be halved"):
        LaplacianLevel(input_shape=(1, 7, 7))


def class_conditional_level(classes: int = 3) -> LaplacianLevel:
    torch.manual_seed(0)
    filters = {"generator_filters": 4, "discriminator_filters": 4, "deviation": 0.5}
    return LaplacianLevel(input_shape=(2, 6, 4), classes=classes, **filters).eval()


def test_both_players_of_a_class_conditional_level_use_the_class() -> None:
    """The same image and z under each class; a player that ignores it says three times the same."""
    level = class_conditional_level()
    x, z, labels = torch.rand(1, 2, 6, 4).expand(3, 2, 6, 4), level.draw(1), torch.arange(3)
    condition = level.condition(x, labels)
    assert torch.equal(condition[:, :2], doubled(halved(x)))
    assert torch.equal(condition[:, 2], labels.float()[:, None, None].expand(3, 6, 4))
    made, answers = level.generate(z.expand(3, 24), condition), level.discriminate(x, condition)
    assert made.shape == x.shape
    assert answers.shape == (3,)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (made[one] - made[other]).abs().max() > 1e-4
        assert abs(answers[one] - answers[other]) > 1e-6
    turned = with_classes(condition[:, :2], labels.flip(0))
    torch.testing.assert_close(level.generate(z.expand(3, 24), turned), made.flip(0))
    torch.testing.assert_close(level.discriminate(x, turned), answers.flip(0))


def test_the_class_is_a_plane_that_each_player_makes_of_it() -> None:
    """By hand: a column of the linear layer and its biases, rectified, after the other planes."""
    level = class_conditional_level()
    x, labels = torch.rand(5, 2, 6, 4), torch.tensor([2, 0, 1, 1, 2])
    condition, z = level.condition(x, labels), level.draw(5)
    coarse, noise = condition[:, :2], z.view(5, 1, 6, 4)
    for player, planes in ((level.generator, [coarse, noise]), (level.discriminator, [x])):
        first, *rest = player
        columns = first.linear.weight.t()[labels] + first.linear.bias
        seen = torch.cat([*planes, columns.clamp(min=0).view(5, 1, 6, 4)], 1)
        expected = nn.Sequential(*rest)(seen)
        if player is level.generator:
            torch.testing.assert_close(level.generate(z, condition), coarse + expected)
        else:
            torch.testing.assert_close(level.discriminate(x, condition), expected[:, 0])
    weights = [player[0].linear.weight for player in (level.generator, level.discriminator)]
    assert not torch.equal(*weights)
    level.discriminate(level.generate(z, condition), condition).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in weights)


def test_a_class_conditional_level_needs_the_class() -> None:
    level = class_conditional_level()
    x = torch.rand(2, 2, 6, 4)
    with pytest.raises(ValueError, match="needs the coarse images"):
        level.generate(level.draw(2))
    with pytest.raises(ValueError, match="needs the classes"):
        level.discriminate(x)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ConditionalGAN, {"classes": 2, "joint_units": 20, "class_units": 5}),
        (LaplacianLevel, {"generator_filters": 4, "discriminator_filters": 4}),
        (LaplacianLevel, {"generator_filters": 4, "discriminator_filters": 4, "classes": 2}),
        (DCGAN, {"filters": 4}),
        (GAN, {"generator_units": (10,), "discriminator_units": (10,)}),
    ],
)
def test_every_game_can_be_trained(kind, options) -> None:
    split = Split(torch.rand(40, 1, 28, 28), torch.arange(40) % 2)
    data = Dataset("noise", 2, split, split, split)
    game = kind(input_shape=(1, 28, 28), **options)
    before = {k: v.clone() for k, v in game.state_dict().items()}
    progress = GameTrainer(max_epochs=1, batch_size=10, shown=7).fit(game, data, seed=0)
    assert progress.snapshots[-1].shape == (7, 1, 28, 28)
    moved = {name for name, value in game.state_dict().items() if (value != before[name]).any()}
    for player in ("generator", "discriminator"):
        assert any(name.startswith(player) for name in moved)
    assert (
        game.generate(game.draw(3), game.condition(split.images[:3], split.labels[:3]))
        .isfinite()
        .all()
    )
