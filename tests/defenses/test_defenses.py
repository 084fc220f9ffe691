"""Each defense's loss against its equation written out, and what it asks of the loop around it."""

import math
import shutil

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import input_gradient
from advx.attacks.objectives import cross_entropy, log_odds
from advx.defenses.adversarial_training import AdversarialTraining, random_point
from advx.defenses.denoising_autoencoder import Autoencoder, DenoisingAutoencoder, Stacked
from advx.defenses.distillation import Distillation, HighTemperature
from advx.defenses.ensemble import Ensemble, MeanOfProbabilities
from advx.defenses.independent_outputs import IndependentOutputs
from advx.defenses.label_smoothing import LabelSmoothing, smoothed_targets
from advx.defenses.none import NoDefense
from advx.defenses.weight_decay import WeightDecay
from advx.models.maxout import MaxoutNetwork
from advx.store.store import Store
from advx.training.load_or_train import load_or_train_model
from advx.training.recipe import dependencies
from advx.training.trainer import Trainer, validation_error
from tests.recipes import recipe as recipe_of


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


def test_independent_outputs_add_up_the_classes_questions() -> None:
    logits, labels = torch.randn(7, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    defense = IndependentOutputs()
    costs = defense.cost(logits, labels)
    for z, y, cost in zip(logits, labels, costs, strict=True):
        p = z.sigmoid()
        expected = -p[y].log() - sum((1 - p[k]).log() for k in range(4) if k != y)
        torch.testing.assert_close(cost, expected)
    model = MaxoutNetwork(input_shape=(1, 2, 2), classes=4, units=[5, 5]).eval()
    images = torch.rand(7, 1, 2, 2)
    expected = defense.cost(model(images), labels).mean()
    torch.testing.assert_close(defense(model, images, labels), expected)


def test_guessing_costs_independent_outputs_a_bit_a_class() -> None:
    defense = IndependentOutputs()
    nothing = defense.cost(torch.zeros(3, 10), torch.tensor([0, 4, 9]))
    torch.testing.assert_close(nothing, torch.full((3,), defense.cost_of_guessing(10)))


def test_smoothed_cost_turns_round_where_the_example_is_confident() -> None:
    defense = LabelSmoothing()
    logits = torch.tensor([[6.0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], requires_grad=True)
    label = torch.tensor([0])
    (gradient,) = torch.autograd.grad(defense.cost(logits, label).sum(), logits)
    q = smoothed_targets(label, 10, 0.1, "chapter")
    torch.testing.assert_close(gradient, q.sum() * logits.softmax(1) - q)
    assert gradient[0, 0] > 0, "ascending this cost raises the correct class"


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


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("steps", "random_start"), [(1, False), (1, True), (4, False), (4, True)])
def test_training_takes_its_steps_inside_the_ball(
    network, batch, norm, steps, random_start
) -> None:
    """Against a loop for each example; a start is another one each time, the same with a seed."""
    x, y = batch
    network.eval()
    defense = AdversarialTraining(epsilon=0.3, norm=norm, steps=steps, random_start=random_start)

    def crafted() -> torch.Tensor:
        torch.manual_seed(5)
        return defense.perturbed(network, x, y)

    def length(moved: torch.Tensor) -> torch.Tensor:
        return moved.flatten(1).norm(dim=1, p=math.inf if norm == "linf" else 2)

    torch.manual_seed(5)
    starts = 0.3 * random_point(x, norm) if random_start else torch.zeros_like(x)
    assert (length(starts) <= 0.3 + 1e-12).all()
    reach = 1.0 if steps == 1 and not random_start else 1.25 if steps == 1 else 2.5
    for k, (image, label) in enumerate(zip(x, y, strict=True)):
        moved = starts[k : k + 1]
        for _ in range(steps):
            g = input_gradient(network, image[None] + moved, label[None], log_odds)
            way = g.sign() if norm == "linf" else g / g.norm()
            moved = moved + reach * 0.3 / steps * way
            moved = moved.clamp(-0.3, 0.3) if norm == "linf" else moved * min(1, 0.3 / moved.norm())
        torch.testing.assert_close(crafted()[k : k + 1], image[None] + moved)
    assert (length(crafted() - x) <= 0.3 + 1e-12).all()
    again = defense.perturbed(network, x, y)
    assert torch.equal(again, defense.perturbed(network, x, y)) != random_start
    network.zero_grad()
    defense(network, x, y).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_random_points_of_the_training_are_uniform_in_the_ball() -> None:
    """Of n pixels a radius below r has the share rⁿ of an L2 ball; pixels of the max norm's too."""
    torch.manual_seed(0)
    images = torch.zeros(20_000, 1, 2, 2, dtype=torch.float64)
    radius = random_point(images, "l2").flatten(1).norm(dim=1)
    assert radius.max() <= 1
    for r in (0.5, 0.8, 0.95):
        assert (radius < r).double().mean().item() == pytest.approx(r**4, abs=0.012)
    pixels = random_point(images, "linf")
    assert pixels.abs().max() <= 1
    assert (pixels.abs() < 0.5).double().mean().item() == pytest.approx(0.5, abs=0.01)


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
    student = recipe_of(defense=node(Distillation, temperature=3.0), seed=1)
    (teacher,) = dependencies(student)
    assert teacher.defense == node(HighTemperature, temperature=3.0)
    assert (teacher.seed, teacher.model) == (1, student.model)
    made = load_or_train_model(student, tiny, store)
    assert len(store.entries()) == 2
    first = load_or_train_model(teacher, tiny, store)
    assert len(store.entries()) == 2
    x = tiny.test.images
    assert not torch.equal(made.module(x), first.module(x))
    shutil.rmtree(store.path(first.key))
    again = load_or_train_model(student, tiny, store)
    assert torch.equal(again.module(x), made.module(x))
    assert len(store.entries()) == 1, "a student that is kept needs no teacher"


def test_ensemble_averages_probabilities_and_stores_only_members(tiny, tmp_path) -> None:
    store = Store(tmp_path)
    recipe = recipe_of(defense=node(Ensemble, members=3), seed=1)
    assert [r.seed for r in dependencies(recipe)] == [3, 4, 5]
    made = load_or_train_model(recipe, tiny, store)
    assert len(store.entries()) == 3
    members = [load_or_train_model(r, tiny, store).module for r in dependencies(recipe)]
    x = tiny.test.images
    mean = torch.stack([m(x).softmax(1) for m in members]).mean(0)
    torch.testing.assert_close(made.module(x).exp(), mean)
    twin = MeanOfProbabilities([members[0], members[0]])
    torch.testing.assert_close(twin(x), members[0](x).log_softmax(1))


def test_autoencoder_learns_against_the_frozen_classifiers_examples(tiny, tmp_path) -> None:
    store = Store(tmp_path)
    trainer = {
        "_target_": "advx.training.trainer.Trainer",
        "batch_size": 10,
        "max_epochs": 30,
        "optimizer": {"_target_": "advx.training.optimizers.Adam", "learning_rate": 0.01},
    }
    recipe = recipe_of(
        trainer=trainer, defense=node(DenoisingAutoencoder, epsilon=0.3, units=[12]), seed=0
    )
    stack = load_or_train_model(recipe, tiny, store).module
    classifier = load_or_train_model(dependencies(recipe)[0], tiny, store).module
    for name, value in classifier.state_dict().items():
        assert torch.equal(stack.classifier.state_dict()[name], value)
    x, y = tiny.test.images, tiny.test.labels
    crafted = FGSM(epsilon=0.3)(classifier, x, y)
    before = (crafted - x).square().mean()
    assert (stack.autoencoder(crafted) - x).square().mean() < before
    torch.testing.assert_close(stack(x), classifier(stack.autoencoder(x)))
    again = load_or_train_model(recipe, tiny, store).module
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


def test_squared_errors_are_not_taken_for_divergence() -> None:
    assert DenoisingAutoencoder().cost_of_guessing(10) == math.inf
    assert NoDefense().cost_of_guessing(10) == math.log(10)
