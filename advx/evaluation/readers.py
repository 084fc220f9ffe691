"""Readers of sequences that have no adversary: by tables of bigrams, and by pairs (section 1.4.5).

The network is that of the game, so that the three differ in nothing but what they are trained by.
"""

from dataclasses import replace

from torch.nn.functional import one_hot

from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.evaluation.bigram_matching import BigramMatching, counted_bigrams, fit, train_reader
from advx.evaluation.measurement import measurement
from advx.games.distribution_matching import DistributionMatching
from advx.randomness import seeded


@measurement(version=1)
def matched_reader(game: Config, data: Dataset, how: BigramMatching) -> DistributionMatching:
    """A reader that is trained by two tables of bigrams; of labels, by those that are counted.

    Args:
        game: whose reader it is.
        data: sequences of images, and labels that are no pairs with them.
        how: settings and seed.
    """
    with seeded(how.seed):
        made: DistributionMatching = game.build().to(data.train.images.device)
    made.adapt(data.train.images)
    wanted = counted_bigrams(data.train.labels, data.classes)
    train_reader(made.reader, data.train.images, wanted, how)
    return made.eval()


@measurement(version=1)
def supervised_reader(
    game: Config, digits: Split, how: BigramMatching, steps: int
) -> DistributionMatching:
    """The same network, trained by digits with their labels.

    Args:
        game: whose reader it is.
        digits: images (n, *shape) and labels (n,).
        how: its batches, its learning rate and its seed are those of the reader without pairs.
        steps: of Adam.
    """
    with seeded(how.seed):
        made: DistributionMatching = game.build().to(digits.images.device)
        images = digits.images[:, None]  # sequences of one
        made.adapt(images)
        targets = one_hot(digits.labels[:, None], made.classes).float()
        fit(made.reader.train(), images, targets, replace(how, fitting_steps=steps))
    return made.eval()
