"""How well clusters found without labels fit the classes: the error after each got one label.

Whoever sorts examples into clusters does not see labels. Afterward a cluster is given the label
that most of the examples of it have, among examples kept for that (validation images; training
images where there are no others), and the error is counted on test images, whose labels name
nothing. More clusters than classes make it easier; as many clusters as examples would make a
nearest neighbor classifier. So the number of clusters belongs to the figure.
Source: Springenberg (2016); Makhzani et al. (2015).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset, Split
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import predictions

NOBODY = -1
"""Label of a cluster that no example names: all test images in it are mistakes."""


def majority_labels(clusters: Tensor, labels: Tensor, k: int) -> Tensor:
    """The most frequent label of every cluster, (k,) int64; the smallest of equals.

    `NOBODY` where no example is in a cluster.

    Args:
        clusters: (n,) int64 from 0, of the examples that name the clusters.
        labels: (n,) int64 from 0, their labels.
        k: how many clusters there are.
    """
    counts = counted(clusters, labels, k)
    named = counts.argmax(1)  # the first, so the smallest, of equals
    named[counts.sum(1) == 0] = NOBODY
    return named


def counted(clusters: Tensor, labels: Tensor, k: int) -> Tensor:
    """Examples of each cluster and label, (k, classes) int64."""
    classes = int(labels.max()) + 1
    return torch.bincount(clusters * classes + labels, minlength=k * classes).view(k, classes)


def majority_label_error(
    clusters: Tensor, labels: Tensor, test_clusters: Tensor, test_labels: Tensor
) -> float:
    """Percent of test examples whose cluster has another label than they have.

    Args:
        clusters: (n,) int64 from 0, of the examples that name the clusters.
        labels: (n,) int64 from 0, their labels.
        test_clusters: (m,) int64 from 0, of the test examples.
        test_labels: (m,) int64 from 0.

    Raises:
        ValueError: there are no examples to name clusters, or no test examples.
    """
    if not len(clusters) or not len(test_clusters):
        raise ValueError(
            f"{len(clusters)} examples name clusters and {len(test_clusters)} test them; "
            "valid: from one of each"
        )
    k = int(torch.cat([clusters, test_clusters]).max()) + 1
    named = majority_labels(clusters, labels, k)
    return 100 * (named[test_clusters] != test_labels).double().mean().item()


@dataclass(frozen=True)
class Sorting:
    """Test examples sorted into clusters.

    Attributes:
        majority_label_error: percent that are not of their cluster's most frequent class.
        clusters_used: clusters that hold at least one of them.
    """

    majority_label_error: float
    clusters_used: float


def naming_examples(data: Dataset) -> Split:
    """Whose labels name the clusters: validation examples, or training examples without any."""
    return data.validation if len(data.validation) else data.train


def sorting(data: Dataset, clusters_of: Callable[[Tensor], Tensor]) -> Sorting:
    """How well clusters fit the classes.

    Args:
        data: whose labels name the clusters, and on whose test examples the error is counted.
        clusters_of: examples (n, *shape) to their clusters (n,) int64 from 0.
    """
    naming, test = naming_examples(data), clusters_of(data.test.images)
    named = clusters_of(naming.images)
    error = majority_label_error(named, naming.labels, test, data.test.labels)
    return Sorting(error, len(test.unique()))


@measurement(version=1)
def network_sorting(network: nn.Module, data: Dataset) -> Sorting:
    """Of the class to which a network gives the largest logit."""
    return sorting(data, partial(predictions, network))


@measurement(version=1)
def k_means_sorting(data: Dataset, clusters: int, seed: int) -> Sorting:
    """Of k-means on the training examples: the control that has no network."""
    return sorting(data, k_means(data, clusters, seed))


def k_means(data: Dataset, clusters: int, seed: int) -> Callable[[Tensor], Tensor]:
    """Examples (n, *shape) to the nearest of so many centers, (n,) int64.

    The centers are those of the smallest squared distance of ten beginnings.
    """
    from sklearn.cluster import KMeans

    fitted = KMeans(clusters, n_init=10, random_state=seed)
    fitted.fit(data.train.images.flatten(1).double().cpu().numpy())

    def clusters_of(x: Tensor) -> Tensor:
        nearest = fitted.predict(x.flatten(1).double().cpu().numpy())
        return torch.from_numpy(nearest).long().to(x.device)

    return clusters_of
