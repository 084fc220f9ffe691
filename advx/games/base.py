"""What training asks of a game between networks: its players, and one update of them.

A game's file holds its algorithm. The loop that trains it knows minibatches and players, and
nothing of what they are for.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset, Split
from advx.data.minibatches import full_minibatches
from advx.games.diagnostics import Limit
from advx.games.players import Players


class Observer:
    """Looks at a game after every epoch, always with the same eyes; this one sees nothing."""

    def samples(self) -> Tensor | None:
        """A snapshot, (shown, *shape); None for a game that has none."""
        return None

    def diagnose(self) -> dict[str, float]:
        """Numbers that tell whether the game goes well, by name."""
        return {}


class Game(nn.Module):
    """Networks that are trained with, or against, each other.

    A subclass names its players, makes a member of each name in its constructor, and writes
    `update`. All else may stay as it is.
    """

    players: ClassVar[tuple[str, ...]]
    """Names of the members, each a network, whose parameters the players move."""

    averaged: ClassVar[tuple[str, ...]] = ()
    """Players of whose parameters `trainer.average` makes a moving average."""

    limits: ClassVar[Mapping[str, Limit]] = {}
    """When one of the diagnostics' numbers is a warning."""

    minibatches_per_update: int = 1
    """How many minibatches one update takes."""

    def update(self, data: Iterator[Any], players: Players) -> dict[str, Tensor]:
        """One round of the game: the paper's algorithm box, from its first line to its last.

        Args:
            data: `next(data)` is the next minibatch; see `minibatches`.
            players: `players.NAME.descend(loss)` moves one; see `Players`.

        Returns:
            Scalars by name, whose means over the epoch are kept; a loss is called `…_loss`.
        """
        raise NotImplementedError

    def minibatches(self, train: Split, size: int) -> Iterator[Any]:
        """What `update` is to draw from: pairs of images and labels, without end.

        A game with several sources of data, or with labels for a part of it, makes its own.

        Args:
            train: the training examples.
            size: of a minibatch.
        """
        return full_minibatches(train, size)

    def adapt(self, images: Tensor) -> None:
        """Take what the networks need from the training images (n, *shape), before training."""

    def begin(self, data: Dataset) -> None:
        """Choose what stays the same in all epochs: whose labels may be used, say.

        Called before the first epoch and before the first one after a resume, with the same random
        numbers, on the data's device.

        Args:
            data: what the game is trained on.
        """

    def after_epoch(self, train: Split) -> None:
        """Set what evaluation needs, once an epoch's updates are over and before anyone looks.

        Args:
            train: the training examples.
        """

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        """Why the networks do not fit images (n, *shape) with labels (n,); empty where they do.

        They are tried on a few images, in the mode they are in. Lazy layers get their weights here.
        """
        return ""

    def observer(self, data: Dataset, shown: int) -> Observer:
        """Who looks at the game while it is trained; it may draw random numbers.

        Args:
            data: what the game is trained on.
            shown: examples in a snapshot.
        """
        return Observer()

    def validation_error(self, validation: Split) -> float:
        """What early stopping and the choice of the best epoch minimize; NaN for neither."""
        return float("nan")

    def constrain(self, player: nn.Module) -> None:
        """Project one player's parameters back onto their constraint set after its update."""
        for module in player.modules():
            project = getattr(module, "constrain", None)
            if callable(project) and module is not player:
                with torch.no_grad():
                    project()
