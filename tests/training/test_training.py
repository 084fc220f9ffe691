"""The training loop against the written-out recipe; resume and store to the byte."""

import copy
import json
import math
import shutil

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from advx.data.dataset import Dataset, Split
from advx.defenses.none import NoDefense
from advx.errors import ConfigError, Diverged
from advx.store.store import Store, serialized
from advx.training.load_or_train import load_or_train_model
from advx.training.loop import Progress, epoch_seed
from advx.training.optimizers import SGD
from advx.training.trainer import Trainer, validation_error
from tests.recipes import MODEL, TRAINER, recipe

SGD_NODE = "advx.training.optimizers.SGD"


@pytest.mark.parametrize("examples", [60, 54])
def test_updates_are_the_authors_velocity_form(tiny, examples) -> None:
    """v ← μv − λ∇J, w ← w + v with λ divided after every update, replayed by hand.

    A last minibatch of four moves the parameters like one of ten.
    """
    train = tiny.train.take(torch.arange(examples))
    data = Dataset("some", 3, train, tiny.validation, tiny.test)
    sgd = SGD(
        learning_rate=0.5,
        learning_rate_divisor=1.3,
        momentum=0.4,
        final_momentum=0.8,
        momentum_epochs=3,
    )
    trainer = Trainer(optimizer=sgd, batch_size=10, max_epochs=4, patience=None)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    by_hand = copy.deepcopy(model)
    fitted = copy.deepcopy(model)
    states: list[dict] = []
    trainer.fit(
        fitted,
        NoDefense(),
        data,
        seed=3,
        on_epoch=lambda _, c: states.append(copy.deepcopy(c()["model"])),
    )
    velocity = [torch.zeros_like(p) for p in by_hand.parameters()]
    rate = 0.5
    for epoch in range(1, 5):
        torch.manual_seed(epoch_seed(3, epoch))
        order = torch.randperm(examples)
        mu = 0.4 + 0.4 * min(1, (epoch - 1) / 2)
        for batch in order.split(10):
            by_hand.zero_grad()
            F.cross_entropy(by_hand(tiny.train.images[batch]), tiny.train.labels[batch]).backward()
            with torch.no_grad():
                for p, v in zip(by_hand.parameters(), velocity, strict=True):
                    v.mul_(mu).sub_(rate * p.grad)
                    p.add_(v)
            rate = max(rate / 1.3, 1e-6)
        for name, value in by_hand.state_dict().items():
            torch.testing.assert_close(states[epoch - 1][name], value)


def test_published_momentum_and_rate() -> None:
    trainer = SGD()
    assert trainer.momentum_at(1) == 0.5
    assert trainer.momentum_at(250) == trainer.momentum_at(400) == 0.7
    assert trainer.learning_rate_at(500, 1) == pytest.approx(0.1 / 1.000004**500, rel=1e-12)
    assert trainer.learning_rate_at(10**8, 1) == 1e-6


@pytest.mark.parametrize(
    ("best", "epoch", "expected"), [(5, 24, False), (5, 25, True), (99, 100, True)]
)
def test_stopping_rule(best, epoch, expected) -> None:
    trainer = Trainer(max_epochs=100, patience=20)
    assert trainer.finished(Progress(epoch=epoch, best_epoch=best)) is expected


def test_keeps_the_best_epochs_parameters(tiny) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    trainer = Trainer(optimizer=SGD(learning_rate=3.0), batch_size=10, max_epochs=12, patience=None)
    progress = trainer.fit(model, NoDefense(), tiny, seed=0)
    errors = [row["validation_error_rate"] for row in progress.history]
    assert progress.best_error == min(errors)
    assert errors.index(min(errors)) + 1 == progress.best_epoch
    wrong = (model(tiny.validation.images).argmax(1) != tiny.validation.labels).float().mean()
    assert 100 * wrong.item() == pytest.approx(progress.best_error)


def test_early_stopping_counts_mistakes_on_the_validation_set(tiny) -> None:
    """The test set says the contrary here: whoever looks at it stops at another epoch."""
    wrong = Split(tiny.validation.images, (tiny.validation.labels + 1) % 3)
    data = Dataset("contrary", 3, tiny.train, tiny.validation, wrong)
    model, states = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), []
    trainer = Trainer(
        optimizer=SGD(learning_rate=0.02), batch_size=10, max_epochs=12, patience=None
    )
    progress = trainer.fit(
        model,
        NoDefense(),
        data,
        seed=0,
        on_epoch=lambda _, c: states.append(copy.deepcopy(c()["model"])),
    )
    by_hand = {"validation": [], "test": []}
    for state in states:
        model.load_state_dict(state)
        for name, found in by_hand.items():
            split = getattr(data, name)
            said = model(split.images).argmax(1)
            found.append(100 * (said != split.labels).double().mean().item())
    errors = [row["validation_error_rate"] for row in progress.history]
    assert errors == pytest.approx(by_hand["validation"])
    best = {name: found.index(min(found)) + 1 for name, found in by_hand.items()}
    assert best["validation"] != best["test"]
    assert progress.best_epoch == best["validation"]


def test_the_training_loss_is_the_mean_over_examples(tiny) -> None:
    """A minibatch of five counts half as much as one of ten."""
    data = Dataset("few", 3, tiny.train.take(torch.arange(25)), tiny.validation, tiny.test)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))

    def size(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return model(x).sum() * 0 + float(len(y)) / 10

    progress = Trainer(batch_size=10, max_epochs=1).fit(model, size, data, seed=0)
    assert progress.history[0]["training_loss"] == pytest.approx((10 + 10 + 5 * 0.5) / 25)


@pytest.mark.parametrize(
    ("normed", "examples", "size", "sizes"),
    [
        (True, 21, 10, [10, 11]),
        (True, 22, 10, [10, 10, 2]),
        (True, 5, 2, [2, 3]),
        (True, 11, 11, [11]),
        (False, 21, 10, [10, 10, 1]),  # needs no other examples: trained as ever
        (False, 3, 1, [1, 1, 1]),
    ],
)
def test_an_example_left_over_joins_where_the_network_needs_others(
    tiny, normed, examples, size, sizes
) -> None:
    layers = [nn.Flatten(), *([nn.BatchNorm1d(16)] if normed else []), nn.Linear(16, 3)]
    data = Dataset("few", 3, tiny.train.take(torch.arange(examples)), tiny.validation, tiny.test)
    seen: list[int] = []

    def loss(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        cost = NoDefense()(model, x, y)
        seen.append(len(y))
        return cost

    trainer = Trainer(
        optimizer=SGD(learning_rate_divisor=2.0), batch_size=size, max_epochs=2, patience=None
    )
    progress = trainer.fit(nn.Sequential(*layers), loss, data, seed=0)
    assert seen == 2 * sizes
    assert trainer.updates(data.train) == len(sizes)
    for row in progress.history:  # the schedule counts the same updates
        rate = trainer.optimizer.learning_rate_at(row["epoch"] * len(sizes), 1)
        assert row["learning_rate"] == rate


class Blind(nn.Module):
    """Right about every image, but without an answer to so many of them."""

    def __init__(self, labels: torch.Tensor, undefined: int) -> None:
        super().__init__()
        self.logits = F.one_hot(labels, 3).float()
        self.logits[:undefined] = math.nan

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits


def test_parameters_that_the_last_update_ruins_are_a_divergence(tiny) -> None:
    """Without a validation set too, where no logits are looked at."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))

    def ruinous(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(x), y) + (model[1].bias * 0).sum().sqrt()  # 0, its slope NaN

    with pytest.raises(Diverged, match="parameters are no longer finite in epoch 1"):
        Trainer(batch_size=80, max_epochs=1, patience=None).fit(
            model, ruinous, tiny.merged(), seed=0
        )


def test_undefined_validation_logits_are_left_out_or_the_training_has_diverged(caplog) -> None:
    labels = torch.arange(200) % 3
    split = Split(torch.rand(200, 1, 4, 4), labels)
    shown = Split(split.images, labels.clone())
    shown.labels[-10:] = (shown.labels[-10:] + 1) % 3
    assert validation_error(Blind(labels, 2), shown) == pytest.approx(100 * 10 / 198)
    assert "the logits of 2 of 200 validation examples are NaN" in caplog.text
    with pytest.raises(Diverged, match="the logits of 3 of 200 validation examples are NaN"):
        validation_error(Blind(labels, 3), shown)


def test_nan_and_hopeless_losses_stop_training(tiny) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    trainer = Trainer(batch_size=10, max_epochs=30, patience=None)
    with pytest.raises(Diverged, match="became nan in epoch 1"):
        trainer.fit(model, lambda m, x, y: m(x).sum() * math.nan, tiny, seed=0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    with pytest.raises(Diverged, match="above that of guessing"):
        trainer.fit(model, lambda m, x, y: F.cross_entropy(m(x), y) * 0 + 5, tiny, seed=0)


class Killed(Exception):
    pass


@pytest.mark.parametrize("epoch", [1, 3, 5])
def test_a_killed_run_ends_with_the_same_bytes(tiny, tmp_path, monkeypatch, epoch) -> None:
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("advx.training.checkpoints.CHECKPOINT_SHARE", math.inf)
    whole = load_or_train_model(recipe(), tiny, Store(tmp_path / "whole"))

    def kill(progress: Progress) -> None:
        if progress.epoch == epoch:
            raise Killed

    with pytest.raises(Killed):
        load_or_train_model(recipe(), tiny, Store(tmp_path / "killed"), kill)
    seen: list[int] = []
    again = load_or_train_model(
        recipe(), tiny, Store(tmp_path / "killed"), lambda p: seen.append(p.epoch)
    )
    assert seen == list(range(epoch + 1, 7))
    paths = [tmp_path / name / "models" / whole.key / "weights.pt" for name in ("whole", "killed")]
    assert again.key == whole.key
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("damage", [False, True])
def test_a_longer_run_continues_a_shorter_one_to_the_same_bytes(tiny, tmp_path, damage) -> None:
    longer = recipe(trainer=TRAINER | {"max_epochs": 9})
    whole = load_or_train_model(longer, tiny, Store(tmp_path / "whole"))
    store = Store(tmp_path / "continued")
    short = load_or_train_model(recipe(), tiny, store)
    if damage:
        (store.path(short.key) / "checkpoint.pt").write_bytes(b"junk")
    seen: list[int] = []
    again = load_or_train_model(longer, tiny, store, lambda p: seen.append(p.epoch))
    assert seen == list(range(1 if damage else 7, 10))
    paths = [tmp_path / n / "models" / whole.key / "weights.pt" for n in ("whole", "continued")]
    assert again.key == whole.key
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_run_continues_only_what_it_would_have_gone_through(tiny, tmp_path) -> None:
    store = Store(tmp_path)
    load_or_train_model(recipe(), tiny, store)
    for changes in (
        {"trainer": TRAINER | {"max_epochs": 5}},  # stops earlier
        {
            "trainer": TRAINER
            | {"max_epochs": 9, "optimizer": {"_target_": SGD_NODE, "learning_rate": 0.2}}
        },
        {"trainer": TRAINER | {"max_epochs": 9}, "seed": 1},
    ):
        seen: list[int] = []
        load_or_train_model(recipe(**changes), tiny, store, lambda p: seen.append(p.epoch))  # noqa: B023
        assert seen[0] == 1


def test_passing_through_a_history_replays_the_stopping_rule() -> None:
    history = [{"validation_error_rate": e} for e in (5.0, 4.0, 4.0, 4.0, 3.0)]
    assert Trainer(max_epochs=5, patience=3).passes_through(history)
    assert not Trainer(max_epochs=9, patience=2).passes_through(history)
    assert Trainer(max_epochs=9, patience=2).passes_through(history[:4])
    assert not Trainer(max_epochs=4, patience=None).passes_through(history)


def test_trained_once_then_loaded(tiny, tmp_path) -> None:
    store = Store(tmp_path)
    first = load_or_train_model(recipe(), tiny, store)
    second = load_or_train_model(recipe(), tiny, store, lambda _: pytest.fail("trained again"))
    assert serialized(first.module.state_dict()) == serialized(second.module.state_dict())
    assert store.problem(first.key) is None


def test_key_ignores_spelling_and_follows_meaning(tiny) -> None:
    key = recipe().content(tiny)
    assert recipe(model=MODEL | {"pieces": 5, "name": "other"}).content(tiny) == key
    for optimizer in ({"_target_": SGD_NODE}, {"_target_": SGD_NODE, "momentum": 0.50}):
        assert recipe(trainer=TRAINER | {"optimizer": optimizer}).content(tiny) == key
    other = {"_target_": SGD_NODE, "momentum": 0.4}
    assert recipe(trainer=TRAINER | {"optimizer": other}).content(tiny) != key
    assert recipe(seed=1).content(tiny) != key
    assert recipe(model=MODEL | {"pieces": 4}).content(tiny) != key
    assert recipe().content(tiny.merged()) != key


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_corrupt_entry_is_trained_again_with_a_warning(tiny, tmp_path, caplog, damage) -> None:
    store = Store(tmp_path)
    made = load_or_train_model(recipe(), tiny, store)
    path = store.path(made.key) / "weights.pt"
    good = path.read_bytes()
    path.write_bytes(damage) if damage is not None else path.unlink()
    load_or_train_model(recipe(), tiny, store)
    assert path.read_bytes() == good
    assert made.key in caplog.text
    assert "training it again" in caplog.text


@pytest.mark.parametrize("fact", ["epochs", "best_epoch", "validation_error_rate"])
def test_an_entry_without_what_is_asked_of_it_is_trained_again(
    tiny, tmp_path, caplog, fact
) -> None:
    made = load_or_train_model(recipe(), tiny, Store(tmp_path))
    path = tmp_path / "models" / made.key / "meta.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in whole.items() if key != fact}))
    again = load_or_train_model(recipe(), tiny, Store(tmp_path))
    assert again.epochs == made.epochs
    assert fact in json.loads(path.read_text())
    assert f"meta.json has no {fact}; training it again" in caplog.text


def test_entries_that_changed_places_are_trained_again(tiny, tmp_path, caplog) -> None:
    store = Store(tmp_path)
    one, other = (load_or_train_model(recipe(seed=seed), tiny, store) for seed in (0, 1))
    weights = {m.key: (store.path(m.key) / "weights.pt").read_bytes() for m in (one, other)}
    assert store.problem(one.key) is None
    folder = store.path(one.key)
    shutil.rmtree(folder)
    shutil.copytree(store.path(other.key), folder)
    assert Store(tmp_path).problem(one.key) == f"it was made for {other.key}"
    load_or_train_model(recipe(seed=0), tiny, Store(tmp_path))
    assert f"it was made for {other.key}; training it again" in caplog.text
    assert "its checkpoint is another training's; starting over" in caplog.text
    assert (folder / "weights.pt").read_bytes() == weights[one.key] != weights[other.key]


def test_a_model_that_does_not_fit_is_refused(tiny, tmp_path) -> None:
    with pytest.raises(ConfigError, match="does not fit dataset=tiny"):
        load_or_train_model(recipe(model=MODEL | {"input_shape": [1, 5, 5]}), tiny, Store(tmp_path))
    with pytest.raises(ConfigError, match=r"gives \(2, 7\)"):
        load_or_train_model(recipe(model=MODEL | {"classes": 7}), tiny, Store(tmp_path))


def test_weights_trained_on_the_containing_data_set_are_refused(tiny, tmp_path) -> None:
    from dataclasses import replace

    made = load_or_train_model(recipe(), replace(tiny, name="mnist"), Store(tmp_path))
    path = str(tmp_path / "models" / made.key / "weights.pt")
    own = recipe(model=MODEL | {"weights": path})
    with pytest.raises(ConfigError, match="trained on mnist"):
        load_or_train_model(own, replace(tiny, name="mnist5k", part_of="mnist"), Store(tmp_path))
    assert load_or_train_model(own, replace(tiny, name="mnist"), Store(tmp_path)).epochs == 0


def test_golden_losses_announce_a_change_of_meaning(tiny) -> None:
    """If this fails, training means something else: raise RECIPE_VERSION and renew the numbers."""
    torch.manual_seed(0)
    from advx.models.maxout import MaxoutNetwork

    model = MaxoutNetwork(input_shape=(1, 4, 4), classes=3, units=(8,), init_range=0.3)
    progress = Trainer(batch_size=10, max_epochs=3, patience=None).fit(
        model, NoDefense(), tiny, seed=0
    )
    losses = [round(row["training_loss"], 3) for row in progress.history]
    assert losses == GOLDEN


GOLDEN = [1.089, 0.916, 0.821]
