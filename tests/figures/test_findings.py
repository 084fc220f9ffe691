"""Titles of figures of images follow the numbers, and the images shown follow their rules."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from advx.config.cells import Cell, setting
from advx.data.dataset import Split
from advx.evaluation.transfer import known_of_each_class
from advx.experiments import (
    attack,
    church_windows,
    hidden_representation,
    imperceptible,
    norm_balls,
    rubbish,
    transfer_table,
)
from advx.figures import moved_images
from advx.figures.tiles import confidence, thumbnails
from advx.report.over_seeds import Numbers
from advx.report.results import Row


def numbers(epsilon: float | None = None, under: str = "", **values: float) -> Numbers:
    """One row of one seed, its metrics by name, of one size and setting."""
    return Numbers(
        Row.of("e", Cell("r", metric, epsilon, under), 0, value, "percent", None, {})
        for metric, value in values.items()
    )


def test_titles_say_what_was_measured() -> None:
    found = numbers(clean_error_rate=12.0, error_rate=34.0)
    assert "from 12% to 34%" in attack.finding(found, "r", 0.25)
    one = Cell("r", "error_rate", setting="gray_levels=1")
    clean = Cell("r", "clean_error_rate")
    found = Numbers(
        Row.of("e", cell, 0, value, "percent", None, {})
        for cell, value in ((clean, 12.0), (one, 56.0))
    )
    assert "One gray level" in imperceptible.finding(found, "r", 1.0)
    assert "from 12% to 56%" in imperceptible.finding(found, "r", 1.0)
    rates = {"nearest_neighbor": 21.0, "relu": 43.0, "tanh": 65.0, "maxout": 99.0}
    text = transfer_table.finding(rates, 0.25)
    for words in ("43% to 65%", "neighbor 21%", "ε = .25"):
        assert words in text
    found = numbers(under=setting(noise="gaussian"), confident_rate=71.0)
    text = rubbish.captions(found, "r", ["gaussian"], 0.5)
    assert "71%" in text["finding"]
    assert text["numbers"] == {"gaussian": ["71.0%"]}
    found = numbers(0.1, decoded_nearer_the_guide=31.0, noise_decoded_nearer_the_guide=2.0)
    text = hidden_representation.captions(found, "r", 0.1, "nearest_neighbor")["finding"]
    assert "31% of the images" in text
    assert "by noise, 2%" in text


def test_titles_of_windows_say_so_where_nothing_can_be_parted() -> None:
    rows = [
        Row("e", "fgsm_random", "line_accuracy", None, "", 0, 87.0),
        Row("e", "fgsm_random", "changed", None, "", 0, 41.0),
        Row("e", "random_random", "changed", None, "", 0, 6.5),
    ]
    found = Numbers(rows)
    assert "87% of the points" in church_windows.finding("fgsm_random", found)
    assert "6.5% of the points" in church_windows.finding("random_random", found)
    assert "41% change" in church_windows.finding("random_random", found)
    assert "adversarial" not in church_windows.finding("random_random", Numbers(rows[2:]))
    assert "no window has both" in church_windows.finding("fgsm_gradient", found)


def test_moved_images_are_counted_where_the_class_was_right() -> None:
    steps = {"sign": (-1.0, 0.0, 1.0), "random": (1.0,)}
    said = np.array([[0, 0, 1, 0], [1, 1, 2, 0], [0, 2, 2, 2]])  # the last is wrong at first
    made = moved_images.captions(
        steps, {"sign": 40.0, "random": 9.0}, 0.5, said, np.array([0, 1, 1])
    )
    assert "40 gray levels, changes the class of 2 of 2 images" in made["finding"]
    assert made["finding"].endswith("9 gray levels, of 1")
    assert made["columns"] == ["h = −0.5", "test example", "h = 0.5", "v = 0.5"]
    assert moved_images.ends(steps) == [2, 3]


def test_fooled_images_come_first_the_most_confident_before_the_others() -> None:
    arrays = {
        "predicted_before": np.array([0, 1, 2, 3]),
        "predicted_after": np.array([0, 5, 2, 6]),
        "confidence_after": np.array([0.99, 0.6, 0.8, 0.9]),
        "labels": np.arange(4),
    }
    made, note = imperceptible.fooled_first(arrays)
    assert made["labels"].tolist() == [3, 1, 0, 2]
    assert "Of 4 test examples that the network knows" in note
    arrays["labels"] = np.array([0, 1, 2, 0])
    assert "knows" not in imperceptible.fooled_first(arrays)[1]
    assert "2 change their class" in note


class Sure(nn.Module):
    """Gives the first class the probability that an image's pixel has."""

    def forward(self, x: Tensor) -> Tensor:
        p = x.flatten(1)[:, :1]
        return torch.cat([p.log(), (1 - p).log()], 1)


def test_only_known_examples_are_shown() -> None:
    images = torch.tensor([0.2, 0.9, 0.8, 0.1, 0.3]).reshape(5, 1, 1, 1)  # the first is a mistake
    labels = torch.tensor([0, 0, 0, 1, 1])
    assert known_of_each_class(Sure(), Split(images, labels), 3).tolist() == [1, 3, 2]
    wrong = Split(images[:1], labels[:1])
    assert known_of_each_class(Sure(), wrong, 2).tolist() == [0]


def test_digits_are_those_that_every_model_is_confident_of() -> None:
    class Half(Sure):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x / 2)

    images = torch.tensor([0.99, 0.5, 0.97]).reshape(3, 1, 1, 1)
    sure = norm_balls.all_confident
    assert sure([Sure()], images, 0, 0.95).tolist() == [True, False, True]
    assert sure([Sure(), Half()], images, 0, 0.4).tolist() == [True, False, True]
    assert sure([Sure(), Half()], images, 0, 0.95).tolist() == [True, False, False]  # the surest


def test_answers_that_stay_are_counted_under_signs_only() -> None:
    said = {"a": [3, 7, 3, 3, 3, 3, 7], "b": [3, 7, 8, 8, 3, 3, 3]}
    names = [str(k) for k in range(10)]
    text = norm_balls.captions(said, names, 3, 7, 4.5, 0.16)["finding"]
    assert "leaves 5 of 6 answers at 3" in text
    assert "4.50" in text


def test_thumbnails_are_small_and_nothing_is_certain() -> None:
    small = thumbnails(np.full((2, 3, 200, 100), 0.5))
    assert small.shape == (2, 3, 50, 25)
    assert small.dtype == np.uint8
    assert thumbnails(np.zeros((1, 1, 28, 28))).shape == (1, 1, 28, 28)
    assert confidence(1.0) == "> 99.9%"
    assert confidence(0.999) == "99.9%"
    assert math.isclose(float(confidence(0.42).rstrip("%")), 42)
