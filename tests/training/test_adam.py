"""Adam with a rate that falls by epoch."""

import torch
from torch import nn
from torch.nn import functional as F

from advx.defenses.none import NoDefense
from advx.training.adam import AdamTrainer


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
