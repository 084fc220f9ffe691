"""Classes in codes: their error, and the error of clusters that other examples name."""

from types import SimpleNamespace

import pytest
import torch

from advx.data.dataset import Dataset, Split
from advx.evaluation.categorical_codes import (
    code_classes,
    code_error_rate,
    code_sorting,
)


class ByPixel:
    """A game whose class of an image is its only pixel, of four."""

    def classify(self, x):
        return torch.eye(4)[x.flatten().long()]


GAME = SimpleNamespace(game=ByPixel())


def split(pixels: list[int], labels: list[int]) -> Split:
    return Split(torch.tensor(pixels).float().view(-1, 1, 1, 1), torch.tensor(labels))


TEST = split([0, 1, 1, 2, 3], [0, 0, 1, 1, 1])
DATA = Dataset(
    "pixels", 2, split([0, 1, 2, 3], [1, 1, 1, 1]), split([0, 1, 1, 1, 2], [0, 1, 1, 0, 1]), TEST
)


def test_the_error_is_the_share_of_other_classes() -> None:
    assert code_classes(GAME, TEST.images).tolist() == [0, 1, 1, 2, 3]
    assert code_error_rate(GAME, TEST) == pytest.approx(100 * 3 / 5)


def test_validation_examples_name_the_clusters() -> None:
    # 0 is named 0, 1 and 2 are named 1, nobody names 3: mistakes in the second and the last
    found = code_sorting(GAME, DATA)
    assert (found.majority_label_error, found.clusters_used) == (pytest.approx(40), 4)


def test_without_validation_examples_training_examples_name_them() -> None:
    empty = Dataset("pixels", 2, DATA.train, split([], []), TEST)
    assert code_sorting(GAME, empty).majority_label_error == pytest.approx(40)  # all named 1
    named = Dataset("pixels", 2, split([0, 1, 2, 3], [0, 1, 1, 1]), split([], []), TEST)
    assert code_sorting(GAME, named).majority_label_error == pytest.approx(20)
