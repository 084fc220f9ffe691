"""How well sequences of symbols are read, and how alike the streams of symbols are (section 1.4.5).

    accuracy                    test digits whose most probable symbol is their label
    best permutation            the same after the one renaming of the symbols that makes most right
    divergence                  KL(q ‖ p̄) of the tables of bigrams: of labels, and of what was read

A reader that was trained by distributions alone can know the symbols only up to a renaming under
which the distribution stays the same. The divergence needs no pair of an image and a label: starts
are chosen by it. Source: Sutskever et al. (2015).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.bigram_matching import read_bigrams, table_divergence
from advx.evaluation.measurement import measurement
from advx.games.distribution_matching import DistributionMatching
from advx.training.load_or_train import TrainedGame

BATCH = 500
"""Sequences that are read at once."""


@dataclass(frozen=True)
class ReadingRates:
    """Shares of the test digits, in percent.

    Attributes:
        accuracy: read as their label.
        best_permutation_accuracy: under the renaming of the symbols that makes it largest, which is
            chosen on the same digits.
    """

    accuracy: float
    best_permutation_accuracy: float


@measurement(version=1)
def symbols_read(reader: TrainedGame | DistributionMatching, sequences: Split) -> Tensor:
    """Probabilities (n, length, k) of the symbols of image sequences.

    Raises:
        ConfigError: a game without a reader.
    """
    game = reader.game if isinstance(reader, TrainedGame) else reader
    if not isinstance(game, DistributionMatching):
        raise ConfigError(
            f"game: a {type(game).__name__} reads no sequences; valid: game=distribution_matching"
        )
    game.eval()
    with torch.no_grad():
        return torch.cat([game.read(x).softmax(2) for x in sequences.images.split(BATCH)])


@measurement(version=1)
def reading_rates(p: Tensor, sequences: Split) -> ReadingRates:
    """How many digits are read right.

    Args:
        p: probabilities (n, length, k), as read.
        sequences: with their labels (n, length).
    """
    from scipy.optimize import linear_sum_assignment

    k = p.shape[-1]
    read, labels = p.argmax(-1).flatten().cpu(), sequences.labels.flatten().cpu()
    counts = torch.bincount(read * k + labels, minlength=k * k).view(k, k).double()
    rows, columns = linear_sum_assignment(counts.numpy(), maximize=True)
    share = 100 / len(labels)
    right, most = counts.diagonal().sum(), counts[rows, columns].sum()
    return ReadingRates(share * right.item(), share * most.item())


@measurement(version=1)
def matching_divergence(p: Tensor, bigrams: Tensor) -> float:
    """KL(q ‖ p̄) in nats.

    Args:
        p: probabilities (n, length, k), as read.
        bigrams: q, (k, k) float64, of labels.
    """
    return table_divergence(read_bigrams(p.double()), bigrams.to(p.device)).item()


@measurement(version=1)
def blind_symbols(frequencies: Tensor, sequences: Split) -> Tensor:
    """What a reader that ignores the images does best: the labels' frequencies (k,), everywhere."""
    shape = (*sequences.images.shape[:2], len(frequencies))
    return frequencies.to(sequences.images.device).expand(shape)


def chosen_start(divergences: Sequence[float]) -> int:
    """The start with the smallest divergence; of none that is a number, the first."""
    known = [math.inf if math.isnan(each) else each for each in divergences]
    return known.index(min(known))
