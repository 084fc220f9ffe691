"""A small classifier, and how it is trained."""

from typing import Any

from advx.config.config import Config
from advx.training.recipe import Recipe

MODEL = {
    "name": "maxout",
    "_target_": "advx.models.maxout.MaxoutNetwork",
    "input_shape": [1, 4, 4],
    "classes": 3,
    "units": [8],
    "init_range": 0.3,
}

TRAINER = {
    "_target_": "advx.training.trainer.Trainer",
    "batch_size": 10,
    "max_epochs": 6,
    "patience": None,
}

NONE = {"_target_": "advx.defenses.none.NoDefense"}


def recipe(**changes: Any) -> Recipe:
    """The recipe of it, or of what these parts make of it."""
    parts = {"model": MODEL, "trainer": TRAINER, "defense": NONE, "seed": 0} | changes
    return Recipe(**{k: Config(v) if isinstance(v, dict) else v for k, v in parts.items()})
