"""The adversarial autoencoder: priors, the phases' losses, who moves in which, hidden labels."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, nll_loss

from advx.config.build import build
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.games.adversarial_autoencoder import (
    AdversarialAutoencoder,
    Autoencoder,
    CategoricalAutoencoder,
    LabelsOnly,
)
from advx.games.players import Players
from advx.games.priors import prior_samples
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD, Adam
from tests.game_nodes import checked

RATE = 1e-2
X = torch.rand(8, 1, 3, 3, generator=torch.Generator().manual_seed(5))
LABELED = X[:4] * 0.5, torch.tensor([0, 1, 2, 0])


def small(kind=AdversarialAutoencoder, **options):
    torch.manual_seed(1)
    if issubclass(kind, CategoricalAutoencoder):
        options = {"classes": 3, "style": 2} | options
    narrow = {"units": (7, 6), "discriminator_units": (5,), "code_noise": 0.0}
    return kind(**({"input_shape": (1, 3, 3)} | narrow | options)).train()


def plain_steps(game) -> Players:
    rule = SGD(learning_rate=RATE, learning_rate_divisor=1, momentum=0, final_momentum=0)
    return Players({n: rule.attach(getattr(game, n), lambda: None) for n in game.players})


def movers(game: Autoencoder, phase) -> set[str]:
    """Players whose parameters a phase moves."""
    before = {n: [p.clone() for p in getattr(game, n).parameters()] for n in game.players}
    phase(plain_steps(game))
    return {
        name
        for name, old in before.items()
        if not all(map(torch.equal, old, getattr(game, name).parameters()))
    }


def d_loss(d, real: Tensor, fake: Tensor) -> Tensor:
    """From probabilities: draws of the prior are the real ones."""
    real, fake = (d(x).squeeze(1).sigmoid() for x in (real, fake))
    one, zero = torch.ones_like(real), torch.zeros_like(fake)
    return binary_cross_entropy(real, one) + binary_cross_entropy(fake, zero)


def test_priors_have_their_shapes() -> None:
    torch.manual_seed(0)
    z = prior_samples("gaussian", 20_000, 3)
    torch.testing.assert_close(z.T.cov(), torch.eye(3), atol=0.05, rtol=0)

    z = prior_samples("mixture", 20_000, 2)
    angle = torch.atan2(z[:, 1], z[:, 0])
    petal = (angle / (math.pi / 5)).round().long() % 10
    counts = torch.bincount(petal, minlength=10) / 20_000
    torch.testing.assert_close(counts, torch.full((10,), 0.1), atol=0.01, rtol=0)
    for k in range(10):
        turned = -k * math.pi / 5
        c, s = math.cos(turned), math.sin(turned)
        upright = z[petal == k] @ torch.tensor([[c, s], [-s, c]])
        torch.testing.assert_close(upright.mean(0), torch.tensor([2.0, 0.0]), atol=0.1, rtol=0)
        torch.testing.assert_close(upright.std(0), torch.tensor([0.5, 0.12]), atol=0.07, rtol=0)

    z = prior_samples("swiss_roll", 20_000, 2)
    radius = z.norm(dim=1)
    turn = torch.atan2(z[:, 1], z[:, 0]) % (2 * math.pi)
    turns = radius / 3 * 2 - turn / (2 * math.pi)  # a whole number, but for the noise
    far = radius > 1
    assert (turns - turns.round())[far].abs().quantile(0.99) < 0.1
    inner = (radius < 1.5).double().mean().item()
    assert inner == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("prior", ["mixture", "swiss_roll"])
def test_a_prior_of_another_dimension_than_the_code_is_refused(prior) -> None:
    with pytest.raises(ValueError, match=f"latent=3: prior={prior} is .* valid: latent=2") as no:
        small(prior=prior, latent=3)
    assert "\n" not in str(no.value)
    small(prior=prior, latent=2)
    small(latent=3)


def test_losses_are_those_of_the_algorithm() -> None:
    game, twin = small(), small()
    players, still = plain_steps(game), plain_steps(twin)
    error = ((twin.decoder(twin.encoder(X)) - X) ** 2).mean()
    torch.manual_seed(3)
    found = game.update(iter([(X, None)]), players)
    torch.testing.assert_close(found["reconstruction_loss"], error.detach())

    twin.reconstruction(X, still)
    torch.manual_seed(3)
    loss = d_loss(twin.discriminator, torch.randn(8, 2), twin.encoder(X).detach())
    torch.testing.assert_close(found["discriminator_loss"], loss.detach())
    still.discriminator.descend(loss)
    loss = -twin.discriminator(twin.encoder(X)).sigmoid().log().mean()
    torch.testing.assert_close(found["encoder_loss"], loss.detach())
    still.encoder.descend(loss)
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(game.state_dict()[name], value, msg=name)


def test_losses_with_a_class_and_a_style_are_those_of_the_algorithm() -> None:
    game, twin = small(CategoricalAutoencoder), small(CategoricalAutoencoder)
    players, still = plain_steps(game), plain_steps(twin)
    torch.manual_seed(3)
    found = game.update(iter([(X, LABELED)]), players)

    def codes(x: Tensor) -> tuple[Tensor, Tensor]:
        out = twin.encoder(x)
        return out[:, :3].softmax(1), out[:, 3:]

    error = ((twin.decoder(torch.cat(codes(X), 1)) - X) ** 2).mean()
    torch.testing.assert_close(found["reconstruction_loss"], error.detach())
    still.descend(encoder=error, decoder=error)

    torch.manual_seed(3)
    classes, styles = torch.eye(3)[torch.randint(3, (8,))], torch.randn(8, 2)
    y, z = codes(X)
    losses = {
        "class_discriminator": d_loss(twin.class_discriminator, classes, y.detach()),
        "style_discriminator": d_loss(twin.style_discriminator, styles, z.detach()),
    }
    for name, loss in losses.items():
        torch.testing.assert_close(found[f"{name}_loss"], loss.detach(), msg=name)
        getattr(still, name).descend(loss)
    answers = twin.class_discriminator(y).sigmoid(), twin.style_discriminator(z).sigmoid()
    loss = -answers[0].log().mean() - answers[1].log().mean()
    torch.testing.assert_close(found["encoder_loss"], loss.detach())
    still.encoder.descend(loss)
    loss = nll_loss(codes(LABELED[0])[0].log(), LABELED[1])
    torch.testing.assert_close(found["label_loss"], loss.detach())
    still.encoder.descend(loss)
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(game.state_dict()[name], value, msg=name)


def test_who_moves_in_which_phase() -> None:
    game = small()
    assert movers(game, lambda p: game.reconstruction(X, p)) == {"encoder", "decoder"}
    assert movers(game, lambda p: game.regularization(X, p)) == {"encoder", "discriminator"}
    game = small(CategoricalAutoencoder)
    both = {"class_discriminator", "style_discriminator"}
    assert movers(game, lambda p: game.reconstruction(X, p)) == {"encoder", "decoder"}
    assert movers(game, lambda p: game.regularization(X, p)) == {"encoder"} | both
    assert movers(game, lambda p: game.classification(LABELED, p)) == {"encoder"}
    assert movers(game, lambda p: game.classification(None, p)) == set()


def test_without_the_adversary_the_encoder_only_reconstructs() -> None:
    game = small(regularization_weight=0.0)
    assert movers(game, lambda p: game.regularization(X, p)) == {"discriminator"}


def test_a_trained_discriminator_answers_higher_on_the_prior_than_on_codes() -> None:
    """Real and fake the right way round; with the adversary on, codes get its answer up."""
    for kind in (AdversarialAutoencoder, CategoricalAutoencoder):
        game = small(kind, regularization_weight=0.0)
        rule = Adam(learning_rate=0.01)
        players = Players({n: rule.attach(getattr(game, n), lambda: None) for n in game.players})
        for _ in range(150):
            game.regularization(X, players)
        real, fake = game.draw(500), game.encode(X)
        if kind is AdversarialAutoencoder:
            pairs = [(game.discriminator, real, fake)]
        else:
            networks = game.class_discriminator, game.style_discriminator
            pairs = list(zip(networks, game.parts(real), game.parts(fake), strict=True))
        for network, prior, code in pairs:
            assert network(prior).mean() > network(code).mean() + 1
        game.regularization_weight = 1.0
        before = [network(code).mean().item() for network, _, code in pairs]
        encoder = Players({n: plain_steps(game).named[n].mover for n in game.players})
        game.regularization(X, encoder)
        codes = game.encode(X)
        after = (codes,) if kind is AdversarialAutoencoder else game.parts(codes)
        assert sum(p[0](c).mean().item() for p, c in zip(pairs, after, strict=True)) > sum(before)


def test_statistics_of_evaluation_are_those_of_training_images() -> None:
    data = points(torch.arange(60) % 3)
    game = small(CategoricalAutoencoder, labeled=6)
    GameTrainer(max_epochs=1, batch_size=20, shown=5).fit(game, data, seed=0)
    first, norm = game.encoder[1], game.encoder[2]
    seen = first(data.train.images.flatten(1)).detach()
    torch.testing.assert_close(norm.running_mean, seen.mean(0))
    with pytest.raises(ValueError, match="Expected more than 1 value"):
        game.train().misfit(X[:1], torch.zeros(1))  # a batch of one has no statistics


def points(labels: Tensor) -> Dataset:
    images = torch.rand(len(labels), 1, 3, 3, generator=torch.Generator().manual_seed(2))
    split = Split(images, labels)
    return Dataset("noise", 3, split, split, split)


def test_hidden_labels_are_never_seen() -> None:
    labels = torch.arange(60) % 3
    trainer = GameTrainer(max_epochs=2, batch_size=20, shown=5)
    game, other = (small(CategoricalAutoencoder, labeled=6) for _ in range(2))
    trainer.fit(game, points(labels), seed=2)
    poisoned = torch.full_like(labels, -7)
    poisoned[game.known] = labels[game.known]
    assert torch.bincount(labels[game.known]).tolist() == [2, 2, 2]
    trainer.fit(other, points(poisoned), seed=2)
    for name, value in game.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_clustering_sees_no_label_at_all() -> None:
    trainer = GameTrainer(max_epochs=2, batch_size=20, shown=5)
    game, other = (small(CategoricalAutoencoder, classes=16) for _ in range(2))
    history = trainer.fit(game, points(torch.arange(60) % 3), seed=2).history
    trainer.fit(other, points(torch.full((60,), -7)), seed=2)
    assert all(map(torch.equal, game.parameters(), other.parameters()))
    assert "label_loss" not in history[0]
    assert game.classify(X).shape == (8, 16)


def test_the_baseline_begins_as_the_game_with_its_labels_and_descends_them_alone() -> None:
    data = points(torch.arange(60) % 3)
    game, alone = (small(kind, labeled=6) for kind in (CategoricalAutoencoder, LabelsOnly))
    for name, value in game.state_dict().items():
        assert torch.equal(value, alone.state_dict()[name]), name
    trainer = GameTrainer(max_epochs=1, batch_size=20, shown=5)
    history = trainer.fit(alone, data, seed=2).history
    trainer.fit(game, data, seed=2)
    assert torch.equal(game.known, alone.known)
    assert [name for name in history[0] if name.endswith("_loss")] == ["label_loss"]

    alone, twin = small(LabelsOnly, labeled=6), small(LabelsOnly, labeled=6)
    assert movers(alone, lambda p: alone.update(iter([(X, LABELED)]), p)) == {"encoder"}
    loss = nll_loss(twin.encoder(LABELED[0])[:, :3].log_softmax(1), LABELED[1])
    plain_steps(twin).encoder.descend(loss)
    for name, value in twin.encoder.named_parameters():
        torch.testing.assert_close(alone.encoder.get_parameter(name), value)
    with pytest.raises(ConfigError, match=r"game\.labeled=null: it learns from labels alone"):
        trainer.fit(small(LabelsOnly), data, seed=2)


def test_codes_and_samples_have_their_shapes() -> None:
    game = small(CategoricalAutoencoder)
    z, codes = game.draw(300), game.encode(X)
    assert z.shape == (300, 5)
    assert torch.equal(z[:, :3].sum(1), torch.ones(300))
    assert set(z[:, :3].flatten().tolist()) == {0.0, 1.0}
    assert z[:, :3].mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.1)
    torch.testing.assert_close(codes[:, :3], game.classify(X).softmax(1))
    assert game.generate(z).shape == (300, 1, 3, 3)


@pytest.mark.parametrize(
    "name", ["adversarial_autoencoder", "categorical_autoencoder", "labels_only"]
)
def test_the_configuration_makes_the_game(name) -> None:
    game = build(checked(name, units=[6], discriminator_units=[5]))
    assert game.misfit(torch.rand(2, 1, 28, 28), torch.zeros(2)) == ""


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("adversarial_autoencoder", {"prior": "cube"}, "game.prior=cube: "),
        ("adversarial_autoencoder", {"latent": 0}, "game.latent=0: input should be greater"),
        ("categorical_autoencoder", {"classes": 1}, "game.classes=1: input should be greater"),
        ("categorical_autoencoder", {"labeled": 0}, "game.labeled=0: labels are needed"),
    ],
)
def test_what_no_game_can_be_is_refused(name, options, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        checked(name, **options)
    assert "\n" not in str(refused.value)
