"""Games and the store: continued to the byte, stopped with a reason, refused in time."""

import math
import shlex
from dataclasses import replace

import pytest
import torch

from advx.config.check import keywords
from advx.config.compose import composed
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError, Diverged
from advx.games.multilayer import MultilayerGame
from advx.run import Run, check, check_models
from advx.store.store import Store
from advx.training.construct import new_game
from advx.training.load_or_train import load_or_train_game
from advx.training.recipe import Recipe, recipe_key
from tests.toy_games import RING, Killed, recipe


@pytest.mark.parametrize("options", [{}, {"average": 0.9}, {"game": {"discriminator_steps": 2}}])
def test_a_killed_game_continues_to_the_same_bytes(options, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SHARE", math.inf)
    whole = load_or_train_game(recipe(**options), RING, Store(tmp_path / "whole"))

    def kill(progress) -> None:
        if progress.epoch == 2:
            raise Killed

    store = Store(tmp_path / "killed")
    with pytest.raises(Killed):
        load_or_train_game(recipe(**options), RING, store, kill)
    seen = []
    resumed = load_or_train_game(recipe(**options), RING, store, lambda p: seen.append(p.epoch))
    assert seen == [3, 4]
    assert resumed.history == whole.history
    assert resumed.snapshot_epochs == whole.snapshot_epochs == [0, 2, 4]
    torch.testing.assert_close(resumed.snapshots, whole.snapshots, rtol=0, atol=0)
    for a, b in zip(
        resumed.game.state_dict().values(), whole.game.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
    again = load_or_train_game(
        recipe(**options), RING, store, lambda _: pytest.fail("trained again")
    )
    assert again.history == whole.history
    z = torch.randn(5, 4)
    assert torch.equal(again.game.generate(z), whole.game.generate(z))
    files = [
        s / "models" / recipe_key(recipe(**options), RING) / "weights.pt"
        for s in (tmp_path / "whole", tmp_path / "killed")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_nan_stops_the_game_and_its_last_good_epoch_is_kept(tmp_path, monkeypatch) -> None:
    def poisoned(self, z, condition=None):
        made = MultilayerGame.__mro__[1].generate(self, z)
        return made * math.nan if self.training and poison.on else made

    def poison(progress) -> None:
        poison.on = progress.epoch == 2

    poison.on = False  # type: ignore[attr-defined]
    monkeypatch.setattr(MultilayerGame, "generate", poisoned, raising=False)
    store = Store(tmp_path)
    with pytest.raises(Diverged, match=r"discriminator loss became nan in epoch 3; the checkpoint"):
        load_or_train_game(recipe(), RING, store, poison)
    kept = store.checkpoint(recipe_key(recipe(), RING))
    assert kept["progress"]["epoch"] == 2
    assert all(v.isfinite().all() for v in kept["model"].values())
    poison.on = False
    assert len(load_or_train_game(recipe(), RING, store).history) == 4


def test_batch_statistics_of_one_example_are_refused_before_the_game(tmp_path) -> None:
    words = [
        "experiment=gan_collapse",
        "scale=smoke",
        "device.threads=1",
        f"store={tmp_path}",
        "game.batch_norm_generator=true",
    ]
    config, main = composed([*words, "trainer.batch_size=1"])
    check(config, main)
    with pytest.raises(ConfigError, match=r"game: cannot be trained on a single example .*from 2"):
        check_models(Run(config, tmp_path, "advx run"))
    config, _ = composed([*words, "trainer.batch_size=2"])
    check_models(Run(config, tmp_path, "advx run"))


def test_own_networks_are_tried_in_float32_under_their_seed() -> None:
    own = Config({"name": "own", "_target_": "tests.toy_games.Mute"})
    parts = {
        "trainer": Config({"_target_": "advx.training.game_trainer.GameTrainer"}),
        "defense": Config({"_target_": "advx.defenses.none.NoDefense"}),
    }
    with pytest.raises(ConfigError, match=r"torch.float32 images \(NotImplementedError\)$"):
        new_game(Recipe(own, seed=0, path="game", **parts), RING)
    made = {}
    torch.set_default_dtype(torch.float64)  # the trial's images stay what the data are
    try:
        with pytest.raises(ConfigError, match="dtype"):
            new_game(Recipe(own.with_(mute=False), seed=0, path="game", **parts), RING)
    finally:
        torch.set_default_dtype(torch.float32)
    for seeds in ([0], [1, 0]):
        for seed in seeds:
            game = new_game(Recipe(own.with_(mute=False), seed=seed, path="game", **parts), RING)
            made.setdefault(seed, []).append(game.generator.weight.clone())
    assert torch.equal(*made[0])
    assert not torch.equal(made[0][0], made[1][0])


def test_a_game_that_does_not_fit_is_named(tmp_path) -> None:
    three = Dataset("three", 2, *[Split(torch.rand(9, 3), torch.zeros(9).long())] * 3)
    with pytest.raises(ConfigError, match=r"game does not fit dataset=three \(examples \(3,\)\)"):
        load_or_train_game(recipe(), three, Store(tmp_path))
    identity = replace(recipe(), model=Config({"_target_": "torch.nn.Identity"}))
    with pytest.raises(ConfigError, match="Game is needed"):
        load_or_train_game(identity, RING, Store(tmp_path))


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ("experiment=gan_samples game.latent=0", "game.latent=0: .* greater than or equal to 1"),
        ("experiment=gan_samples samples=10", "samples=10: .* the 16 features .*; valid: from 17"),
        (
            "experiment=gan_samples dataset.limit.test=16",
            "dataset.limit.test=16: leaves 16 test images, but .* the 16 features .* from 17 test",
        ),
        (
            "experiment=gan_samples classifier.units=2 dataset.limit.test=5",
            "dataset.limit.test=5: leaves 5 test images, .* the 2 features .* from 6 test images",
        ),
        ("experiment=gan_samples layer=layers.77", "layer=layers.77: .* did you mean layers.7"),
        ("experiment=gan_collapse game=gan", "game=gan: has no batch_norm_generator; valid: multi"),
        ("experiment=gan_theory dataset=ring", "dataset=ring: .*; valid: dataset=line"),
        (
            "experiment=laplacian_gan dataset=faces ~dataset.limit dataset.side=30",
            "images of 30 × 30 cannot be halved twice",
        ),
        ("experiment=latent_arithmetic plus=beard", "plus=beard: no class .*; valid: short hair; "),
        ("experiment=latent_arithmetic 'plus=long hair'", "four different classes are needed"),
        ("experiment=latent_arithmetic dataset.withheld=2", "valid: dataset=faces, .*=null"),
        ("experiment=latent_arithmetic dataset.withheld=8", "no such class; valid: null, 0"),
    ],
)
def test_bad_input_is_named(overrides, complaint, tmp_path) -> None:
    words = [*shlex.split(overrides), "scale=smoke", "device.threads=1", f"store={tmp_path}"]

    def attempt() -> None:
        config, main = composed(words)
        check(config, main)
        run = Run(config, tmp_path, "advx run")
        run.models.trained_game = lambda *_: pytest.fail("a game was trained first")  # type: ignore[method-assign]
        run.models.trained = lambda *_: pytest.fail("a model was trained first")  # type: ignore[method-assign]
        main(run, **keywords(config, main))

    with pytest.raises(ConfigError, match=complaint):
        attempt()
