"""What every trainer has: an optimizer, a minibatch size and a rule that ends training."""

from typing import ClassVar

from advx.errors import ConfigError
from advx.training.loop import Progress, Row
from advx.training.optimizers import Optimizer
from advx.types import PositiveInt

OF_OPTIMIZERS = ("learning_rate_at", "momentum_at", "rate_in", "optimiser", "_schedule", "schedule")
"""Methods that trainers once had, and optimizers have now."""


class TrainingRule:
    """An optimizer, a minibatch size and a rule that ends training.

    Args:
        optimizer: moves the parameters.
        batch_size: examples in a minibatch.
        max_epochs: stop after so many epochs; None for no limit.
        patience: stop after so many epochs without a strictly smaller validation error; None to
            train to `max_epochs`. Either way the parameters of the best epoch are kept (the last
            epoch's, where there is no validation set).

    Raises:
        ValueError: neither of the last two is a number.
    """

    STOPPING_RULE: ClassVar[tuple[str, ...]] = ("max_epochs", "patience")
    """The arguments that decide when training ends, and nothing of what happens before."""

    def __init__(
        self,
        *,
        optimizer: Optimizer,
        batch_size: PositiveInt,
        max_epochs: PositiveInt | None,
        patience: PositiveInt | None,
    ) -> None:
        if max_epochs is None and patience is None:
            raise ValueError("one of max_epochs and patience must be a number")
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience

    def __init_subclass__(cls) -> None:
        for name in OF_OPTIMIZERS:
            if name in vars(cls):
                raise ConfigError(
                    f"{cls.__module__}.{cls.__qualname__}.{name}: schedules are the optimizer's; "
                    f"derive a class of your own from one in advx.training.optimizers (its "
                    "learning_rate_at(update, epoch), say) and name it as "
                    "trainer.optimizer._target_"
                )

    def finished(self, progress: Progress) -> bool:
        """Whether the stopping rule has been met."""
        if self.max_epochs is not None and progress.epoch >= self.max_epochs:
            return True
        waited = progress.epoch - progress.best_epoch
        return self.patience is not None and waited >= self.patience

    def passes_through(self, history: list[Row]) -> bool:
        """Whether training under this stopping rule goes through all the epochs of `history`."""
        progress = Progress()
        for row in history:
            if self.finished(progress):
                return False
            progress.note(row["validation_error_rate"])
        return True
