"""The optimizers against PyTorch's own, and against their formulas."""

import torch
from torch import nn
from torch.nn import functional as F

from advx.defenses.none import NoDefense
from advx.training.optimizers import Adam
from advx.training.trainer import Trainer


def test_adam_is_pytorchs_with_a_rate_that_falls_by_epoch(tiny) -> None:
    trainer = Trainer(optimizer=Adam(learning_rate=0.1, decay=0.5), batch_size=60, max_epochs=3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    by_hand = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    by_hand.load_state_dict(model.state_dict())
    states: list[dict] = []
    trainer.fit(
        model, NoDefense(), tiny, seed=0,
        on_epoch=lambda _, c: states.append({k: v.clone() for k, v in c()["model"].items()}),
    )  # fmt: skip
    optimizer = torch.optim.Adam(by_hand.parameters(), 0.1)
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.5**epoch
        optimizer.zero_grad()
        F.cross_entropy(by_hand(tiny.train.images), tiny.train.labels).backward()
        optimizer.step()
        torch.testing.assert_close(by_hand[1].weight, states[epoch]["1.weight"])
