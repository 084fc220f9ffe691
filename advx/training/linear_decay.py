"""SGD with momentum and a rate that falls linearly over epochs (Goodfellow et al. 2013a)."""

import torch
from torch import nn

from advx.data.dataset import Split
from advx.training.trainer import Trainer
from advx.types import Positive, PositiveInt, Probability


class LinearDecayTrainer(Trainer):
    """The classifier loop of `Trainer` with the schedule of the CIFAR-10 network.

    Layers with a member `rate_scale` learn at that share of the rate.

    Args:
        batch_size: examples in a minibatch.
        learning_rate: learning rate of the first epoch.
        final_share: the part of it that is left in epoch `decay_epochs` and after.
        decay_epochs: length of the linear fall, in epochs.
        momentum: first momentum.
        final_momentum: momentum from epoch `momentum_epochs` on, reached linearly from epoch 1.
        momentum_epochs: length of that ramp, in epochs.
        max_epochs: stop after so many epochs; None for no limit.
        patience: stop after so many epochs without a strictly smaller validation error; None to
            train to `max_epochs`. Either way the parameters of the best epoch are kept.
    """

    def __init__(
        self,
        *,
        batch_size: PositiveInt = 128,
        learning_rate: Positive = 0.17,
        final_share: Probability = 0.01,
        decay_epochs: PositiveInt = 500,
        momentum: Probability = 0.5,
        final_momentum: Probability = 0.6,
        momentum_epochs: PositiveInt = 250,
        max_epochs: PositiveInt | None = None,
        patience: PositiveInt | None = 100,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            learning_rate=learning_rate,
            momentum=momentum,
            final_momentum=final_momentum,
            momentum_epochs=momentum_epochs,
            max_epochs=max_epochs,
            patience=patience,
        )
        self.final_share = final_share
        self.decay_epochs = decay_epochs

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        """SGD with one group of parameters for each scale of the learning rate."""
        groups: dict[float, list[nn.Parameter]] = {}
        for module in model.modules():
            scale = float(getattr(module, "rate_scale", 1.0))
            own = [p for p in module.parameters(recurse=False) if p.requires_grad]
            groups.setdefault(scale, []).extend(own)
        parts = [
            {"params": parameters, "lr": self.learning_rate * scale, "scale": scale}
            for scale, parameters in groups.items()
            if parameters
        ]
        return torch.optim.SGD(parts, momentum=self.momentum, fused=True)

    def rate_in(self, epoch: int) -> float:
        """Learning rate during epoch `epoch`, counted from 1."""
        share = min(1.0, (epoch - 1) / max(1, self.decay_epochs - 1))
        return self.learning_rate * (1 - share * (1 - self.final_share))

    def rates(self, epoch: int, train: Split) -> dict[str, float]:
        return {"learning_rate": self.rate_in(epoch), "momentum": self.momentum_at(epoch)}

    def _schedule(self, optimiser: torch.optim.Optimizer, update: int, epoch: int) -> None:
        for group in optimiser.param_groups:
            rate = self.rate_in(epoch) * group["scale"]
            group["momentum"] = self.momentum_at(epoch) * group["lr"] / rate  # see Trainer
            group["lr"] = rate
