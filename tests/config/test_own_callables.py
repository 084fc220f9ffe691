"""What of a user's own cannot be called as it is named: one line each, with the key."""

import pytest
import torch
from hydra.errors import MissingConfigException

from advx.attacks.own import as_attack
from advx.config.build import build
from advx.config.check import check_node
from advx.config.messages import one_line
from advx.errors import ConfigError
from advx.games.gan import GAN
from advx.training.game_trainer import GameTrainer
from tests.toy_games import RING

MODULE = """
FACTOR = 3


def two(model, images):
    return images


def load(path="arrays.pt"):
    return open(path)
"""


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch) -> None:
    (tmp_path / "own_callables.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("node", "line"),
    [
        (
            {"_target_": "own_callables"},
            "part._target_=own_callables: a module; needed: a class or function, such as "
            "own_callables.MyNet",
        ),
        (
            {"_target_": "own_callables.FACTOR"},
            "part._target_=own_callables.FACTOR: a int; needed: a class or function, such as "
            "my_module.MyNet",
        ),
        (
            {"_target_": "own_callables.two"},
            "part.model: not given, and own_callables.two has no default for it",
        ),
        (
            {"_target_": "own_callables.load", "path": "???"},
            "part.path: not given, and own_callables.load has no default for it",
        ),
    ],
)
def test_a_node_that_cannot_be_made_is_named(node, line) -> None:
    with pytest.raises(ConfigError) as caught:
        check_node(node, "part")
    assert str(caught.value) == line


def test_what_a_users_own_function_raises_is_named_by_its_target() -> None:
    with pytest.raises(ConfigError, match=r"^_target_=own_callables.load: fails \(.*arrays.pt"):
        build({"_target_": "own_callables.load"})


def test_an_attack_that_takes_something_else_is_refused_before_it_is_called() -> None:
    with pytest.raises(ConfigError, match=r"two cannot be called with a model, images and labels"):
        as_attack(two)
    as_attack(lambda model, x, y: x)
    as_attack(lambda *given: given[1])


def two(model, images):
    return images


class Silent(GAN):
    def update(self, data, players):
        next(data)


class Misnamed(GAN):
    def update(self, data, players):
        next(data)
        return {"loss": players.critic.descend(torch.zeros(()))}


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (
            Silent,
            "Silent.update returns a NoneType; valid: a dictionary of scalar tensors by name, such "
            "as losses",
        ),
        (Misnamed, "no player critic; this game has generator, discriminator"),
    ],
)
def test_a_game_of_ones_own_that_goes_wrong_is_one_line(kind, line) -> None:
    game = kind(input_shape=(2,), generator_units=(4,), discriminator_units=(4,), latent=2)
    with pytest.raises(ConfigError) as caught:
        GameTrainer(max_epochs=1, epoch_updates=1, batch_size=20).fit(game, RING, seed=0)
    assert one_line(caught.value) == line
    assert not hasattr(game, "critic")


def test_an_empty_experiment_is_not_given() -> None:
    class Missing(Exception):
        pass

    said = one_line(Missing("In 'config': Could not find 'experiment/' Available options"))
    assert said is not None
    assert said.startswith("experiment: not given; valid: adversarial_autoencoder, ")


@pytest.mark.parametrize(
    "words",
    [
        ["--config-dir", "{own}", "model=rezidual"],
        ["model=rezidual", "--config-dir={own}"],
        ["hydra.searchpath=[file://{own}]", "model=rezidual"],
    ],
)
def test_choices_of_ones_own_are_among_the_valid_ones(tmp_path, words) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "residual.yaml").write_text("_target_: mine.Residual\n")
    error = MissingConfigException("In 'config': Could not find 'model/rezidual'")
    said = one_line(error, [word.format(own=tmp_path) for word in words])
    assert said is not None
    assert said.startswith("model=rezidual: no such choice; did you mean residual? valid: ")
    assert "residual" in said.split("valid: ")[1].split(", ")
    assert "maxout" in said.split("valid: ")[1].split(", ")
