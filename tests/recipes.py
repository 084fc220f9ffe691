"""A small classifier, and how it is trained."""

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


def recipe(**changes) -> Recipe:
    return Recipe(**({"model": MODEL, "trainer": TRAINER, "defense": NONE, "seed": 0} | changes))
