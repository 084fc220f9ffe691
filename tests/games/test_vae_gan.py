"""The autoencoder with a discriminator: its losses, what reaches whom, and who is held."""

import math

import pytest
import torch
from torch import Tensor

from advx.config.compose import composed
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.games.players import Players
from advx.games.vae_gan import VAEGAN, Moves
from advx.run import check
from advx.training.construct import new_game
from advx.training.optimizers import SGD
from advx.training.recipe import Recipe

X = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(5))

RATE = 1e-3


def small(**options) -> VAEGAN:
    torch.manual_seed(1)
    made = VAEGAN(input_shape=(1, 28, 28), latent=3, filters=2, deviation=0.2, **options)
    return made.train()


def moved(game: VAEGAN) -> tuple[dict[str, Tensor], dict[str, set[bool]]]:
    """What one update by plain descent returns; by player, whether its parameters moved."""
    rule = SGD(learning_rate=RATE, learning_rate_divisor=1, momentum=0, final_momentum=0)
    players = Players({n: rule.attach(getattr(game, n), lambda: None) for n in game.players})
    before = {n: [p.clone() for p in getattr(game, n).parameters()] for n in game.players}
    torch.manual_seed(3)
    found = game.update(iter([(X, torch.zeros(8))]), players)
    return found, {
        name: {
            not torch.equal(a, b)
            for a, b in zip(old, getattr(game, name).parameters(), strict=True)
        }
        for name, old in before.items()
    }


def by_hand(game: VAEGAN) -> dict[str, Tensor]:
    """The terms of the algorithm, on the same noise, with nothing of its own code."""
    torch.manual_seed(3)
    mean, log_variance = game.encoder(2 * X - 1).chunk(2, dim=1)
    z = mean + log_variance.exp().sqrt() * torch.randn(8, 3)
    prior = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
    images = [2 * X - 1, game.decoder(z), game.decoder(torch.randn(8, 3))]
    first = [game.discriminator["convolution1"](each) for each in images]
    second = [game.discriminator["convolution2"](each) for each in first]
    d = [game.discriminator["output"](each).squeeze(1).sigmoid() for each in second]
    real, fake = d[0], torch.cat(d[1:])
    hidden = first if game.layer == "convolution1" else second
    error = ((hidden[0] - hidden[1]) ** 2).sum() / 8 / 2
    return {
        "prior": prior,
        "error": error,
        "adversarial": -fake.log().mean(),
        "discriminator": -real.log().mean() - (1 - fake).log().mean(),
    }


@pytest.mark.parametrize("layer", ["convolution1", "convolution2"])
def test_losses_are_those_of_the_algorithm(layer) -> None:
    game = small(layer=layer, reconstruction_weight=0.3, equilibrium_margin=None)
    terms = by_hand(small(layer=layer, reconstruction_weight=0.3, equilibrium_margin=None))
    found, _ = moved(game)
    close = {
        "encoder_loss": terms["prior"] + terms["error"],
        "decoder_loss": 0.3 * terms["error"] + terms["adversarial"],
        "discriminator_loss": terms["discriminator"],
        "divergence": terms["prior"],
        "feature_error": terms["error"],
    }
    for name, value in close.items():
        torch.testing.assert_close(found[name], value.detach(), msg=name)


@pytest.mark.parametrize("reaches", [False, True])
def test_every_player_descends_its_own_loss_and_no_other(reaches) -> None:
    """The adversarial gradient reaches the encoder where it is asked to, and nowhere else; the
    reconstruction error never reaches D."""
    options = {
        "reconstruction_weight": 0.3,
        "equilibrium_margin": None,
        "adversarial_gradient_to_encoder": reaches,
    }
    game, twin = small(**options), small(**options)
    terms = by_hand(twin)
    losses = {
        "encoder": terms["prior"] + terms["error"] + (terms["adversarial"] if reaches else 0),
        "decoder": 0.3 * terms["error"] + terms["adversarial"],
        "discriminator": terms["discriminator"],
    }
    moved(game)
    for player, loss in losses.items():
        still = list(getattr(twin, player).parameters())
        gradients = torch.autograd.grad(loss, still, retain_graph=True)
        for new, old, gradient in zip(
            getattr(game, player).parameters(), still, gradients, strict=True
        ):
            torch.testing.assert_close(new, old - RATE * gradient, atol=1e-6, rtol=1e-4)


def test_the_adversarial_gradient_would_move_the_encoder() -> None:
    """So that the test above can fail: it is not zero."""
    kept_out, let_in = (
        small(equilibrium_margin=None),
        small(equilibrium_margin=None, adversarial_gradient_to_encoder=True),
    )
    moved(kept_out), moved(let_in)
    weights = [next(game.encoder.parameters()) for game in (kept_out, let_in)]
    assert (weights[0] - weights[1]).abs().max() > 1e-7
    others = [
        torch.cat([p.flatten() for p in game.decoder.parameters()]) for game in (kept_out, let_in)
    ]
    assert torch.equal(*others)


@pytest.mark.parametrize(
    ("real", "fake", "decoder", "discriminator"),
    [
        (0.0, 0.0, True, True),  # at the equilibrium
        (3.0, -0.1, True, False),  # sure of data: D is ahead
        (0.1, -3.0, True, False),  # sure of generated images
        (-2.0, 0.1, False, True),  # takes data for generated: D is behind
        (0.1, 2.0, False, True),
        (3.0, 3.0, True, True),  # ahead on data and behind on the others
    ],
)
def test_the_gate_holds_whoever_is_ahead(real, fake, decoder, discriminator) -> None:
    moves = small().gate(torch.full((4,), real), torch.full((4,), fake))
    assert moves == (decoder, discriminator)
    losses = math.log1p(math.exp(-real)), math.log1p(math.exp(fake))
    assert discriminator == (min(losses) > math.log(2) - 0.35 or max(losses) > math.log(2) + 0.35)
    assert small(equilibrium_margin=None).gate(torch.tensor([real]), torch.tensor([fake])) == (
        True,
        True,
    )


@pytest.mark.parametrize("held", ["decoder", "discriminator"])
def test_whoever_is_held_does_not_move(held, monkeypatch) -> None:
    game, everyone = small(), {"decoder": True, "discriminator": True}
    monkeypatch.setattr(game, "gate", lambda *_: Moves(**everyone | {held: False}))
    found, parameters = moved(game)
    assert parameters[held] == {False}
    assert all(True in parameters[name] for name in game.players if name != held)
    assert found[f"{held}_moves"] == 0
    losses = {f"{name}_loss" for name in game.players}
    assert losses <= found.keys()


def test_images_go_through_the_discriminator_as_they_are() -> None:
    game = small().eval()
    hidden, logits = game.examine(X)
    assert hidden.shape == (8, 4, 7, 7)
    assert torch.equal(logits, game.discriminate(X))
    assert torch.equal(logits, game.answers(X))
    first, _ = small(layer="convolution1").eval().examine(X)
    assert first.shape == (8, 2, 14, 14)


def test_a_second_data_set_with_nothing_to_train_on_is_one_line() -> None:
    split = Split(X, torch.zeros(8, dtype=torch.int64))
    node = {"_target_": "advx.games.vae_gan.VAEGAN", "input_shape": [1, 28, 28], "filters": 2}
    none = Config({"_target_": "advx.defenses.none.NoDefense"})
    trainer = Config({"_target_": "advx.training.game_trainer.GameTrainer"})
    recipe = Recipe(Config(node), trainer, none, 0, "game")
    nothing = Split(X[:0], split.labels[:0])
    with pytest.raises(ConfigError, match="game: noise has nothing to train on; set the training"):
        new_game(recipe, Dataset("noise", 2, nothing, split, split))


def test_a_layer_that_there_is_not_is_refused_before_training() -> None:
    split = Split(X, torch.zeros(8, dtype=torch.int64))
    node = {"_target_": "advx.games.vae_gan.VAEGAN", "input_shape": [1, 28, 28], "filters": 2}
    none = Config({"_target_": "advx.defenses.none.NoDefense"})
    trainer = Config({"_target_": "advx.training.game_trainer.GameTrainer"})
    recipe = Recipe(Config(node | {"layer": "convolution3"}), trainer, none, 0, "game")
    with pytest.raises(ConfigError) as refused:
        new_game(recipe, Dataset("noise", 2, split, split, split))
    expected = "layer=convolution3: D has no such hidden layer; did you mean convolution"
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("game.latent=0", "game.latent=0: input should be greater than or equal to 1"),
        ("game.reconstruction_weight=-1", "reconstruction_weight=-1: input should be greater than"),
        ("game.equilibrium_margin=-0.1", "equilibrium_margin=-0.1: input should be greater than 0"),
    ],
)
def test_what_no_game_can_be_is_refused(word, complaint) -> None:
    config, main = composed(["experiment=dcgan_samples", "game=vae_gan", word])
    with pytest.raises(ConfigError, match=complaint):
        check(config, main)
