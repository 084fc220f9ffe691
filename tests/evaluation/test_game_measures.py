"""What is measured of generators, against closed forms and brute force."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from advx.data import mixtures, stacked_mnist
from advx.data.dataset import Dataset, Split
from advx.data.resize import doubled, halved
from advx.errors import ConfigError
from advx.evaluation.divergence import (
    cells,
    jensen_shannon,
    mixture_density,
    mixture_shares,
    optimal_discriminator,
    sample_shares,
)
from advx.evaluation.estimation import DATA, START, contrastive_gradients, gradients, log_density
from advx.evaluation.judged import features, nearest, probabilities
from advx.evaluation.modes import (
    NONE,
    Modes,
    mode_measures,
    nearest_modes,
    stacked_modes,
    stacked_sureness,
)
from advx.evaluation.sample_quality import (
    frechet_distance,
    k_means_centres,
    manifolds,
    parzen,
    parzen_log_likelihoods,
    two_sample_accuracy,
)
from advx.evaluation.samples import generated
from advx.games.multilayer import MultilayerGame
from advx.training.discriminator import train_discriminator


def test_a_density_and_its_shares_agree() -> None:
    means = torch.tensor([-1.0, 2.0])
    edges, x = cells(-8, 9, 5_000)
    shares = mixture_shares(edges, means, 0.6)
    torch.testing.assert_close(
        shares[:-1], mixture_density(x, means, 0.6) * 17 / 5_000, atol=1e-8, rtol=1e-4
    )
    assert shares.sum().item() == pytest.approx(1, abs=1e-12)
    normal = torch.distributions.Normal(0.3, 0.6)
    torch.testing.assert_close(
        mixture_density(x, torch.tensor([0.3]), 0.6), normal.log_prob(x).exp()
    )


def test_the_divergence_in_closed_form() -> None:
    p = torch.tensor([0.5, 0.5, 0.0, 0.0]).double()
    q = torch.tensor([0.0, 0.0, 0.5, 0.5]).double()
    half = torch.tensor([0.5, 0.0, 0.5, 0.0]).double()
    assert jensen_shannon(p, p) == 0
    assert jensen_shannon(p, q) == pytest.approx(math.log(2))
    assert jensen_shannon(p, half) == pytest.approx(0.5 * math.log(2))
    one, even = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.5, 0.5]).double()
    other = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    expected = 0.5 * (math.log(1 / 0.75) + other)
    assert jensen_shannon(one, even) == pytest.approx(expected)
    assert jensen_shannon(even, one) == pytest.approx(expected)
    best = optimal_discriminator(p, half)
    torch.testing.assert_close(best, torch.tensor([0.5, 1.0, 0.0, 0.5]).double())
    # the value of the best discriminator is −log 4 + 2 JSD
    value = torch.zeros((), dtype=torch.float64)
    for density, answer in ((p, best), (half, 1 - best)):
        used = density > 0
        value = value + (density[used] * answer[used].log()).sum()
    assert value.item() == pytest.approx(-math.log(4) + 2 * jensen_shannon(p, half))


def test_samples_fall_into_their_cells() -> None:
    edges, _ = cells(0, 1, 4)
    samples = torch.tensor([0.1, 0.1, 0.3, 0.74, 0.76, -1.0, 2.0, 0.25])
    expected = torch.tensor([2, 2, 1, 1, 2]).double() / 8
    torch.testing.assert_close(sample_shares(samples, edges), expected)
    means = torch.tensor([0.2, 0.6])
    many = means[torch.randint(2, (400_000,))] + 0.1 * torch.randn(400_000)
    found, exact = sample_shares(many, edges), mixture_shares(edges, means, 0.1)
    torch.testing.assert_close(found, exact, atol=4e-3, rtol=0)


def test_modes_against_brute_force() -> None:
    means = mixtures.grid_means(3, 2.0)
    points = torch.randn(400, 2) * 2
    found = nearest_modes(points, means, 0.2)
    for point, mode in zip(points, found.tolist(), strict=True):
        near = [k for k, m in enumerate(means) if math.dist(point.tolist(), m.tolist()) <= 0.6]
        assert near == ([] if mode == NONE else [mode])


def test_mode_measures_by_hand() -> None:
    shares = torch.tensor([0.25, 0.25, 0.5])
    found = mode_measures(torch.tensor([0, 0, 2, NONE]), shares)
    assert found["modes"] == 2
    assert found["high_quality"] == 75
    none = 1 / 40  # a tenth of an example
    kl = 0.5 * math.log(0.5 / 0.25) + 0.25 * math.log(0.25 / 0.5) + 0.25 * math.log(0.25 / none)
    assert found["reverse_kl"] == pytest.approx(kl)
    exact = mode_measures(torch.tensor([0, 1, 2, 2]), shares)
    assert exact["reverse_kl"] == pytest.approx(0, abs=1e-12)
    ring = mixtures.ring(train=20_000)
    modes = nearest_modes(ring.train.images, mixtures.ring_means(8, 2.0), 0.02)
    inside = (modes != NONE).double().mean().item()
    assert inside == pytest.approx(1 - math.exp(-4.5), abs=0.004)  # 3σ in the plane
    assert (modes == ring.train.labels)[modes != NONE].all()


class Brightest(torch.nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10]


def test_stacked_digits_have_three_classes() -> None:
    images = torch.zeros(2, 3, 28, 28)
    for row, digits in enumerate([(1, 2, 3), (9, 0, 7)]):
        for channel, digit in enumerate(digits):
            images[row, channel, 0, digit] = 1
    assert stacked_modes(Brightest(), images).tolist() == [123, 907]
    images[0, 1] *= 3
    images[1, 2] *= 0.5
    logits = torch.stack([Brightest()(images[:, k : k + 1]) for k in range(3)])
    expected = logits.softmax(2).amax(2).amin(0)
    torch.testing.assert_close(stacked_sureness(Brightest(), images), expected)
    assert expected[0] > expected[1]


def test_modes_that_a_classifier_reads() -> None:
    """Three of four examples in a mode, one of them surely; the data have two modes alike."""
    of = torch.tensor([0, 0, 1, NONE])
    plain = Modes(2, lambda x: of, [])
    shares = plain.shares(torch.zeros(4, 1))
    assert shares.tolist() == [0.5, 0.25]
    found = plain.measures(torch.zeros(4, 1), shares)
    assert found == mode_measures(of, shares)
    assert found["high_quality"] == 75
    read = Modes(2, lambda x: of, [], sure=lambda x: torch.tensor([True, False, False, False]))
    assert read.measures(torch.zeros(4, 1), shares) == found | {"high_quality": 25}


def test_the_first_of_three_digits() -> None:
    data = stacked_mnist.load(source="mnist5k", train=40, test=20)
    digits = stacked_mnist.first_digits(data)
    assert digits.input_shape == (1, 28, 28)
    assert digits.classes == 10
    assert torch.equal(digits.test.images[:, 0], data.test.images[:, 0])
    assert digits.train.labels.tolist() == [label // 100 for label in data.train.labels.tolist()]
    assert digits.fingerprint != data.fingerprint


def test_samples_are_the_same_however_many_at_once(monkeypatch) -> None:
    game = MultilayerGame(input_shape=(2,), batch_norm_generator=True).eval()
    whole = generated(game, 50, seed=3)
    monkeypatch.setattr("advx.evaluation.samples.BATCH", 7)
    torch.testing.assert_close(generated(game, 50, seed=3), whole)
    assert (generated(game, 50, seed=4) != whole).any()


def test_a_critic_becomes_the_best_one() -> None:
    """Between N(−1, 1) and N(1, 1) the log-odds are −2x."""
    torch.manual_seed(0)
    critic = torch.nn.Linear(1, 1)
    losses = train_discriminator(
        critic, lambda n: torch.randn(n, 1) - 1, lambda n: torch.randn(n, 1) + 1,
        steps=1500, rate=0.05, final_rate=1e-3, batch_size=1000,
    )  # fmt: skip
    assert critic.weight.item() == pytest.approx(-2, abs=0.06)
    assert critic.bias.item() == pytest.approx(0, abs=0.06)
    assert len(losses) == 1500


def test_self_contrastive_estimation_is_half_of_the_likelihood() -> None:
    theta = torch.tensor(list(START.values())).double().requires_grad_()
    torch.manual_seed(0)
    data, model = torch.randn(200).double(), torch.randn(300).double()
    by_hand = []
    for x in (data, model):
        (slope,) = torch.autograd.grad(log_density(x, theta).mean(), theta)
        by_hand.append(slope.flatten())
    found = gradients(theta, data, model)
    torch.testing.assert_close(found, 0.5 * (by_hand[0] - by_hand[1]))
    many = contrastive_gradients([300_000], seed=0)
    assert many["self-contrastive, n = 300000"]["cosine"] > 0.999
    assert many["self-contrastive, n = 300000"]["length"] == pytest.approx(0.5, abs=0.02)
    x = torch.linspace(-9, 9, 20_001).double()
    assert log_density(x, theta).exp().sum().item() * 18 / 20_000 == pytest.approx(1, abs=1e-3)
    assert DATA[0].numel() == 2


def test_the_frechet_distance_of_gaussians() -> None:
    torch.manual_seed(0)
    a = torch.randn(200_000, 3).double() * torch.tensor([1.0, 2.0, 0.5])
    b = torch.randn(200_000, 3).double() * torch.tensor([2.0, 1.0, 0.5]) + torch.tensor([1.0, 0, 2])
    # commuting covariances: Σ (σ_a − σ_b)² + ‖μ‖²
    assert frechet_distance(a, b) == pytest.approx(1 + 1 + 5, rel=0.02)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    mixing = torch.randn(3, 3).double()
    x, y = a[:500] @ mixing, b[:500]
    covariances = [np.cov(each.numpy().T) for each in (x, y)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    mean = ((x.mean(0) - y.mean(0)) ** 2).sum().item()
    expected = mean + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ConfigError, match=r"^3 first examples: .* over 3 features .* from 4"):
        frechet_distance(a[:3], b)


def test_manifolds_against_brute_force(monkeypatch) -> None:
    monkeypatch.setattr("advx.evaluation.sample_quality.CHUNK", 7)
    torch.manual_seed(0)
    real, fake, k = torch.randn(30, 2), torch.randn(40, 2) * 0.7 + 0.5, 3

    def radius(x, i):
        return sorted(math.dist(x[i].tolist(), p.tolist()) for p in x)[k]

    def inside(point, x):
        return [math.dist(point.tolist(), x[i].tolist()) <= radius(x, i) + 1e-6
                for i in range(len(x))]  # fmt: skip

    found = manifolds(real, fake, neighbors=k)
    hits = [inside(p, real) for p in fake]
    assert found["precision"] == pytest.approx(100 * np.mean([any(h) for h in hits]))
    assert found["recall"] == pytest.approx(100 * np.mean([any(inside(p, fake)) for p in real]))
    assert found["density"] == pytest.approx(np.sum(hits) / (k * len(fake)))
    assert found["coverage"] == pytest.approx(100 * np.mean(np.any(hits, 0)))
    floor = manifolds(torch.randn(2000, 2), torch.randn(2000, 2))
    assert floor["density"] == pytest.approx(1, abs=0.1)
    assert floor["coverage"] > 90


def test_the_two_sample_test_tells_what_can_be_told() -> None:
    torch.manual_seed(0)
    same, n = two_sample_accuracy(torch.randn(2000, 4), torch.randn(2000, 4))
    assert n == 2000
    assert abs(same - 50) < 100 * 3 * 0.5 / n**0.5
    apart, _ = two_sample_accuracy(torch.randn(2000, 4), torch.randn(2000, 4) + 1)
    # two Gaussians 2 apart in length: the best accuracy is Φ(1)
    assert apart == pytest.approx(84.1, abs=3)


def test_parzen_windows_in_closed_form() -> None:
    torch.manual_seed(0)
    x, centres = torch.randn(5, 3).double(), torch.randn(4, 3).double()
    by_hand = torch.stack(
        [torch.distributions.Normal(c, 0.3).log_prob(x).sum(1) for c in centres], 1
    )
    torch.testing.assert_close(
        parzen_log_likelihoods(x, centres, 0.3), by_hand.logsumexp(1) - math.log(4)
    )
    sigmas = torch.logspace(-1, 0, 10).double()
    many = torch.randn(4000, 2).double()
    mean, error, sigma = parzen(many[:2000], many[2000:3000], many[3000:], sigmas)
    entropy = -math.log(2 * math.pi * math.e)  # of a standard Gaussian in the plane
    assert mean == pytest.approx(entropy, abs=0.1)
    assert error < 0.05
    assert 0.1 < sigma < 1
    with pytest.raises(ConfigError, match="at the edge"):
        parzen(many[:100], many[2000:3000], many[3000:], torch.logspace(1, 2, 5))


def test_k_means_centres_are_means() -> None:
    x = torch.cat(
        [torch.randn(300, 2) * 0.01 + m for m in torch.tensor([[0.0, 0], [5, 5], [9, 0]])]
    )
    centres = k_means_centres(x, 3)
    assert (
        torch.cdist(torch.tensor([[0.0, 0], [5, 5], [9, 0]]), centres.float()).amin(1).max() < 0.1
    )


def test_the_nearest_picture_and_a_layers_features(monkeypatch) -> None:
    torch.manual_seed(0)
    pool, images = torch.rand(50, 1, 4, 4), torch.rand(6, 1, 4, 4)
    monkeypatch.setattr("advx.evaluation.judged.BATCH", 2)
    distances = (images[:, None] - pool[None]).flatten(2).square().sum(2)
    assert torch.equal(nearest(images, pool), distances.argmin(1))
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 5), torch.nn.ReLU())
    found = features(network, "1", images)
    torch.testing.assert_close(found, network[1](images.flatten(1)))
    torch.testing.assert_close(probabilities(network, images), network(images).softmax(1))
    assert not network[1]._forward_hooks


def test_shrunk_data_are_halved_pictures() -> None:
    split = Split(torch.rand(5, 1, 8, 8), torch.arange(5) % 2)
    data = Dataset("squares", 2, split, split, split)
    small = data.shrunk(4)
    torch.testing.assert_close(small.test.images, halved(halved(split.images)))
    assert small.input_shape == (1, 2, 2)
    assert small.fingerprint != data.fingerprint
    assert torch.equal(small.train.labels, split.labels)
    with pytest.raises(ConfigError, match="8 × 8 cannot be shrunk by 16"):
        data.shrunk(16)
    flat = torch.full((1, 1, 6, 6), 0.4)
    torch.testing.assert_close(doubled(halved(flat)), flat)


@pytest.mark.parametrize("order", ["sorted", "cycled"])
def test_the_order_of_examples_is_no_difference(order) -> None:
    """Two samples of one mixture, one sorted by component or cycling through them."""
    torch.manual_seed(0)
    centres = 10 * torch.eye(10)
    mixed = centres[torch.randint(10, (2000,))] + torch.randn(2000, 10)
    component = torch.arange(4000) % 10
    component = component.sort().values if order == "sorted" else component
    other = centres[component] + torch.randn(4000, 10)
    for a, b in ((mixed, other), (other, mixed)):
        accuracy, n = two_sample_accuracy(a, b)
        assert abs(accuracy - 50) < 4 * 50 / n**0.5
