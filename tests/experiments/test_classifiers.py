"""What single experiments measure of classifiers, against brute force and closed forms."""

import math

import pytest
import torch
from torch import nn

from advx.attacks import norms
from advx.config.config import Config
from advx.data.dataset import Split
from advx.defenses.denoising_autoencoder import Stacked
from advx.evaluation.transfer import error_rate
from advx.experiments import virtual_adversarial_training
from advx.experiments.attack import answers, mean_sizes
from advx.experiments.cross_dataset import brought_to, stretched_error_rate
from advx.experiments.defenses import amplification
from advx.experiments.same_mistake import agreement, by_chance
from tests.listed import Listed
from tests.running import started


def numbered(labels: list[int]) -> Split:
    """Images of one pixel, their own number."""
    images = torch.arange(len(labels)).double()[:, None, None, None]
    return Split(images, torch.tensor(labels))


def test_agreement_counts_what_both_get_wrong() -> None:
    labels = [0] * 100
    first = [1, 1, 2, 0, 3, -1, *[0] * 94]
    second = [1, 2, 2, 1, 0, 1, *[0] * 94]
    found = agreement(Listed(first), Listed(second), numbered(labels), 4)
    assert found.both_wrong == 3  # the first three; one has no answer in the sixth place
    assert found.same_class == pytest.approx(100 * 2 / 3)
    # of label 0 the first says 1, 1, 2 and the second 1, 2, 2
    assert found.same_class_by_chance == pytest.approx(100 * (2 / 3 * 1 / 3 + 1 / 3 * 2 / 3))
    never = agreement(Listed(labels), Listed(second), numbered(labels), 4)
    assert never.both_wrong == 0
    assert math.isnan(never.same_class)
    assert math.isnan(never.same_class_by_chance)


def test_agreement_by_chance_is_that_of_independent_draws() -> None:
    labels = torch.randint(0, 3, (400,))
    first, second = torch.randint(0, 4, (400,)), (labels + torch.randint(1, 3, (400,))) % 4
    expected = 0.0
    for label in range(3):
        mine = labels == label
        shares = [torch.bincount(said[mine], minlength=4) / mine.sum() for said in (first, second)]
        expected += (mine.sum() / 400 * (shares[0] * shares[1]).sum()).item()
    assert by_chance(first, second, labels, 4) == pytest.approx(expected)
    # drawing anew within each label leaves it as it is and gives it on average
    drawn = [
        sum(
            (first[labels == k][torch.randperm(int((labels == k).sum()))] == second[labels == k])
            .double()
            .sum()
            .item()
            for k in range(3)
        )
        / 400
        for _ in range(300)
    ]
    assert sum(drawn) / 300 == pytest.approx(expected, abs=0.01)


def test_stretching_keeps_directions_and_leaves_zeros() -> None:
    moves = torch.randn(4, 1, 3, 3, dtype=torch.float64)
    moves[2] = 0
    found = brought_to(moves, 2.8)
    lengths = found.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([2.8, 2.8, 0.0, 2.8]).double())
    ratio = found[[0, 1, 3]] / moves[[0, 1, 3]]
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))


def test_what_is_stretched_is_the_perturbation(linear) -> None:
    clean = Split(torch.rand(60, 1, 5, 5).double(), torch.arange(60) % 4)
    moves = 0.01 * torch.randn(60, 1, 5, 5).double()
    moves[:9] = 0
    found = stretched_error_rate(linear, clean, Split(clean.images + moves, clean.labels), 2.8)
    wrong = 0
    for image, move, label in zip(clean.images, moves, clean.labels, strict=True):
        there = image + 2.8 * move / move.norm() if move.any() else image
        wrong += int(linear(there[None]).argmax() != label)
    assert found == pytest.approx(100 * wrong / 60)
    assert found != error_rate(linear, clean)


def test_amplification_is_that_of_the_autoencoders_matrix() -> None:
    matrix = torch.diag(torch.tensor([3.0, 1.5, 0.5, 0.1], dtype=torch.float64))
    autoencoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 4, bias=False)).double()
    with torch.no_grad():
        autoencoder[1].weight.copy_(matrix)
    images = torch.rand(6, 1, 2, 2).double()
    found = amplification(Stacked(autoencoder, nn.Identity()), Split(images, torch.zeros(6).long()))
    assert found.largest_singular_value == pytest.approx(3)
    assert found.singular_values_above_1 == pytest.approx(2)


def test_answers_are_classes_and_rates_of_the_same_pass() -> None:
    model = Listed([0, 1, 2, 3, -1, *[0] * 95])
    found = answers(model, numbered([0, 1, 1, 1, 1, *[0] * 95]), torch.tensor([2] * 100))
    assert found.classes[:5].tolist() == [0, 1, 2, 3, -1]
    assert found.error_rate == pytest.approx(100 * 2 / 99)
    assert found.targeted_success_rate == pytest.approx(100 * 1 / 99)
    assert math.isnan(answers(model, numbered([0] * 100)).targeted_success_rate)


def test_sizes_are_means_over_all_images() -> None:
    clean = Split(torch.zeros(2, 1, 2, 2), torch.zeros(2).long())
    moved = torch.tensor([[0.3, 0.4, 0, 0], [0, 0, 0, -0.1]]).view(2, 1, 2, 2)
    found = mean_sizes(clean, Split(moved, clean.labels))
    assert found.mean_linf == pytest.approx((0.4 + 0.1) / 2)
    assert found.mean_l2 == pytest.approx((0.5 + 0.1) / 2)
    assert found.mean_l0 == pytest.approx(100 * 3 / 8)


def test_the_length_and_xi_with_the_smallest_validation_error_are_chosen(
    tmp_path, monkeypatch
) -> None:
    run, config, _ = started(tmp_path, "experiment=virtual_adversarial_training")
    virtual = Config(config["virtual"])
    offered = [virtual.with_(epsilon=e, xi=xi) for e in (0.5, 1.5) for xi in (None, 10.0)]
    networks = [run.model("relu_batch_norm", 0, defense=choice) for choice in offered]
    errors = iter((21.4, math.nan, 3.4, 3.4))
    monkeypatch.setattr(run, "measure", lambda *_: next(errors))
    assert virtual_adversarial_training.choose(run, networks) == offered[2]
    rows = run.table.results.rows
    measured = {r.row: r.value for r in rows if r.metric == "validation_error_rate"}
    assert measured["length 0.5, exact"] == 21.4
    assert math.isnan(measured["length 0.5, xi 10"])
    assert measured["length 1.5, xi 10"] == 3.4
    chosen = [(r.row, r.value, r.seed) for r in rows if r.metric == "chosen"]
    assert [row for row, value, _ in chosen if value == 1] == ["length 1.5, exact"]
    assert sum(value for _, value, _ in chosen) == 1
    assert {seed for *_, seed in chosen} == {None}, "or runs that chose otherwise could be joined"
    assert virtual_adversarial_training.choose(run, networks[:1]) == offered[0]
    assert len(run.table.results.rows) == len(rows)


def test_a_colored_pixel_is_changed_where_any_channel_is() -> None:
    clean = Split(torch.zeros(2, 3, 2, 2), torch.zeros(2).long())
    moved = torch.zeros(2, 3, 2, 2)
    moved[0, 0, 0, 0] = moved[0, 2, 0, 0] = moved[0, 1, 1, 1] = 0.5
    moved[1, 1, 0, 1] = 1e-7
    assert mean_sizes(clean, Split(moved, clean.labels)).mean_l0 == 100 * 3 / 8
    assert norms.changed_share(moved).tolist() == [0.5, 0.25]
    assert norms.changed_share(moved, above=1e-6).tolist() == [0.5, 0]
    assert norms.changed_share(torch.tensor([[0.0, 1.0, 0.0, 0.0]])).tolist() == [0.25]
