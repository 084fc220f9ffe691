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
        generator_rate: learning rate of G, before the first update.
        discriminator_rate: the same of D. The authors' D minimises half of the two losses' sum at
            .1, which is the sum at .05.
        learning_rate_divisor: the rates are divided by it after every update of G.
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
        generator_rate: Positive = 0.1,
        discriminator_rate: Positive = 0.05,
        learning_rate_divisor: Positive = 1.000004,
        learning_rate_floor: NonNegative = 1e-6,
        momentum: Probability = 0.5,
        final_momentum: Probability = 0.7,
        momentum_epochs: PositiveInt = 250,
        discriminator_steps: PositiveInt = 1,
        updates: UpdatesName = "simultaneous",
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
            generator_rate=generator_rate,
            discriminator_rate=discriminator_rate,
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
        self.learning_rate_divisor = learning_rate_divisor
        self.learning_rate_floor = learning_rate_floor
        self.momentum = momentum
        self.final_momentum = final_momentum
        self.momentum_epochs = momentum_epochs

    def optimisers(self, game: Game) -> dict[str, torch.optim.Optimizer]:
        return {
            name: torch.optim.SGD(
                [{"params": list(player.parameters()), "first_lr": rate}],
                rate, momentum=self.momentum, fused=True,
            )
            for name, player, rate in (
                ("generator", game.generator, self.generator_rate),
                ("discriminator", game.discriminator, self.discriminator_rate),
            )
        }  # fmt: skip

    def schedule(self, optimiser: torch.optim.Optimizer, update: int, epoch: int) -> None:
        momentum = ramped(self.momentum, self.final_momentum, self.momentum_epochs, epoch)
        for group in optimiser.param_groups:
            rate = decayed(
                group["first_lr"], self.learning_rate_divisor, self.learning_rate_floor, update
            )
            group["momentum"] = momentum * group["lr"] / rate  # of the velocity; see Trainer
            group["lr"] = rate
