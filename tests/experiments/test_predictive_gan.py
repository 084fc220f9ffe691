"""Figure 1.6's experiment: who is trained how long, and what is refused."""

import pytest
import torch

from advx.config.config import Config
from advx.errors import ConfigError
from advx.experiments.predictive_gan import game_of, middles
from advx.run.checks import check_models
from tests.running import started

SMOKE = "experiment=predictive_gan"


def test_middles_are_those_of_the_larger_ear() -> None:
    mask = torch.zeros(3, 8, 8, dtype=torch.bool)
    mask[0, 2:5, 0:2] = True  # one ear
    mask[1, 4, 0] = True  # two, the right one larger
    mask[1, 3:5, 6:8] = True
    mask[2, 1, 3] = mask[2, 1, 4] = True  # two, equally large: the left one
    assert middles(mask).tolist() == [[3, 0.5], [3.5, 6.5], [1, 3]]


def test_a_weight_decides_what_is_trained(tmp_path) -> None:
    """The squared error alone at first where there is a weight; a shorter training where asked."""
    run, config, _ = started(tmp_path, SMOKE)
    game = Config(config["game"], "game")
    long = game_of(run, game, 0.001, 0, run.data, 0.5)
    assert long.recipe.model["adversarial_weight"] == 0.001
    assert long.recipe.model["squared_error_epochs"] == config["trainer"]["max_epochs"] // 2
    short = game_of(run, game, 0.0, 0, run.data, 0.5, 7)
    assert short.recipe.trainer["max_epochs"] == 7
    assert short.recipe.model["squared_error_epochs"] == 0
    assert short.key != long.key


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("dataset=faces dataset.train=20 dataset.test=5", "dataset=faces: has no ears; valid"),
        ("weights=[0,0.1]", "weights=.*: 0.001 must be among them"),
        ("weights=[0.001]", "weights=.*: 0 must be among them"),
    ],
)
def test_what_the_experiment_cannot_measure_is_refused(words, complaint, tmp_path) -> None:
    run, config, main = started(tmp_path, SMOKE, *words.split(), "~rows", "~claims")
    from advx.config.check import keywords

    with pytest.raises(ConfigError, match=complaint):
        main(run, **keywords(config, main))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("game.history=6", r"history=6: clips of 6 frames have no frame left to predict; valid: 1"),
        ("dataset=faces dataset.train=20", r"clips \(frames, channels, side, side\) are needed"),
    ],
)
def test_a_game_that_does_not_fit_is_refused_before_training(words, complaint, tmp_path) -> None:
    run, _, _ = started(tmp_path, SMOKE, *words.split())
    with pytest.raises(ConfigError, match=complaint):
        check_models(run)
