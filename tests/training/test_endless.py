"""Stopping rules that would never be met are refused before anything is trained."""

import re
from functools import partial

import pytest
import torch

from advx.config.check import check_node
from advx.config.compose import composed
from advx.data.dataset import Dataset, Split
from advx.defenses.none import NoDefense
from advx.errors import ConfigError
from advx.models.maxout import MaxoutNetwork
from advx.run.checks import check
from advx.training.game_trainer import GameTrainer
from advx.training.semi_supervised import SemiSupervisedTrainer
from advx.training.trainer import Trainer

IMAGES, LABELS = torch.rand(40, 1, 2, 2), torch.arange(40) % 4
SOME = Split(IMAGES, LABELS)
UNVALIDATED = Dataset("toy", 4, SOME, SOME.take(torch.arange(0)), SOME)


@pytest.mark.parametrize("kind", [Trainer, partial(SemiSupervisedTrainer, labeled=None)])
def test_patience_alone_needs_validation_examples(kind) -> None:
    line = (
        "trainer.max_epochs=null: toy has no validation examples to stop by; valid: a number of "
        "epochs, e.g. 100"
    )
    endless = kind(max_epochs=None, patience=2)
    with pytest.raises(ConfigError, match=re.escape(line)):
        endless.check(UNVALIDATED)
    model = MaxoutNetwork(input_shape=(1, 2, 2), classes=4, units=(3,), pieces=2)
    with pytest.raises(ConfigError, match=re.escape(line)):
        endless.fit(model, NoDefense(), UNVALIDATED, seed=0)
    kind(max_epochs=3, patience=2).check(UNVALIDATED)
    endless.check(Dataset("toy", 4, SOME, SOME, SOME))


def test_a_game_needs_its_number_of_epochs() -> None:
    """Its schedules, the weight of a reversed gradient say, run over the whole of the training."""
    node = {"_target_": "advx.training.game_trainer.GameTrainer", "max_epochs": None, "patience": 2}
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs=None: input should be a valid int"):
        check_node(node, "trainer")
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs=None: input should be a valid int"):
        check(
            *composed(
                [
                    "experiment=domain_adaptation",
                    "scale=smoke",
                    "trainer.max_epochs=null",
                    "trainer.patience=2",
                ]
            )
        )
    assert GameTrainer(max_epochs=3, patience=2).max_epochs == 3
