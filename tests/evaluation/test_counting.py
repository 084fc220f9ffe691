"""Which adversarial examples are counted, and images as a file holds them."""

import pytest
import torch

from advx.data.dataset import Split
from advx.evaluation.counting import counted, examples, in_gray_levels
from advx.evaluation.transfer import error_rate
from tests.listed import Listed


def numbered(first: int, count: int) -> Split:
    """Images of one pixel, `first` and so on, all of class 0."""
    images = torch.arange(first, first + count).double()[:, None, None, None]
    return Split(images, torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize(
    ("which", "kept", "rate"),
    [
        ("all", [0, 1, 2, 3, 4], 60),
        ("right_before", [0, 2, 3], 100 * 2 / 3),
        ("right_for_crafting_model", [0, 1, 4], 100 / 3),
        ("fooling_crafting_model", [1, 2, 3], 100),
    ],
)
def test_the_examples_that_are_counted(which, kept, rate) -> None:
    fill = [0] * 95
    clean, adversarial = numbered(0, 100), numbered(100, 100)
    target = Listed([0, 3, 0, 0, 3, *[1] * 95, 0, 1, 2, 1, 0, *fill])
    source = Listed([0, 0, 3, 3, 0, *[1] * 95, 0, 2, 2, 2, 0, *fill])
    if which == "all":
        kept = [*range(100)]
        rate = 3
    found = counted(adversarial, clean, target, source, which)
    assert (found.images.flatten() - 100).int().tolist() == kept
    assert examples(found) == len(kept)
    assert error_rate(target, found) == pytest.approx(rate)


def test_without_an_answer_an_example_is_not_right_before() -> None:
    clean = numbered(0, 200)
    target = Listed([-1, *[0] * 199])
    found = counted(clean, clean, target, target, "right_before")
    assert examples(found) == 199


def test_images_of_a_file_have_gray_levels_and_a_range() -> None:
    images = torch.tensor([-0.25, 0.0, 0.4 / 255, 0.6 / 255, 1.2, 0.5])[:, None, None, None]
    found = in_gray_levels(Split(images, torch.zeros(6).long()))
    levels = (found.images.flatten() * 255).tolist()
    assert levels == pytest.approx([0, 0, 0, 1, 255, 128])
    two = in_gray_levels(Split(images, torch.zeros(6).long()), levels=1)
    assert two.images.flatten().tolist() == [0, 0, 0, 0, 1, 0]  # a half is rounded to even
