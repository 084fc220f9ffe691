"""Adam with a learning rate that falls by a factor after every epoch (Kingma and Ba 2015)."""

from typing import Any

import torch
from torch import nn

from advx.data.dataset import Split
from advx.training.trainer import Trainer
from advx.types import Positive, PositiveInt, Probability


class AdamTrainer(Trainer):
    """The classifier loop of `Trainer` with Adam's updates.

    Args:
        batch_size: examples in a minibatch.
        learning_rate: learning rate of the first epoch.
        decay: multiplies the learning rate after every epoch.
        max_epochs: stop after so many epochs; None for no limit.
        patience: stop after so many epochs without a strictly smaller validation error; None to
            train to `max_epochs`. Either way the parameters of the best epoch are kept.
    """

    STOPPING_RULE = ("max_epochs", "patience")

    def __init__(
        self,
        *,
        batch_size: PositiveInt = 100,
        learning_rate: Positive = 0.001,
        decay: Probability = 1.0,
        max_epochs: PositiveInt | None = None,
        patience: PositiveInt | None = 20,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            learning_rate=learning_rate,
            max_epochs=max_epochs,
            patience=patience,
        )
        self.decay = decay

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        """Adam over the model's parameters."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.Adam(parameters, self.learning_rate, fused=True)

    def rate_in(self, epoch: int) -> float:
        """Learning rate during epoch `epoch`, counted from 1."""
        return self.learning_rate * self.decay ** (epoch - 1)

    def rates(self, epoch: int, train: Split) -> dict[str, float]:
        return {"learning_rate": self.rate_in(epoch)}

    def _schedule(self, optimiser: torch.optim.Optimizer, update: int, epoch: int) -> None:
        group: dict[str, Any]
        for group in optimiser.param_groups:
            group["lr"] = self.rate_in(epoch)
