"""The original game's schedule: SGD with momentum for both players (Goodfellow et al. 2014a)."""

import torch

from advx.games.base import Game
from advx.games.losses import GeneratorLossName
from advx.training.pair import PairTrainer, UpdatesName
from advx.training.schedules import decayed, ramped
from advx.types import NonNegative, Positive, PositiveInt, Probability


class SGDPairTrainer(PairTrainer):
    """`PairTrainer` with a rate that falls with every update and a momentum that rises.

    Args:
        batch_size: real examples, and generated ones, in one update.
        learning_rate: of both players, before the first update.
        learning_rate_divisor: the rate is divided by it after every update of G.
        learning_rate_floor: smallest learning rate.
        momentum: first momentum.
        final_momentum: momentum from epoch `momentum_epochs` on, reached linearly from epoch 1.
        momentum_epochs: length of that ramp, in epochs.
        discriminator_steps: updates of D for one of G.
        updates: whether G's update answers that of D or goes along with it.
        loss: what G minimises.
        blend: the minimax loss's share in `loss=blended`.
        max_epochs: epochs to play.
        epoch_updates: updates of G in one epoch; None for as many as D sees all the data once.
        snapshots: how often, evenly spaced, the examples of the same z are kept.
        shown: how many of them.
        average: decay of a moving average of G's parameters that is kept instead; None for none.
    """

    def __init__(
        self,
        *,
        batch_size: PositiveInt = 100,
        learning_rate: Positive = 0.1,
        learning_rate_divisor: Positive = 1.000004,
        learning_rate_floor: NonNegative = 1e-6,
        momentum: Probability = 0.5,
        final_momentum: Probability = 0.7,
        momentum_epochs: PositiveInt = 250,
        discriminator_steps: PositiveInt = 1,
        updates: UpdatesName = "alternating",
        loss: GeneratorLossName = "non_saturating",
        blend: Probability = 0.5,
        max_epochs: PositiveInt = 100,
        epoch_updates: PositiveInt | None = None,
        snapshots: PositiveInt = 20,
        shown: PositiveInt = 100,
        average: Probability | None = None,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            discriminator_steps=discriminator_steps,
            updates=updates,
            loss=loss,
            blend=blend,
            max_epochs=max_epochs,
            epoch_updates=epoch_updates,
            snapshots=snapshots,
            shown=shown,
            average=average,
        )
        self.learning_rate = learning_rate
        self.learning_rate_divisor = learning_rate_divisor
        self.learning_rate_floor = learning_rate_floor
        self.momentum = momentum
        self.final_momentum = final_momentum
        self.momentum_epochs = momentum_epochs

    def optimisers(self, game: Game) -> dict[str, torch.optim.Optimizer]:
        return {
            name: torch.optim.SGD(
                player.parameters(), self.learning_rate, momentum=self.momentum, fused=True
            )
            for name, player in (
                ("generator", game.generator),
                ("discriminator", game.discriminator),
            )
        }

    def rate_at(self, update: int) -> float:
        """Learning rate of update number `update` of G, counted from 0."""
        return decayed(
            self.learning_rate, self.learning_rate_divisor, self.learning_rate_floor, update
        )

    def schedule(self, optimiser: torch.optim.Optimizer, update: int, epoch: int) -> None:
        momentum = ramped(self.momentum, self.final_momentum, self.momentum_epochs, epoch)
        rate = self.rate_at(update)
        for group in optimiser.param_groups:
            group["momentum"] = momentum * group["lr"] / rate  # of the velocity; see Trainer
            group["lr"] = rate
