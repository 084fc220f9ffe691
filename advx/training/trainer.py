"""How classifiers are trained: minibatches, a loss, early stopping on the validation set."""

import logging
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset, Split
from advx.data.minibatches import Minibatch, one_pass
from advx.errors import ConfigError, Diverged
from advx.models.base import constrain
from advx.models.call import UNDEFINED, UNDEFINED_LIMIT, logits_of, predicted
from advx.training.alone import fails_alone
from advx.training.cuda_graph import RecordedUpdates, Update, recordable
from advx.training.loop import Checkpoint, OnEpoch, Progress, Row, Task, train
from advx.training.optimizers import SGD, Optimizer
from advx.training.rule import TrainingRule
from advx.types import NonNegativeInt, PositiveInt

log = logging.getLogger(__name__)

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
Crafter = Callable[[nn.Module, Tensor, Tensor], Tensor]

AUTHORS = SGD()

EPOCHS_ABOVE_CHANCE = 10
"""Consecutive epochs with a training loss above that of guessing after which training stops."""


class Trainer(TrainingRule):
    """Every example once in an epoch.

    Args:
        optimizer: moves the parameters; by default as the authors' (Goodfellow et al. 2013a).
        batch_size: examples in a minibatch.
        max_epochs: stop after so many epochs; None for no limit.
        patience: stop after so many epochs without a strictly smaller validation error; None to
            train to `max_epochs`. Either way the parameters of the best epoch are kept (the last
            epoch's, where there is no validation set).
    """

    joins: bool = False
    """Whether a single example left over joins the last minibatch, for a network that normalizes
    over the batch; `fit` decides."""

    def __init__(
        self,
        *,
        optimizer: Optimizer = AUTHORS,
        batch_size: PositiveInt = 100,
        max_epochs: PositiveInt | None = None,
        patience: PositiveInt | None = 100,
    ) -> None:
        super().__init__(
            optimizer=optimizer,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=patience,
        )

    def fit(
        self,
        model: nn.Module,
        loss: Loss,
        data: Dataset,
        *,
        seed: NonNegativeInt,
        resume: Checkpoint | None = None,
        on_epoch: OnEpoch = lambda *_: None,
    ) -> Progress:
        """Train `model` in place on `data` and leave the best epoch's parameters in it.

        Args:
            model: maps images to logits; on the device of `data`.
            loss: mean cost of a minibatch, `(model, images, labels) -> scalar`.
            data: training and validation examples.
            seed: decides the order of the examples and the dropout masks.
            resume: a checkpoint to continue from, as `on_epoch` was given it.
            on_epoch: called after every epoch with the progress and a function that makes a
                checkpoint of it.

        Raises:
            ConfigError: it would never end.
            Diverged: the loss became NaN, or stayed above that of guessing.
        """
        Trainer.check(self, data)
        images, labels = data.train.images, data.train.labels
        left = len(labels) % self.batch_size if len(labels) > self.batch_size else 0
        self.joins = left == 1 and fails_alone(model, loss, images, labels) != ""
        task = ClassifierTask(self, model, loss, data, seed)
        return train(task, seed=seed, resume=resume, on_epoch=on_epoch)

    def minibatches(self, train: Split, seed: int) -> Iterator[Minibatch]:
        """One epoch's images and labels, in an order drawn from torch's own generator."""
        return one_pass(train, self.batch_size, join=self.joins)

    def updates(self, train: Split) -> int:
        """Parameter updates in one epoch."""
        return math.ceil(len(train) / self.batch_size) - self.joins

    def full_minibatch(self, train: Split) -> int:
        """Examples in a full minibatch."""
        return min(self.batch_size, len(train))

    def check(self, data: Dataset, loss: Loss | None = None) -> None:
        """Refuse data or a loss that this training cannot use, before anything is trained.

        Raises:
            ConfigError: it would never end.
        """
        if self.max_epochs is None and len(data.validation) == 0:
            raise ConfigError(
                f"trainer.max_epochs=null: {data.name} has no validation examples to stop by; "
                "valid: a number of epochs, e.g. 100"
            )


class ClassifierTask(Task):
    """A network that learns to classify.

    Args:
        trainer: minibatches, optimizer and stopping rule.
        model: maps images to logits; on the device of `data`.
        loss: mean cost of a minibatch, `(model, images, labels) -> scalar`.
        data: training and validation examples.
        seed: chooses the examples whose label may be used, where not all are.
    """

    def __init__(
        self, trainer: Trainer, model: nn.Module, loss: Loss, data: Dataset, seed: int
    ) -> None:
        self.trainer = trainer
        self.module = model
        self.loss = loss
        self.data = data
        self.seed = seed
        self.device = data.train.images.device
        self.optimizer = trainer.optimizer.attach(model, lambda: constrain(model))
        self.optimizers = {"model": self.optimizer}
        self.moved: Update = self.move
        if recordable(model, loss, self.optimizer):
            self.moved = RecordedUpdates(self.move, self.optimizer)

    def finished(self, progress: Progress) -> bool:
        return self.trainer.finished(progress)

    def updates_per_epoch(self) -> int:
        return self.trainer.updates(self.data.train)

    def batches(self) -> Iterator[Minibatch]:
        return self.trainer.minibatches(self.data.train, self.seed)

    def update(self, batch: Minibatch, update: int, epoch: int) -> tuple[dict[str, Tensor], int]:
        images, labels = batch
        self.optimizer.schedule(update, epoch)
        return {"training_loss": self.moved(images, labels)}, len(labels)

    def move(self, images: Tensor, labels: Tensor) -> Tensor:
        """One update by a minibatch's gradient; returns its cost, a scalar."""
        cost = self.loss(self.module, images, labels)
        self.optimizer.zero_grad()
        cost.backward()
        self.optimizer.move()
        return cost.detach()

    def validation_error(self, epoch: int) -> float:
        if len(self.data.validation):
            seen = getattr(self.loss, "validation_images", None)
            return validation_error(self.module, self.data.validation, seen)
        # nothing else would show that the last update went wrong
        if not all(bool(p.isfinite().all()) for p in self.module.parameters()):
            raise Diverged(f"parameters are no longer finite in epoch {epoch}")
        return math.nan

    def observe(self, epoch: int, error: float) -> Row:
        schedule = self.trainer.optimizer.values(epoch * self.updates_per_epoch(), epoch)
        return {"validation_error_rate": error} | schedule

    def after_epoch(self, progress: Progress) -> None:
        """Stop a run that does no better than guessing."""
        recent = progress.history[-EPOCHS_ABOVE_CHANCE:]
        guessing = getattr(self.loss, "cost_of_guessing", math.log)(self.data.classes)
        if len(recent) == EPOCHS_ABOVE_CHANCE and all(
            row["training_loss"] > 1.05 * guessing for row in recent
        ):
            mean_loss = recent[-1]["training_loss"]
            raise Diverged(
                f"training loss above that of guessing ({guessing:.3f}) for "
                f"{EPOCHS_ABOVE_CHANCE} epochs, {mean_loss:.3f} in epoch {progress.epoch}"
            )


@torch.no_grad()
def validation_error(
    model: nn.Module, split: Split, seen: Crafter | None = None, batch_size: int = 2_500
) -> float:
    """Error rate in percent over a split, in evaluation mode; few examples may have NaN logits.

    Args:
        model: maps images to logits.
        split: the examples.
        seen: what the model is shown instead of the images, `(model, images, labels) -> images`.
        batch_size: examples at once.

    Raises:
        Diverged: too many of the logits are NaN to leave them out.
    """
    model.eval()
    wrong = undefined = 0
    for x, y in zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True):
        shown = x if seen is None else seen(model, x, y)
        classes = predicted(logits_of(model, shown))
        wrong += int(((classes != y) & (classes != UNDEFINED)).sum())
        undefined += int((classes == UNDEFINED).sum())
    if undefined:
        text = f"the logits of {undefined} of {len(split)} validation examples are NaN"
        if undefined > UNDEFINED_LIMIT * len(split):
            raise Diverged(text)
        log.warning("%s; they count neither as right nor as wrong", text)
    return 100 * wrong / (len(split) - undefined)
