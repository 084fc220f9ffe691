"""The class in a code: how often it is wrong, and how well it sorts images without any label."""

from functools import partial
from typing import cast

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.evaluation.clusters import Sorting, sorting
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import BATCH
from advx.games.adversarial_autoencoder import CategoricalAutoencoder
from advx.training.load_or_train import TrainedGame

SORTING_UNITS = {"clusters_used": "clusters"}
"""Of these; the others are percent."""


@torch.no_grad()
def code_classes(trained: TrainedGame, images: Tensor) -> Tensor:
    """The most probable class (n,) int64 in the codes of images (n, *shape)."""
    game = cast(CategoricalAutoencoder, trained.game)
    return torch.cat([game.classify(x).argmax(1) for x in images.split(BATCH)])


@measurement(version=1)
def code_error_rate(trained: TrainedGame, split: Split) -> float:
    """Percent of a split's examples to which the code gives another class than their label."""
    wrong = code_classes(trained, split.images) != split.labels
    return 100 * wrong.double().mean().item()


@measurement(version=1)
def code_sorting(trained: TrainedGame, data: Dataset) -> Sorting:
    """How well the classes of an autoencoder that saw no label fit the labels of test images."""
    return sorting(data, partial(code_classes, trained))
