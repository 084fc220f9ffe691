"""The error of clusters after each got its majority label: brute force, and scikit-learn."""

import itertools
from dataclasses import replace

import pytest
import torch
from sklearn.metrics.cluster import contingency_matrix
from torch import nn

from advx.data.dataset import Dataset, Split
from advx.evaluation.clusters import (
    NOBODY,
    Sorting,
    k_means_sorting,
    majority_label_error,
    majority_labels,
    naming_examples,
    network_sorting,
)


def test_majority_labels_by_hand() -> None:
    clusters = torch.tensor([0, 0, 0, 1, 1, 3])
    labels = torch.tensor([2, 2, 1, 1, 0, 2])
    # two of three; the smaller of equals; nobody; the only one
    assert majority_labels(clusters, labels, 5).tolist() == [2, 0, NOBODY, 2, NOBODY]


def test_labels_are_those_of_the_naming_examples_not_of_the_test_ones() -> None:
    clusters, labels = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 1])
    test_clusters, test_labels = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 1, 1, 1])
    # by the test examples' own majority there would be no mistake
    assert majority_label_error(clusters, labels, test_clusters, test_labels) == 75


def test_no_other_labels_would_make_fewer_mistakes() -> None:
    clusters, labels = torch.randint(4, (60,)), torch.randint(3, (60,))
    clusters[:4] = torch.arange(4)
    errors = [
        100 * (torch.tensor(named)[clusters] != labels).double().mean().item()
        for named in itertools.product(range(3), repeat=4)
    ]
    assert majority_label_error(clusters, labels, clusters, labels) == pytest.approx(min(errors))


def test_against_scikit_learns_contingency() -> None:
    clusters, labels = torch.randint(20, (500,)), torch.randint(10, (500,))
    counts = contingency_matrix(labels.numpy(), clusters.numpy())  # (classes, clusters)
    purity = counts.max(0).sum() / 500
    found = majority_label_error(clusters, labels, clusters, labels)
    assert found == pytest.approx(100 - 100 * purity)


def test_names_of_clusters_do_not_matter() -> None:
    clusters, labels = torch.randint(6, (200,)), torch.randint(3, (200,))
    test_clusters, test_labels = torch.randint(6, (100,)), torch.randint(3, (100,))
    renamed = torch.randperm(6)
    assert majority_label_error(clusters, labels, test_clusters, test_labels) == (
        majority_label_error(renamed[clusters], labels, renamed[test_clusters], test_labels)
    )


def test_test_examples_in_a_cluster_that_nobody_names_are_mistakes() -> None:
    clusters, labels = torch.tensor([0, 2]), torch.tensor([0, 1])
    test_clusters, test_labels = torch.tensor([0, 1, 2, 5]), torch.tensor([0, 0, 1, 1])
    assert majority_label_error(clusters, labels, test_clusters, test_labels) == 50


def test_nothing_to_name_clusters_by_is_refused() -> None:
    one, none = torch.tensor([0]), torch.tensor([], dtype=torch.int64)
    for wrong in ((none, none, one, one), (one, one, none, none)):
        with pytest.raises(ValueError, match="valid: from one of each"):
            majority_label_error(*wrong)


def blobs(count: int = 90) -> Dataset:
    """Three points far apart, with little noise; labels 2, 0, 1."""
    labels = torch.arange(count) % 3
    means = torch.tensor([[0.0, 9.0], [9.0, 0.0], [-9.0, -9.0]])
    split = Split(means[labels] + torch.randn(count, 2) / 10, (labels + 2) % 3)
    none = split.take(torch.arange(0))
    return Dataset("blobs", 3, split, none, split)


def test_k_means_finds_what_lies_apart_and_splits_the_rest() -> None:
    data = blobs()
    found = k_means_sorting(data, 3, 0)
    assert (found.majority_label_error, found.clusters_used) == (0, 3)
    two = k_means_sorting(data, 2, 0)
    assert two.majority_label_error == pytest.approx(100 / 3)
    assert two.clusters_used == 2


def test_a_network_sorts_by_its_largest_logit() -> None:
    data = blobs()
    network = nn.Linear(2, 5, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 9], [9, 0], [-9, -9], [0, 0], [0, 0]]))
    assert network_sorting(network, data) == Sorting(0, 3)
    with torch.no_grad():
        network.weight[:2] = torch.tensor([[9.0, 9], [0, 0]])
    found = network_sorting(network, data)
    assert found.majority_label_error == pytest.approx(100 / 3)
    assert found.clusters_used == 2


def test_validation_examples_name_clusters_where_there_are_some() -> None:
    data = blobs()
    assert naming_examples(data) is data.train
    assert naming_examples(replace(data, validation=data.test)) is data.test
    wrong = Split(data.test.images, data.test.labels * 0)
    assert k_means_sorting(replace(data, validation=wrong), 3, 0).majority_label_error == (
        pytest.approx(200 / 3)
    )
