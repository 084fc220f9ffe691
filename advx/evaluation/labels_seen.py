"""How many labels a game with few of them is really shown: its minibatches are drawn once more."""

from typing import cast

import torch

from advx.data.dataset import Dataset, Split
from advx.evaluation.measurement import measurement
from advx.games.partly_labeled import PartlyLabeledGame
from advx.training.load_or_train import TrainedGame
from advx.training.loop import epoch_seed


@measurement(version=1)
def labels_seen(
    trained: TrainedGame, data: Dataset, seed: int, batch_size: int, epochs: int, updates: int
) -> float:
    """Training examples that came with their label in any minibatch of a training.

    The game draws its minibatches as in the training, of the examples' numbers instead of the
    examples. Which labels are known follows from the seed; in what order they come within an epoch
    is another matter, and counts for nothing here.

    Args:
        trained: a game with few labels.
        data: what it was trained on.
        seed: of its training.
        batch_size: of the trainer.
        epochs: of the training.
        updates: of an epoch, one minibatch each.

    Raises:
        ValueError: a minibatch has another label than the data.
    """
    game = cast(PartlyLabeledGame, trained.game)
    labels = data.train.labels
    numbers = torch.arange(len(labels), dtype=torch.float64, device=labels.device)
    seen = torch.zeros(len(labels), dtype=torch.bool, device=labels.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(epoch_seed(seed, 0))
        game.begin(data)
        for epoch in range(1, epochs + 1):
            torch.manual_seed(epoch_seed(seed, epoch))
            minibatches = game.minibatches(Split(numbers, labels), batch_size)
            for _ in range(updates):
                _, labeled = next(minibatches)
                if labeled is not None:
                    which, given = labeled[0].long(), labeled[1]
                    if not torch.equal(given, labels[which]):
                        raise ValueError("a minibatch has another label than the data")
                    seen[which] = True
    return float(seen.sum())
