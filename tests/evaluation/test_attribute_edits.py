"""Edits along the mean difference of codes, where codes are images and attributes coordinates."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.evaluation.attribute_edits import (
    attributes_of,
    codes,
    decoded,
    edit_rates,
    edited,
    mean_difference,
    refuse_unknown_attributes,
)
from advx.games.vae import Code

NAMES = ("short hair", "long hair", "short hair, glasses", "long hair, glasses")


class Plane(nn.Module):
    """Codes are images of two numbers; the decoder may lose a part of the first one."""

    def __init__(self, lost: float = 0.0, mixed: float = 0.0) -> None:
        super().__init__()
        self.scale = torch.tensor([1 - lost, 1.0])
        self.mixed = mixed

    def encode(self, x):
        return Code(x.flatten(1), torch.zeros(len(x), 2))

    def generate(self, z, condition=None):
        z = torch.stack([z[:, 0], z[:, 1] + self.mixed * z[:, 0]], 1)
        return (z * self.scale)[:, None, None]


class Corners(nn.Module):
    """Class 2 · (first number > 0) + (second number > 0)."""

    def forward(self, x):
        glasses, long = x.flatten(1).T > 0
        return nn.functional.one_hot(2 * glasses.long() + long.long(), 4).double()


def faces() -> Dataset:
    """First number 1 with glasses and −1 without, second 3 with long hair and −3 without."""
    labels = torch.arange(400) % 4
    images = torch.stack([2.0 * (labels // 2) - 1, 6.0 * (labels % 2) - 3], 1)
    split = Split(images[:, None, None] + 0.01 * torch.randn(400, 1, 1, 2), labels)
    return Dataset("planes", 4, split, split, split, class_names=NAMES)


def test_attributes_are_what_the_names_of_classes_list() -> None:
    found = {name: has.tolist() for name, has in attributes_of(faces()).items()}
    assert found == {
        "glasses": [False, False, True, True],
        "long hair": [False, True, False, True],
        "short hair": [True, False, True, False],
    }
    split = faces().train
    assert attributes_of(Dataset("digits", 4, split, split, split)) == {}


@pytest.mark.parametrize(("attribute", "place", "size"), [("glasses", 0, 2), ("long hair", 1, 6)])
def test_the_direction_is_the_difference_of_means(attribute, place, size) -> None:
    data = faces()
    has = attributes_of(data)[attribute][data.train.labels]
    along = mean_difference(codes(Plane(), data.train.images), has)
    assert along[place].item() == pytest.approx(size, abs=0.01)
    assert along[1 - place].item() == pytest.approx(0, abs=0.01)
    after = edited(Plane(), data, attribute, data.test.images, data.test.labels)
    sign = 1 - 2.0 * has[:, None]
    torch.testing.assert_close(after.flatten(1), data.test.images.flatten(1) + sign * along)
    same = decoded(Plane(), codes(Plane(), data.test.images))
    assert torch.equal(same, data.test.images)


def rates(game: Plane, attribute: str) -> tuple[float, float, float]:
    found = edit_rates(SimpleNamespace(game=game), Corners(), faces(), attribute)
    return found.flip_rate, found.unasked_change_rate, found.reconstructed_rate


def test_every_edit_flips_what_it_should_and_nothing_else() -> None:
    assert rates(Plane(), "glasses") == (100, 0, 100)
    assert rates(Plane(), "long hair") == (100, 0, 100)


def test_what_the_reconstruction_has_lost_is_not_flipped() -> None:
    """Glasses that come out negative are read wrongly: no edit counts, whatever it shows."""
    flips, _, shown = rates(Plane(lost=2.0), "glasses")
    assert (flips, shown) == (0, 0)


def test_unasked_changes_are_counted() -> None:
    """Glasses push the other number by four times their own: across zero, from 3 − 4 to 3 + 4."""
    flips, unasked, shown = rates(Plane(mixed=4.0), "glasses")
    assert (flips, shown) == (100, 100)
    assert unasked == 100
    assert rates(Plane(mixed=4.0), "long hair")[1] == 0


def test_a_name_of_the_same_attribute_is_no_other_one() -> None:
    assert rates(Plane(), "short hair") == (100, 0, 100)


def test_an_attribute_that_the_data_do_not_have_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        refuse_unknown_attributes(faces(), ["glasses", "hat"])
    assert str(refused.value) == (
        "attributes=['glasses', 'hat']: dataset=planes has no attribute 'hat'; "
        "valid: glasses; long hair; short hair"
    )
    split = faces().train
    digits = Dataset("digits", 4, split, split, split)
    with pytest.raises(ConfigError, match="valid: none, its classes name no attributes"):
        refuse_unknown_attributes(digits, ["glasses"])


def test_a_direction_needs_images_of_both_kinds() -> None:
    with pytest.raises(ConfigError, match="0 with it examples: a direction between images"):
        mean_difference(torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool))
