"""Games that see few labels, or none: which ones, and minibatches that show no others."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.data.few_labels import partly_labeled, require_labels, with_labels
from advx.data.minibatches import Minibatch
from advx.errors import ConfigError
from advx.games.base import Game


def _some(labeled: int | Literal["all"] | None) -> int | Literal["all"] | None:
    if isinstance(labeled, int) and labeled < 1:
        raise ValueError("labels are needed, from one of each class; or all, or null for none")
    return labeled


Labeled = Annotated[int | Literal["all"] | None, AfterValidator(_some)]
"""How many labels may be used, the same number of each class; all of them, or none."""

PartlyLabeled = tuple[Tensor, Minibatch | None]
"""Images without labels (batch, *shape), and images with labels where there are any."""


def refuse_missing_labels(data: Dataset, numbers: list[Labeled], path: str) -> None:
    """Refuse numbers of labels that games are to be given one after the other.

    Args:
        data: whose labels.
        numbers: how many.
        path: where this stands in the configuration, for the message.

    Raises:
        ConfigError: more than there are, a class without any, or a null.
    """
    for labeled in numbers:
        if labeled is None:
            raise ConfigError(f"{path}={numbers}: null hides every label; valid: from 1, or all")
        require_labels(data, data.classes if labeled == "all" else labeled, path)


class PartlyLabeledGame(Game):
    """A game that may use a few labels; the others are hidden from it.

    Attributes:
        labeled: how many.
        labeled_batch_size: labeled examples in a minibatch.
        classes: k, of the game.
        known: indices (m,) int64 of the training examples whose label is shown.
    """

    labeled: Labeled
    labeled_batch_size: int
    classes: int
    known: Tensor

    def begin(self, data: Dataset) -> None:
        """Choose whose labels may be used.

        Raises:
            ConfigError: more labels than there are, a class without a label, or another number of
                classes than the labels have.
        """
        if self.labeled is None:
            return
        if self.classes != data.classes:
            raise ConfigError(
                f"game.classes={self.classes}: {data.name} has labels of {data.classes} classes; "
                f"valid: {data.classes}, or game.labeled=null"
            )
        if self.labeled == "all":
            require_labels(data, data.classes, "game.labeled")
            self.known = (data.train.labels >= 0).nonzero().squeeze(1)
        else:
            require_labels(data, self.labeled, "game.labeled")
            self.known = with_labels(data.train.labels, self.labeled // data.classes)

    def minibatches(self, train: Split, size: int) -> Iterator[PartlyLabeled]:
        if self.labeled is not None:
            return partly_labeled(train, self.known, size, self.labeled_batch_size)
        return ((x, None) for x, _ in super().minibatches(train, size))
