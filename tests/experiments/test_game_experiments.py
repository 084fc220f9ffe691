"""What single experiments measure of games, against closed forms and by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

from advx.config.compose import composed
from advx.config.config import Config
from advx.data.dataset import Split
from advx.evaluation.divergence import Mixture
from advx.evaluation.fixed_generator import discriminator_alone, gradient_factors
from advx.evaluation.image_quality import class_rates
from advx.evaluation.modes import stacked_error_rate
from advx.evaluation.point_gradients import gradients_around
from advx.experiments.dcgan_samples import (
    after_training,
    before_training,
    described_by,
    svm_error_rate,
)
from advx.experiments.gan_collapse import spread_rate
from advx.experiments.gan_theory import game_outcome
from advx.randomness import seeded


class First(nn.Module):
    """Logits are the first components of an image."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x):
        return x.flatten(1)[:, : self.classes]


def test_how_often_images_are_of_their_class_by_hand() -> None:
    images = torch.eye(3)[[0, 1, 2, 0, 0, 0]]
    found = class_rates(First(), images, torch.tensor([0, 1, 2, 0, 1, 2]))
    assert found.overall == pytest.approx(100 * 4 / 6)
    assert found.by_class == [100, 50, 50]
    images[5] = math.nan
    images = torch.cat([images] + [images[:5]] * 40)
    classes = torch.cat(
        [torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 1, 2, 0, 1]).repeat(40)]
    )
    left_out = class_rates(First(), images, classes)
    assert left_out.overall == pytest.approx(100 * 4 / 5)
    assert left_out.by_class == [100, 50, 100]


DCGAN = Config(
    {"_target_": "advx.games.dcgan.DCGAN", "input_shape": [1, 28, 28], "filters": 4, "latent": 4}
)


def test_the_machine_on_pixels_and_on_features(tiny) -> None:
    machine = make_pipeline(StandardScaler(), LinearSVC(C=0.1, random_state=0))
    some = tiny.train.take(tiny.train.spaced(30))
    machine.fit(some.images.flatten(1).numpy(), some.labels.numpy())
    wrong = machine.predict(tiny.test.images.flatten(1).numpy()) != tiny.test.labels.numpy()
    assert svm_error_rate(None, tiny, 30, 0.1) == 100 * wrong.mean()

    class Useless(nn.Module):
        discriminator = nn.Identity()

        def features(self, x):
            return torch.zeros(len(x), 2)

    assert svm_error_rate(Useless(), tiny, 30, 0.1) > 50  # of three classes


def test_untrained_networks_are_those_that_training_begins_with() -> None:
    with seeded(3):
        expected = DCGAN.build()
    found = before_training(DCGAN, 3)
    assert not found.training
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)
    assert after_training(SimpleNamespace(game=expected)) is expected


def test_features_are_normalized_by_the_images_that_are_described() -> None:
    game = DCGAN.build().eval()
    images = torch.rand(20, 1, 28, 28)
    kept = {name: value.clone() for name, value in game.state_dict().items()}
    features = described_by(game, images)(images)
    assert all(torch.equal(value, kept[name]) for name, value in game.state_dict().items())
    here, expected = 2 * images - 1, []
    for layer in game.discriminator[:-2]:
        if isinstance(layer, nn.BatchNorm2d):
            mean, spread = here.mean((0, 2, 3)), here.var((0, 2, 3))
            scale = layer.weight / (spread + layer.eps).sqrt()
            here = (here - mean[:, None, None]) * scale[:, None, None] + layer.bias[:, None, None]
        else:
            here = layer(here)
        if isinstance(layer, nn.LeakyReLU):
            expected.append(nn.functional.adaptive_max_pool2d(here, 4).flatten(1))
    assert len(expected) > 1
    assert torch.allclose(features, torch.cat(expected, 1), atol=1e-5)


def test_spread_and_misread_digits_by_hand() -> None:
    trained = SimpleNamespace(history=[{"diversity": d} for d in (0.2, 0.5, 0.7, 0.4)])
    assert spread_rate(trained) == 50
    assert spread_rate(trained, diversity=0.3) == 75
    images = torch.zeros(4, 3, 28, 28)
    for row, digits in enumerate([(1, 2, 3), (9, 0, 7), (0, 0, 0), (5, 5, 5)]):
        for channel, digit in enumerate(digits):
            images[row, channel, 0, digit] = 1
    split = Split(images, torch.tensor([123, 907, 1, 555]))
    assert stacked_error_rate(First(10), split) == 25


@pytest.mark.parametrize("scale", ["smoke", "quick", "chapter"])
def test_the_single_game_beside_the_pyramid_is_that_of_gan_samples(scale) -> None:
    here, _ = composed(["experiment=laplacian_gan_causes", f"scale={scale}"])
    there, _ = composed(["experiment=gan_samples", f"scale={scale}"])
    assert here["single"] == there["game"]
    assert here["single_trainer"] == there["trainer"]
    for key in ("dataset", "classifier", "classifier_trainer", "layer", "samples"):
        assert here[key] == there[key]


@pytest.mark.parametrize("scale", ["smoke", "quick", "chapter"])
def test_the_pyramid_whose_causes_are_sought_is_that_of_laplacian_gan(scale) -> None:
    here, _ = composed(["experiment=laplacian_gan_causes", f"scale={scale}"])
    there, _ = composed(["experiment=laplacian_gan", f"scale={scale}"])
    shared = ("dataset", "coarse", "coarse_trainer", "level", "trainer")
    for key in (*shared, "classifier", "classifier_trainer", "layer", "samples"):
        assert here[key] == there[key]


@pytest.mark.parametrize("scale", ["smoke", "quick", "chapter"])
def test_pyramids_differ_in_what_their_rows_say(scale) -> None:
    config, _ = composed(["experiment=laplacian_gan_causes", f"scale={scale}"])
    filters = {"generator_filters", "discriminator_filters"}
    level, wide, conditional = (config[key] for key in ("level", "wide_level", "conditional_level"))
    assert {key for key in level if level[key] != wide[key]} == filters
    assert all(wide[key] > level[key] for key in filters)
    assert conditional == level | {"classes": config["dataset"]["classes"]}
    shared = ("latent", "noise", "keep_input", "keep_hidden", "discriminator_init", "batch_norm")
    for key in (*shared, "generator_init", "updates", "loss", "pieces"):
        assert config["coarse"][key] == config["conditional_coarse"][key]


class Plain(nn.Module):
    """A game whose discriminator is linear."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(size, 1))


LINEAR = Config({"_target_": "tests.experiments.test_game_experiments.Plain"})


def test_gradients_of_a_linear_discriminator_are_all_alike() -> None:
    train = Split(torch.randn(50, 2), torch.zeros(50, dtype=torch.int64))
    near, far = gradients_around(LINEAR, 0, train, [0.1, 10.0], 1, points=40, rate=1e-9)
    for found in (near, far):  # descent leads along the weights, wherever one is
        assert found.agreement == pytest.approx(100, abs=1e-3)
    with seeded(0):
        weight = Plain().discriminator[1].weight[0].detach()
    with seeded(0):
        torch.randint(50, (1,)), torch.randint(50, (128,))
        unit = nn.functional.normalize(torch.randn(40, 2), dim=1)
    cosine = nn.functional.cosine_similarity(weight.expand(40, 2), -unit)
    for found in (near, far):
        assert found.cosine == pytest.approx(cosine.mean().item(), abs=1e-4)
        assert found.pointing_back == pytest.approx(100 * (cosine > 0).double().mean().item())


LINE = Config(
    {
        "_target_": "advx.games.multilayer.MultilayerGame",
        "input_shape": [1],
        "latent": 2,
        "generator_units": [8],
        "discriminator_units": [32, 32],
    }
)


def test_a_discriminator_alone_comes_near_the_best_one() -> None:
    data = Mixture((-1.0,), 0.5)
    found = discriminator_alone(LINE, data, data, 0, steps=200, batch=200)
    assert found.metrics.optimal_value == pytest.approx(-math.log(4), abs=1e-9)
    assert found.metrics.value == pytest.approx(-math.log(4), abs=0.02)
    assert found.metrics.mean_output == pytest.approx(50, abs=4)
    assert found.metrics.discriminator_error < 5
    np.testing.assert_allclose(found.curves["best"], 0.5)
    apart = discriminator_alone(LINE, data, Mixture((9.0,), 0.5), 0, steps=200, batch=200).metrics
    assert apart.optimal_value == pytest.approx(0, abs=1e-4)  # what lies beyond 4σ is one cell
    assert apart.value > -0.05
    assert apart.gradient_minimax < apart.gradient_non_saturating
    density = data.density(torch.from_numpy(found.curves["x"]).double())
    np.testing.assert_allclose(found.curves["p"], density, rtol=1e-4, atol=1e-6)


def test_factors_of_a_linear_discriminator_in_closed_form() -> None:
    line = nn.Linear(1, 1).double()
    points = torch.randn(50, 1).double()
    d = line(points).sigmoid().flatten().detach()
    slope = abs(line.weight.item())
    found = gradient_factors(line, points)
    assert found["printed_factor_minimax"] == pytest.approx((1 / (1 - d)).mean().item())
    assert found["logit_factor_minimax"] == pytest.approx(d.mean().item())
    assert found["logit_factor_non_saturating"] == pytest.approx(1 - d.mean().item())
    assert found["gradient_minimax"] == pytest.approx(slope * d.mean().item())
    assert found["gradient_non_saturating"] == pytest.approx(slope * (1 - d).mean().item())
    assert found["mean_output"] == pytest.approx(100 * d.mean().item())


class Undecided(nn.Module):
    """A game whose discriminator says 1/2 of everything."""

    def discriminate(self, x):
        return torch.zeros(len(x))


def test_the_outcome_of_a_game_that_made_the_data_itself() -> None:
    data = Mixture((-1.0, 1.0), 0.3)
    test = Split(data.samples(1000), torch.zeros(1000, dtype=torch.int64))
    far, near, best = data.samples(400) + 50, data.samples(400) + 1, data.samples(400)
    losses = [1.0, 1.5, 1.6, 1.2, 1.1]  # of D: the value is the negative
    trained = SimpleNamespace(
        game=Undecided(),
        snapshots=torch.stack([far, best, near, best, near]),
        snapshot_epochs=[0, 1, 2, 4, 5],
        history=[{"discriminator_loss": loss, "confidence": 0.25} for loss in losses],
    )
    found = game_outcome(trained, data.samples(300_000), test, data)
    assert found.metrics.divergence < 1e-3
    assert found.metrics.gap == pytest.approx(2 * found.metrics.divergence, abs=1e-6)
    assert found.metrics.confidence == 25
    assert found.over_time[0] == pytest.approx(math.log(2), abs=5e-4)  # but for what lies outside
    assert found.over_time[2] == found.over_time[4]
    # values −1, −1.5, −1.2, −1.1: it fell once, from the best to the near one, which is farther
    assert found.metrics.relaxed == 100
