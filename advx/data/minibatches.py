"""Minibatches in orders that are drawn from torch's own generator of random numbers."""

from collections.abc import Iterator

import torch
from torch import Tensor

from advx.data.dataset import Split

Minibatch = tuple[Tensor, Tensor]
"""Images (batch, *shape) and labels (batch,) int64."""


def one_pass(split: Split, size: int, *, join: bool = False) -> Iterator[Minibatch]:
    """Every example once; the last minibatch may be smaller.

    Args:
        split: the examples.
        size: of a minibatch.
        join: whether the last minibatch becomes a part of the one before.
    """
    order = torch.randperm(len(split)).to(split.labels.device)
    batches = list(order.split(size))
    if join:
        batches[-2:] = [torch.cat(batches[-2:])]
    for batch in batches:
        yield chosen(split, batch)


def full_minibatches(split: Split, size: int) -> Iterator[Minibatch]:
    """Full minibatches without end, in a new order whenever all examples have been seen.

    Where there are fewer examples than `size`, a minibatch is all of them.
    """
    size = min(size, len(split))
    while True:
        order = torch.randperm(len(split)).to(split.labels.device)
        for batch in order.split(size):
            if len(batch) == size:
                yield chosen(split, batch)


def chosen(split: Split, indices: Tensor) -> Minibatch:
    """The examples at `indices`; three times faster here than by brackets."""
    return split.images.index_select(0, indices), split.labels.index_select(0, indices)


def grouped_minibatches(split: Split, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Full minibatches as above, of examples with groups: images, labels and groups."""
    assert split.groups is not None
    places = torch.arange(len(split), device=split.labels.device)
    for rows in endless(places, min(size, len(split))):
        yield (*chosen(split, rows), split.groups.index_select(0, rows))


def endless(indices: Tensor, size: int) -> Iterator[Tensor]:
    """Batches of `size` from one random order of `indices` after another, without end."""
    left = indices[:0]
    while True:
        while len(left) < size:
            left = torch.cat([left, indices[torch.randperm(len(indices)).to(indices.device)]])
        yield left[:size]
        left = left[size:]
