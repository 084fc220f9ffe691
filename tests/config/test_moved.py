"""Keys that have moved are read where they were typed before, and say where they are now."""

import pytest

from advx.config import moved
from advx.config.build import build
from advx.config.check import check_node
from advx.config.compose import composed
from advx.errors import ConfigError
from advx.run import check
from advx.training.optimizers import SGD, Adam, LinearDecay

SMOKE = ["scale=smoke", "device.threads=1"]


def at(config: dict, path: str):
    for key in path.split("."):
        config = config[key]
    return config


@pytest.mark.parametrize(
    ("typed", "places"),
    [
        ("experiment=train trainer.learning_rate=.05", {"trainer.optimizer.learning_rate": 0.05}),
        ("experiment=train ++trainer.momentum=.4", {"trainer.optimizer.momentum": 0.4}),
        (
            "experiment=train trainer=linear_decay trainer.decay_epochs=7",
            {"trainer.optimizer.decay_epochs": 7},
        ),
        ("experiment=train trainer=adam trainer.decay=.5", {"trainer.optimizer.decay": 0.5}),
        (
            "experiment=transfer_table published_trainer.final_momentum=.6",
            {"published_trainer.optimizer.final_momentum": 0.6, "trainer.optimizer.momentum": 0.5},
        ),
        (
            "experiment=black_box trainers.convolutional.learning_rate=.1",
            {"trainers.convolutional.optimizer.learning_rate": 0.1},
        ),
        (
            "experiment=gan_samples trainer.generator_rate=.2 trainer.discriminator_rate=.3",
            {
                "trainer.optimizers.generator.learning_rate": 0.2,
                "trainer.optimizers.discriminator.learning_rate": 0.3,
            },
        ),
        ("experiment=gan_samples trainer.momentum=.1", {"trainer.optimizer.momentum": 0.1}),
        (
            "experiment=gan_samples trainer=pair/adam trainer.beta1=0",
            {"trainer.optimizer.beta1": 0},
        ),
        ("experiment=gan_samples trainer.discriminator_steps=3", {"game.discriminator_steps": 3}),
        ("experiment=gan_samples trainer.updates=alternating", {"game.updates": "alternating"}),
        (
            "experiment=dcgan_samples trainer.loss=blended trainer.blend=.2",
            {"game.loss": "blended", "game.blend": 0.2},
        ),
        (
            "experiment=laplacian_gan trainer.loss=minimax coarse_trainer.discriminator_steps=2",
            {
                "level.loss": "minimax",
                "coarse.loss": "non_saturating",
                "coarse.discriminator_steps": 2,
                "level.discriminator_steps": 1,
            },
        ),
        (
            "experiment=benchmark_gan trainers.gan.loss=minimax",
            {"games.gan.loss": "minimax", "games.dcgan.loss": "non_saturating"},
        ),
    ],
)
def test_a_key_of_before_is_read_where_it_is_now(typed, places) -> None:
    config, main = composed([*typed.split(), *SMOKE])
    assert {path: at(config, path) for path in places} == places
    for word in typed.split()[1:]:
        path, _, name = word.partition("=")[0].lstrip("+").rpartition(".")
        if path and name != "trainer":
            assert name not in at(config, path)
    check(config, main)


def test_a_sweep_over_a_key_of_before_and_other_words_stay_as_they_are() -> None:
    words = ["trainer.learning_rate=.1,.2", "trainer.max_epochs=3", "attack.decay=1", "~trainer"]
    assert moved.typed(words) == ["++trainer.learning_rate=.1,.2", *words[1:]]


OWN = {
    "advx.training.trainer.Trainer": ({"learning_rate": 0.2}, SGD(learning_rate=0.2)),
    "advx.training.adam.AdamTrainer": ({"decay": 0.5}, Adam(decay=0.5)),
    "advx.training.linear_decay.LinearDecayTrainer": ({}, LinearDecay()),
    "advx.training.semi_supervised.SemiSupervisedTrainer": (
        {"learning_rate": 0.1},
        Adam(learning_rate=0.1, decay=0.9),
    ),
}


@pytest.mark.parametrize("kind", OWN)
def test_a_yaml_of_before_makes_the_trainer_that_it_made(kind) -> None:
    given, optimizer = OWN[kind]
    config = {"trainer": {"_target_": kind, "max_epochs": 3} | given}
    remarks = moved.put_right(config)
    assert remarks == [
        f"trainer.{k} has moved: trainer.optimizer.{k}={v}" for k, v in given.items()
    ]
    check_node(config["trainer"], "trainer")
    trainer = build(config["trainer"])
    assert trainer.optimizer == optimizer
    assert trainer.max_epochs == 3
    assert trainer.batch_size == (128 if optimizer == LinearDecay() else 100)
    assert moved.put_right(config) == []


def test_a_game_trainers_yaml_of_before() -> None:
    config = {
        "game": {"_target_": "advx.games.dcgan.DCGAN", "input_shape": [1, 28, 28]},
        "trainer": {"_target_": "advx.training.pair_sgd.SGDPairTrainer", "generator_rate": 0.2},
    }
    moved.put_right(config)
    trainer = build(config["trainer"])
    assert trainer.optimizer == SGD(learning_rate=0.2)
    assert trainer.optimizer_of("generator").learning_rate == 0.2
    assert trainer.optimizer_of("discriminator").learning_rate == 0.05
    assert (trainer.batch_size, trainer.max_epochs) == (100, 100)
    assert build(config["game"]).updates == "simultaneous"


def test_a_trainer_of_ones_own_keeps_its_keys() -> None:
    config = {"trainer": {"_target_": "mine.Trainer", "learning_rate": 0.1}}
    assert moved.put_right(config) == []
    assert config["trainer"]["learning_rate"] == 0.1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("trainer.decay=.5", r"trainer.optimizer.decay=0.5: no such key; .*valid: .*momentum"),
        ("trainer.optimizer.momentum=2", r"trainer.optimizer.momentum=2: input should be less"),
        ("trainer.loss=minimax", r"trainer.loss=minimax: no such key"),
        (
            "trainer.optimizer._target_=torch.nn.Identity",
            r"trainer.optimizer._target_=torch.nn.Identity: makes no Optimizer; needed: a class "
            r"derived from advx.training.optimizers.Optimizer",
        ),
        (
            "optimizer@trainer.optimizer=rmsprop trainer.optimizer.smoothing=-1",
            r"trainer.optimizer.smoothing=-1: ",
        ),
    ],
)
def test_a_bad_optimizer_is_named(words, complaint) -> None:
    config, main = composed(["experiment=train", *words.split(), *SMOKE])
    with pytest.raises(ConfigError, match=complaint):
        check(config, main)
