"""Images as a classifier sees them, against the measures one by one."""

import math

import pytest
import torch
from torch import nn

from advx.evaluation.image_quality import UNITS, features, image_quality, nearest, probabilities
from advx.evaluation.modes import mode_measures
from advx.evaluation.sample_quality import (
    frechet_distance,
    manifolds,
    random_rows,
    two_sample_accuracy,
)


def test_the_nearest_image_and_a_layers_features(monkeypatch) -> None:
    torch.manual_seed(0)
    pool, images = torch.rand(50, 1, 4, 4), torch.rand(6, 1, 4, 4)
    monkeypatch.setattr("advx.evaluation.image_quality.BATCH", 2)
    distances = (images[:, None] - pool[None]).flatten(2).square().sum(2)
    assert torch.equal(nearest(images, pool), distances.argmin(1))
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 5), torch.nn.ReLU())
    found = features(network, "1", images)
    torch.testing.assert_close(found, network[1](images.flatten(1)))
    torch.testing.assert_close(probabilities(network, images), network(images).softmax(1))
    assert not network[1]._forward_hooks


@pytest.fixture
def network() -> nn.Module:
    """Three features; the class whose columns are bright is surely recognized."""
    made = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    with torch.no_grad():
        made[1].weight.copy_(torch.arange(16).eq(torch.arange(3)[:, None] * 4).float() * 9)
        made[1].bias.zero_()
    return made.eval()


def test_the_quality_of_images_is_that_of_their_features_and_classes(tiny, network) -> None:
    images = (tiny.train.images[:30] * 0.9).clamp(0, 1)
    found = image_quality(network, "1", tiny, images)
    real, fake = (features(network, "1", x) for x in (tiny.test.images, images))
    assert found.frechet_classifier_distance == frechet_distance(real, fake)
    assert found.two_sample_accuracy == two_sample_accuracy(real, fake)[0]
    covered = manifolds(real, fake)
    for metric in ("precision", "recall", "density", "coverage"):
        assert getattr(found, metric) == getattr(covered, metric)
    p = network(images).softmax(1)
    shares = torch.bincount(tiny.train.labels, minlength=3) / 60
    modes = mode_measures(p.argmax(1), shares)
    assert (found.classes, found.class_kl) == (modes.modes, modes.reverse_kl)
    assert found.confident_rate == pytest.approx(100 * (p.amax(1) > 0.9).double().mean().item())
    assert set(UNITS) >= {"frechet_classifier_distance", "density", "classes", "class_kl"}


def test_what_the_quality_depends_on_can_be_chosen(tiny, network) -> None:
    images = tiny.train.images[:30]
    usual = image_quality(network, "1", tiny, images)
    real, fake = (features(network, "1", x) for x in (tiny.test.images, images))
    few = image_quality(network, "1", tiny, images, manifold_examples=10, neighbors=2)
    expected = manifolds(random_rows(real, 10), random_rows(fake, 10), neighbors=2)
    assert (few.precision, few.density) == (expected.precision, expected.density)
    assert few.frechet_classifier_distance == usual.frechet_classifier_distance
    assert image_quality(network, "1", tiny, images, confident=0.0).confident_rate == 100
    assert image_quality(network, "1", tiny, images, confident=1.0).confident_rate == 0
    alone = image_quality(network, "1", tiny, images, trees=1).two_sample_accuracy
    assert alone == two_sample_accuracy(real, fake, trees=1)[0]
    assert not math.isnan(alone)
