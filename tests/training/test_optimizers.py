"""The optimizers against PyTorch's own, and against their formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from advx.config.build import build
from advx.defenses.none import NoDefense
from advx.errors import ConfigError
from advx.training.optimizers import SGD, Adam, Annealed, LinearDecay, RMSProp
from advx.training.trainer import Trainer


def test_adam_is_pytorchs_with_a_rate_that_falls_by_epoch(tiny) -> None:
    trainer = Trainer(optimizer=Adam(learning_rate=0.1, decay=0.5), batch_size=60, max_epochs=3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    by_hand = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    by_hand.load_state_dict(model.state_dict())
    states: list[dict] = []
    trainer.fit(
        model,
        NoDefense(),
        tiny,
        seed=0,
        on_epoch=lambda _, c: states.append({k: v.clone() for k, v in c()["model"].items()}),
    )
    optimizer = torch.optim.Adam(by_hand.parameters(), 0.1)
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.5**epoch
        optimizer.zero_grad()
        F.cross_entropy(by_hand(tiny.train.images), tiny.train.labels).backward()
        optimizer.step()
        torch.testing.assert_close(by_hand[1].weight, states[epoch]["1.weight"])


def test_rmsprop_divides_by_the_root_of_the_mean_square() -> None:
    rule = RMSProp(learning_rate=0.1, decay=0.5, smoothing=0.8)
    model = nn.Linear(1, 1, bias=False).double()
    attached, x, square = rule.attach(model, lambda: None), model.weight.item(), 0.0
    for update, epoch in enumerate((1, 1, 2)):
        slope = 1.0 + update
        model.weight.grad = torch.full((1, 1), slope).double()
        attached.step(update, epoch)
        square = 0.8 * square + 0.2 * slope**2
        x -= 0.1 * 0.5 ** (epoch - 1) * slope / (square**0.5 + 1e-8)
        assert model.weight.item() == pytest.approx(x)


def test_the_annealed_rate_is_its_formula_with_a_momentum_that_stays() -> None:
    rule = Annealed(updates=200)
    for update in (0, 1, 50, 199, 200, 500):
        p = min(update / 200, 1)
        assert rule.learning_rate_at(update, 1) == pytest.approx(0.01 / (1 + 10 * p) ** 0.75)
    assert rule.learning_rate_at(500, 9) == pytest.approx(0.001656, abs=1e-6)
    assert {rule.momentum_at(epoch) for epoch in (1, 2, 400)} == {0.9}
    model = nn.Linear(1, 1, bias=False).double()
    attached, x, v = rule.attach(model, lambda: None), model.weight.item(), 0.0
    for update in range(5):
        model.weight.grad = torch.full((1, 1), 2.0).double()
        attached.step(update, 1)
        v = 0.9 * v - rule.learning_rate_at(update, 1) * 2.0
        x += v
        assert model.weight.item() == pytest.approx(x)


def test_a_step_ends_with_the_constraint() -> None:
    model = nn.Linear(2, 1, bias=False)

    def clamp() -> None:
        model.weight.data.clamp_(-0.5, 0.5)

    bound = SGD(learning_rate=1.0).attach(model, clamp)
    model.weight.grad = torch.full((1, 2), 9.0)
    bound.step(0, 1)
    assert model.weight.tolist() == [[-0.5, -0.5]]


def test_a_schedule_in_a_trainer_of_ones_own_is_refused_with_where_it_belongs() -> None:
    with pytest.raises(ConfigError, match=r"Halving.learning_rate_at: schedules are the optimizer"):

        class Halving(Trainer):
            def learning_rate_at(self, update: int) -> float:
                return 0.5**update


class Halving(SGD):
    """The rate halves after every update."""

    def learning_rate_at(self, update: int, epoch: int) -> float:
        return self.learning_rate * 0.5**update


def test_a_schedule_of_ones_own_is_an_optimizer_of_ones_own(tiny) -> None:
    optimizer = {"_target_": f"{__name__}.Halving", "learning_rate": 0.3}
    trainer = build(
        {
            "_target_": "advx.training.trainer.Trainer",
            "optimizer": optimizer,
            "batch_size": 30,
            "max_epochs": 2,
            "patience": None,
        }
    )
    progress = trainer.fit(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), NoDefense(), tiny, seed=0)
    assert [row["learning_rate"] for row in progress.history] == pytest.approx([0.075, 0.01875])


def test_a_rate_of_zero_keeps_the_velocity() -> None:
    class Pausing(SGD):
        def learning_rate_at(self, update, epoch):
            return (0.0, 0.0, 0.1, 0.1, 0.0, 0.0, 0.2)[update]

    rule = Pausing(momentum=0.5, final_momentum=0.5)
    model = nn.Linear(1, 1, bias=False)
    attached, x, velocity = rule.attach(model, lambda: None), model.weight.item(), 0.0
    for update in range(7):
        attached.zero_grad()
        model.weight.pow(2).sum().backward()
        attached.step(update, 1)
        velocity = 0.5 * velocity - rule.learning_rate_at(update, 1) * 2 * x
        x += velocity
        assert model.weight.item() == pytest.approx(x, rel=1e-5)
    assert LinearDecay(final_share=0.0, decay_epochs=2).learning_rate_at(0, 2) == 0


def test_a_weight_that_layers_share_moves_once() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    model[0].rate_scale, model[1].rate_scale = 0.5, 0.1
    attached = LinearDecay(learning_rate=0.2, momentum=0, final_momentum=0).attach(
        model, lambda: None
    )
    before = model[0].weight.detach().clone()
    model(torch.ones(1, 2)).sum().backward()
    gradient = model[0].weight.grad.clone()
    attached.step(0, 1)
    torch.testing.assert_close(before - model[0].weight, 0.5 * 0.2 * gradient)
    assert len(attached.parameters) == 2
