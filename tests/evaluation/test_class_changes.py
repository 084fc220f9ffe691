"""Section 1.2.5 by brute force and closed forms: pixels, bits, and a regression."""

import itertools
import math

import numpy as np
import pytest
import torch

from advx.data.dataset import Split
from advx.evaluation.binary_reader import changed_bits, changes, freely_changed_error_rate
from advx.evaluation.linear_truth import least_squares, responses
from advx.evaluation.pixel_information import crossing, information, pixel_information
from advx.evaluation.sign_lengths import sign_lengths
from advx.evaluation.transfer import predictions
from advx.models.binary_nearest_neighbor import BinaryNearestNeighbor, bits
from advx.randomness import seeded

CLASSES = 3


def random_digits(n: int, side: int = 3, seed: int = 0) -> Split:
    with seeded(seed):
        levels = torch.randint(256, (n, 1, side, side))
        return Split(levels / 255, torch.arange(n) % CLASSES)


@pytest.fixture
def reader() -> BinaryNearestNeighbor:
    known = random_digits(9, seed=1)
    made = BinaryNearestNeighbor(input_shape=(1, 3, 3), classes=CLASSES)
    made.fit(known.images, known.labels)
    return made.eval()


def test_the_reader_counts_pixels_on_the_other_side_of_a_half(reader) -> None:
    known, asked = random_digits(9, seed=1), random_digits(40, seed=2)
    for image, said in zip(asked.images, reader(asked.images), strict=True):
        differ = ((known.images > 0.5) != (image > 0.5)).flatten(1).sum(1).tolist()
        counted = list(zip(differ, known.labels.tolist(), strict=True))
        least = [min(d for d, label in counted if label == c) for c in range(CLASSES)]
        assert (said[0] - said).tolist() == [each - least[0] for each in least]
    assert torch.equal(reader(asked.images), reader(bits(asked.images)))
    assert torch.isnan(bits(torch.tensor([math.nan]))).all()


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.25, 0.4, 0.6])
def test_a_pixel_crosses_where_some_change_within_the_size_takes_it_across(epsilon) -> None:
    """Over all gray levels; the ends of the range decide."""
    pixels = torch.arange(256) / 255
    moved = torch.stack([pixels - epsilon, pixels + epsilon])
    expected = (bits(moved) != bits(pixels)).any(0)
    assert torch.equal(crossing(pixels, epsilon), expected)
    assert crossing(torch.tensor([0.5]), 1e-6).item()  # a half is below, and anything lifts it
    assert not crossing(torch.tensor([1.0, 0.0]), 0.25).any()


@pytest.mark.parametrize("epsilon", [0.1, 0.25, 0.45])
def test_what_is_chosen_against_the_reader_stays_within_the_size(reader, epsilon) -> None:
    """And no choice is better than the best of all choices of the free bits, tried one by one."""
    asked = random_digits(30, seed=3)
    sets = changes(reader, asked.images, asked.labels, epsilon, CLASSES - 1)
    assert len(sets) == CLASSES - 1
    for moved in sets:
        assert ((moved - asked.images).abs() <= epsilon + 1e-6).all()
        same = bits(moved) == bits(asked.images)
        free = crossing(asked.images, epsilon)
        assert (same | free).all()
        assert torch.equal(moved[~free], asked.images[~free])
    ours = torch.stack([predictions(reader, moved) != asked.labels for moved in sets]).any(0)
    ours |= predictions(reader, asked.images) != asked.labels
    best = torch.tensor(
        [exhaustive(reader, x, y, epsilon) for x, y in zip(asked.images, asked.labels, strict=True)]
    )
    assert not (ours & ~best).any()
    assert ours.sum() >= 0.9 * best.sum() > 0
    rate = freely_changed_error_rate(reader, asked, epsilon, CLASSES - 1)
    assert rate == pytest.approx(100 * ours.double().mean().item())
    assert freely_changed_error_rate(reader, asked, epsilon, 1) <= rate


def exhaustive(reader: BinaryNearestNeighbor, image: torch.Tensor, label: int, epsilon: float):
    """Whether any choice of the free bits is misread."""
    own, free = bits(image).flatten(), crossing(image, epsilon).flatten()
    places = free.nonzero().flatten()
    tried = own.repeat(2 ** len(places), 1)
    for row, choice in zip(tried, itertools.product((0.0, 1.0), repeat=len(places)), strict=True):
        row[places] = torch.tensor(choice)
    return bool((predictions(reader, tried.view(-1, *image.shape)) != label).any())


def test_a_target_is_of_another_class_and_the_nearest_in_the_fixed_pixels() -> None:
    images = torch.tensor([[1.0, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]]).view(3, 1, 2, 2)
    reader = BinaryNearestNeighbor(input_shape=(1, 2, 2), classes=3)
    reader.fit(images, torch.tensor([0, 1, 2]))
    image = torch.tensor([0.6, 0.6, 0.6, 1.0]).view(1, 1, 2, 2)  # three are free
    first, second = changes(reader, image, torch.tensor([0]), 0.25, 2)
    assert bits(first).flatten().tolist() == [0, 0, 0, 1]
    assert bits(second).flatten().tolist() == [1, 0, 0, 1]
    assert predictions(reader, torch.cat([image, first, second])).tolist() == [0, 1, 2]


def test_the_nearest_in_the_fixed_pixels_is_copied_whatever_the_class(reader) -> None:
    """And an example that is misread as it is counts, though copying another may put it right."""
    asked = random_digits(500, seed=4)
    (moved,) = changes(reader, asked.images, asked.labels, 0.3, 1)
    free = crossing(asked.images, 0.3).flatten(1)
    known = reader.images.split(reader.counts)
    flat = zip(bits(asked.images).flatten(1), bits(moved).flatten(1), free, strict=True)
    for (x, made, open_), y in zip(flat, asked.labels, strict=True):
        others = torch.cat([block for label, block in enumerate(known) if label != y])
        least = ((others != x) & ~open_).sum(1).min()
        copied = (others == made) | ~open_
        assert (copied.all(1) & (((others != x) & ~open_).sum(1) == least)).any()
    before = predictions(reader, asked.images) != asked.labels
    after = predictions(reader, moved) != asked.labels
    assert (before & ~after).any()
    rate = freely_changed_error_rate(reader, asked, 0.3, 1)
    assert rate == pytest.approx(100 * (before | after).double().mean().item())


def test_black_pixels_are_not_gray() -> None:
    pixels = torch.tensor([0.0, 0, 0, 0.3, 0.7, 1.0]).repeat(4, 1).view(4, 1, 2, 3)
    found = pixel_information(Split(pixels, torch.tensor([0, 1, 0, 1])), 2, 11, 0.25, 0)
    assert found.gray_rate == pytest.approx(200 / 3)
    assert math.isnan(found.bit_information)  # the images are all the same


def test_changed_bits_are_counted() -> None:
    before = Split(torch.tensor([0.2, 0.6, 0.5, 0.9]).view(1, 1, 2, 2), torch.tensor([0]))
    after = Split(torch.tensor([0.6, 0.6, 0.51, 0.1]).view(1, 1, 2, 2), torch.tensor([0]))
    assert changed_bits(before, after) == 75


def test_information_against_closed_forms() -> None:
    labels = torch.arange(4000) % 4
    values = torch.stack([labels, labels // 2, torch.zeros_like(labels), (labels + 1) % 4], 1)
    assert information(values, labels, 4, 4).tolist() == pytest.approx([2, 1, 0, 2])
    with seeded(0):
        flipped = (labels % 2) ^ (torch.rand(4000) < 0.11).long()
    p = (flipped != labels % 2).double().mean().item()
    found = information(flipped[:, None], labels % 2, 2, 2).item()
    assert found == pytest.approx(1 + p * math.log2(p) + (1 - p) * math.log2(1 - p), abs=2e-3)


def test_one_bit_tells_all_of_black_and_white_and_the_bias_of_gray_levels_is_gone() -> None:
    """Noise in the gray levels tells nothing; uncorrected, its 256 levels would seem to."""
    with seeded(1):
        labels = torch.randint(2, (5000,))
        ink = (labels ^ (torch.rand(5000) < 0.1).long()).float()
        noise = torch.rand(5000) * 0.4
    gray = ((ink * 0.6 + noise) * 255).round() / 255
    found = pixel_information(Split(gray.view(-1, 1, 1, 1), labels), 2, 256, 0.25, 0)
    assert found.bit_information == pytest.approx(1, abs=0.04)
    raw = information((gray * 255).round().long()[:, None], labels, 256, 2)
    assert raw > 1.03 * information(ink.long()[:, None], labels, 2, 2)
    expected = ((gray[gray > 0] - 0.5).abs() < 0.25).double().mean() * 100
    assert found.gray_rate == pytest.approx(expected.item(), abs=0.2)


def test_least_squares_is_numpys() -> None:
    with seeded(2):
        x, y = torch.randn(50, 6, dtype=torch.float64), torch.randn(50, dtype=torch.float64)
    x[:, 3] = 0
    x[:, 5] = x[:, 4]
    expected = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=1e-10)[0]
    assert least_squares(x, y).numpy() == pytest.approx(expected, abs=1e-9)


def test_a_regression_answers_to_directions() -> None:
    """Images that never vary in half of their pixels: there the model knows nothing of d."""
    with seeded(3):
        images = torch.randn(400, 1, 4, 4)
    images[:, :, 2:] = 0
    found = responses(Split(images, torch.zeros(400, dtype=torch.int64)), 4.0, 5)
    with seeded(5):
        d = torch.randn(16, dtype=torch.float64)
    d /= d.norm()
    unseen = d.clone()
    unseen[:8] = 0
    scale = (images.flatten(1).double() @ d).std(correction=0)
    along, across = found["along"], found["across"]
    assert along.true_change == pytest.approx((4 / scale).item())
    assert along.mistake == pytest.approx((4 * unseen.square().sum() / scale).item())
    assert found["along, a hundredth"].true_change == pytest.approx(along.true_change / 100)
    assert across.true_change == pytest.approx(0, abs=1e-12)
    free = unseen - unseen.square().sum() * d
    assert across.mistake == pytest.approx((4 * free.norm() / scale).item())


def test_signs_with_their_zeros_are_short() -> None:
    images = torch.zeros(4, 1, 2, 2)
    images[1, 0, 0] = 0.3
    images[3, 0, 0] = 0.7
    digits = Split(images, torch.tensor([0, 1, 0, 1]))
    found = sign_lengths(digits, 200, 0.5, 0)
    assert found.l2_norm == found.longest_l2_norm == pytest.approx(0.5 * math.sqrt(2))


def test_what_cannot_be_measured_is_nan_and_not_infinite() -> None:
    alike = Split(torch.full((20, 1, 4, 4), 0.3), torch.zeros(20, dtype=torch.int64))
    for images in (alike.images, torch.zeros_like(alike.images)):
        found = responses(Split(images, alike.labels), 4.0, 5)
        assert all(math.isnan(each.true_change) for each in found.values())
        assert all(math.isnan(each.mistake) for each in found.values())
    none = sign_lengths(alike, 10, 0.5, 0)
    assert math.isnan(none.l2_norm)
    assert math.isnan(none.longest_l2_norm)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["epsilons=[0.25,0.25]"], "would be measured twice; valid: each size and setting once"),
        (["network.name=nearest_neighbor"], "`nearest_neighbor`.clean_error_rate would be"),
        (["epsilons=[]"], "epsilons=[]: "),
        (["levels=10000000"], "levels=10000000: "),
        (["~readers.binary_nearest_neighbor"], "readers.binary_nearest_neighbor=None: bits are"),
        (
            ["model@readers.binary_nearest_neighbor=nearest_neighbor"],
            "readers.binary_nearest_neighbor=advx.models.nearest_neighbor.NearestNeighbor: bits",
        ),
    ],
)
def test_what_the_experiment_cannot_take_is_one_line(words, said, command) -> None:
    done = command("run", "experiment=class_changes", "scale=smoke", "hydra.run.dir=out", *words)
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert said in done.err
    assert "files:" not in done.out
