"""Which labels may be used where most of them are hidden, and minibatches that show no others."""

from collections.abc import Iterator

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split, rank_within_class
from advx.data.minibatches import Minibatch, chosen, endless
from advx.errors import ConfigError


def require_labels(data: Dataset, labeled: int, path: str) -> None:
    """Refuse to use more labels than there are, or not the same number of each class.

    Args:
        data: its training labels are counted; a negative one is none.
        labeled: how many are asked for.
        path: where this stands in the configuration, for the message.

    Raises:
        ConfigError: what is asked for, and what there is.
    """
    if labeled > len(data.train):
        raise ConfigError(
            f"{path}={labeled}: {data.name} has {len(data.train):,} training "
            "examples; valid: at most so many, or null"
        )
    known = data.train.labels[data.train.labels >= 0]
    smallest = int(torch.bincount(known, minlength=data.classes).min())
    each = labeled // data.classes
    if labeled < 1 or labeled % data.classes or each > smallest:
        raise ConfigError(
            f"{path}={labeled}: the same number of each of the "
            f"{data.classes} classes is needed, and the rarest has {smallest:,} examples; "
            f"valid: multiples of {data.classes} up to {smallest * data.classes}, or null"
        )


def with_labels(labels: Tensor, each: int, generator: torch.Generator | None = None) -> Tensor:
    """Indices (m,) int64 of examples whose label may be used, `each` of every class, at random.

    Args:
        labels: (n,) int64; a negative one is hidden already.
        each: of every class.
        generator: of random numbers; torch's own where there is none.
    """
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    order = order[labels[order] >= 0]
    return order[rank_within_class(labels[order]) < each]


def partly_labeled(
    train: Split, known: Tensor, size: int, labeled_size: int
) -> Iterator[tuple[Tensor, Minibatch]]:
    """Images of all examples (size, *shape), and examples with labels, without end.

    Args:
        train: the examples.
        known: indices (m,) int64 of those whose label is shown.
        size: images in the first part, which has no labels.
        labeled_size: examples in the second part; all that there are, where there are fewer.
    """
    everything = torch.arange(len(train), device=train.labels.device)
    images = endless(everything, min(size, len(train)))
    pairs = endless(known, min(labeled_size, len(known)))
    while True:
        yield train.images.index_select(0, next(images)), chosen(train, next(pairs))
