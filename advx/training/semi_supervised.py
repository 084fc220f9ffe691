"""Training with few labels: each update sees labeled and unlabeled examples (Miyato et al. 2015).

The labeled examples are drawn by the seed, the same number of each class; the labels of all others
are hidden. A minibatch is `batch_size` labeled examples followed by `unlabeled_batch_size` drawn
from the whole training set, whose label is −1: only a loss that knows what to do with those, such
as `virtual_adversarial`, can be used.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.data.few_labels import require_labels, with_labels
from advx.data.minibatches import Minibatch, endless
from advx.defenses.base import uses_unlabeled
from advx.errors import ConfigError
from advx.training.optimizers import Adam, Optimizer
from advx.training.trainer import Loss, Trainer
from advx.types import PositiveInt

UNLABELED = -1

AUTHORS = Adam(learning_rate=0.002, decay=0.9)


class SemiSupervisedTrainer(Trainer):
    """Labeled and unlabeled examples in every minibatch.

    Args:
        optimizer: moves the parameters; by default Adam, from a rate of .002, times .9 an epoch.
        labeled: examples whose label may be used, as many of each class as of any other; None for
            all of them.
        batch_size: labeled examples in a minibatch.
        unlabeled_batch_size: unlabeled examples in a minibatch.
        updates_per_epoch: parameter updates that count as one epoch.
        max_epochs: stop after so many epochs; None for no limit.
        patience: stop after so many epochs without a strictly smaller validation error.
    """

    def __init__(
        self,
        *,
        optimizer: Optimizer = AUTHORS,
        labeled: PositiveInt | None = 100,
        batch_size: PositiveInt = 100,
        unlabeled_batch_size: PositiveInt = 250,
        updates_per_epoch: PositiveInt = 500,
        max_epochs: PositiveInt | None = 100,
        patience: PositiveInt | None = None,
    ) -> None:
        super().__init__(
            optimizer=optimizer,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=patience,
        )
        self.labeled = labeled
        self.unlabeled_batch_size = unlabeled_batch_size
        self.updates_per_epoch = updates_per_epoch

    def check(self, data: Dataset, loss: Loss | None = None) -> None:
        """Refuse a loss that needs every label, and more labels than there are.

        Raises:
            ConfigError: what is asked for, and what there is.
        """
        super().check(data, loss)
        if loss is not None and not uses_unlabeled(loss):
            raise ConfigError(
                f"trainer=semi_supervised: {type(loss).__name__} needs every example's label; "
                "valid with it: defense=virtual_adversarial (weight 0 for none)"
            )
        if self.labeled is not None:
            require_labels(data, self.labeled, "trainer.labeled")

    def with_labels(self, train: Split, seed: int) -> Tensor:
        """Indices (labeled,) int64 of the examples whose label may be used."""
        if self.labeled is None:
            return torch.arange(len(train), device=train.labels.device)
        generator = torch.Generator().manual_seed(seed)
        classes = int(train.labels.max()) + 1
        return with_labels(train.labels, self.labeled // classes, generator)

    def minibatches(self, train: Split, seed: int) -> Iterator[Minibatch]:
        known = endless(self.with_labels(train, seed), self.batch_size)
        everything = torch.arange(len(train), device=train.labels.device)
        others = endless(everything, self.unlabeled_batch_size)
        hidden = train.labels.new_full((self.unlabeled_batch_size,), UNLABELED)
        for _ in range(self.updates_per_epoch):
            batch, extra = next(known), next(others)
            yield (
                torch.cat([train.images[batch], train.images[extra]]),
                torch.cat([train.labels[batch], hidden]),
            )

    def updates(self, train: Split) -> int:
        return self.updates_per_epoch

    def full_minibatch(self, train: Split) -> int:
        return min(self.batch_size, self.unlabeled_batch_size)  # the loss sees them apart
