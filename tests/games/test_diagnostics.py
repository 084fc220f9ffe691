"""What is seen to go wrong in a game during training."""

import math

import pytest
import torch
from torch import nn

from advx.config.compose import composed
from advx.config.config import Config
from advx.games.diagnostics import diagnosed, lasting, warnings
from advx.games.generative import GeneratorObserver
from advx.games.multilayer import MultilayerGame
from advx.run import Run
from advx.training.game_trainer import GameTrainer
from tests.toy_games import RING, small


def test_what_the_diagnostics_see() -> None:
    real = RING.train.images[:256]
    sure, unsure = torch.full((256,), 6.0), torch.zeros(256)
    fine = diagnosed(real, RING.train.images[256:512], unsure, unsure)
    assert fine["diversity"] == pytest.approx(1, abs=0.1)
    assert fine["coverage"] > 0.9
    assert fine["confidence"] == 0
    point = diagnosed(real, real[:1].expand(256, 2), sure, -sure)
    assert point["diversity"] == 0
    assert point["coverage"] < 0.2
    assert point["confidence"] == 1
    assert diagnosed(real, real, sure, sure)["confidence"] == 0.5
    images = torch.rand(64, 1, 4, 4)
    black = diagnosed(images, torch.zeros_like(images), unsure[:64], unsure[:64])
    assert black["contrast"] == 0
    history = [
        {"epoch": 1} | point,
        {"epoch": 2} | fine,
        {"epoch": 3} | point | {"confidence": 0.0},
    ]
    found = {w["warning"]: w for w in warnings(history)}
    assert found["diversity"]["epochs"] == 2
    assert found["diversity"]["at_the_end"]
    assert (found["confidence"]["first"], found["confidence"]["at_the_end"]) == (1, False)
    assert "contrast" not in found
    assert "contrast" not in point


def test_a_game_made_to_collapse_is_flagged() -> None:
    """Minimax against a discriminator that has won already: G stays where it began."""
    game = small(spread=0.0, loss="minimax")
    rates = {"generator": {"learning_rate": 1e-6}, "discriminator": {"learning_rate": 0.05}}
    trainer = GameTrainer(max_epochs=3, optimizers=rates, batch_size=50)
    progress = trainer.fit(game, RING, seed=0)
    found = {w["warning"]: w["at_the_end"] for w in warnings(progress.history)}
    assert found["diversity"]
    assert found["coverage"]


def test_a_warning_is_told_after_five_epochs_in_a_row() -> None:
    good = {"diversity": 1.0, "coverage": 1.0, "confidence": 0.0}
    bad = good | {"coverage": 0.1}
    assert lasting([bad] * 4) == []
    assert lasting([good] + [bad] * 5) == ["coverage"]
    assert lasting([bad] * 2 + [good] + [bad] * 3) == []
    assert lasting([bad] * 5 + [good]) == []
    assert lasting([bad | {"diversity": 0.0}] + [bad] * 4) == ["coverage"]


def test_a_collapsing_game_says_so_while_it_is_trained(tmp_path, caplog) -> None:
    words = [
        "experiment=gan_collapse",
        "scale=smoke",
        f"store={tmp_path / 'store'}",
        "game.spread=0",
        "trainer.max_epochs=6",
        "trainer.epoch_updates=2",
        "game.loss=minimax",
        "trainer.optimizers.generator.learning_rate=1e-9",
    ]
    config, _ = composed(words)
    run = Run(config, tmp_path, "advx run")
    _ = run.game(Config(config["game"], "game"), 0).value  # it is trained now
    told = [r.message for r in caplog.records if "nearly the same" in r.message]
    assert [m.partition(":")[0] for m in told] == [
        "multilayer, seed 0, epoch 5",
        "multilayer, seed 0, at the end",
    ]


def test_confidence_is_of_minibatches_as_the_game_shows_them_to_the_discriminator() -> None:
    game = MultilayerGame(
        input_shape=(2,), latent=2, generator_units=(8,), discriminator_units=(8, 8),
        batch_norm_discriminator=True, batch_norm_first=True,
    )  # fmt: skip
    nn.init.normal_(game.discriminator[-1].weight, std=50)
    norms = [m for m in game.modules() if isinstance(m, nn.BatchNorm1d)]
    assert len(norms) == 2
    for layer in norms:
        layer.running_mean += 3  # of images of another kind
    game.eval()
    kept = {name: value.clone() for name, value in game.state_dict().items()}
    observer = game.observer(RING, 4)
    found = observer.diagnose()["confidence"]
    assert all(torch.equal(value, kept[name]) for name, value in game.state_dict().items())
    assert not any(module.training for module in game.modules())
    assert all(layer.track_running_stats for layer in norms)

    assert isinstance(observer, GeneratorObserver)
    real = observer.real.images
    with torch.no_grad():
        fake = game.generate(observer.z[: len(real)])
        running = [game.discriminate(x) for x in (real, fake)]
        game.discriminator.train()
        logits = [game.discriminate(x) for x in (real, fake)]
    odds = math.log(99)
    share = [torch.cat([a > odds, b < -odds]).double().mean().item() for a, b in (logits, running)]
    assert found == share[0]
    assert share[0] != share[1]
