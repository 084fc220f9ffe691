"""The classifier loop of Goodfellow et al. 2013a: SGD with momentum, early stopping on validation.

Everything random in epoch e of seed s is derived from (s, e) alone, so a run that was killed and
continues from its last checkpoint goes through exactly the numbers of an uninterrupted one.
"""

import copy
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset, Split
from advx.errors import Diverged
from advx.models.base import constrain
from advx.models.call import UNDEFINED, UNDEFINED_LIMIT, logits_of, predicted
from advx.training.alone import fails_alone
from advx.training.schedules import decayed, ramped
from advx.types import NonNegative, NonNegativeInt, Positive, PositiveInt, Probability

log = logging.getLogger(__name__)

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
Crafter = Callable[[nn.Module, Tensor, Tensor], Tensor]

RECIPE_VERSION = 1
"""Raised by hand whenever training comes to mean something else: part of every store key."""

EPOCHS_ABOVE_CHANCE = 10
"""Consecutive epochs with a training loss above that of guessing after which training stops."""


@dataclass
class Progress:
    """Where training stands: everything a checkpoint must hold besides the optimiser's state."""

    epoch: int = 0
    best_epoch: int = 0
    best_error: float = math.inf
    best_state: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def note(self, error: float) -> bool:
        """Count one more epoch, with its validation error; whether it is the best so far.

        Without a validation set (NaN) the last epoch is the best.
        """
        self.epoch += 1
        best = math.isnan(error) or error < self.best_error
        if best:
            self.best_epoch, self.best_error = self.epoch, error
        return best


class Trainer:
    """Stochastic gradient descent with classical momentum.

    Args:
        batch_size: examples in a minibatch.
        learning_rate: first learning rate.
        learning_rate_divisor: divides the learning rate after every update.
        learning_rate_floor: smallest learning rate.
        momentum: first momentum.
        final_momentum: momentum from epoch `momentum_epochs` on, reached linearly from epoch 1.
        momentum_epochs: length of that ramp, in epochs.
        max_epochs: stop after so many epochs; None for no limit.
        patience: stop after so many epochs without a strictly smaller validation error; None to
            train to `max_epochs`. Either way the parameters of the best epoch are kept (the last
            epoch's, where there is no validation set).
    """

    STOPPING_RULE = ("max_epochs", "patience")
    """The arguments that decide when training ends, and nothing of what happens before."""

    joins: bool = False
    """Whether a single example left over joins the last minibatch, for a network that normalizes
    over the batch; `fit` decides."""

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
        max_epochs: PositiveInt | None = None,
        patience: PositiveInt | None = 100,
    ) -> None:
        if max_epochs is None and patience is None:
            raise ValueError("one of max_epochs and patience must be a number")
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_divisor = learning_rate_divisor
        self.learning_rate_floor = learning_rate_floor
        self.momentum = momentum
        self.final_momentum = final_momentum
        self.momentum_epochs = momentum_epochs
        self.max_epochs = max_epochs
        self.patience = patience

    def learning_rate_at(self, update: int) -> float:
        """Learning rate of update number `update`, counted from 0."""
        return decayed(
            self.learning_rate, self.learning_rate_divisor, self.learning_rate_floor, update
        )

    def momentum_at(self, epoch: int) -> float:
        """Momentum during epoch `epoch`, counted from 1."""
        return ramped(self.momentum, self.final_momentum, self.momentum_epochs, epoch)

    def finished(self, progress: Progress) -> bool:
        """Whether the stopping rule has been met."""
        if self.max_epochs is not None and progress.epoch >= self.max_epochs:
            return True
        waited = progress.epoch - progress.best_epoch
        return self.patience is not None and waited >= self.patience

    def passes_through(self, history: list[dict[str, float]]) -> bool:
        """Whether training under this stopping rule goes through all the epochs of `history`."""
        progress = Progress()
        for row in history:
            if self.finished(progress):
                return False
            progress.note(row["validation_error_rate"])
        return True

    def fit(
        self,
        model: nn.Module,
        loss: Loss,
        data: Dataset,
        *,
        seed: NonNegativeInt,
        resume: dict[str, Any] | None = None,
        on_epoch: Callable[[Progress, Callable[[], dict[str, Any]]], None] = lambda *_: None,
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
            Diverged: the loss became NaN, or stayed above that of guessing.
        """
        images, labels = data.train.images, data.train.labels
        left = len(labels) % self.batch_size if len(labels) > self.batch_size else 0
        self.joins = left == 1 and fails_alone(model, loss, images, labels) != ""
        optimiser = self.optimiser(model)
        progress = Progress()
        if resume is not None:
            model.load_state_dict(resume["model"])
            optimiser.load_state_dict(resume["optimiser"])
            progress = Progress(**copy.deepcopy(resume["progress"]))

        def checkpoint() -> dict[str, Any]:
            return {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "progress": vars(progress),
            }

        device = data.train.images.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            while not self.finished(progress):
                epoch = progress.epoch + 1
                mean_loss = self.one_epoch(model, loss, data.train, optimiser, seed, epoch)
                self._observe(model, loss, data, progress, mean_loss)
                on_epoch(progress, checkpoint)
        model.load_state_dict(progress.best_state)
        model.eval()
        return progress

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        """SGD over the model's parameters, rate and momentum set before every update."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.SGD(parameters, self.learning_rate, momentum=self.momentum, fused=True)

    def one_epoch(
        self,
        model: nn.Module,
        loss: Loss,
        train: Split,
        optimiser: torch.optim.Optimizer,
        seed: int,
        epoch: int,
    ) -> float:
        """One pass over the training set in a random order; returns the mean loss."""
        torch.manual_seed(epoch_seed(seed, epoch))
        model.train()
        total = torch.zeros((), device=train.images.device)
        examples = 0
        first = (epoch - 1) * self.updates(train)
        for update, (images, labels) in enumerate(self.minibatches(train, seed), start=first):
            self._schedule(optimiser, update, epoch)
            cost = loss(model, images, labels)
            optimiser.zero_grad(set_to_none=True)
            cost.backward()
            optimiser.step()
            constrain(model)
            total += cost.detach() * len(labels)
            examples += len(labels)
        return float(total) / examples

    def minibatches(self, train: Split, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch's images and labels, in an order drawn from torch's own generator."""
        order = torch.randperm(len(train)).to(train.labels.device)
        batches = list(order.split(self.batch_size))
        if self.joins:
            batches[-2:] = [torch.cat(batches[-2:])]
        for batch in batches:
            yield train.images[batch], train.labels[batch]

    def updates(self, train: Split) -> int:
        """Parameter updates in one epoch."""
        return math.ceil(len(train) / self.batch_size) - self.joins

    def full_minibatch(self, train: Split) -> int:
        """Examples in a full minibatch."""
        return min(self.batch_size, len(train))

    def check(self, data: Dataset, loss: Loss | None = None) -> None:
        """Refuse data or a loss that this training cannot use, before anything is trained."""

    def rates(self, epoch: int, train: Split) -> dict[str, float]:
        """The schedule's values after epoch `epoch`, for metrics.csv."""
        return {
            "learning_rate": self.learning_rate_at(epoch * self.updates(train)),
            "momentum": self.momentum_at(epoch),
        }

    def _schedule(self, optimiser: torch.optim.Optimizer, update: int, epoch: int) -> None:
        """Set this update's rate and momentum.

        The authors' velocity v ← μv − λ∇J is PyTorch's buffer times −λ. Where λ changes between
        updates the buffer must shrink with it, hence the ratio of the two rates in μ.
        """
        rate = self.learning_rate_at(update)
        before = self.learning_rate_at(max(0, update - 1))
        for group in optimiser.param_groups:
            group["lr"] = rate
            group["momentum"] = self.momentum_at(epoch) * before / rate

    def _observe(
        self, model: nn.Module, loss: Loss, data: Dataset, progress: Progress, mean_loss: float
    ) -> None:
        """Validate, remember the best parameters, and stop a run that has diverged."""
        if not math.isfinite(mean_loss):
            raise Diverged(f"training loss became {mean_loss} in epoch {progress.epoch + 1}")
        if len(data.validation):
            seen = getattr(loss, "validation_images", None)
            error = validation_error(model, data.validation, seen)
        else:  # nothing would show that the last update went wrong
            error = math.nan
            if not all(bool(p.isfinite().all()) for p in model.parameters()):
                raise Diverged(f"parameters are no longer finite in epoch {progress.epoch + 1}")
        if progress.note(error):
            progress.best_state = {k: v.clone() for k, v in model.state_dict().items()}
        progress.history.append(
            {
                "epoch": progress.epoch,
                "training_loss": mean_loss,
                "validation_error_rate": error,
                **self.rates(progress.epoch, data.train),
            }
        )
        recent = progress.history[-EPOCHS_ABOVE_CHANCE:]
        guessing = getattr(loss, "cost_of_guessing", math.log)(data.classes)
        if len(recent) == EPOCHS_ABOVE_CHANCE and all(
            row["training_loss"] > 1.05 * guessing for row in recent
        ):
            raise Diverged(
                f"training loss above that of guessing ({guessing:.3f}) for "
                f"{EPOCHS_ABOVE_CHANCE} epochs, {mean_loss:.3f} in epoch {progress.epoch}"
            )


def epoch_seed(seed: int, epoch: int) -> int:
    """The generator seed of one epoch: distinct for every (seed, epoch) up to a million epochs."""
    return seed * 1_000_000 + epoch


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
        said = predicted(logits_of(model, shown))
        wrong += int(((said != y) & (said != UNDEFINED)).sum())
        undefined += int((said == UNDEFINED).sum())
    if undefined:
        text = f"the logits of {undefined} of {len(split)} validation examples are NaN"
        if undefined > UNDEFINED_LIMIT * len(split):
            raise Diverged(text)
        log.warning("%s; they count neither as right nor as wrong", text)
    return 100 * wrong / (len(split) - undefined)
