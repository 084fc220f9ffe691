"""Section 1.2.4's attacks against closed forms, brute force and independent implementations."""

import pytest
import torch
from scipy import optimize
from torch import nn

from advx.attacks import norms
from advx.attacks.feature import Feature
from advx.attacks.fgsm import FGSM
from advx.attacks.jsma import JSMA, best_pair, by_convention
from advx.attacks.linearized_model import LinearizedModel
from advx.attacks.random_noise import RandomNoise
from advx.attacks.rubbish import Rubbish
from advx.attacks.virtual_adversarial import VirtualAdversarial
from advx.attacks.virtual_direction import divergence
from advx.errors import ConfigError
from advx.models.maxout import MaxoutNetwork
from advx.models.relu import ReLUNetwork

SHAPE = (1, 6, 6)

CLIP = (0.0, 1.0)


@pytest.fixture
def network() -> nn.Module:
    given = {"input_shape": SHAPE, "classes": 5}
    return MaxoutNetwork(**given, units=(20, 20), init_range=0.5).double().eval()


class Through(nn.Module):
    """A function of the logits."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, z):
        return self.function(z)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_linearized_model_has_the_analytic_length(norm, images) -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(36, 5)).double()
    y = linear(images).argmax(1)
    found = LinearizedModel(norm=norm, overshoot=0.0)(linear, images, y)
    weight, logits = linear[1].weight, linear(images)
    lacking = logits.gather(1, y[:, None]) - logits
    order = {"l2": 2, "linf": 1, "l1": torch.inf}[norm]  # the dual norm
    reach = torch.linalg.vector_norm(weight[None] - weight[y][:, None], ord=order, dim=2)
    distance = (lacking / reach).scatter(1, y[:, None], torch.inf).amin(1)
    torch.testing.assert_close(norms.length(found - images, norm), distance)
    after = linear(found)
    gap = after.gather(1, y[:, None]).squeeze(1) - after.scatter(1, y[:, None], -torch.inf).amax(1)
    torch.testing.assert_close(gap, torch.zeros_like(gap), rtol=0, atol=1e-12)  # the hyperplane
    beyond = LinearizedModel(norm=norm, overshoot=1e-6)(linear, images, y)
    assert (linear(beyond).argmax(1) != y).all()


def test_linearized_model_toward_a_class(images) -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(36, 5)).double()
    targets = (linear(images).argmax(1) + 1) % 5
    found = LinearizedModel(targeted=True, steps=30)(linear, images, targets)
    assert (linear(found).argmax(1) == targets).all()


def test_fewer_classes_never_find_a_shorter_perturbation(network, images) -> None:
    y = network(images).argmax(1)
    lengths = [
        norms.length(LinearizedModel(classes=n)(network, images, y) - images, "l2")
        for n in (1, 2, None)
    ]
    assert (lengths[0] >= lengths[1] - 1e-12).all()
    assert (lengths[1] >= lengths[2] - 1e-12).all()
    assert (lengths[0] > lengths[2] + 1e-6).any()


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_deepfool_equals_foolbox(norm, network, images) -> None:
    foolbox = pytest.importorskip("foolbox")
    kind = {"l2": foolbox.attacks.L2DeepFoolAttack, "linf": foolbox.attacks.LinfDeepFoolAttack}
    wrapped = foolbox.PyTorchModel(network, bounds=(-100, 100), device="cpu")
    y = network(images).argmax(1)
    theirs = kind[norm](steps=50, candidates=None, overshoot=0.02)(
        wrapped, images, y, epsilons=None
    )[0]
    ours = LinearizedModel(norm=norm, steps=50)(network, images, y)
    assert (network(ours).argmax(1) != y).all()
    # foolbox adds 1e-4 to each step, which may decide on the next piece of the network
    size, reference = norms.length(ours - images, norm), norms.length(theirs - images, norm)
    off = (size / reference - 1).abs()
    assert off.median() < 0.003
    assert off.quantile(0.9) < 0.01
    assert off.max() < 0.05


@pytest.mark.parametrize("kind", ["random", "ties", "opposed", "opposed with ties"])
def test_best_pair_is_that_of_brute_force(kind) -> None:
    for n in range(1, 25):
        a, c = torch.randn(2, 20, n, dtype=torch.float64)
        if kind == "ties":
            a, c = a.round(), c.round()
        elif kind == "opposed":
            c = -a
        elif kind == "opposed with ties":
            a = (2 * a).round()
            c = -a + (torch.rand_like(a) > 0.8)
        allowed = torch.rand_like(a) > 0.2
        pair, exists = best_pair(a, c, allowed)
        sum_a, sum_c = a[:, :, None] + a[:, None], c[:, :, None] + c[:, None]
        valid = allowed[:, :, None] & allowed[:, None] & (sum_a > 0) & (sum_c > 0)
        valid &= ~torch.eye(n, dtype=torch.bool)
        best = (sum_a * sum_c).masked_fill(~valid, -torch.inf).flatten(1).amax(1)
        assert torch.equal(exists, best > 0)
        row = torch.arange(20)[exists]
        p, q = pair[exists].T
        assert (p != q).all()
        assert (allowed[row, p] & allowed[row, q]).all()
        score = (a[row, p] + a[row, q]) * (c[row, p] + c[row, q])
        assert torch.equal(score, best[exists])


@pytest.mark.parametrize("increase", [True, False])
def test_jsma_is_the_papers_loop(increase, network, images) -> None:
    """One image at a time, all pairs tried, with the full Jacobian; no pixel almost at its end."""
    targets = (network(images).argmax(1) + 1) % 5
    found = JSMA(targeted=True, share=0.3, increase=increase)(network, images, targets)
    for image, target, ours in zip(images[:12], targets[:12], found[:12], strict=True):
        room = (1 - image if increase else image).flatten()
        x, left = image[None].clone(), set((room > 0.05).nonzero().flatten().tolist())
        for _ in range(int(0.3 * 36) // 2):
            if network(x).argmax() == target:
                break
            jacobian = torch.autograd.functional.jacobian(network, x)[0, :, 0].flatten(1)
            jacobian = jacobian if increase else -jacobian
            others = jacobian.sum(0) - jacobian[target]
            pairs = [
                (
                    float((jacobian[target, p] + jacobian[target, q]) * -(others[p] + others[q])),
                    p,
                    q,
                )
                for p in left
                for q in left
                if p < q and jacobian[target, p] + jacobian[target, q] > 0 > others[p] + others[q]
            ]
            if not pairs:
                break
            _, p, q = max(pairs)
            x.view(-1)[[p, q]] = 1.0 if increase else 0.0
            left -= {p, q}
        torch.testing.assert_close(ours[None], x, rtol=0, atol=0)


CONVENTIONS = {
    "log-probabilities": lambda z: z.log_softmax(1),
    "the first class at 0": lambda z: z - z[:, :1],
    "the last class at 0": lambda z: nn.functional.pad(z[:, :-1] - z[:, -1:], (0, 1)),
    "the largest at 0": lambda z: z - z.amax(1, keepdim=True),
    "less the mean": lambda z: z - z.mean(1, keepdim=True),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_jsma_of_logits_by_convention_takes_the_largest_advantage(convention, classes) -> None:
    """Brute force on a linear model: the pair that raises z_t less the mean of all the most."""
    weight = torch.randn(classes, 36, generator=torch.Generator().manual_seed(classes))
    linear = nn.Linear(36, classes)
    linear.weight.data, linear.bias.data = 3 * weight, torch.zeros(classes)
    model = nn.Sequential(nn.Flatten(), linear, Through(CONVENTIONS[convention]))
    x = 0.5 * torch.rand(8, *SHAPE, generator=torch.Generator().manual_seed(1))
    targets = model(x).argmin(1)
    found = JSMA(targeted=True, share=2.5 / 36)(model, x, targets)  # one pair
    advantage = (weight - weight.mean(0))[targets]
    for image, gain, ours in zip(x, advantage, found, strict=True):
        pairs = [(float(gain[p] + gain[q]), {p, q}) for p in range(36) for q in range(p)]
        moved = (ours != image).flatten().nonzero().flatten().tolist()
        assert set(moved) == max(pairs, key=lambda pair: pair[0])[1]


def test_jsma_attacks_one_logit_however_it_is_written() -> None:
    """With (0, z) the others' slope was 0, and no pair was ever found."""
    body = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 1))
    x = 0.5 * torch.rand(20, *SHAPE)
    written = [
        nn.Sequential(body, Through(lambda z: torch.cat([torch.zeros_like(z), z], 1))),
        nn.Sequential(body, Through(lambda z: torch.cat([-z / 2, z / 2], 1))),
    ]
    labels = written[0](x).argmax(1)
    for targeted, aims in ((False, labels), (True, 1 - labels)):
        first, second = (JSMA(targeted=targeted, share=0.3)(model, x, aims) for model in written)
        assert torch.equal(first, second)
        assert (first != x).any()


def test_an_ordinary_logit_that_happens_to_be_0_is_no_convention() -> None:
    x = torch.rand(5, 4, requires_grad=True)
    logits = torch.stack([x[:, 0] - x[:, 0].detach(), x[:, 1]], 1)
    one = torch.cat([torch.zeros_like(x[:, :1]), x[:, 1:2]], 1)
    for z, expected in ((logits, False), (one, True), (x.log_softmax(1), True), (x, False)):

        def gradient(weights, z=z):
            return torch.autograd.grad(z, x, weights, retain_graph=True)[0]

        assert (by_convention(z.detach(), gradient) == expected).all()


def test_jsma_equals_torchattacks_on_its_fixed_target() -> None:
    torchattacks = pytest.importorskip("torchattacks")
    model = ReLUNetwork(input_shape=SHAPE, classes=4, units=(30,), init_range=0.5).eval()
    x = torch.rand(40, *SHAPE) * 0.9
    x = x[model(x).argmax(1) < 3]
    y = model(x).argmax(1)
    share = 1 / 3  # both allow 6 pairs of the 36 pixels; theirs rounds up where ours rounds down
    theirs = torchattacks.JSMA(model, theta=1.0, gamma=share)(x, y)  # its target is label + 1
    ours = JSMA(targeted=True, share=share)(model, x, (y + 1) % 4)
    changed = [(a - x).abs().flatten(1) > 1e-6 for a in (ours, theirs)]
    won = [model(a).argmax(1) == (y + 1) % 4 for a in (ours, theirs)]
    assert won[0].sum() >= won[1].sum() > 0
    assert (changed[0] == changed[1]).all(1).double().mean() >= 0.9


def test_virtual_adversarial_beats_noise_and_is_no_weaker_than_foolbox(network, images) -> None:
    foolbox = pytest.importorskip("foolbox")
    ours = VirtualAdversarial(epsilon=0.5, iterations=20)(network, images)
    wrapped = foolbox.PyTorchModel(network, bounds=(-100, 100), device="cpu")
    attack = foolbox.attacks.VirtualAdversarialAttack(steps=20, xi=1e-3)
    theirs = attack(wrapped, images, network(images).argmax(1), epsilons=0.5)[0]
    noise = RandomNoise(epsilon=0.5, norm="l2", kind="gaussian")(network, images)
    here = network(images)
    change = [divergence(here, network(x)) for x in (ours, theirs, noise)]
    assert norms.length(ours - images, "l2").max() <= 0.5 + 1e-12
    assert (change[0] > 5 * change[2]).double().mean() > 0.9
    assert (change[0] >= 0.99 * change[1]).double().mean() > 0.9


def test_virtual_adversarial_takes_the_better_sign(network, images) -> None:
    found = VirtualAdversarial(epsilon=1.0)(network, images)
    here = network(images)
    assert (divergence(here, network(found)) >= divergence(here, network(2 * images - found))).all()


def test_fgsm_on_an_autoencoder_is_the_closed_form(images) -> None:
    weight = torch.randn(36, 36, dtype=torch.float64) / 6
    autoencoder = nn.Sequential(nn.Flatten(), nn.Linear(36, 36, bias=False), nn.Unflatten(1, SHAPE))
    autoencoder = autoencoder.double()
    autoencoder[1].weight.data = weight
    off = weight - torch.eye(36, dtype=torch.float64)
    # the gradient goes through the output alone: the image that is to come out stays what it was
    slope = (2 * (images.flatten(1) @ off.T) @ weight).view_as(images)
    found = FGSM(epsilon=0.1, objective="reconstruction_error")(autoencoder, images, images)
    torch.testing.assert_close(found, images + 0.1 * slope.sign(), rtol=0, atol=0)
    before = (autoencoder(images) - images).square().sum()
    assert (autoencoder(found) - images).square().sum() > before


def test_reconstruction_error_needs_an_autoencoder(network, images) -> None:
    with pytest.raises(ConfigError, match=r"reconstruction_error: outputs of shape \(50, 5\)"):
        FGSM(epsilon=0.1, objective="reconstruction_error")(network, images, images)


def test_feature_on_a_linear_layer_is_bounded_least_squares(images) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Linear(8, 3)).double()
    guides = images.flip(0)
    found = Feature(epsilon=0.05, layer="1", evaluations=500)(model, images, guides)
    weight = model[1].weight.detach()
    targets = model[1](guides.flatten(1)).detach()
    reached = (model[1](found.flatten(1)) - targets).square().sum(1)
    for x, guide, ours in zip(images[:10], targets[:10], reached[:10], strict=True):
        low, high = (x - 0.05).clamp(0, 1).flatten(), (x + 0.05).clamp(0, 1).flatten()
        best = optimize.lsq_linear(
            weight.numpy(), (guide - model[1].bias.detach()).numpy(), (low.numpy(), high.numpy())
        )
        assert ours.item() <= 2 * best.cost + 1e-5


def test_feature_names_the_layers_there_are(network, images) -> None:
    with pytest.raises(ConfigError, match=r"layer=hidden: MaxoutNetwork has no such layer; valid:"):
        Feature(epsilon=0.1, layer="hidden")(network, images, images)


def test_random_noise_is_the_examples_own_and_of_its_kind(network, images) -> None:
    signs = RandomNoise(epsilon=0.1)(network, images) - images
    torch.testing.assert_close(signs.abs(), torch.full_like(signs, 0.1))
    assert abs(signs.sign().mean().item()) < 0.1
    for kind in ("uniform", "gaussian"):
        for norm in ("linf", "l2"):
            noise = RandomNoise(epsilon=0.1, kind=kind, norm=norm)(network, images) - images
            torch.testing.assert_close(norms.length(noise, norm), torch.full((50,), 0.1).double())
    other = RandomNoise(epsilon=0.1, draw=1)(network, images) - images
    assert 0.4 < (other == signs).double().mean() < 0.6


def test_rubbish_is_noise_that_ascends_to_the_class(network, images) -> None:
    targets = torch.arange(50) % 5
    plain = Rubbish()(network, images, targets)
    assert plain.mean().abs() < 0.1
    assert plain.std() == pytest.approx(1, abs=0.05)
    even = Rubbish(noise="uniform")(network, images, targets)
    assert even.min() >= 0
    assert even.max() <= 1
    ascended = Rubbish(steps=10)(network, images, targets)
    rates = [(network(x).argmax(1) == targets).double().mean() for x in (plain, ascended)]
    assert rates[0] < 0.4
    assert rates[1] > 0.7


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_deepfool_crosses_although_the_range_takes_a_part_of_every_step(norm) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).double()
    with torch.no_grad():
        model[1].weight[0], model[1].bias[0] = 0.0, 1.0
        model[1].weight[1] = torch.tensor([1.0, -1.0] * 8)
        model[1].bias[1] = 0.0
    x, y = torch.zeros(3, 1, 4, 4).double(), torch.zeros(3, dtype=torch.int64)
    found = LinearizedModel(norm=norm, steps=50, clip=(0.0, 1.0))(model, x, y)
    assert (model(found).argmax(1) == 1).all()
    assert found.min() >= 0
    smallest = 1 / 8**0.5 if norm == "l2" else 1 / 8  # eight pixels can be raised, none lowered
    assert norms.length(found, norm).max().item() < 1.03 * smallest
