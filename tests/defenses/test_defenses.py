"""Each defence's loss against its equation written out, and what it asks of the loop around it."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import input_gradient
from advx.attacks.objectives import cross_entropy, log_odds
from advx.attacks.virtual_direction import (
    divergence,
    divergence_gradient,
    hessian_product,
    virtual_adversarial_direction,
)
from advx.defenses.adversarial_training import AdversarialTraining
from advx.defenses.denoising_autoencoder import Autoencoder, DenoisingAutoencoder, Stacked
from advx.defenses.distillation import Distillation, HighTemperature
from advx.defenses.ensemble import Ensemble, MeanOfProbabilities
from advx.defenses.label_smoothing import LabelSmoothing, smoothed_targets
from advx.defenses.none import NoDefense
from advx.defenses.virtual_adversarial import VirtualAdversarial, frozen_statistics
from advx.defenses.weight_decay import WeightDecay
from advx.errors import ConfigError
from advx.models.maxout import MaxoutNetwork
from advx.models.relu_batch_norm import BatchNormReLUNetwork
from advx.store.store import Store
from advx.training.adam import AdamTrainer
from advx.training.obtain import Recipe, needed, obtain
from advx.training.semi_supervised import UNLABELLED, SemiSupervisedTrainer
from advx.training.trainer import Trainer, validation_error
from tests.recipes import MODEL, TRAINER


@pytest.fixture
def network() -> nn.Module:
    shape = {"input_shape": (1, 4, 4), "classes": 3}
    return MaxoutNetwork(**shape, units=(9, 8), init_range=0.8).double()


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(12, 1, 4, 4, dtype=torch.float64), torch.arange(12) % 3


def node(defense: type, **arguments: object) -> dict:
    return {"_target_": f"{defense.__module__}.{defense.__name__}", **arguments}


@pytest.mark.parametrize(
    ("convention", "correct", "wrong"),
    [("chapter", 0.9, 0.01), ("uniform", 0.91, 0.01), ("other_classes", 0.9, 0.1 / 9)],
)
def test_smoothed_targets_of_each_convention(convention, correct, wrong) -> None:
    targets = smoothed_targets(torch.tensor([3, 0]), 10, 0.1, convention)
    expected = torch.full((2, 10), wrong)
    expected[0, 3] = expected[1, 0] = correct
    torch.testing.assert_close(targets, expected)


def test_uniform_smoothing_is_pytorchs_own() -> None:
    logits, labels = torch.randn(7, 10), torch.arange(7)
    theirs = F.cross_entropy(logits, labels, label_smoothing=0.2, reduction="none")
    ours = LabelSmoothing(smoothing=0.2, convention="uniform").cost(logits, labels)
    torch.testing.assert_close(ours, theirs)


def test_smoothed_cost_turns_round_where_the_example_is_confident() -> None:
    defense = LabelSmoothing()
    logits = torch.tensor([[6.0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], requires_grad=True)
    label = torch.tensor([0])
    (gradient,) = torch.autograd.grad(defense.cost(logits, label).sum(), logits)
    q = smoothed_targets(label, 10, 0.1, "chapter")
    torch.testing.assert_close(gradient, q.sum() * logits.softmax(1) - q)
    assert gradient[0, 0] > 0, "climbing this cost raises the correct class"


def test_adversarial_training_is_half_and_half(network, batch) -> None:
    x, y = batch
    network.eval()
    crafted = FGSM(epsilon=0.3)(network, x, y)
    expected = (cross_entropy(network(x), y) + cross_entropy(network(crafted), y)).mean() / 2
    loss = AdversarialTraining(epsilon=0.3)(network, x, y)
    torch.testing.assert_close(loss, expected)
    uneven = AdversarialTraining(epsilon=0.3, share=0.2)(network, x, y)
    parts = 0.8 * cross_entropy(network(x), y) + 0.2 * cross_entropy(network(crafted), y)
    torch.testing.assert_close(uneven, parts.mean())


def test_no_gradient_passes_through_the_perturbation(network, batch) -> None:
    x, y = batch
    network.eval()
    crafted = FGSM(epsilon=0.3)(network, x, y).detach()
    fixed = (cross_entropy(network(x), y) + cross_entropy(network(crafted), y)).mean() / 2
    loss = AdversarialTraining(epsilon=0.3)(network, x, y)
    parameters = list(network.parameters())
    ours, theirs = (torch.autograd.grad(cost, parameters) for cost in (loss, fixed))
    torch.testing.assert_close(ours, theirs)


def test_noise_controls_have_the_same_max_norm(network, batch) -> None:
    x, y = batch
    for kind in ("sign_noise", "uniform_noise"):
        moved = AdversarialTraining(epsilon=0.3, perturbation=kind).perturbed(network, x, y) - x
        assert moved.abs().max() <= 0.3 + 1e-12
        assert ((moved.abs() - 0.3).abs() < 1e-12).all() == (kind == "sign_noise")
        assert abs(moved.mean()) < 0.1


def test_early_stopping_counts_adversarial_mistakes(tiny) -> None:
    model = MaxoutNetwork(input_shape=(1, 4, 4), classes=3, units=(8,), init_range=0.3)
    defense = AdversarialTraining(epsilon=0.2)
    progress = Trainer(batch_size=10, max_epochs=4).fit(model, defense, tiny, seed=0)
    adversarial = FGSM(epsilon=0.2)(model, tiny.validation.images, tiny.validation.labels)
    wrong = model(adversarial).argmax(1) != tiny.validation.labels
    assert progress.best_error == pytest.approx(100 * wrong.double().mean().item())
    assert progress.best_error > validation_error(model, tiny.validation)
    clean = AdversarialTraining(epsilon=0.2, validate_on="clean")
    progress = Trainer(batch_size=10, max_epochs=4).fit(model, clean, tiny, seed=0)
    assert progress.best_error == validation_error(model, tiny.validation)


def test_weight_decay_penalises_weights_and_not_biases(network, batch) -> None:
    x, y = batch
    network.eval()
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1)
    squares = sum(p.square().sum() for n, p in network.named_parameters() if "weight" in n)
    expected = F.cross_entropy(network(x), y) + 0.03 / 2 * squares
    torch.testing.assert_close(WeightDecay(coefficient=0.03)(network, x, y), expected)


def test_distillation_at_temperature_one_is_soft_target_training(network, batch) -> None:
    x, y = batch
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).double()
    network.eval()
    defense = Distillation(temperature=1.0)
    assert defense.prepare(network, [teacher], (1, 4, 4)) is network
    soft = teacher(x).softmax(1)
    expected = -(soft * network(x).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(defense(network, x, y), expected)
    kl = F.kl_div(network(x).log_softmax(1), soft, reduction="batchmean")
    entropy = -(soft * soft.log()).sum(1).mean()
    torch.testing.assert_close(defense(network, x, y), kl + entropy)


def test_temperature_leaves_the_scale_of_the_gradient_alone(batch) -> None:
    _, y = batch
    logits = torch.randn(len(y), 3, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(len(y), 3, dtype=torch.float64)
    student = Distillation(temperature=5.0)
    student.prepare(nn.Identity(), [lambda _: teacher], (3,))  # type: ignore[list-item]
    for loss, target in (
        (HighTemperature(temperature=5.0), F.one_hot(y, 3)),
        (student, (teacher / 5).softmax(1)),
    ):
        (gradient,) = torch.autograd.grad(loss(nn.Identity(), logits, y), logits)
        expected = ((logits / 5).softmax(1) - target) / len(y)
        torch.testing.assert_close(gradient, expected.detach())
        assert loss.cost_of_guessing(10) == pytest.approx(5 * math.log(10))


def test_distillations_teacher_is_trained_first_and_once(tiny, tmp_path) -> None:
    store = Store(tmp_path)
    student = Recipe(MODEL, TRAINER, node(Distillation, temperature=3.0), seed=1)
    (teacher,) = needed(student)
    assert teacher.defense == node(HighTemperature, temperature=3.0)
    assert (teacher.seed, teacher.model) == (1, MODEL)
    made = obtain(student, tiny, store)
    assert len(store.entries()) == 2
    first = obtain(teacher, tiny, store)
    assert len(store.entries()) == 2
    x = tiny.test.images
    assert not torch.equal(made.module(x), first.module(x))
    assert store.remove_if_free(first.key)
    again = obtain(student, tiny, store)
    assert torch.equal(again.module(x), made.module(x))
    assert len(store.entries()) == 1, "a student that is kept needs no teacher"


def test_ensemble_averages_probabilities_and_stores_only_members(tiny, tmp_path) -> None:
    store = Store(tmp_path)
    recipe = Recipe(MODEL, TRAINER, node(Ensemble, members=3), seed=1)
    assert [r.seed for r in needed(recipe)] == [3, 4, 5]
    made = obtain(recipe, tiny, store)
    assert len(store.entries()) == 3
    members = [obtain(r, tiny, store).module for r in needed(recipe)]
    x = tiny.test.images
    mean = torch.stack([m(x).softmax(1) for m in members]).mean(0)
    torch.testing.assert_close(made.module(x).exp(), mean)
    twin = MeanOfProbabilities([members[0], members[0]])
    torch.testing.assert_close(twin(x), members[0](x).log_softmax(1))


def test_autoencoder_learns_against_the_frozen_classifiers_examples(tiny, tmp_path) -> None:
    store = Store(tmp_path)
    trainer = {"_target_": "advx.training.adam.AdamTrainer", "batch_size": 10, "max_epochs": 30,
               "learning_rate": 0.01}  # fmt: skip
    recipe = Recipe(MODEL, trainer, node(DenoisingAutoencoder, epsilon=0.3, units=[12]), seed=0)
    stack = obtain(recipe, tiny, store).module
    classifier = obtain(needed(recipe)[0], tiny, store).module
    for name, value in classifier.state_dict().items():
        assert torch.equal(stack.classifier.state_dict()[name], value)
    x, y = tiny.test.images, tiny.test.labels
    crafted = FGSM(epsilon=0.3)(classifier, x, y)
    before = (crafted - x).square().mean()
    assert (stack.autoencoder(crafted) - x).square().mean() < before
    torch.testing.assert_close(stack(x), classifier(stack.autoencoder(x)))
    again = obtain(recipe, tiny, store).module
    assert torch.equal(again(x), stack(x))


def test_autoencoders_loss_written_out(network, batch) -> None:
    x, y = batch
    stack = Stacked(Autoencoder((1, 4, 4), (5,)).double(), network).train()
    assert not stack.classifier.training
    assert not any(p.requires_grad for p in stack.classifier.parameters())
    crafted = FGSM(epsilon=0.3)(network, x, y)
    errors = [(stack.autoencoder(z) - x).square().flatten(1).sum(1).mean() for z in (x, crafted)]
    loss = DenoisingAutoencoder(epsilon=0.3, units=(5,))(stack, x, y)
    torch.testing.assert_close(loss, sum(errors) / 2)
    loss.backward()
    assert all(p.grad is None for p in network.parameters())


def test_gradient_through_the_stack_equals_finite_differences(network, batch) -> None:
    x, y = batch
    stack = Stacked(Autoencoder((1, 4, 4), (7,)).double(), network).eval()
    gradient = input_gradient(stack, x, y, log_odds)
    h = 1e-6
    for pixel in range(16):
        step = torch.zeros(16, dtype=torch.float64)
        step[pixel] = h
        step = step.view(1, 1, 4, 4)
        difference = (log_odds(stack(x + step), y) - log_odds(stack(x - step), y)) / (2 * h)
        torch.testing.assert_close(gradient.flatten(1)[:, pixel], difference, rtol=1e-5, atol=1e-7)


@pytest.fixture
def smooth() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def kl_hessian(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Hessian of KL(p(x) ‖ p(x + r)) at r = 0 by automatic differentiation, (16, 16)."""

    def kl(r: torch.Tensor) -> torch.Tensor:
        return divergence(model(x).detach(), model(x + r.view_as(x))).sum()

    return torch.autograd.functional.hessian(kl, torch.zeros(16, dtype=torch.float64))


def test_first_order_gradient_of_the_kl_vanishes(smooth, batch) -> None:
    x = batch[0]
    r = torch.zeros_like(x).requires_grad_(True)
    (gradient,) = torch.autograd.grad(divergence(smooth(x).detach(), smooth(x + r)).sum(), r)
    assert gradient.abs().max() < 1e-15


def test_virtual_direction_converges_to_the_dominant_eigenvector(smooth, batch) -> None:
    x = batch[0][:5]
    found = virtual_adversarial_direction(smooth, x, torch.randn_like(x), 300)
    for i in range(5):
        hessian = kl_hessian(smooth, x[i : i + 1])
        values, vectors = torch.linalg.eigh(hessian)
        d = torch.randn(1, 1, 4, 4, dtype=torch.float64)
        product = hessian_product(smooth, x[i : i + 1], d).flatten()
        torch.testing.assert_close(product, hessian @ d.flatten())
        assert abs(found[i].flatten() @ vectors[:, -1]) == pytest.approx(1, abs=1e-6)
        assert values[-1] > 0


def test_one_vanished_gradient_leaves_the_other_directions_alone(batch) -> None:
    x = batch[0][:4].clone()
    x[2] = -5  # below the rectifier: nothing reaches the logits
    layers = [nn.Flatten(), nn.ReLU(), nn.Linear(16, 3)]
    model = nn.Sequential(*layers).double()
    start = torch.randn_like(x)
    found = virtual_adversarial_direction(model, x, start, 2)
    alone = virtual_adversarial_direction(model, x[:2], start[:2], 2)
    torch.testing.assert_close(found[:2], alone)
    torch.testing.assert_close(found[2], start[2] / start[2].norm())


def test_a_small_xi_gives_the_exact_virtual_direction_a_large_one_does_not(smooth, batch) -> None:
    x, _ = batch
    start = torch.randn_like(x)
    exact = virtual_adversarial_direction(smooth, x, start, 1)
    near = virtual_adversarial_direction(smooth, x, start, 1, xi=1e-5)
    torch.testing.assert_close(near, exact, rtol=0, atol=1e-3)
    far = virtual_adversarial_direction(smooth, x, start, 1, xi=10.0)
    assert (far * exact).flatten(1).sum(1).abs().mean() < 0.95
    unit = torch.ones(len(x), dtype=x.dtype)
    torch.testing.assert_close(far.flatten(1).norm(dim=1), unit)
    # the gradient itself against its definition, differenced in float64
    moved, eps = x + 0.5 * start, 1e-6

    def cost(shift: torch.Tensor) -> torch.Tensor:
        return divergence(smooth(x), smooth(moved + shift))

    slope = (divergence_gradient(smooth, x, moved) * start).flatten(1).sum(1)
    torch.testing.assert_close(
        slope, (cost(eps * start) - cost(-eps * start)) / (2 * eps), rtol=1e-5, atol=1e-8
    )


def test_virtual_adversarial_loss_needs_labels_only_for_its_first_term(smooth, batch) -> None:
    x, y = batch
    defense = VirtualAdversarial(epsilon=0.5, iterations=2)
    hidden = torch.cat([y[:4], torch.full((8,), UNLABELLED)])
    torch.manual_seed(1)
    loss = defense(smooth, x, hidden)
    torch.manual_seed(1)
    start = torch.randn_like(x[4:])
    direction = virtual_adversarial_direction(smooth, x[4:], start, 2)
    kl = divergence(smooth(x[4:]), smooth(x[4:] + 0.5 * direction)).mean()
    torch.testing.assert_close(loss, F.cross_entropy(smooth(x[:4]), y[:4]) + kl)
    torch.testing.assert_close(direction.flatten(1).norm(dim=1), torch.ones(8).double())


def test_normalised_logits_let_no_class_win_everywhere() -> None:
    network = BatchNormReLUNetwork(
        input_shape=(1, 4, 4), classes=3, units=(6,), normalise_output=True
    ).double()
    with torch.no_grad():
        network.layers[3].bias += torch.tensor([50.0, 0.0, -50.0])
    logits = network(torch.rand(200, 1, 4, 4, dtype=torch.float64))
    zero = torch.zeros(3, dtype=torch.float64)
    torch.testing.assert_close(logits.mean(0), zero)
    torch.testing.assert_close(logits.std(0, correction=0), zero + 1, atol=1e-2, rtol=0)


def test_virtual_training_records_statistics_of_labelled_examples_only(batch) -> None:
    x, y = batch[0].float(), batch[1].clone()
    y[6:] = UNLABELLED
    model = BatchNormReLUNetwork(input_shape=(1, 4, 4), classes=3, units=(6,)).train()
    norm = model.layers[1]
    VirtualAdversarial(epsilon=0.5)(model, x, y).backward()
    seen = model.layers[0](x[:6].flatten(1)).mean(0)
    torch.testing.assert_close(norm.running_mean, 0.1 * seen.detach())
    assert norm.track_running_stats
    assert int(norm.num_batches_tracked) == 1
    with frozen_statistics(model):
        model(x)
    assert int(norm.num_batches_tracked) == 1


def test_semi_supervised_minibatches_show_only_the_chosen_labels(tiny) -> None:
    trainer = SemiSupervisedTrainer(
        labelled=6, batch_size=4, unlabelled_batch_size=7, updates_per_epoch=5
    )
    chosen = trainer.with_labels(tiny.train, seed=2)
    assert torch.bincount(tiny.train.labels[chosen]).tolist() == [2, 2, 2]
    assert torch.equal(chosen, trainer.with_labels(tiny.train, seed=2))
    assert not torch.equal(chosen, trainer.with_labels(tiny.train, seed=3))
    allowed = {tuple(image.flatten().tolist()) for image in tiny.train.images[chosen]}
    batches = list(trainer.minibatches(tiny.train, seed=2))
    assert len(batches) == 5
    for images, labels in batches:
        assert labels.tolist()[4:] == [UNLABELLED] * 7
        assert (labels[:4] >= 0).all()
        assert all(tuple(image.flatten().tolist()) in allowed for image in images[:4])
    labelled = torch.cat([images[:4] for images, _ in batches])
    assert len(labelled.flatten(1).unique(dim=0)) == 6, "every labelled example in turn"


@pytest.mark.parametrize(("asked", "why"), [(63, "has 60 training"), (7, "multiples of 3")])
def test_more_labels_than_there_are(tiny, asked, why) -> None:
    with pytest.raises(ConfigError, match=f"trainer.labelled={asked}.*{why}"):
        SemiSupervisedTrainer(labelled=asked).check(tiny)


def test_a_loss_that_needs_every_label_is_refused(tiny) -> None:
    with pytest.raises(ConfigError, match="NoDefense needs every example's label"):
        SemiSupervisedTrainer(labelled=6).check(tiny, NoDefense())
    SemiSupervisedTrainer(labelled=6).check(tiny, VirtualAdversarial())


def test_semi_supervised_training_learns_and_resumes_to_the_byte(tiny) -> None:
    trainer = SemiSupervisedTrainer(labelled=6, batch_size=6, unlabelled_batch_size=10,
                                    updates_per_epoch=20, max_epochs=4)  # fmt: skip
    runs, states = [], []
    for resume in (None, 1):
        torch.manual_seed(5)
        model = BatchNormReLUNetwork(input_shape=(1, 4, 4), classes=3, units=(16,))
        trainer.fit(
            model, VirtualAdversarial(epsilon=0.3), tiny, seed=0,
            resume=states[resume] if resume else None,
            on_epoch=lambda _, c: states.append(torch.load(_saved(c()), weights_only=True)),
        )  # fmt: skip
        runs.append(model)
    assert validation_error(runs[0], tiny.test) < 20
    for a, b in zip(runs[0].parameters(), runs[1].parameters(), strict=True):
        assert torch.equal(a, b)


def _saved(state: dict):
    import io

    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return stream


def test_adam_is_pytorchs_with_a_rate_that_falls_by_epoch(tiny) -> None:
    trainer = AdamTrainer(batch_size=60, learning_rate=0.1, decay=0.5, max_epochs=3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    by_hand = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    by_hand.load_state_dict(model.state_dict())
    states: list[dict] = []
    trainer.fit(
        model, NoDefense(), tiny, seed=0,
        on_epoch=lambda _, c: states.append({k: v.clone() for k, v in c()["model"].items()}),
    )  # fmt: skip
    optimiser = torch.optim.Adam(by_hand.parameters(), 0.1)
    for epoch in range(3):
        optimiser.param_groups[0]["lr"] = 0.1 * 0.5**epoch
        optimiser.zero_grad()
        F.cross_entropy(by_hand(tiny.train.images), tiny.train.labels).backward()
        optimiser.step()
        torch.testing.assert_close(by_hand[1].weight, states[epoch]["1.weight"])


def test_squared_errors_are_not_taken_for_divergence() -> None:
    assert DenoisingAutoencoder().cost_of_guessing(10) == math.inf
    assert NoDefense().cost_of_guessing(10) == math.log(10)
