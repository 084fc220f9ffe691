"""The categorical GAN: its entropies, what each player descends, and what it never sees."""

import math

import pytest
import torch
from torch import Tensor, nn

from advx.config.build import build
from advx.data.dataset import Dataset, Split
from advx.data.mixtures import blobs
from advx.errors import ConfigError
from advx.games.categorical_gan import CategoricalGAN, InformationMaximization
from advx.games.entropies import conditional_entropy, marginal_entropy
from advx.games.players import Players
from advx.models.batch_statistics import recompute_statistics
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD, Adam
from tests.game_nodes import checked

RATE = 1e-3
NOISELESS = {"input_noise": 0.0, "hidden_noise": 0.0}


def small(kind=CategoricalGAN, **options):
    torch.manual_seed(1)
    if kind is CategoricalGAN:
        options = {"generator_units": (9,), "latent": 4} | options
    made = kind(input_shape=(2,), discriminator_units=(8, 7), **({"classes": 3} | options))
    return made.train()


def plain_steps(game) -> Players:
    rule = SGD(learning_rate=RATE, learning_rate_divisor=1, momentum=0, final_momentum=0)
    return Players({n: rule.attach(getattr(game, n), lambda: None) for n in game.players})


def labeled_points(count: int = 90) -> Dataset:
    draw = torch.Generator().manual_seed(0)
    split = Split(torch.randn(count, 2, generator=draw), torch.arange(count) % 3)
    return Dataset("points", 3, split, split, split)


def test_entropies_are_those_of_the_probabilities() -> None:
    logits = torch.randn(40, 5, dtype=torch.float64) * 3
    p = logits.softmax(1)
    torch.testing.assert_close(conditional_entropy(logits), -(p * p.log()).sum(1).mean())
    mean = p.mean(0)
    torch.testing.assert_close(marginal_entropy(logits), -(mean * mean.log()).sum())
    even = torch.zeros(7, 5)
    for entropy in (conditional_entropy, marginal_entropy):
        assert entropy(even).item() == pytest.approx(math.log(5))
    certain = 50 * torch.eye(5)
    assert conditional_entropy(certain).item() == pytest.approx(0, abs=1e-6)
    assert marginal_entropy(certain).item() == pytest.approx(math.log(5))
    assert marginal_entropy(certain[:1]).item() == pytest.approx(0, abs=1e-6)


def test_gradients_of_the_entropies_in_the_logits() -> None:
    """With softmax's derivative p_i (δ_ij − p_j): −p_j (log p_j + H) / n for one example; for the
    mean answer m: −p_j (log m_j − Σ p_i log m_i) / n."""
    s = (torch.randn(30, 4, dtype=torch.float64) * 2).requires_grad_()
    p = s.detach().softmax(1)
    conditional_entropy(s).backward()
    entropy = -(p * p.log()).sum(1, keepdim=True)
    torch.testing.assert_close(s.grad, -p * (p.log() + entropy) / 30)
    s.grad = None
    marginal_entropy(s).backward()
    log_m = p.mean(0).log()
    torch.testing.assert_close(s.grad, -p * (log_m - (p * log_m).sum(1, keepdim=True)) / 30)


@pytest.mark.parametrize("entropy", [conditional_entropy, marginal_entropy])
def test_no_logarithm_overflows(entropy) -> None:
    s = torch.tensor([[300.0, 0.0, -300.0], [300.0, 1.0, -300.0]], requires_grad=True)
    entropy(s).backward()
    assert s.grad.isfinite().all()


@pytest.mark.parametrize(("k", "batch"), [(20, 200), (20, 1000), (10, 100), (5, 400)])
def test_the_marginal_entropy_is_too_small_on_small_batches(k, batch) -> None:
    """Certain answers, all classes alike: log k is missed by (k − 1) / 2B, the Miller-Madow bias,
    up to its next order."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(k, (4000, batch), generator=draw)
    logits = 60.0 * nn.functional.one_hot(labels, k)
    bias = math.log(k) - torch.stack([marginal_entropy(each) for each in logits]).mean().item()
    expected = (k - 1) / (2 * batch)
    assert bias == pytest.approx(expected + (k * k - 1) / (12 * batch**2), rel=0.03)


def terms(game, x: Tensor, labeled: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
    """What each player descends, on the noise of the next draws, with nothing of its own code."""

    def answers(y: Tensor) -> Tensor:
        return game.discriminator(y).softmax(1)

    def h(p: Tensor) -> Tensor:
        return -(p * p.log()).sum(-1)

    torch.manual_seed(3)
    real, fake = answers(x), answers(game.generator(torch.rand(len(x), 4) * 2 - 1))
    d = -h(real.mean(0)) + h(real).mean() - h(fake).mean()
    if labeled is not None:
        p = answers(labeled[0])
        d = d - 0.3 * p.log()[torch.arange(len(p)), labeled[1]].mean()
    return {"discriminator": d, "real": real}


@pytest.mark.parametrize("with_labels", [False, True])
def test_the_discriminator_descends_its_entropies_and_the_few_labels(with_labels) -> None:
    x = torch.randn(12, 2)
    labeled = (torch.randn(6, 2), torch.arange(6) % 3) if with_labels else None
    options = {"label_weight": 0.3, **NOISELESS}
    game, twin = small(**options), small(**options)
    expected = terms(twin, x, labeled)["discriminator"]
    torch.manual_seed(3)
    found = game.update(iter([(x, labeled)]), plain_steps(game))
    torch.testing.assert_close(found["discriminator_loss"], expected.detach())
    still = list(twin.discriminator.parameters())
    slopes = torch.autograd.grad(expected, still)
    for new, old, slope in zip(game.discriminator.parameters(), still, slopes, strict=True):
        torch.testing.assert_close(new, old - RATE * slope, atol=1e-6, rtol=1e-4)


def test_the_generator_descends_its_own_entropies_against_the_discriminator_that_has_moved() -> (
    None
):
    x = torch.randn(12, 2)
    game, twin = small(**NOISELESS), small(**NOISELESS)
    torch.manual_seed(3)
    found = game.update(iter([(x, None)]), plain_steps(game))
    torch.manual_seed(3)
    twin.draw(12)
    twin.discriminator.load_state_dict(game.discriminator.state_dict())
    p = twin.discriminator(twin.generator(twin.draw(12))).softmax(1)
    mean = p.mean(0)
    loss = (mean * mean.log()).sum() - (p * p.log()).sum(1).mean()
    torch.testing.assert_close(found["generator_loss"], loss.detach())
    still = list(twin.generator.parameters())
    slopes = torch.autograd.grad(loss, still)
    for new, old, slope in zip(game.generator.parameters(), still, slopes, strict=True):
        torch.testing.assert_close(new, old - RATE * slope, atol=1e-6, rtol=1e-4)


def test_the_control_has_the_same_network_and_no_generator() -> None:
    game = small(InformationMaximization, penalty=0.1, **NOISELESS)
    twin = small(InformationMaximization, penalty=0.1, **NOISELESS)
    assert game.players == ("discriminator",)
    assert not hasattr(game, "generator")
    shapes = [[p.shape for p in g.discriminator.parameters()] for g in (game, small())]
    assert shapes[0] == shapes[1]
    x = torch.randn(12, 2)
    found = game.update(iter([(x, None)]), plain_steps(game))
    p = twin.discriminator(x).softmax(1)
    norm = sum((m.weight**2).sum() for m in twin.discriminator if isinstance(m, nn.Linear))
    mean = p.mean(0)
    loss = (mean * mean.log()).sum() - (p * p.log()).sum(1).mean() + 0.1 * norm / 2
    torch.testing.assert_close(found["discriminator_loss"], loss.detach())


def test_without_information_only_the_labels_move_the_network() -> None:
    options = {"information_weight": 0.0, "labeled": 6, **NOISELESS}
    game, twin = (small(InformationMaximization, **options) for _ in range(2))
    labeled = torch.randn(6, 2), torch.arange(6) % 3
    found = game.update(iter([(torch.randn(12, 2), labeled)]), plain_steps(game))
    twin.discriminator(torch.randn(12, 2))
    loss = nn.functional.cross_entropy(twin.discriminator(labeled[0]), labeled[1])
    torch.testing.assert_close(found["discriminator_loss"], loss.detach())
    still = list(twin.discriminator.parameters())
    slopes = torch.autograd.grad(loss, still)
    for new, old, slope in zip(game.discriminator.parameters(), still, slopes, strict=True):
        torch.testing.assert_close(new, old - RATE * slope, atol=1e-6, rtol=1e-4)


def test_neither_labels_nor_information_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"information_weight=0: .* valid: labels, or a larger"):
        small(InformationMaximization, information_weight=0.0)


def test_entropies_of_data_fall_and_the_marginal_stays() -> None:
    game, data = small(hidden_noise=0.1, input_noise=0.1), blobs(train=600, test=10)
    trainer = GameTrainer(max_epochs=20, batch_size=100, optimizer=Adam(learning_rate=3e-3))
    first, *_, last = trainer.fit(game, data, seed=0).history
    assert last["data_entropy"] < first["data_entropy"] - 0.1
    assert last["marginal_entropy"] > 0.9 * math.log(3)
    assert last["generated_entropy"] > last["data_entropy"]


@pytest.mark.parametrize("kind", [CategoricalGAN, InformationMaximization])
def test_hidden_labels_are_never_seen(kind) -> None:
    """Whoever hides them in the data themselves trains the same network, byte by byte."""
    data = labeled_points()
    game = small(kind, labeled=6, labeled_batch_size=4)
    trainer = GameTrainer(max_epochs=2, batch_size=20, shown=5)
    trainer.fit(game, data, seed=2)
    poisoned = torch.full_like(data.train.labels, -7)
    poisoned[game.known] = data.train.labels[game.known]
    assert torch.bincount(data.train.labels[game.known]).tolist() == [2, 2, 2]
    other = small(kind, labeled=6, labeled_batch_size=4)
    split = Split(data.train.images, poisoned)
    hidden = Dataset("points", 3, split, Split(data.test.images, data.test.labels * 0), data.test)
    trainer.fit(other, hidden, seed=2)
    assert torch.equal(game.known, other.known)
    for name, value in game.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    changed = data.train.labels.clone()
    changed[game.known] = (changed[game.known] + 1) % 3
    third = small(kind, labeled=6, labeled_batch_size=4)
    third.known = game.known
    split = Split(data.train.images, changed)
    third.begin = lambda _: None
    trainer.fit(third, Dataset("points", 3, split, split, split), seed=2)
    assert not torch.equal(next(game.parameters()), next(third.parameters()))


def test_statistics_of_evaluation_are_those_of_training_images_without_noise() -> None:
    data = labeled_points()
    game = small(labeled=6)
    GameTrainer(max_epochs=1, batch_size=20, shown=5).fit(game, data, seed=0)
    layers, x = list(game.discriminator), data.train.images
    first, norm = layers[2], layers[3]
    assert isinstance(norm, nn.BatchNorm1d)
    seen = first(x).detach()
    torch.testing.assert_close(norm.running_mean, seen.mean(0))
    torch.testing.assert_close(norm.running_var, seen.var(0))
    second, norm = layers[6], layers[7]
    seen = second(nn.Sequential(*layers[:6])(x)).detach()
    batch_normed = (layers[3](first(x))).detach()
    torch.testing.assert_close(batch_normed.mean(0), layers[3].bias.detach(), atol=1e-5, rtol=0)
    torch.testing.assert_close(norm.running_mean, seen.mean(0), atol=1e-3, rtol=0.02)


def test_recomputing_leaves_modes_and_momenta_as_they_were() -> None:
    net = nn.Sequential(nn.BatchNorm1d(2, momentum=0.3), nn.Dropout(), nn.BatchNorm1d(2)).train()
    net[2].eval()
    recompute_statistics(net, torch.randn(50, 2) * 4 + 1)
    assert [m.training for m in net] == [True, True, False]
    assert [net[0].momentum, net[2].momentum] == [0.3, 0.1]
    torch.testing.assert_close(net[2].running_mean, torch.zeros(2), atol=1e-5, rtol=0)
    assert net[0].running_var.min() > 8
    recompute_statistics(nn.Linear(2, 2), torch.zeros(1, 2))  # nothing to do


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"labeled": 93}, "game.labeled=93: points has 90 training examples"),
        ({"labeled": 7}, "game.labeled=7: the same number of each of the 3 classes .* multiples"),
        ({"labeled": 2}, "game.labeled=2: .* valid: multiples of 3"),
        ({"labeled": 6, "classes": 4}, "game.classes=4: points has labels of 3 classes; valid: 3"),
    ],
)
def test_labels_that_there_are_not_are_refused(options, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        small(**options).begin(labeled_points())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("labeled", [6, "all"])
def test_a_class_without_a_label_is_refused(labeled) -> None:
    data = labeled_points()
    split = Split(data.train.images, data.train.labels.clamp(max=1))
    lacking = Dataset("points", 3, split, split, split)
    with pytest.raises(ConfigError, match="the rarest has 0 examples"):
        small(labeled=labeled).begin(lacking)


def test_all_labels_may_be_used() -> None:
    game = small(labeled="all", labeled_batch_size=4)
    game.begin(labeled_points())
    assert game.known.tolist() == list(range(90))


@pytest.mark.parametrize("name", ["categorical_gan", "information_maximization"])
@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("game.classes=1", "game.classes=1: input should be greater than or equal to 2"),
        ("game.labeled=0", "game.labeled=0: labels are needed"),
        ("game.labeled_batch_size=1", "labeled_batch_size=1: input should be greater than or"),
        ("game.hidden_noise=-1", "hidden_noise=-1: input should be greater than or equal to 0"),
    ],
)
def test_what_no_game_can_be_is_refused(name, word, complaint) -> None:
    key, _, value = word.removeprefix("game.").partition("=")
    with pytest.raises(ConfigError, match=complaint) as refused:
        checked(name, **{key: int(value)})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["categorical_gan", "information_maximization"])
def test_the_configuration_makes_the_game(name) -> None:
    game = build(checked(name, labeled="all", discriminator_units=[6, 5]))
    assert game.misfit(torch.rand(2, 1, 28, 28), torch.zeros(2)) == ""
    assert game.discriminate(torch.rand(3, 1, 28, 28)).shape == (3, 10)


def test_a_batch_of_one_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="Expected more than 1 value"):
        small().misfit(torch.randn(1, 2), torch.zeros(1))
