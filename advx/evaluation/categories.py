"""What a network of categories knows of data and of generated examples: its entropies."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import probabilities
from advx.games.categorical_gan import CategoricalGAN
from advx.training.load_or_train import TrainedGame

ENTROPIES = ("data_entropy", "generated_entropy", "marginal_entropy")
"""As `CategoricalGAN.update` returns them; without a generator the second one is missing."""


@measurement(version=1)
def categories(trained: TrainedGame) -> nn.Module:
    """The discriminator, as a classifier: images to logits (n, k)."""
    return cast(CategoricalGAN, trained.game).discriminator


@measurement(version=1)
def entropies_of_epoch(trained: TrainedGame, epoch: int) -> dict[str, float]:
    """The mean entropies of an epoch's minibatches, by metric, in percent of log k.

    Args:
        trained: the game, or its control.
        epoch: place in the history; −1 for the last.
    """
    row, most = trained.history[epoch], math.log(cast(CategoricalGAN, trained.game).classes)
    return {name: 100 * row[name] / most for name in ENTROPIES if name in row}


@measurement(version=1)
def entropies_over_training(trained: TrainedGame) -> Tensor:
    """The three entropies after every epoch, (3, epochs), in percent of log k; NaN for none."""
    epochs = range(len(trained.history))
    rows = [entropies_of_epoch(trained, epoch) for epoch in epochs]
    return torch.tensor([[row.get(name, math.nan) for row in rows] for name in ENTROPIES])


def relative_entropy(network: nn.Module, x: Tensor) -> Tensor:
    """Entropy of a network's answer to each of examples (n, *shape), (n,), in percent of log k."""
    p = probabilities(network, x)
    return 100 * -torch.xlogy(p, p).sum(1) / math.log(p.shape[1])
