"""The class in a code: how often it is wrong, and how well it sorts images without any label."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.evaluation.clusters import majority_label_error
from advx.evaluation.image_quality import nearest
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import BATCH
from advx.games.adversarial_autoencoder import CategoricalAutoencoder
from advx.training.load_or_train import TrainedGame


@dataclass(frozen=True)
class Sorting:
    """Test images sorted into clusters.

    Attributes:
        majority_label_error: percent that are not of their cluster's most frequent class.
        clusters_used: clusters that hold at least one of them.
    """

    majority_label_error: float
    clusters_used: float


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
    naming = naming_examples(data)
    return sorting(
        data, code_classes(trained, naming.images), code_classes(trained, data.test.images)
    )


@measurement(version=1)
def nearest_center_sorting(centers: Tensor, data: Dataset) -> Sorting:
    """The same for images sorted by the nearest of some centers (k, *shape)."""
    named = nearest(naming_examples(data).images, centers)
    return sorting(data, named, nearest(data.test.images, centers))


def naming_examples(data: Dataset) -> Split:
    """Whose labels name the clusters: validation examples, or training examples without any."""
    return data.validation if len(data.validation) else data.train


def sorting(data: Dataset, named: Tensor, clusters: Tensor) -> Sorting:
    """From the clusters (n,) of the examples that name them, and those (m,) of test examples."""
    labels = naming_examples(data).labels
    return Sorting(
        majority_label_error=majority_label_error(named, labels, clusters, data.test.labels),
        clusters_used=len(clusters.unique()),
    )
