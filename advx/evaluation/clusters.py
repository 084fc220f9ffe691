"""How well clusters found without labels fit the classes: the error after each got one label.

Whoever sorts examples into clusters does not see labels. Afterward a cluster is given the label
that most of the examples of it have, among examples kept for that (validation images; training
images where there are no others), and the error is counted on test images, whose labels name
nothing. More clusters than classes make it easier; as many clusters as examples would make a
nearest neighbor classifier. So the number of clusters belongs to the figure.
Source: Springenberg (2016); Makhzani et al. (2015).
"""

import torch
from torch import Tensor

NOBODY = -1
"""Label of a cluster that no example names: all test images in it are mistakes."""


def majority_labels(clusters: Tensor, labels: Tensor) -> Tensor:
    """The most frequent label of every cluster, (k,) int64; the smallest of equals.

    Args:
        clusters: (n,) int64 from 0, of the examples that name the clusters.
        labels: (n,) int64 from 0, their labels.

    Returns:
        Of clusters 0 to the largest seen; `NOBODY` where no example is in a cluster.
    """
    if not len(clusters):
        return labels.new_empty(0)
    counts = counted(clusters, labels)
    named = counts.argmax(1)  # the first, so the smallest, of equals
    named[counts.sum(1) == 0] = NOBODY
    return named


def counted(clusters: Tensor, labels: Tensor) -> Tensor:
    """Examples of each cluster and label, (k, classes) int64."""
    k, classes = int(clusters.max()) + 1, int(labels.max()) + 1
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
    named = majority_labels(clusters, labels)
    beyond = max(int(test_clusters.max()) + 1 - len(named), 0)
    named = torch.cat([named, named.new_full((beyond,), NOBODY)])
    return 100 * (named[test_clusters] != test_labels).double().mean().item()
